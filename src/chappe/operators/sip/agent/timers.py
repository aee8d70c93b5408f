"""What is to be done later, by a clock that is given from outside."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from typing import Final

STOPPED_MAX: Final = 64
"""That are kept whatever else there is."""

Action = Callable[[int], None]
"""Takes the time in milliseconds."""


class Timer:
    """One thing to do; `stop` takes it back."""

    __slots__ = ("_timers", "action")

    def __init__(self, timers: Timers, action: Action) -> None:
        self._timers = timers
        self.action: Action | None = action

    def stop(self) -> None:
        if self.action is not None:
            self.action = None
            self._timers.note_stopped()


class Timers:
    """Times are milliseconds of any clock that does not go back."""

    __slots__ = ("_count", "_heap", "_stopped")

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Timer]] = []
        self._count = itertools.count()
        self._stopped = 0
        """Of those in the heap."""

    def __len__(self) -> int:
        """What is kept, with some that were stopped."""
        return len(self._heap)

    def at(self, due_ms: int, action: Action) -> Timer:
        timer = Timer(self, action)
        heapq.heappush(self._heap, (due_ms, next(self._count), timer))
        return timer

    def run(self, now_ms: int) -> None:
        """Does everything that is due."""
        heap = self._heap
        while heap and heap[0][0] <= now_ms:
            _, _, timer = heapq.heappop(heap)
            action, timer.action = timer.action, None
            if action is None:
                self._stopped -= 1
            else:
                action(now_ms)

    def next_ms(self) -> int | None:
        heap = self._heap
        while heap and heap[0][2].action is None:
            heapq.heappop(heap)
            self._stopped -= 1
        return heap[0][0] if heap else None

    def note_stopped(self) -> None:
        """What a timer says. Peers choose when their session is to be refreshed: nothing waits for years to be let go."""
        self._stopped += 1
        heap = self._heap
        if self._stopped > STOPPED_MAX and 2 * self._stopped > len(heap):
            heap[:] = [item for item in heap if item[2].action is not None]
            heapq.heapify(heap)
            self._stopped = 0
