"""Integer ids from blocks reserved in the database, so that an id is known before any statement runs.

A block is reserved in a transaction of its own and lost with the process: gaps are allowed, repeats are not.
"""

from __future__ import annotations

import asyncio

from chappe.storage.database import Database, StorageUnavailable, Transaction

MESSAGE_ID_MAX = 2**31 - 1
"""Callers keep the ids of messages in 32 bits with a sign."""


class IdBlocks:
    """Ids of one sequence. `take` never waits while a block is left: the next one is fetched early.

    Raises `StorageUnavailable` where none can be had, also once `id_max` is reached.
    """

    def __init__(
        self, database: Database, name: str, *, block_size: int = 1000, id_max: int = 2**63 - 1
    ) -> None:
        self._database = database
        self._name = name
        self._block_size = block_size
        self._id_max = id_max
        self._next = 0
        self._end = 0
        self._following: tuple[int, int] | None = None
        self._refill: asyncio.Task[None] | None = None

    @property
    def has_one(self) -> bool:
        """Whether `take_at_once` may be called."""
        return self._next < self._end or self._following is not None

    def take_at_once(self) -> int:
        """One id that need not be waited for."""
        if self._next >= self._end:
            assert self._following is not None
            self._next, self._end = self._following
            self._following = None
        return self._take(1)

    async def take(self, count: int = 1) -> int:
        """The first of `count` consecutive ids."""
        while not self._fits(count):
            if self._following is not None and self._next >= self._end:
                self._next, self._end = self._following
                self._following = None
                continue
            if count > self._block_size // 2:
                return (await self._reserve(count))[0]
            if self._following is not None:
                self._next, self._end = self._following
                self._following = None
                continue
            await self._refilled()
        return self._take(count)

    def _take(self, count: int) -> int:
        first = self._next
        self._next += count
        if self._following is None and self._end - self._next < self._block_size // 2:
            self._start_refill()
        return first

    def _fits(self, count: int) -> bool:
        return self._end - self._next >= count

    async def _refilled(self) -> None:
        await asyncio.shield(self._start_refill())

    def _start_refill(self) -> asyncio.Task[None]:
        if self._refill is None:
            self._refill = asyncio.create_task(self._fetch())
            # A block fetched early may fail with nobody waiting: whoever needs ids tries again and is told.
            self._refill.add_done_callback(lambda task: task.cancelled() or task.exception())
        return self._refill

    async def _fetch(self) -> None:
        try:
            self._following = await self._reserve(self._block_size)
        finally:
            self._refill = None

    async def _reserve(self, count: int) -> tuple[int, int]:
        def reserve(tx: Transaction) -> int:
            row = tx.one(
                "INSERT INTO sequences (name, next_id) VALUES (?, ?)"
                " ON CONFLICT (name) DO UPDATE SET next_id = sequences.next_id + ? RETURNING next_id",
                (self._name, 1 + count, count),
            )
            assert row is not None
            if row[0] - 1 > self._id_max:
                raise StorageUnavailable(
                    f"the sequence {self._name} is used up: {self._id_max} was the last id"
                )
            return row[0]

        end = await self._database.write(reserve)
        return end - count, end
