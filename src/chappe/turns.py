"""Turns: few do something dear at the same moment, and who asks for much of it waits for nobody but himself.

One owner has half of the places at the most. A place that becomes free goes to the owners one after the other, however
much one of them has waiting.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class TurnsBusy(Exception):
    """More wait than is worth waiting for; nothing was done."""


class Turns:
    """`at_once` places; so many may wait for one, of one owner and in all."""

    def __init__(self, at_once: int, *, waiting_max_of_one: int, waiting_max: int) -> None:
        assert at_once > 0
        self._free = at_once
        self._held_max = (at_once + 1) // 2
        self._held: Counter[int] = Counter()
        self._of_one_max = waiting_max_of_one
        self._max = waiting_max
        self._waiting: OrderedDict[int, deque[asyncio.Future[None]]] = OrderedDict()
        self._count = 0
        self._is_closed = False

    def close(self) -> None:
        """Refuses who waits, and who comes from now on; turns under way go on."""
        self._is_closed = True
        for queue in self._waiting.values():
            for turn in queue:
                if not turn.done():
                    turn.set_exception(TurnsBusy())
        self._waiting.clear()
        self._count = 0

    @asynccontextmanager
    async def of(self, owner: int) -> AsyncGenerator[None]:
        """A turn of `owner`; raises `TurnsBusy`."""
        if self._is_closed:
            raise TurnsBusy
        if self._may_begin(owner):
            self._begin(owner)
        else:
            await self._wait(owner)
        try:
            yield
        finally:
            self._end(owner)

    def _may_begin(self, owner: int) -> bool:
        return self._free > 0 and self._held[owner] < self._held_max

    def _begin(self, owner: int) -> None:
        self._free -= 1
        self._held[owner] += 1

    async def _wait(self, owner: int) -> None:
        queue = self._waiting.get(owner)
        if self._count >= self._max or (queue is not None and len(queue) >= self._of_one_max):
            raise TurnsBusy
        if queue is None:
            queue = self._waiting[owner] = deque()
        turn = asyncio.get_running_loop().create_future()
        queue.append(turn)
        self._count += 1
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._leave(owner, turn)
            elif turn.exception() is None:
                self._end(owner)  # it came in the same moment
            raise

    def _leave(self, owner: int, turn: asyncio.Future[None]) -> None:
        queue = self._waiting.get(owner)
        if queue is None or turn not in queue:
            return  # it was passed over
        queue.remove(turn)
        self._count -= 1
        if not queue:
            del self._waiting[owner]

    def _end(self, owner: int) -> None:
        self._free += 1
        self._held[owner] -= 1
        if not self._held[owner]:
            del self._held[owner]
        for waiting in list(self._waiting):
            if not self._free:
                return
            if self._may_begin(waiting):
                self._call_in(waiting)

    def _call_in(self, owner: int) -> None:
        queue = self._waiting.pop(owner)
        while queue:
            turn = queue.popleft()
            self._count -= 1
            if not turn.done():  # else its owner is going away, and has not been told yet
                self._begin(owner)
                turn.set_result(None)
                break
        if queue:
            self._waiting[owner] = queue  # behind everybody else
