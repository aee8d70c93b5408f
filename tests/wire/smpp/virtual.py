"""An event loop whose clock can be set forward: what takes a minute takes no time, with real sockets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

REAL_S_MAX = 10.0
TURNS = 40
"""Of the loop, for octets to go from one socket of this process to another and for all that follows."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """`ahead_s` is how far its clock is ahead of the machine's."""

    ahead_s = 0.0

    def time(self) -> float:
        return super().time() + self.ahead_s


async def settle() -> None:
    """Everything that is under way arrives."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


async def advance(seconds: float) -> None:
    """Lets `seconds` pass: every timer on the way fires at its time, and what it causes happens."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    await settle()
    target = loop.time() + seconds
    while True:
        waiting = [handle.when() for handle in loop._scheduled if not handle.cancelled()]
        due = min((when for when in waiting if when <= target), default=target)
        loop.ahead_s += max(0.0, due - loop.time())
        await settle()
        if due >= target:
            return


async def until(condition: Callable[[], object]) -> None:
    """Waits for what is about to happen without time passing."""
    deadline = time.monotonic() + REAL_S_MAX
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("it did not happen")
        await asyncio.sleep(0)
