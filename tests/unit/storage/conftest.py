"""An open SQLite database in a folder of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chappe.storage.database import Database, Transaction
from chappe.storage.sqlite import SqliteDatabase
from tests.support.stores import Place


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    opened = SqliteDatabase(tmp_path / "chappe.db")

    def make_notes(tx: Transaction) -> None:
        tx.run("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")

    await opened.write(make_notes)
    yield opened
    await opened.close()


@pytest.fixture
async def either(place: Place) -> AsyncIterator[Database]:
    """An open database, on both."""
    store = await place.open()
    yield store.database
    await store.close()
