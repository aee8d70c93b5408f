"""What the built-in telephones say: A-law, 8,000 octets a second, spoken once by SVOX Pico and kept in `recordings`.

`tests/support/telephone_sounds.py` has made them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from chappe.operators.sip.rtp.laws import TO_OTHER
from chappe.operators.sip.sdp.audio import CodecName

Name = Literal["hello", "greeting", "mailbox"]
"""hello: "Allô ?". greeting: an answering machine's. mailbox: a network's own, short. Both end with a beep."""


def sound(name: Name, codec: CodecName = "PCMA") -> bytes:
    octets = (Path(__file__).parent / "recordings" / f"{name}.alaw").read_bytes()
    return octets if codec == "PCMA" else translated(octets, "PCMA")


def translated(octets: bytes, codec: CodecName) -> bytes:
    """From one law of G.711 to the other."""
    return octets.translate(TO_OTHER[codec])
