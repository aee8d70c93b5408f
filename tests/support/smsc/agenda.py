"""What is to be done later, in order of its time, with one timer of the loop."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable


class Agenda:
    """`after` is called when a turn's acts are done, to write what they left to be written."""

    def __init__(self, loop: asyncio.AbstractEventLoop, after: Callable[[], None]) -> None:
        self._loop = loop
        self._after = after
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None

    def later(self, delay_ms: float, act: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._heap, (self._loop.time() + delay_ms / 1000, self._count, act))
        if self._heap[0][1] == self._count:
            self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._heap:
            self._timer = self._loop.call_at(self._heap[0][0], self._run)

    def _run(self) -> None:
        self._timer = None
        now = self._loop.time()
        while self._heap and self._heap[0][0] <= now:
            heapq.heappop(self._heap)[2]()
        self._after()
        self._arm()
