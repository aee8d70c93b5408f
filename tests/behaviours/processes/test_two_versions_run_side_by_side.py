"""During an upgrade: the next version widens the schema under load, and processes of this one go on, and start."""

from __future__ import annotations

import asyncio
from pathlib import Path

from chappe.storage.schema import REVISIONS
from tests.behaviours.processes.world import world

# What the first step of a next version's migrations may do: add, with a default. It says whom it can live with.
WIDEN = f"""
BEGIN;
ALTER TABLE messages ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
ALTER TABLE recipients ADD COLUMN noted_at_ms BIGINT;
CREATE TABLE things_to_come (id BIGINT PRIMARY KEY);
CREATE INDEX messages_priority ON messages (priority) WHERE priority > 0;
UPDATE alembic_version SET version_num = '9999';
UPDATE meta SET value = '{REVISIONS[-1]}' WHERE name = 'oldest_revision';
COMMIT;
"""


async def test_two_versions_run_side_by_side(tmp_path: Path) -> None:
    async with world(tmp_path) as all_of_it:
        load = all_of_it.load()
        await load.until_accepted(100)
        await asyncio.to_thread(all_of_it.postgres.query_file, WIDEN, "postgres")
        await load.until_accepted(100)
        for server in (all_of_it.apis[0], all_of_it.workers[0]):
            await asyncio.to_thread(server.stop)
            await asyncio.to_thread(server.start)
            await load.until_accepted(50)
        await load.stop()
        await all_of_it.ask_again()
        await all_of_it.until_ended()
        found = await all_of_it.judge()
        assert not found, "\n".join(found[:50])
