"""The order in which a caller takes reliable provisional responses (RFC 3262, section 4)."""

from __future__ import annotations

from typing import Final

from chappe.operators.sip.syntax.message import Response

TAKEN_MAX: Final = 64
"""Of one dialog. Each is acknowledged by a PRACK that is repeated eleven times, to wherever the peer wants it."""


class ReliableOrder:
    """One dialog's: each response is taken once, in the order of RSeq."""

    __slots__ = ("_last", "_taken")

    def __init__(self) -> None:
        self._last = 0
        self._taken = 0

    def take(self, response: Response) -> int | None:
        """The RSeq to acknowledge; None for a repetition, one that came before its turn and will come again, or one of a
        flood. Raises RemoteError where RSeq cannot be read.
        """
        rseq = response.number("RSeq")
        if not rseq or (self._last and rseq != self._last + 1) or self._taken == TAKEN_MAX:
            return None
        self._last = rseq
        self._taken += 1
        return rseq
