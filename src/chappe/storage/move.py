"""Moves a store from SQLite to PostgreSQL: every row of every table, in one transaction of the target.

Before the target's COMMIT the source is marked as moved, and a marked store is not opened any more: at no instant do
two stores exist that would both send what is due. A move that died is run again: it finds the target empty, and copies,
or whole, and verifies. It is taken back in the same order: the target is empty before the source is opened again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from graphlib import TopologicalSorter
from hashlib import sha256
from pathlib import Path
from typing import Any

from chappe.storage.database import StorageRefused, StorageUnavailable
from chappe.storage.postgres_connection import Connection, Connector, close_quietly, is_fault
from chappe.storage.schema import OLDEST_BESIDE_NAME
from chappe.storage.sqlite_connection import open_reader, open_writer

MARK = "moved_to"
"""The row of `meta` that says so; its value is where to, without a password."""
REPORT_ROWS = 1000
LOCK_S_MAX = 30.0
"""How long a move is taken back for until whoever works on the target lets go of its tables."""
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


async def take_back(source: Path, target: Connector, where: str) -> None:
    """Empties the target of what `move` copied to it, and takes the mark off `source`; run again, it does the rest.

    Raises `StorageRefused` unless each row there is as the source has it: anything else was done there since, and to
    forget it would send it twice. `StorageUnavailable`: see `move`.
    """
    if moved_to(source) != where:
        raise StorageRefused(f"the store was moved to {moved_to(source)}, not to {where}")
    link = await target.link(is_patient=True)
    try:
        with closing(open_reader(source)) as reader:
            reader.execute("BEGIN")
            tables = _tables(reader)
            async with link.connection.transaction(isolation="repeatable_read", readonly=False):
                # What begins meanwhile waits, and then finds nothing.
                await link.connection.execute(
                    f"LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE", timeout=LOCK_S_MAX
                )
                if any((await _counts(link.connection, tables)).values()):
                    differ = [
                        table
                        for table in tables
                        if await _digest_of_copy(link.connection, table)
                        != await _digest_of_source(link.connection, reader, table)
                    ]
                    if differ:
                        raise StorageRefused(
                            f"{where} is not as it was after the move ({', '.join(sorted(differ))} changed):"
                            " what was done there would be unknown here, and sent twice"
                        )
                await link.connection.execute(
                    f"TRUNCATE {', '.join(table for table in tables if table not in _NOT_COPIED)}"
                )
                await link.connection.execute(f"DELETE FROM meta{_NOT_COPIED['meta']}")
        mark(source, None)
    except StorageRefused:
        raise
    except Exception as error:
        if is_fault(error):
            raise StorageUnavailable(f"PostgreSQL: {error}; run the command again") from error
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
    columns = await _columns(connection, table)

    def rows() -> Generator[tuple[Any, ...]]:
        for done, row in enumerate(_rows(reader, table, columns)):
            if done % REPORT_ROWS == 0:
                report(table, done, total)
            yield row
        report(table, total, total)

    await connection.copy_records_to_table(table, records=rows(), columns=list(columns))


async def _columns(connection: Connection, table: str) -> dict[str, str]:
    """The columns of a table of the target, in order, with their types."""
    return dict(
        await connection.fetch(
            "SELECT column_name, data_type FROM information_schema.columns"
            " WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position",
            table,
        )
    )


def _rows(reader: sqlite3.Connection, table: str, columns: dict[str, str]) -> Generator[tuple[Any, ...]]:
    """The rows of the source, as the target keeps them."""
    is_octets = [kind == "bytea" for kind in columns.values()]
    for row in reader.execute(f"SELECT {', '.join(columns)} FROM {table}{_NOT_COPIED.get(table, '')}"):
        yield tuple(map(_value, row, is_octets))


async def _digest_of_source(connection: Connection, reader: sqlite3.Connection, table: str) -> int:
    return _digest(_rows(reader, table, await _columns(connection, table)))


async def _digest_of_copy(connection: Connection, table: str) -> int:
    columns = await _columns(connection, table)
    query = f"SELECT {', '.join(columns)} FROM {table}{_NOT_COPIED.get(table, '')}"
    # A cursor that can be closed, unlike the driver's: no table is truncated under an open one. It has a name of its own
    # because the driver remembers statements by their text.
    await connection.execute(f"DECLARE copied_{table} NO SCROLL CURSOR FOR {query}")
    digest = 0
    while rows := await connection.fetch(f"FETCH {REPORT_ROWS} FROM copied_{table}"):
        digest += _digest(map(tuple, rows))
    await connection.execute(f"CLOSE copied_{table}")
    return digest


def _digest(rows: Iterable[tuple[Any, ...]]) -> int:
    """A sum over the rows, whatever their order."""
    return sum(int.from_bytes(sha256(repr(row).encode()).digest()) for row in rows)


def _value(value: Any, is_octets: bool) -> Any:
    if isinstance(value, str):
        # SQLite keeps what it is given: text in a column of octets (the default ''), and NUL in a text, which
        # PostgreSQL cannot store.
        return value.encode() if is_octets else value.replace("\0", "�")
    return value
