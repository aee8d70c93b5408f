"""Moves a store from SQLite to PostgreSQL: every row of every table, in one transaction of the target.

Before the target's COMMIT the source is marked as moved, and a marked store is not opened any more: at no instant do
two stores exist that would both send what is due. A move that died is run again: it finds the target empty, and copies,
or whole, and verifies.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from chappe.storage.database import StorageRefused, StorageUnavailable
from chappe.storage.postgres_connection import Connection, Connector, close_quietly, is_fault
from chappe.storage.schema import OLDEST_BESIDE_NAME
from chappe.storage.sqlite_connection import open_reader, open_writer

MARK = "moved_to"
"""The row of `meta` that says so; its value is where to, without a password."""
REPORT_ROWS = 1000
MOVE_LOCK = 0x6D6F7665
"""The number of the advisory lock; it goes with the session."""
# What each side says of itself.
_NOT_COPIED = {
    "alembic_version": "",
    "commit_marks": "",
    "meta": f" WHERE name NOT IN ('{MARK}', '{OLDEST_BESIDE_NAME}')",
}


@dataclass(frozen=True)
class Moved:
    """Rows of each table; `was_there`: an earlier try had copied them all."""

    rows: dict[str, int]
    was_there: bool


Report = Callable[[str, int, int], None]
"""Is told (table, rows of it so far, rows of it in all), about every thousand rows."""


async def move(source: Path, target: Connector, where: str, report: Report) -> Moved:
    """Copies the SQLite file `source`, which nothing else may have open, into a database with an empty schema.

    `where` names the target in the mark. Raises `StorageRefused` when the target holds something else, and
    `StorageUnavailable` when it went away: then the same command does the rest.
    """
    link = await target.link(is_patient=True)
    try:
        with closing(open_reader(source)) as reader:
            reader.execute("BEGIN")
            if not await link.connection.fetchval("SELECT pg_try_advisory_lock($1)", MOVE_LOCK):
                raise StorageRefused("another move into this database is under way")
            tables = _tables(reader)
            rows = {table: _count(reader, table) for table in tables}
            there = await _counts(link.connection, tables)
            if any(there.values()):
                if there == rows and moved_to(source) == where:
                    return Moved(rows, was_there=True)
                raise StorageRefused("the PostgreSQL database is not empty: give the move a new one")
            async with link.connection.transaction(isolation="serializable", readonly=False):
                for table in tables:
                    await _copy(link.connection, reader, table, rows[table], report)
                copied = await _counts(link.connection, tables)
                if copied != rows:
                    raise StorageRefused(f"copied {copied}, where the source has {rows}")
                mark(source, where)
        return Moved(rows, was_there=False)
    except StorageRefused:
        raise
    except Exception as error:
        if is_fault(error):
            raise StorageUnavailable(f"PostgreSQL went away: {error}; run the command again") from error
        raise
    finally:
        await close_quietly(link)


def moved_to(source: Path) -> str | None:
    """Where the store in this file was moved to, if it was."""
    with closing(open_reader(source)) as reader:
        row = reader.execute("SELECT value FROM meta WHERE name = ?", (MARK,)).fetchone()
    return None if row is None else row[0]


def mark(source: Path, where: str | None) -> None:
    """Marks the store as moved to `where`, or takes the mark away. On disk when it returns."""
    with closing(open_writer(source)) as writer:
        if where is None:
            writer.execute("DELETE FROM meta WHERE name = ?", (MARK,))
        else:
            writer.execute(
                "INSERT INTO meta (name, value) VALUES (?, ?)"
                " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                (MARK, where),
            )


def _tables(reader: sqlite3.Connection) -> list[str]:
    """Every table of the schema, those first that others refer to."""
    names = [
        name
        for (name,) in reader.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
        )
        if _NOT_COPIED.get(name) != ""
    ]
    referred = {
        name: {row[2] for row in reader.execute(f'PRAGMA foreign_key_list("{name}")')} - {name}
        for name in names
    }
    return list(TopologicalSorter(referred).static_order())


def _count(reader: sqlite3.Connection, table: str) -> int:
    return reader.execute(f"SELECT COUNT(*) FROM {table}{_NOT_COPIED.get(table, '')}").fetchone()[0]


async def _counts(connection: Connection, tables: Sequence[str]) -> dict[str, int]:
    return {
        table: await connection.fetchval(f"SELECT COUNT(*) FROM {table}{_NOT_COPIED.get(table, '')}")
        for table in tables
    }


async def _copy(
    connection: Connection, reader: sqlite3.Connection, table: str, total: int, report: Report
) -> None:
    types = dict(
        await connection.fetch(
            "SELECT column_name, data_type FROM information_schema.columns"
            " WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position",
            table,
        )
    )
    columns = list(types)
    is_octets = [kind == "bytea" for kind in types.values()]

    def rows() -> Generator[tuple[Any, ...]]:
        query = f"SELECT {', '.join(columns)} FROM {table}{_NOT_COPIED.get(table, '')}"
        for done, row in enumerate(reader.execute(query)):
            if done % REPORT_ROWS == 0:
                report(table, done, total)
            yield tuple(map(_value, row, is_octets))
        report(table, total, total)

    await connection.copy_records_to_table(table, records=rows(), columns=columns)


def _value(value: Any, is_octets: bool) -> Any:
    if isinstance(value, str):
        # SQLite keeps what it is given: text in a column of octets (the default ''), and NUL in a text, which
        # PostgreSQL cannot store.
        return value.encode() if is_octets else value.replace("\0", "�")
    return value
