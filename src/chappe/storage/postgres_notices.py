"""Wake-ups between the processes on one PostgreSQL database: LISTEN and NOTIFY on a connection of their own.

A wake-up is a hint: it may be lost when a connection breaks, so whoever listens looks by himself too, seldom. It is
sent after its commit and in a transaction of its own, because a commit that carries one holds a lock over the whole
server while it waits for the disk. What is to be sent while one is under way goes out together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import structlog

from chappe.storage.database import StorageUnavailable
from chappe.storage.postgres_connection import Connector, Link, close_quietly, is_broken

PREFIX = "chappe_"
RECONNECT_S = 1.0
CLOSE_S_MAX = 2.0
# Whether a wake-up survives a power cut does not matter.
_SETTINGS = {"synchronous_commit": "off"}

_log: structlog.stdlib.BoundLogger = structlog.get_logger("storage")


class Notices:
    """Sends and hears wake-ups; connects when there is one to send or to hear."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector
        self._callbacks: dict[str, list[Callable[[], None]]] = {}
        self._to_send: set[str] = set()
        self._changed = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None

    def listen(self, channel: str, callback: Callable[[], None]) -> None:
        """Calls `callback` on the event loop at each wake-up of `channel`, and when one may have been missed."""
        self._callbacks.setdefault(channel, []).append(callback)
        self._start()

    def send(self, channels: Iterable[str]) -> None:
        """Wakes those who listen, in every process."""
        self._to_send.update(channels)
        self._start()

    async def close(self) -> None:
        """Sends what is to be sent, if the server takes it."""
        self._closing = True
        if self._task is None:
            return
        self._changed.set()
        try:
            async with asyncio.timeout(CLOSE_S_MAX):
                await self._task
        except TimeoutError:
            pass

    def _start(self) -> None:
        self._changed.set()
        if self._task is None and not self._closing:
            self._task = asyncio.create_task(self._run(), name="postgres-notices")

    async def _run(self) -> None:
        while True:
            try:
                link = await self._connector.link(settings=_SETTINGS)
            except StorageUnavailable:
                if self._closing:
                    return
                await asyncio.sleep(RECONNECT_S)
                continue
            try:
                await self._work(link)
                return
            except Exception as error:
                if not is_broken(error):
                    _log.error("an unexpected exception", exc_info=error)
            finally:
                await close_quietly(link)

    async def _work(self, link: Link) -> None:
        """Until the connection breaks, or everything is sent and nobody listens any more."""
        connection = link.connection
        heard: set[str] = set()
        connection.add_termination_listener(lambda *_: self._changed.set())
        while True:
            self._changed.clear()
            for channel in self._callbacks.keys() - heard:
                await connection.add_listener(f"{PREFIX}{channel}", self._hear)
                heard.add(channel)
                self._call(channel)  # what was said while nobody heard it
            while self._to_send:
                channels, self._to_send = list(self._to_send), set()
                await connection.execute(
                    f"SELECT pg_notify('{PREFIX}' || channel, '') FROM unnest($1::text[]) AS channel",
                    channels,
                )
            if self._closing:
                return
            if connection.is_closed():
                raise ConnectionResetError
            await self._changed.wait()

    def _hear(self, connection: object, pid: int, channel: str, payload: object) -> None:
        del connection, pid, payload
        self._call(channel.removeprefix(PREFIX))

    def _call(self, channel: str) -> None:
        for callback in self._callbacks.get(channel, ()):
            callback()
