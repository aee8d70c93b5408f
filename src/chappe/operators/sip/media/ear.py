"""A detector and the streams that it listens to: several share them, so that none holds up what leaves for long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from chappe.operators.sip.media.detector import Detector, Finding, Piece

STREAMS: Final = 125
"""Of one detector, before the next one is asked: some 1 ms of work at a time."""


class Ear:
    """`streams` by their number; `pieces` since the last time."""

    def __init__(self, detector: Detector) -> None:
        self.detector = detector
        self.streams: set[int] = set()
        self.pieces: list[Piece] = []

    def feed(self) -> Sequence[Finding]:
        """Raises whatever the detector does."""
        pieces, self.pieces = self.pieces, []
        return self.detector.feed(pieces)


def ear_for_one_more(ears: Sequence[Ear]) -> Ear:
    """One after the other is filled, for a few streams cost as much as many; then all alike."""
    for ear in ears:
        if len(ear.streams) < STREAMS:
            return ear
    return min(ears, key=lambda ear: len(ear.streams))
