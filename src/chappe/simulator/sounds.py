"""What the built-in telephones say: A-law, 8,000 octets a second, spoken once by SVOX Pico and kept in `recordings`.

`tests/support/telephone_sounds.py` has made them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal, get_args

Name = Literal["hello", "greeting", "mailbox"]
"""hello: "Allô ?". greeting: an answering machine's. mailbox: a network's own, short. Both end with a beep."""
NAMES: Final[tuple[Name, ...]] = get_args(Name)


def sound(name: Name) -> bytes:
    return (Path(__file__).parent / "recordings" / f"{name}.alaw").read_bytes()
