"""What one call has to have committed, in order: brought again while the storage is away."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from chappe.storage.database import OutcomeUnknown, StorageUnavailable

AGAIN_S: Final = 0.5
WAITING_MAX: Final = 128
"""Entries: beyond, a recording ends."""


class Journal:
    """Entries are done one after the other; each may be done twice, and says the same the second time."""

    def __init__(self, on_unexpected: Callable[[Exception], None]) -> None:
        self._on_unexpected = on_unexpected
        self._waiting: deque[Callable[[], Awaitable[None]]] = deque()
        self._task: asyncio.Task[None] | None = None

    @property
    def is_full(self) -> bool:
        return len(self._waiting) >= WAITING_MAX

    def add(self, entry: Callable[[], Awaitable[None]]) -> None:
        self._waiting.append(entry)
        if self._task is None:
            self._task = asyncio.create_task(self._work())

    async def finish(self) -> None:
        """Returns when everything is committed."""
        if self._task is not None:
            await self._task

    async def _work(self) -> None:
        while self._waiting:
            try:
                await self._waiting[0]()
            except (StorageUnavailable, OutcomeUnknown):
                await asyncio.sleep(AGAIN_S)
                continue
            except Exception as error:
                self._on_unexpected(error)  # the same would fail again
            self._waiting.popleft()
        self._task = None
