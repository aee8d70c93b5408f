"""Reads the server's database from outside: of a killed server on SQLite from a copy, so that its recovery stays its own."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from chappe.messages.states import State

FILES = ("chappe.db", "chappe.db-wal")


class Leaving(NamedTuple):
    """A recipient that was `leaving` when the server was killed."""

    message_id: int
    number: int
    slots: int
    """Of the window: its parts that have no committed answer."""


def leaving_at_the_kill(data: Path, scratch: Path) -> set[Leaving]:
    """Of a server that is dead, or stopped for a moment."""
    scratch.mkdir()
    for name in FILES:
        if (data / name).exists():
            shutil.copyfile(data / name, scratch / name)
    with closing(sqlite3.connect(scratch / FILES[0])) as connection:
        rows = connection.execute(
            "SELECT r.message_id, r.number, m.segments - (SELECT COUNT(*) FROM submissions s"
            " WHERE s.message_id = r.message_id AND s.number = r.number AND s.outcome = 'accepted')"
            " FROM recipients r JOIN messages m ON m.id = r.message_id WHERE r.state = ?",
            (State.LEAVING,),
        ).fetchall()
    shutil.rmtree(scratch)
    return {Leaving(*row) for row in rows}


@contextmanager
def reading(data: Path) -> Iterator[Reading]:
    """The database as it is committed, beside a running server or without one."""
    with closing(sqlite3.connect(f"file:{data / FILES[0]}?mode=ro", uri=True)) as connection:
        yield Reading(connection)


class Reads(Protocol):
    """What the judge asks."""

    def all(self, sql: str, *params: object) -> list[tuple[Any, ...]]: ...

    @property
    def unfinished(self) -> int: ...

    @property
    def untold(self) -> int: ...


class Store(Protocol):
    """Where the server of a round stores."""

    environment: dict[str, str]
    """What the server is told of it."""

    def leaving(self) -> set[Leaving]:
        """Of a server that is dead, or stopped for a moment."""
        ...

    def reading(self) -> AbstractContextManager[Reads]:
        """The database as it is committed, beside a running server or without one."""
        ...


class SqliteStore:
    """`Store` in the folder of the server."""

    environment: dict[str, str] = {}  # noqa: RUF012

    def __init__(self, folder: Path) -> None:
        self._data = folder / "data"
        self._scratch = folder / "at-the-kill"

    def leaving(self) -> set[Leaving]:
        return leaving_at_the_kill(self._data, self._scratch)

    def reading(self) -> AbstractContextManager[Reads]:
        return reading(self._data)


class Reading:
    """Queries of the judge, in plain SQL: nothing of the server's own code."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def all(self, sql: str, *params: object) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, params).fetchall()

    def one(self, sql: str, *params: object) -> Any:
        row = self._connection.execute(sql, params).fetchone()
        return None if row is None else row[0]

    @property
    def unfinished(self) -> int:
        """Recipients that should have left by now and have not come to an end."""
        return self.one(
            "SELECT COUNT(*) FROM recipients r JOIN messages m ON m.id = r.message_id"
            " WHERE m.due_at_ms IS NULL AND r.state < ?",
            State.DELIVERED,
        )

    @property
    def untold(self) -> int:
        """Events whose customer has not been told."""
        return self.one("SELECT COUNT(*) FROM events WHERE state = 'pending'")
