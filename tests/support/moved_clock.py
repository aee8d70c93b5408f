"""A clock that the test moves."""

from __future__ import annotations


class MovedClock:
    """Stands still on Friday, 15 January 2027, 9 in Paris (an hour before marketing may call), until `ms` is changed."""

    def __init__(self) -> None:
        self.ms = 1_800_000_000_000

    def now_ms(self) -> int:
        return self.ms

    def monotonic_s(self) -> float:
        return self.ms / 1000
