"""Stores for tests that are to hold on both databases."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from chappe.clock import Clock
from chappe.storage.database import Transaction
from chappe.storage.folder import Folder
from chappe.storage.sqlite import SqliteDatabase
from chappe.storage.store import Store, open_shared_store, open_store

RefusedByDatabase = (sqlite3.IntegrityError, asyncpg.IntegrityConstraintViolationError)
"""What a statement raises that breaks a rule of the schema."""


@dataclass(frozen=True)
class Place:
    """Where a test's store is: a folder of its own, or an empty database of its own. It may be opened again."""

    folder: Path
    url: str | None

    async def open(self, clock: Clock | None = None) -> Store:
        if self.url is None:
            return await open_store(Folder(self.folder), clock)
        return await open_shared_store(self.url, clock)


async def drop_constraints(store: Store) -> None:
    """Lets a test write rows that the database itself would refuse."""
    if isinstance(store.database, SqliteDatabase):
        store.database._writer.execute("PRAGMA ignore_check_constraints = ON")
        store.database._writer.execute("PRAGMA foreign_keys = OFF")
        return

    def drop(tx: Transaction) -> None:
        for table, name in tx.all(
            "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE contype IN ('c', 'f')"
            " AND connamespace = current_schema()::regnamespace"
        ):
            tx.run(f"ALTER TABLE {table} DROP CONSTRAINT {name}")

    await store.database.write(drop)
