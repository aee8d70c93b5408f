"""The sender of callbacks where there are several processes: one of them sends, another one takes over when it dies.

So no event is posted by two at once. One that was under way when the sending process died is posted again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from chappe.storage.presence import Presence
from chappe.webhooks.sender import WebhookSender


class LedSender:
    """A `WebhookSender` of `make` for as long as this process leads."""

    def __init__(self, presence: Presence, make: Callable[[], WebhookSender]) -> None:
        self._presence = presence
        self._make = make
        self._leads = False
        self._sender: WebhookSender | None = None
        self._changed = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Sends, or waits for its turn."""
        self._presence.lead("webhooks", self._on_change)
        await self._settle()
        self._task = asyncio.create_task(self._run(), name="webhooks-leader")

    def wake(self) -> None:
        """Events were queued and committed, or made due again."""
        if self._sender is not None:
            self._sender.wake()

    async def stop(self) -> None:
        """As `WebhookSender.stop`."""
        self._stopping = True
        self._changed.set()
        if self._task is not None:
            await self._task
        self._leads = False
        await self._settle()

    def _on_change(self, leads: bool) -> None:
        self._leads = leads
        self._changed.set()

    async def _run(self) -> None:
        while not self._stopping:
            self._changed.clear()
            await self._settle()
            await self._changed.wait()

    async def _settle(self) -> None:
        if self._leads and self._sender is None:
            self._sender = self._make()
            await self._sender.start()
        elif not self._leads and self._sender is not None:
            sender, self._sender = self._sender, None
            await sender.stop()
