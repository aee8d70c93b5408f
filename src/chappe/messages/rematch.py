"""Brings receipts together with submissions that another process committed at the same time.

A receipt may come on one process's bind while the answer to its submit_sm is being committed by another: neither sees
the other's row, and both are stored. So where there are several processes somebody looks again, every few seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from chappe.messages.outcomes import CommittedOutcomes
from chappe.storage.database import StorageUnavailable

EVERY_S = 3.0

_log: structlog.stdlib.BoundLogger = structlog.get_logger("messages")


class Rematch:
    """The background task."""

    def __init__(self, outcomes: CommittedOutcomes, on_unexpected: Callable[[], None]) -> None:
        self._outcomes = outcomes
        self._on_unexpected = on_unexpected
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="rematch")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                while await self._outcomes.rematch():
                    pass
            except StorageUnavailable as error:
                _log.error("the storage is not available", reason=str(error))
            except Exception as error:
                self._on_unexpected()
                _log.error("an unexpected exception", exc_info=error)
