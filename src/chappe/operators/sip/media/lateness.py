"""How late frames left, counted in a histogram that costs next to nothing."""

from __future__ import annotations

from typing import Final

BUCKET_US: Final = 50
BUCKETS: Final = 2000
"""Up to 100 ms; what is later counts as that."""


class Lateness:
    def __init__(self) -> None:
        self._counts = [0] * BUCKETS
        self.count = 0
        self.max_us = 0.0

    def add(self, late_us: float, count: int) -> None:
        """`count` frames left so long after their time."""
        bucket = min(BUCKETS - 1, max(0, int(late_us) // BUCKET_US))
        self._counts[bucket] += count
        self.count += count
        if late_us > self.max_us:
            self.max_us = late_us

    def quantile_ms(self, share: float) -> float:
        """The lateness that `share` of the frames did not exceed; 0 without frames."""
        left = share * self.count
        for bucket, count in enumerate(self._counts):
            left -= count
            if count and left <= 0:
                return (bucket + 1) * BUCKET_US / 1000
        return 0.0
