"""Symmetric RTP (RFC 4961) with a guard: where a peer behind a translator really sends from, audio goes back to.

An address that was not agreed on is believed only while nothing comes from the agreed one, only when several packets
of one source come from it, and only where the policy allows its host. Once believed, no other is, except the agreed
one as soon as it speaks.
"""

from __future__ import annotations

from typing import Final, Literal

Address = tuple[str, int]
Policy = Literal["never", "same-host", "any"]
"""What may differ from the agreed address: nothing, the port, everything."""

PACKETS_TO_BELIEVE: Final = 3
SILENCE_MS: Final = 3_000
"""The believed address was silent for so long: the translator may have forgotten the old binding."""


class Latch:
    """`remote` is where to send to."""

    __slots__ = ("_agreed", "_candidate", "_count", "_heard_ms", "_policy", "_ssrc", "is_sure", "remote")

    def __init__(self, agreed: Address, policy: Policy = "any") -> None:
        self._policy: Policy = policy
        self._agreed: Address = agreed
        self.remote: Address = agreed
        self._candidate: tuple[Address, int] | None = None
        self._count = 0
        self._ssrc: int | None = None
        self._heard_ms = 0.0
        self.is_sure = False
        """Something came from `remote`."""

    def agree(self, agreed: Address) -> None:
        """A new answer names another address: all begins anew. The same address changes nothing."""
        if agreed != self._agreed:
            self._agreed = self.remote = agreed
            self._candidate = None
            self.is_sure = False

    def accepts(self, source: Address, ssrc: int, now_ms: float) -> bool:
        """Whether an RTP packet from `source` belongs to the stream."""
        if source == self.remote:
            self._heard_ms = now_ms
            self._ssrc = ssrc
            self.is_sure = True
            return True
        if source == self._agreed:
            return self._believe(source, ssrc, now_ms)
        if self._policy == "never" or (self._policy == "same-host" and source[0] != self._agreed[0]):
            return False
        if self.is_sure:
            is_silent = now_ms - self._heard_ms >= SILENCE_MS
            if not is_silent or ssrc != self._ssrc:
                return False
        if self._candidate != (source, ssrc):
            self._candidate, self._count = (source, ssrc), 0
        self._count += 1
        if self._count < PACKETS_TO_BELIEVE:
            return False
        return self._believe(source, ssrc, now_ms)

    def _believe(self, source: Address, ssrc: int, now_ms: float) -> bool:
        self.remote, self._candidate = source, None
        self._heard_ms, self._ssrc, self.is_sure = now_ms, ssrc, True
        return True
