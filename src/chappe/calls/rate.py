"""Calls a second: a token bucket. No clock, no socket."""

from __future__ import annotations

from typing import Final

BURST_S: Final = 0.2
"""Of a second's calls: what may begin at once. Operators count short spans."""


class CallRate:
    """`per_s`: calls a second. Times are seconds of any clock that does not go back."""

    def __init__(self, per_s: float, now_s: float) -> None:
        assert per_s > 0
        self._per_s = per_s
        self._burst = max(1.0, per_s * BURST_S)
        self._tokens = self._burst
        self._filled_s = now_s

    def allowance(self, now_s: float) -> int:
        """How many calls may begin now."""
        self._fill(now_s)
        return int(self._tokens + 1e-9)

    def took(self) -> None:
        """One began."""
        self._tokens -= 1

    def next_s(self, now_s: float) -> float:
        """In how many seconds one more may begin; 0 where one may now."""
        self._fill(now_s)
        return max(0.0, (1.0 - self._tokens) / self._per_s)

    def is_full(self, now_s: float) -> bool:
        """Whether it is as new."""
        self._fill(now_s)
        return self._tokens >= self._burst

    def _fill(self, now_s: float) -> None:
        if now_s > self._filled_s:
            self._tokens = min(self._burst, self._tokens + (now_s - self._filled_s) * self._per_s)
            self._filled_s = now_s
