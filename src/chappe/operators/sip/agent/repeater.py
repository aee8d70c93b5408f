"""Sending again until it is acknowledged: 2xx to INVITE (RFC 3261, 13.3.1.4), reliable provisional answers (RFC 3262)."""

from __future__ import annotations

from collections.abc import Callable

from chappe.operators.sip.agent.timers import Timer, Timers
from chappe.operators.sip.transactions.timing import Timing


class Repeater:
    """`resend` is called after T1, and then after twice as long each time, `interval_ms_max` at most; `on_lost` after
    64 T1 without `stop`. Streams are no exception: a proxy on the way may go on over UDP.
    """

    __slots__ = ("_interval_ms", "_interval_ms_max", "_on_lost", "_resend", "_timer", "_timers", "_until_ms")

    def __init__(
        self,
        timers: Timers,
        timing: Timing,
        now_ms: int,
        *,
        interval_ms_max: int,
        resend: Callable[[int], None],
        on_lost: Callable[[int], None],
    ) -> None:
        self._timers = timers
        self._interval_ms = timing.t1_ms
        self._interval_ms_max = interval_ms_max
        self._until_ms = now_ms + timing.give_up_ms
        self._resend = resend
        self._on_lost = on_lost
        self._timer: Timer | None = timers.at(now_ms + timing.t1_ms, self._again)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None

    def _again(self, now_ms: int) -> None:
        if now_ms >= self._until_ms:
            self._timer = None
            self._on_lost(now_ms)
            return
        self._resend(now_ms)
        self._interval_ms = min(2 * self._interval_ms, self._interval_ms_max)
        self._timer = self._timers.at(min(now_ms + self._interval_ms, self._until_ms), self._again)
