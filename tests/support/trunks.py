"""A trunk in memory, for tests of what stands before the telephone network: a call ends when the test says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from chappe.calls.port import CallEnd, CallOrder, CallOutcomes
from chappe.clock import Clock


@dataclass(eq=False)
class MemoryTrunk:
    """Takes orders into `taken`."""

    clock: Clock
    name: str = "memory"
    places: int = 10
    is_up: bool = True
    ways: int = 1
    taken: list[CallOrder] = field(default_factory=list)
    under_way: int = 0
    outcomes: CallOutcomes | None = None
    wake: Callable[[], None] | None = None

    @property
    def free_calls(self) -> int:
        return max(0, self.places - self.under_way)

    def call(self, order: CallOrder) -> None:
        assert self.free_calls > 0
        self.taken.append(order)
        self.under_way += 1

    async def start(self, outcomes: CallOutcomes, wake: Callable[[], None]) -> None:
        self.outcomes, self.wake = outcomes, wake
        wake()

    async def stop(self) -> None:
        self.is_up = False

    async def until_taken(self, count: int) -> list[CallOrder]:
        """Waits until `count` orders have come in all; gives the newest of them."""
        async with asyncio.timeout(10):
            while len(self.taken) < count:
                await asyncio.sleep(0.001)
        return self.taken

    async def answer(self, order: CallOrder) -> None:
        """As a trunk does before the first RTP frame."""
        assert self.outcomes is not None
        await self.outcomes.answered(self, order, self.clock.now_ms())

    async def end(self, order: CallOrder, result: str = "answered", **more: Any) -> None:
        """As a trunk does when a call is over; the defaults are those of a call that was heard for two seconds."""
        assert self.outcomes is not None
        assert self.wake is not None
        is_answered = result == "answered"
        fields: dict[str, Any] = {
            "result": result,
            "status": 200 if is_answered else 486,
            "cause": 16,
            "party": "",
            "reason": "",
            "answered_at_ms": self.clock.now_ms() if is_answered else None,
            "ended_at_ms": self.clock.now_ms(),
            "played_ms": 2000 if is_answered else 0,
            "is_complete": is_answered,
            "progress": "100 180",
        }
        await self.outcomes.ended(self, order, CallEnd(**{**fields, **more}))
        self.under_way -= 1
        self.wake()
