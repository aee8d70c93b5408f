"""A database of many messages: what a real server stored of a few, put in again and again under other ids.

The rows are whatever the server of today writes, so no schema is copied here. `chappe check` finds the result sound.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from bench.figures import Void

# The columns that are a message's id, and those that are a ledger entry's, in every table that has a row a message.
_SHIFTED = {"messages": "id", "recipients": "message_id", "submissions": "message_id", "ledger_entries": "id"}
_SEQUENCES = {"messages": 1, "postings": 2}
"""Ledger entries have the ids 2n and 2n + 1 of posting n."""


def multiply(data: Path, factor: int) -> int:
    """Makes `factor` times as many messages out of the delivered ones; gives their number. Nothing may hold `data`."""
    with closing(sqlite3.connect(data / "chappe.db", isolation_level=None)) as database:
        for pragma in ("journal_mode = DELETE", "synchronous = OFF", "cache_size = -500000"):
            database.execute(f"PRAGMA {pragma}").fetchall()
        strides = {
            name: database.execute("SELECT next_id FROM sequences WHERE name = ?", (name,)).fetchone()[0]
            for name in _SEQUENCES
        }
        database.execute("BEGIN EXCLUSIVE")
        for table, key in _SHIFTED.items():
            _repeat(database, table, key, factor, strides)
        for name, stride in strides.items():
            database.execute("UPDATE sequences SET next_id = ? WHERE name = ?", (stride * (factor + 1), name))
        database.execute(
            "UPDATE accounts SET balance_micro ="
            " (SELECT SUM(amount_micro) FROM ledger_entries WHERE account_id = accounts.id)"
        )
        database.execute("COMMIT")
        database.execute("PRAGMA journal_mode = WAL").fetchall()
        return database.execute("SELECT COUNT(*) FROM messages").fetchone()[0]


def _repeat(database: sqlite3.Connection, table: str, key: str, factor: int, strides: dict[str, int]) -> None:
    stride = strides["postings"] * 2 if table == "ledger_entries" else strides["messages"]
    columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
    if key not in columns:
        raise Void(f"{table} has no {key} any more")
    wanted = "WHERE cause = 'sms'" if table == "ledger_entries" else ""
    selected = ", ".join(_shifted(column, key) for column in columns)
    database.execute(f"CREATE TEMP TABLE template AS SELECT * FROM {table} {wanted}")
    for time in range(1, factor):
        database.execute(
            f"INSERT INTO {table} ({', '.join(columns)}) SELECT {selected} FROM template",
            {"rows": stride * time, "messages": strides["messages"] * time},
        )
    database.execute("DROP TABLE template")


def _shifted(column: str, key: str) -> str:
    if column == key:
        return f"{column} + :rows"
    if column == "cause_id":
        return "CAST(CAST(cause_id AS INTEGER) + :messages AS TEXT)"
    return column
