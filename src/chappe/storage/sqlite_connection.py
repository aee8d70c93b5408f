"""SQLite connections as Chappe opens them, and `Transaction` over one of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from chappe.storage.database import Params, Row

# A commit is promised to be on disk: synchronous=FULL makes WAL fsync at every commit. Checkpoints are made
# by a thread of their own (sqlite.py); the automatic one stands far out, as a safety net only.
_PRAGMAS_WRITER = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA wal_autocheckpoint = 100000",
    "PRAGMA foreign_keys = ON",
    "PRAGMA cache_size = -16000",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA journal_size_limit = 67108864",
)
_PRAGMAS_READER = (
    "PRAGMA query_only = ON",
    "PRAGMA cache_size = -16000",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA mmap_size = 268435456",
)
SYNCHRONOUS_FULL = 2


def open_writer(path: Path) -> sqlite3.Connection:
    """Opens (and creates) the database for writing; raises sqlite3.Error."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
    connection.execute("PRAGMA busy_timeout = 5000")
    for pragma in _PRAGMAS_WRITER:
        connection.execute(pragma)
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

    def run(self, sql: str, params: Params = ()) -> int:
        return self._connection.execute(sql, params).rowcount

    def run_many(self, sql: str, params: Iterable[Params]) -> None:
        self._connection.executemany(sql, params)
