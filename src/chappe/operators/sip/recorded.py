"""What is recorded of a call that came in, on its way to the disk: in pieces, in order, by the call's journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chappe.audio.sound import Law
from chappe.calls.arriving import Heard
from chappe.operators.sip.sdp.audio import CodecName

if TYPE_CHECKING:
    from chappe.operators.sip.arrived import ArrivedCall

PIECE_OCTETS: Final = 16_000
"""Two seconds: what the death of the server may cost, with what is on its way from the media process."""
LAWS: Final[dict[CodecName, Law]] = {"PCMA": "alaw", "PCMU": "ulaw"}


class Recorded:
    """A piece has one law; `flush` at the end."""

    def __init__(self, arrived: ArrivedCall) -> None:
        self._arrived = arrived
        self._pieces = 0
        self._octets = bytearray()
        self._law: Law = "alaw"

    def add(self, law: Law, octets: bytes) -> None:
        if law != self._law:
            self.flush()
            self._law = law
        self._octets += octets
        if len(self._octets) >= PIECE_OCTETS:
            self.flush()

    def flush(self) -> None:
        if not self._octets:
            return
        arriving, arrivals = self._arrived.arriving, self._arrived.side.arrivals
        piece = Heard(self._pieces, self._law, bytes(self._octets))
        self._pieces += 1
        self._octets.clear()
        self._arrived.journal.add(lambda: arrivals.heard(arriving, piece))
