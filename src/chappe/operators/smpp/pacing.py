"""How fast an operator may be written to: its throughput, and what it says by throttling. No clock, no socket.

Throughput is a token bucket. A throttling answer (ESME_RTHROTTLED, ESME_RMSGQFUL) stops everything for a while, twice
as long each time; afterwards few requests go at once and more with every one that is accepted, as TCP does after a
loss, so that an operator that takes ten a second is not asked a hundred times. Times are milliseconds of one clock.
"""

import math
from collections.abc import Callable
from typing import Final

UNLIMITED: Final = 1 << 30
PAUSE_MS_FIRST: Final = 250
PAUSE_MS_MAX: Final = 15_000
CAUTION_MAX: Final = 10_000
"""The largest window there is: with so many in flight there is nothing left to be cautious about."""
BURST_SHARE: Final = 0.05
"""Of a second's throughput: what may go at once. More would be throttled where the operator counts short spans; less
would make a transaction of every message.
"""


class Pacing:
    """The pace of one operator, shared by its binds. `throughput`: requests a second, 0 for no limit.

    `random` gives numbers from 0 to 1: links that were throttled together must not come back together.
    """

    def __init__(self, throughput: float, now_ms: float, random: Callable[[], float]) -> None:
        self._per_ms = throughput / 1000 if throughput else None
        self._burst = max(1.0, throughput * BURST_SHARE)
        self._tokens = self._burst
        self._filled_ms = now_ms
        self._random = random
        self._paused_ms = -math.inf
        self._resume_ms = -math.inf
        self._pause_ms = 0.0
        self._in_flight_max = 0
        """While it recovers from throttling: requests at a time. 0: as many as the windows take."""

    def use(self, throughput: float, now_ms: float) -> None:
        """From now on `throughput` requests a second: this process's share of it. 0 here is none at all."""
        assert self._per_ms is not None
        if throughput / 1000 == self._per_ms:
            return
        self._fill(now_ms)
        self._per_ms = throughput / 1000
        self._burst = max(1.0, throughput * BURST_SHARE)
        self._tokens = min(self._tokens, self._burst)

    def allowance(self, now_ms: float, in_flight: int) -> int:
        """How many requests may be written now, while `in_flight` wait for their answer."""
        if now_ms < self._resume_ms:
            return 0
        allowed = UNLIMITED
        if self._per_ms is not None:
            self._fill(now_ms)
            allowed = int(self._tokens)
        if self._in_flight_max:
            allowed = min(allowed, max(0, self._in_flight_max - in_flight))
        return allowed

    def took(self, count: int) -> None:
        """`count` requests were written, not more than allowed."""
        if self._per_ms is not None:
            self._tokens -= count

    def next_ms(self, now_ms: float) -> float | None:
        """When time alone allows more, a whole burst; None if nothing but answers is waited for."""
        if now_ms < self._resume_ms:
            return self._resume_ms
        if self._per_ms:
            self._fill(now_ms)
            if self._tokens < self._burst:
                return now_ms + (self._burst - self._tokens) / self._per_ms
        return None

    def throttled(self, sent_at_ms: float, now_ms: float, in_flight: int) -> None:
        """A request written at `sent_at_ms` was answered "not now"; `in_flight` others wait still."""
        if sent_at_ms <= self._paused_ms:
            return  # of the same crowd as the answer that began the pause
        self._pause_ms = min(max(2 * self._pause_ms, PAUSE_MS_FIRST), PAUSE_MS_MAX)
        self._in_flight_max = max(1, (self._in_flight_max or in_flight + 1) // 2)
        self._paused_ms = now_ms
        self._resume_ms = now_ms + self._pause_ms * (0.75 + self._random() / 2)

    def accepted(self, sent_at_ms: float) -> None:
        """A request written at `sent_at_ms` was accepted."""
        if self._in_flight_max and sent_at_ms > self._paused_ms:
            self._pause_ms = 0.0
            self._in_flight_max += 1
            if self._in_flight_max > CAUTION_MAX:
                self._in_flight_max = 0

    def _fill(self, now_ms: float) -> None:
        if now_ms > self._filled_ms:
            assert self._per_ms is not None
            self._tokens = min(self._burst, self._tokens + (now_ms - self._filled_ms) * self._per_ms)
            self._filled_ms = now_ms


def back_off_ms(round_number: int, first_ms: float, ms_max: float, random: Callable[[], float]) -> float:
    """The wait before try `round_number` (from 1): doubling up to `ms_max`, a quarter more or less."""
    return float(min(first_ms * 2 ** min(round_number - 1, 30), ms_max)) * (0.75 + random() / 2)
