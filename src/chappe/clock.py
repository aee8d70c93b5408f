"""The one clock: wall time in milliseconds and monotonic time, replaceable by tests."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Where every part of the server takes its time from."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch, UTC."""
        ...

    def monotonic_s(self) -> float:
        """Seconds that never run backwards, for timers."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        return time.monotonic()
