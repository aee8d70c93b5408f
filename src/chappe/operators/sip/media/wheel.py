"""The timing wheel: who sends in which millisecond. Streams are spread, so that each millisecond has as few as can be."""

from __future__ import annotations

from typing import Final, Generic, TypeVar

T = TypeVar("T")
SLOTS: Final = 120
"""A round is 120 ms: a whole number of every packet time there is (10, 20, 30, 40, 60 ms)."""


class Wheel(Generic[T]):
    def __init__(self) -> None:
        self._slots: list[dict[int, T]] = [{} for _ in range(SLOTS)]

    def add(self, key: int, item: T, period_ms: int) -> int:
        """Puts it where the fewest are; gives its first slot."""
        assert SLOTS % period_ms == 0
        first = min(range(period_ms), key=lambda slot: len(self._slots[slot]))
        for slot in range(first, SLOTS, period_ms):
            self._slots[slot][key] = item
        return first

    def remove(self, key: int) -> None:
        for slot in self._slots:
            slot.pop(key, None)

    def at(self, tick: int) -> list[T]:
        """Whose turn it is in millisecond `tick` of any count."""
        return list(self._slots[tick % SLOTS].values())
