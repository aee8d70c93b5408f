"""The embedded database: one SQLite file in the data folder, written by this process only."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from chappe.storage.database import (
    Batch,
    Item,
    ReadBatch,
    Reader,
    StorageRefused,
    StorageUnavailable,
    Transaction,
    Unit,
)
from chappe.storage.group_commit import GroupCommit
from chappe.storage.presence import Alone, Presence
from chappe.storage.schema import bring_up_to_date
from chappe.storage.sqlite_connection import (
    SYNCHRONOUS_FULL,
    SqliteTransaction,
    is_fault,
    open_reader,
    open_writer,
)

T = TypeVar("T")

_UNREAD: Any = object()

CHECKPOINT_EVERY_S = 1.0
SQLITE_VERSION_MIN = (3, 35, 0)


class SqliteDatabase:
    """`Database` on one file. Reads on committed data run inline (8 us); writes go through `GroupCommit`.

    The reads of one turn of the event loop share a snapshot: taking and leaving the file's locks costs more than
    a point read. Nobody can see that it is shared: a later commit is made known by a callback, and that comes
    after the callback that ends the snapshot.
    """

    def __init__(self, path: Path) -> None:
        if sqlite3.sqlite_version_info < SQLITE_VERSION_MIN:
            raise StorageRefused(f"SQLite 3.35 or newer is needed, this Python has {sqlite3.sqlite_version}")
        self.path = path
        try:
            bring_up_to_date(path)
            self._writer = open_writer(path)
            self._connection = open_reader(path)
        except sqlite3.Error as error:
            raise StorageRefused(f"cannot open the database {path}: {error}") from error
        self._reader = SqliteTransaction(self._connection)
        self._read_in_turn: dict[str, Any] = {}
        self._group_commit = GroupCommit(self._writer)
        self._presence = Alone()
        self._loop = asyncio.get_running_loop()
        self._closing = threading.Event()
        self._checkpointer = threading.Thread(
            target=self._checkpoint_forever, name="chappe-checkpoint", daemon=True
        )
        self._checkpointer.start()

    @property
    def group_commit(self) -> GroupCommit:
        """The writer, for its counters and its queue."""
        return self._group_commit

    @property
    def is_shared(self) -> bool:
        return False

    @property
    def groups_total(self) -> int:
        return self._group_commit.groups_total

    @property
    def units_total(self) -> int:
        return self._group_commit.units_total

    @property
    def foreground_waiting(self) -> int:
        return self._group_commit.foreground_waiting

    async def read(self, query: Callable[[Reader], T]) -> T:
        return self.read_inline(query)

    def read_inline(self, query: Callable[[Reader], T]) -> T:
        """As `read`, at once."""
        if self._closing.is_set():
            raise StorageUnavailable("the database is closed")
        try:
            if not self._connection.in_transaction:
                self._connection.execute("BEGIN")
                self._loop.call_soon(self._end_snapshot)
            return query(self._reader)
        except sqlite3.Error as error:
            if is_fault(error):
                raise StorageUnavailable(f"read failed: {error}") from error
            raise

    def read_once(self, name: str, query: Callable[[Reader], T]) -> T:
        """As `read_inline`; what was read under the same name in this turn of the loop is not read again, for it would
        be the same. A name stands for one query.
        """
        found = self._read_in_turn.get(name, _UNREAD)
        if found is _UNREAD:
            found = self._read_in_turn[name] = self.read_inline(query)
        return found

    def _end_snapshot(self) -> None:
        self._read_in_turn.clear()
        # Closed, or ended by SQLite itself after a fault of the disk.
        if not self._closing.is_set() and self._connection.in_transaction:
            self._connection.execute(
                "ROLLBACK"
            )  # nothing was written; unlike COMMIT it ends open cursors too

    async def read_batched(self, batch: ReadBatch[Item, T], item: Item) -> T:
        return self.read_inline(lambda reader: batch(reader, [item]))[0]

    async def scan(self, query: Callable[[Reader], T]) -> T:
        return await asyncio.to_thread(self._scan, query)

    def _scan(self, query: Callable[[Reader], T]) -> T:
        try:
            connection = open_reader(self.path)
            try:
                connection.execute("BEGIN")  # one snapshot for everything the query reads
                return query(SqliteTransaction(connection))
            finally:
                connection.close()
        except sqlite3.Error as error:
            if is_fault(error):
                raise StorageUnavailable(f"read failed: {error}") from error
            raise

    async def write(self, unit: Unit[T], *, background: bool = False) -> T:
        return await self._group_commit.submit(unit, background=background)

    async def write_light(self, unit: Unit[T]) -> T:
        return await self.write(unit, background=True)

    async def write_light_batched(self, batch: Batch[Item, T], item: Item) -> T:
        return await self.write_batched(batch, item)

    def write_batched(self, batch: Batch[Item, T], item: Item) -> asyncio.Future[T]:
        return self._group_commit.submit_batched(batch, item)

    @property
    def presence(self) -> Presence:
        return self._presence

    def listen(self, channel: str, callback: Callable[[], None]) -> None:
        pass  # there is no other process

    async def commit_settings(self) -> list[str]:
        # In a unit: the settings are those of the writer's connection, which is not ours while it commits.
        return await self.write(_commit_settings)

    async def close(self) -> None:
        await self._group_commit.close()
        self._closing.set()
        await asyncio.to_thread(self._checkpointer.join)
        self._connection.close()
        self._writer.close()

    def _checkpoint_forever(self) -> None:
        # PASSIVE never waits for a reader or the writer. Beside the commits instead of inside every
        # thousandth one, so that no request pays for the copying.
        connection: sqlite3.Connection | None = None
        while not self._closing.wait(CHECKPOINT_EVERY_S):
            try:
                if connection is None:
                    connection = sqlite3.connect(self.path, isolation_level=None, timeout=5.0)
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            except sqlite3.Error:
                continue  # the next round tries again; the log only grows meanwhile
        if connection is not None:
            connection.close()


def _commit_settings(tx: Transaction) -> list[str]:
    wrong: list[str] = []
    journal_mode = tx.one("PRAGMA journal_mode")
    if journal_mode != ("wal",):
        wrong.append(f"journal_mode is {journal_mode and journal_mode[0]}, not wal")
    synchronous = tx.one("PRAGMA synchronous")
    if synchronous is None or synchronous[0] < SYNCHRONOUS_FULL:
        wrong.append(
            f"synchronous is {synchronous and synchronous[0]}, below {SYNCHRONOUS_FULL} (FULL):"
            " a commit may be lost with the power"
        )
    return wrong
