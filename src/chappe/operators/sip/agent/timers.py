"""What is to be done later, by a clock that is given from outside."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

Action = Callable[[int], None]
"""Takes the time in milliseconds."""


class Timer:
    """One thing to do; `stop` takes it back."""

    __slots__ = ("action",)

    def __init__(self, action: Action) -> None:
        self.action: Action | None = action

    def stop(self) -> None:
        self.action = None


class Timers:
    """Times are milliseconds of any clock that does not go back."""

    __slots__ = ("_count", "_heap")

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Timer]] = []
        self._count = itertools.count()

    def at(self, due_ms: int, action: Action) -> Timer:
        timer = Timer(action)
        heapq.heappush(self._heap, (due_ms, next(self._count), timer))
        return timer

    def run(self, now_ms: int) -> None:
        """Does everything that is due."""
        heap = self._heap
        while heap and heap[0][0] <= now_ms:
            _, _, timer = heapq.heappop(heap)
            action, timer.action = timer.action, None
            if action is not None:
                action(now_ms)

    def next_ms(self) -> int | None:
        heap = self._heap
        while heap and heap[0][2].action is None:
            heapq.heappop(heap)
        return heap[0][0] if heap else None
