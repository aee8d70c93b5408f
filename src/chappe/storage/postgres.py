"""PostgreSQL as the database: any number of processes on any number of machines may work on it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from chappe.storage.database import Batch, Item, ReadBatch, Reader, StorageUnavailable, Unit
from chappe.storage.postgres_commit import PostgresGroupCommit
from chappe.storage.postgres_connection import (
    Connector,
    Link,
    PostgresTransaction,
    close_quietly,
    is_broken,
    is_fault,
)
from chappe.storage.postgres_notices import Notices
from chappe.storage.postgres_presence import PostgresPresence
from chappe.storage.postgres_schema import bring_up_to_date
from chappe.storage.presence import Presence
from chappe.storage.waiting import call_waiting

T = TypeVar("T")

MUCH = 16
"""Units of requests that wait: from here on a second connection writes while the first one waits for the disk."""
READ_ONLY = {"default_transaction_read_only": "on"}
BATCHED_MAX = 64
READERS_MAX = 4
"""Connections for reads: as many as a few cores of the server keep busy."""


class PostgresDatabase:
    """`Database` on PostgreSQL: some connections write, for requests and for the background, and some read.

    When the server is away every method raises `StorageUnavailable`, and connects again by itself. A commit whose
    connection is cut answers when the server, back again, has said what became of it.
    """

    def __init__(self, connector: Connector, first: Link) -> None:
        self._connector = connector
        # Whatever the server's configuration says: what is answered is on disk. (`on` is the weakest that holds.)
        durable: dict[str, str] = {} if first.is_durable else {"synchronous_commit": "on"}
        self._notices = Notices(connector)
        self._foreground = [PostgresGroupCommit(connector, durable, self._notices.send) for _ in range(2)]
        self._background = PostgresGroupCommit(connector, durable, self._notices.send)
        self._light = PostgresGroupCommit(connector, {"synchronous_commit": "off"}, self._notices.send)
        self._presence = PostgresPresence(self, connector)
        self._readers = _Readers(connector, first)
        self._batched_reads: dict[ReadBatch[Any, Any], _BatchedReads] = {}

    @classmethod
    async def open(cls, url: str, *, create: bool = True) -> PostgresDatabase:
        """Connects, and brings the schema up to date; raises `StorageRefused` with one clear line.

        Without `create` a database that has no schema yet is refused.
        """
        connector = Connector(url)
        first = await connector.first_link()
        try:
            await bring_up_to_date(connector, first, create=create)
            await first.connection.execute("SET default_transaction_read_only = on")
        except BaseException:
            await close_quietly(first)
            raise
        return cls(connector, first)

    @property
    def is_shared(self) -> bool:
        return True

    @property
    def groups_total(self) -> int:
        return self._background.groups_total + sum(each.groups_total for each in self._foreground)

    @property
    def units_total(self) -> int:
        return self._background.units_total + sum(each.units_total for each in self._foreground)

    @property
    def foreground_waiting(self) -> int:
        return sum(each.waiting for each in self._foreground)

    async def read(self, query: Callable[[Reader], T]) -> T:
        return await self._readers.read(query)

    async def read_batched(self, batch: ReadBatch[Item, T], item: Item) -> T:
        reads = self._batched_reads.get(batch)
        if reads is None:
            reads = self._batched_reads[batch] = _BatchedReads(self._readers, batch)
        return await reads.read(item)

    async def scan(self, query: Callable[[Reader], T]) -> T:
        # With a loop and a connection of its own: a long query is not to stand in the way of short ones.
        return await asyncio.to_thread(lambda: asyncio.run(self._scan(query)))

    async def _scan(self, query: Callable[[Reader], T]) -> T:
        link = await self._connector.link(is_patient=True)
        try:
            async with link.connection.transaction(isolation="repeatable_read", readonly=True):
                return await call_waiting(query, PostgresTransaction(link.connection, has_cursors=True))
        except Exception as error:
            if is_fault(error):
                raise StorageUnavailable(f"read failed: {error}") from error
            raise
        finally:
            await close_quietly(link)

    async def write(self, unit: Unit[T], *, background: bool = False) -> T:
        return await (self._background if background else self._next_foreground()).submit(unit)

    async def write_light(self, unit: Unit[T]) -> T:
        return await self._light.submit(unit)

    async def write_light_batched(self, batch: Batch[Item, T], item: Item) -> T:
        return await self._light.submit_batched(batch, item)

    def write_batched(self, batch: Batch[Item, T], item: Item) -> asyncio.Future[T]:
        return self._next_foreground().submit_batched(batch, item)

    @property
    def presence(self) -> Presence:
        return self._presence

    def _next_foreground(self) -> PostgresGroupCommit:
        """The second one only where there is enough for two: large groups cost less."""
        first, second = self._foreground
        has_much = first.is_busy and first.waiting >= MUCH and first.waiting >= second.waiting
        return second if has_much else first

    def listen(self, channel: str, callback: Callable[[], None]) -> None:
        self._notices.listen(channel, callback)

    async def commit_settings(self) -> list[str]:
        return await self.write(_commit_settings)

    async def close(self) -> None:
        for each in self._foreground:
            await each.close()
        await self._background.close()
        await self._light.close()
        await self._notices.close()
        await self._readers.close()


class _BatchedReads:
    """The items that wait for one query: those that come while it is under way go together into the next."""

    def __init__(self, readers: _Readers, batch: ReadBatch[Any, Any]) -> None:
        self._readers = readers
        self._batch = batch
        self._waiting: list[tuple[Any, asyncio.Future[Any]]] = []
        self._task: asyncio.Task[None] | None = None

    async def read(self, item: Any) -> Any:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        while self._waiting:
            going, self._waiting = self._waiting[:BATCHED_MAX], self._waiting[BATCHED_MAX:]
            items = [item for item, _ in going]
            try:
                values = await self._readers.read(lambda reader, items=items: self._batch(reader, items))
            except Exception as error:
                for _, future in going:
                    if not future.done():
                        future.set_exception(_another(error))
            else:
                for (_, future), value in zip(going, values, strict=True):
                    if not future.done():
                        future.set_result(value)
        self._task = None


def _another(error: Exception) -> Exception:
    # One each: an exception that several tasks raise collects all their tracebacks.
    return StorageUnavailable(str(error)) if isinstance(error, StorageUnavailable) else error


class _Readers:
    """A pool of connections, opened when needed. Each statement sees what is committed when it begins."""

    def __init__(self, connector: Connector, first: Link) -> None:
        self._connector = connector
        self._free = [first]
        self._count = 1
        self._waiting: deque[asyncio.Future[Link | None]] = deque()
        self._closed = False

    async def read(self, query: Callable[[Reader], T]) -> T:
        link = await self._take()
        is_whole = False
        try:
            value = await call_waiting(query, PostgresTransaction(link.connection))
            is_whole = True
            return value
        except Exception as error:
            is_whole = not is_broken(error)
            if is_fault(error):
                raise StorageUnavailable(f"read failed: {error}") from error
            raise
        finally:
            # A reader that was cancelled leaves its statement under way: its connection is of no use.
            self._give_back(link, is_whole=is_whole)

    async def close(self) -> None:
        self._closed = True
        while self._free:
            await close_quietly(self._free.pop())

    async def _take(self) -> Link:
        if self._closed:
            raise StorageUnavailable("the database is closed")
        while self._free:
            link = self._free.pop()
            if not link.connection.is_closed():
                return link
            self._count -= 1
        if self._count < READERS_MAX:
            return await self._open()
        turn: asyncio.Future[Link | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            link = await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                self._pass_on(turn.result())  # its turn had come: the next one takes it
            raise
        return await self._open() if link is None else link

    async def _open(self) -> Link:
        self._count += 1
        try:
            return await self._connector.link(settings=READ_ONLY)
        except BaseException:
            self._count -= 1
            self._pass_on(None)
            raise

    def _give_back(self, link: Link, *, is_whole: bool) -> None:
        if is_whole and not self._closed and not link.connection.is_closed():
            self._pass_on(link)
        else:
            self._count -= 1
            link.connection.terminate()
            self._pass_on(None)

    def _pass_on(self, link: Link | None) -> None:
        """To who has waited longest; without a link he may open one."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(link)
                return
        if link is not None:
            self._free.append(link)


def _commit_settings(reader: Reader) -> list[str]:
    wrong: list[str] = []
    for name, bad, what in (
        ("synchronous_commit", "off", "a commit may be lost when the server's process dies"),
        ("fsync", "off", "commits may be lost, and the database with them, with the power"),
        ("full_page_writes", "off", "the database may be lost with the power"),
    ):
        row = reader.one("SELECT current_setting(?)", (name,))
        if row == (bad,):
            wrong.append(f"{name} is {bad}: {what}")
    return wrong
