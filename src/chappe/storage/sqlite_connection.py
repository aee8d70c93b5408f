"""SQLite connections as Chappe opens them, and `Transaction` over one of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from chappe.storage.database import Params, Row

# A fault of the disk, the file or the machine. Any other error is a mistake in a statement, and must not
# pass for one of these: it is answered 500 and counted, not 503.
_FAULTS = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
    }
)

# A commit is promised to be on disk: synchronous=FULL makes WAL fsync at every commit. Checkpoints are made
# by a thread of their own (sqlite.py); the automatic one stands far out, as a safety net only.
# The caches are small and nothing is mapped: the system keeps the file's pages anyway, and a server must not grow
# with what it has stored (`python -m bench memory`).
_PRAGMAS_WRITER = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA wal_autocheckpoint = 100000",
    "PRAGMA foreign_keys = ON",
    "PRAGMA cache_size = -6000",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA journal_size_limit = 67108864",
)
_PRAGMAS_READER = (
    "PRAGMA query_only = ON",
    "PRAGMA cache_size = -6000",
    "PRAGMA temp_store = MEMORY",
)
SYNCHRONOUS_FULL = 2


def is_fault(error: BaseException) -> bool:
    """Whether the storage failed, as opposed to a statement of ours."""
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _FAULTS


def open_writer(path: Path) -> sqlite3.Connection:
    """Opens (and creates) the database for writing; raises sqlite3.Error."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
    for pragma in _PRAGMAS_WRITER:
        connection.execute(pragma)
    # From here on SQLite does not wait for a lock: it would stop the event loop (see group_commit.py).
    connection.execute("PRAGMA busy_timeout = 0")
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """Opens an existing database for reading committed data only."""
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, timeout=5.0, cached_statements=512
    )
    for pragma in _PRAGMAS_READER:
        connection.execute(pragma)
    return connection


class SqliteTransaction:
    """`Transaction` over a connection in autocommit mode; who opened the transaction ends it."""

    __slots__ = ("_connection",)

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def one(self, sql: str, params: Params = ()) -> Row | None:
        return self._connection.execute(sql, params).fetchone()

    def all(self, sql: str, params: Params = ()) -> list[Row]:
        return self._connection.execute(sql, params).fetchall()

    def stream(self, sql: str, params: Params = ()) -> Iterable[Row]:
        return self._connection.execute(sql, params)

    def all_many(self, sql: str, params: Iterable[Params]) -> list[Row]:
        execute = self._connection.execute
        return [row for each in params for row in execute(sql, each)]

    def try_lock(self, what: str) -> bool:
        del what
        return True

    def run(self, sql: str, params: Params = ()) -> int:
        return self._connection.execute(sql, params).rowcount

    def run_many(self, sql: str, params: Iterable[Params]) -> None:
        self._connection.executemany(sql, params)

    def notify(self, channel: str) -> None:
        pass  # there is no other process; in this one whoever changes something says so by himself
