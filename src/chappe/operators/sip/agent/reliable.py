"""The order in which a caller takes reliable provisional responses (RFC 3262, section 4)."""

from __future__ import annotations

from chappe.operators.sip.syntax.message import Response


class ReliableOrder:
    """One dialog's: each response is taken once, in the order of RSeq."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last = 0

    def take(self, response: Response) -> int | None:
        """The RSeq to acknowledge; None for a repetition, or one that came before its turn and will come again.
        Raises RemoteError where RSeq cannot be read.
        """
        rseq = response.number("RSeq")
        if not rseq or (self._last and rseq != self._last + 1):
            return None
        self._last = rseq
        return rseq
