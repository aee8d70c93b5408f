"""Limits per account: an exact sliding window up to 60 requests a minute, GCRA above; no I/O, no clock.

Idle accounts are forgotten by turning two generations over: what has not been touched for a whole period
cannot count any more, so dropping it changes no answer, and memory follows the accounts active in the last
two periods.
"""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from chappe.partner.errors import Header

WINDOW_PER_MINUTE_MAX = 60
"""At most this rate is counted exactly; above it the exact list would cost more than it is worth."""


@dataclass(frozen=True, slots=True)
class Limit:
    """`requests` in any `seconds`, as the documentation gives it (5 in 60, 2000 in 3600)."""

    requests: int
    seconds: int

    def __post_init__(self) -> None:
        assert self.requests > 0
        assert self.seconds > 0

    @property
    def is_counted_exactly(self) -> bool:
        return self.requests * 60 <= WINDOW_PER_MINUTE_MAX * self.seconds


class Decision(NamedTuple):
    """What a check found."""

    allowed: bool
    limit: int
    remaining: int
    """Requests left after this one."""
    reset_s: int
    """Unix seconds: when the oldest request leaves the window; with GCRA, when all are there again."""
    retry_after_s: int
    """0 when allowed, else at least 1."""


# The constructor of a NamedTuple without its wrapper: half the time.
_new: Callable[[type[Decision], tuple[bool, int, int, int, int]], Decision] = vars(tuple)["__new__"]


def decide(times_ms: Sequence[int], limit: Limit, now_ms: int, unix_ms: int) -> Decision:
    """The sliding window as a pure function: `times_ms` are the requests already allowed, in ascending order.

    For a window shared between processes the list comes from storage. When the answer is allowed, the
    caller adds `now_ms` to it. Times are of one monotonic clock; `unix_ms` is the wall clock at the same
    instant.
    """
    period_ms = limit.seconds * 1000
    first = bisect_right(times_ms, now_ms - period_ms)
    used = len(times_ms) - first
    if used < limit.requests:
        oldest_ms = times_ms[first] if used else now_ms
        reset_s = -(-(unix_ms + oldest_ms + period_ms - now_ms) // 1000)
        return _new(Decision, (True, limit.requests, limit.requests - used - 1, reset_s, 0))
    # With a limit lowered while requests were counted there may be more than `requests`: wait for enough
    # to leave.
    free_ms = times_ms[len(times_ms) - limit.requests] + period_ms
    wait_ms = free_ms - now_ms
    return _new(Decision, (False, limit.requests, 0, -(-(unix_ms + wait_ms) // 1000), -(-wait_ms // 1000)))


class SlidingWindow:
    """At most `limit.requests` in any `limit.seconds`, exactly. Refused requests do not count."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self._period_ms = limit.seconds * 1000
        self._turn_at_ms: int | None = None
        self._current: dict[int, array[int]] = {}
        self._previous: dict[int, array[int]] = {}

    def check(self, account: int, now_ms: int, unix_ms: int) -> Decision:
        """Counts a request of `account` if allowed. `now_ms` never goes back; `unix_ms` is only printed."""
        if self._turn_at_ms is None or now_ms >= self._turn_at_ms:
            self._turn(now_ms)
        times = self._current.get(account)
        if times is None:
            times = self._previous.pop(account, None)
            if times is None:
                times = array("q")
            self._current[account] = times
        decision = decide(times, self.limit, now_ms, unix_ms)
        if decision.allowed:
            gone = bisect_right(times, now_ms - self._period_ms)
            if gone:
                del times[:gone]
            times.append(now_ms)
        return decision

    def __len__(self) -> int:
        return len(self._current) + len(self._previous)

    def _turn(self, now_ms: int) -> None:
        # A first turn, or an idle stretch of two periods, leaves nothing worth keeping in either generation.
        idle = self._turn_at_ms is None or now_ms >= self._turn_at_ms + self._period_ms
        self._previous = {} if idle else self._current
        self._current = {}
        self._turn_at_ms = now_ms + self._period_ms


class Gcra:
    """The generic cell rate algorithm: `limit.requests` at once, then one every `seconds / requests`.

    With `processes` > 1 each process gives its share, so that all of them together give the limit.
    """

    def __init__(self, limit: Limit, processes: int = 1) -> None:
        assert processes > 0
        self.limit = limit
        self._requests = limit.requests
        self._scale = 0
        self.divide(processes)
        self._turn_at_us: int = 0
        # The instant at which an account has its whole burst again ("theoretical arrival time").
        self._current: dict[int, int] = {}
        self._previous: dict[int, int] = {}

    def divide(self, processes: int) -> None:
        """From now on so many processes share the limit."""
        if processes == self._scale:
            return
        self._scale = processes
        share = max(1, self._requests // processes)
        self._interval_us = max(1, self.limit.seconds * 1_000_000 // share)
        self._burst_us = self._interval_us * share

    def check(self, account: int, now_ms: int, unix_ms: int) -> Decision:
        """As SlidingWindow.check."""
        now_us = now_ms * 1000
        if now_us >= self._turn_at_us:
            self._turn(now_us)
        full_at_us = self._current.get(account)
        if full_at_us is None:
            full_at_us = self._previous.get(account, 0)
        spent_us = full_at_us - now_us if full_at_us > now_us else 0
        spare_us = self._burst_us - spent_us - self._interval_us
        if spare_us < 0:
            reset_s = (unix_ms + spent_us // 1000) // 1000 + 1
            return _new(Decision, (False, self._requests, 0, reset_s, -spare_us // 1_000_000 + 1))
        spent_us += self._interval_us
        self._current[account] = now_us + spent_us
        reset_s = (unix_ms + spent_us // 1000) // 1000 + 1
        remaining = spare_us // self._interval_us * self._scale
        return _new(Decision, (True, self._requests, remaining, reset_s, 0))

    def __len__(self) -> int:
        return len(self._current.keys() | self._previous.keys())

    def _turn(self, now_us: int) -> None:
        idle = now_us >= self._turn_at_us + self._burst_us
        self._previous = {} if idle else self._current
        self._current = {}
        self._turn_at_us = now_us + self._burst_us


Limiter = SlidingWindow | Gcra


def limiter(limit: Limit, processes: int = 1) -> Limiter:
    """The counter for `limit`, one per page. `processes` divides GCRA only; a window is shared instead."""
    return SlidingWindow(limit) if limit.is_counted_exactly else Gcra(limit, processes)


def headers(decision: Decision) -> list[Header]:
    """``X-RateLimit-Limit``, ``-Remaining`` and ``-Reset``, and ``Retry-After`` when refused."""
    lines = [
        (b"x-ratelimit-limit", b"%d" % decision.limit),
        (b"x-ratelimit-remaining", b"%d" % decision.remaining),
        (b"x-ratelimit-reset", b"%d" % decision.reset_s),
    ]
    if not decision.allowed:
        lines.append((b"retry-after", b"%d" % decision.retry_after_s))
    return lines
