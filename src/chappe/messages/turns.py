"""Accounts take turns: what waits in memory for one route, a recipient of each account after the other.

A customer who queued a million messages holds up nobody but himself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Turns(Generic[Item]):
    """Items by account, those of one in their order. The account whose turn is next comes first."""

    def __init__(self) -> None:
        self._queues: dict[int, deque[Item]] = {}
        self._order: deque[int] = deque()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def accounts(self) -> Collection[int]:
        """Those of whom anything waits."""
        return self._queues.keys()

    def count(self, account_id: int) -> int:
        """How many of an account wait."""
        queue = self._queues.get(account_id)
        return 0 if queue is None else len(queue)

    def add(self, account_id: int, item: Item) -> None:
        """At the end of its account's; an account of whom nothing waited comes last."""
        self._queue(account_id, is_next=False).append(item)
        self._count += 1

    def put_back(self, account_id: int, item: Item) -> None:
        """In front of its account's, whose turn is next where nothing of it waited."""
        self._queue(account_id, is_next=True).appendleft(item)
        self._count += 1

    def next(self) -> Item:
        """Whose turn it is; there must be somebody."""
        return self._queues[self._order[0]][0]

    def take(self) -> Item:
        """Takes `next()`, and its account's turn is over."""
        account_id = self._order[0]
        queue = self._queues[account_id]
        item = queue.popleft()
        self._count -= 1
        if queue:
            self._order.rotate(-1)
        else:
            self._order.popleft()
            del self._queues[account_id]
        return item

    def clear(self) -> None:
        """Nothing waits any more."""
        self._queues.clear()
        self._order.clear()
        self._count = 0

    def _queue(self, account_id: int, *, is_next: bool) -> deque[Item]:
        queue = self._queues.get(account_id)
        if queue is None:
            queue = self._queues[account_id] = deque()
            if is_next:
                self._order.appendleft(account_id)
            else:
                self._order.append(account_id)
        return queue
