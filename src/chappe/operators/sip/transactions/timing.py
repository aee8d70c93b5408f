"""The times of RFC 3261, table 4."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds. `t1_ms` is the guess at a round trip, `t2_ms` the longest pause between retransmissions,
    `t4_ms` how long a message may be under way.
    """

    t1_ms: int = 500
    t2_ms: int = 4_000
    t4_ms: int = 5_000

    def __post_init__(self) -> None:
        assert 0 < self.t1_ms <= self.t2_ms
        assert self.t4_ms > 0

    @property
    def give_up_ms(self) -> int:
        """64 T1: nothing has come for so long, so nothing will."""
        return 64 * self.t1_ms
