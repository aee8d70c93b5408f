"""Keeps what a process holds in memory like what other processes have stored."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from chappe.storage.database import Database, StorageUnavailable

EVERY_S = 10.0
"""The slow look beside the wake-ups, which may be lost."""

_log: structlog.stdlib.BoundLogger = structlog.get_logger("storage")


class Watch:
    """Calls `load` when another process notifies `channel`, and every ten seconds; on SQLite never."""

    def __init__(self, database: Database, channel: str, load: Callable[[], Awaitable[None]]) -> None:
        self._load = load
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        if database.is_shared:
            database.listen(channel, self._changed.set)
            self._task = asyncio.create_task(self._run(), name=f"watch-{channel}")

    async def stop(self) -> None:
        """Looks no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(EVERY_S):
                    await self._changed.wait()
            except TimeoutError:
                pass
            self._changed.clear()
            try:
                await self._load()
            except StorageUnavailable:
                pass  # whoever has work for it says so; the next look is soon
            except Exception as error:
                _log.error("an unexpected exception", exc_info=error)
