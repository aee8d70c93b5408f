"""A backup taken under load restores to a store that `chappe check` accepts: SQLite's VACUUM INTO, PostgreSQL's pg_dump."""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.behaviours.crash.catcher import Catcher
from tests.behaviours.crash.requests import Maker
from tests.behaviours.processes.load import SharedLoad
from tests.behaviours.processes.world import world
from tests.support.server import ChappeServer


async def test_sqlite(tmp_path: Path) -> None:
    server = ChappeServer(
        tmp_path / "running", rate_limits=False, environment={"CHAPPE_CALLBACK_ALLOW": "127.0.0.0/8"}
    )
    backup = ChappeServer(tmp_path / "backup", rate_limits=False)
    async with Catcher() as catcher:
        with server:
            key = server.create_account("ana@example.org", "10000")["apiKey"]
            load = SharedLoad(lambda: [server.base_url], Maker(key, catcher.url, random.Random(1)), 8, 0.0)
            await load.until_accepted(100)
            with closing(sqlite3.connect(server.data / "chappe.db")) as connection:
                connection.execute("VACUUM INTO ?", (str(backup.data / "chappe.db"),))
            shutil.copy(server.data / "secret.key", backup.data / "secret.key")
            await load.until_accepted(50)
            await load.stop()
    assert "every invariant holds" in backup.run("check")
    with closing(sqlite3.connect(backup.data / "chappe.db")) as connection:
        (stored,) = connection.execute("SELECT COUNT(*) FROM messages").fetchone()
    assert 100 <= stored < load.accepted + 8


async def test_postgresql(tmp_path: Path) -> None:
    async with world(tmp_path) as all_of_it:
        load = all_of_it.load(connections=8)
        await load.until_accepted(100)
        dump = await asyncio.to_thread(all_of_it.postgres.run, "pg_dump", "--no-owner")
        await load.until_accepted(50)
        await load.stop()
        restored = all_of_it.postgres.create_database()
        await asyncio.to_thread(all_of_it.postgres.query_file, dump, restored)
        backup = ChappeServer(
            tmp_path / "backup",
            environment={
                "CHAPPE_DATABASE": all_of_it.postgres.url(restored),
                "CHAPPE_SECRET_FILE": str(tmp_path / "secret.key"),
            },
        )
        assert "every invariant holds" in backup.run("check")
        stored = int(all_of_it.postgres.query("SELECT COUNT(*) FROM messages", restored))
        assert 100 <= stored < load.accepted + 8
