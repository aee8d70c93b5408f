"""One stream's audio on its way to the analysis: cut into frames, with what is missing put in its place.

Time passes by the clock as well: what does not come is silence, once it has not come for longer than a network is late.
"""

from __future__ import annotations

from collections import deque
from typing import Final

FRAME_OCTETS: Final = 160
"""20 ms at 8 kHz."""
LATE_FRAMES_MAX: Final = 10
"""200 ms: later than that nothing is waited for."""
LOST_FRAMES_MAX: Final = 3
"""Longer gaps are silence that was not sent; shorter ones are lost packets, in which what was before goes on."""
WAITING_FRAMES_MAX: Final = 50
"""A peer that sends faster than time passes is heard no further ahead than this."""

LOST: Final = b"lost"
QUIET: Final = b"quiet"


class Inflow:
    """Frames in A-law: `FRAME_OCTETS` octets each, or `LOST`, or `QUIET`. `slot` is its owner's."""

    __slots__ = ("_behind", "_rest", "frames", "slot")

    def __init__(self, slot: int = 0) -> None:
        self.slot = slot
        self.frames: deque[bytes] = deque()
        self._rest = b""
        self._behind = 0
        """Frames that ought to have come by the clock, but for those that did."""

    def add(self, octets: bytes, gap: int) -> None:
        """`gap`: samples that are missing before."""
        if gap:
            self._fill(min((gap + FRAME_OCTETS // 2) // FRAME_OCTETS, self._behind))
        frames = self.frames
        if len(octets) == FRAME_OCTETS and not self._rest:
            # As `_take`, without the call: nearly all are so.
            if len(frames) < WAITING_FRAMES_MAX:
                frames.append(octets)
                if self._behind > -WAITING_FRAMES_MAX:
                    self._behind -= 1
            return
        octets = self._rest + octets
        end = len(octets) - len(octets) % FRAME_OCTETS
        for start in range(0, end, FRAME_OCTETS):
            if len(frames) >= WAITING_FRAMES_MAX:
                break
            self._take(octets[start : start + FRAME_OCTETS])
        self._rest = octets[end:]

    def tick(self) -> None:
        """20 ms have passed."""
        self._behind += 1
        if self._behind > LATE_FRAMES_MAX:
            self._take(QUIET)

    def _fill(self, count: int) -> None:
        kind = LOST if count <= LOST_FRAMES_MAX else QUIET
        for _ in range(count):
            self._take(kind)

    def _take(self, frame: bytes) -> None:
        if len(self.frames) < WAITING_FRAMES_MAX:
            self.frames.append(frame)
            self._behind = max(self._behind - 1, -WAITING_FRAMES_MAX)
