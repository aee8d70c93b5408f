"""What several processes on one database share: limits, receipts on another's bind, dates, an operator's throughput."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from chappe.partner.limits import Limit
from chappe.partner.shared_limits import count_together
from chappe.storage.postgres import PostgresDatabase
from tests.behaviours.crash.load import Client
from tests.behaviours.processes.world import world
from tests.support.postgres import PostgresServer
from tests.support.smsc.options import Options


@pytest.fixture
async def two(postgres: PostgresServer, postgres_template: str) -> AsyncIterator[list[PostgresDatabase]]:
    """Two processes' ends of one database."""
    url = postgres.url(postgres.create_database(template=postgres_template))
    opened = [await PostgresDatabase.open(url) for _ in range(2)]
    yield opened
    for database in opened:
        await database.presence.stop()
        await database.close()


async def test_a_limit_is_counted_exactly_over_all_processes(two: list[PostgresDatabase]) -> None:
    asked = (7, "voice.credits", Limit(5, 60))
    decisions = await asyncio.gather(
        *(database.write_light_batched(count_together, asked) for _ in range(10) for database in two)  # type: ignore[arg-type]
    )
    allowed = [decision for decision in decisions if decision.allowed]
    assert sorted(decision.remaining for decision in allowed) == [0, 1, 2, 3, 4]
    assert all(0 < decision.retry_after_s <= 60 for decision in decisions if not decision.allowed)


async def test_whoever_leads_is_one_and_another_follows_when_he_leaves(two: list[PostgresDatabase]) -> None:
    led: list[list[bool]] = [[], []]
    for database, changes in zip(two, led, strict=True):
        await database.presence.start("worker")
        database.presence.lead("callbacks", changes.append)
    async with asyncio.timeout(20):
        while not (led[0] or led[1]):
            await asyncio.sleep(0.01)
    first = 0 if led[0] else 1
    assert led[1 - first] == []
    async with asyncio.timeout(20):
        while [database.presence.count("worker") for database in two] != [2, 2]:
            await asyncio.sleep(0.01)
    await two[first].presence.stop()
    async with asyncio.timeout(20):
        while not led[1 - first]:
            await asyncio.sleep(0.01)


async def test_binds_of_all_processes_share_the_throughput(two: list[PostgresDatabase]) -> None:
    for database, binds in zip(two, (1, 3), strict=True):
        await database.presence.start("worker")
        database.presence.report_binds("op1", lambda binds=binds: binds)
        database.presence.changed()
    async with asyncio.timeout(30):
        while [database.presence.share("op1") for database in two] != [0.25, 0.75]:
            assert sum(database.presence.share("op1") for database in two) <= 1
            await asyncio.sleep(0.01)
    await two[1].presence.stop()
    async with asyncio.timeout(30):
        while two[0].presence.share("op1") != 1.0:
            await asyncio.sleep(0.01)


async def test_a_date_comes_once_and_every_receipt_finds_its_message(tmp_path: Path) -> None:
    """Receipts before the answers, on whichever bind: some come while the other process commits the submission."""
    options = Options(answer_delay_ms=30, receipts_first=1.0)
    async with world(tmp_path, options=options) as all_of_it:
        load = all_of_it.load(connections=8, pause_s=0.0)
        await load.until_accepted(150)
        await load.stop()
        # What was deferred to the day after tomorrow is due now: both workers see it at once.
        now_ms = int(time.time() * 1000)
        for statement in (
            "UPDATE outbox SET due_at_ms = $1",
            "UPDATE messages SET due_at_ms = $1 WHERE due_at_ms > $1",
        ):
            connection = await asyncpg.connect(all_of_it.postgres.url())
            await connection.execute(statement, now_ms)
            await connection.close()
        await all_of_it.until(
            lambda: not all_of_it.reading.one("SELECT COUNT(*) FROM recipients WHERE state < 40"),
            "everything has left and has its receipt",
        )
        taken = [(entry.number, entry.detail) for entry in all_of_it.smsc.entries if entry.kind == "taken"]
        assert len(taken) == len(set(taken))
        all_of_it.apis[0].run("check")


async def test_a_price_reaches_the_other_processes(tmp_path: Path) -> None:
    async with world(tmp_path) as all_of_it:
        key = json.loads(
            all_of_it.apis[0].run("account", "create", "p@example.org", "--credit", "9", "--json")
        )["apiKey"]
        all_of_it.apis[0].run("price", "set", "sms", "33", "0.1")

        async def sms_left(url: str) -> int:
            client = await Client.connect(url)
            answer = await client.get(f"/sms/v1/me?apiKey={key}")
            client.close()
            return answer.json["credits"]["creditSms"]

        async with asyncio.timeout(20):
            for url in all_of_it.urls():
                while await sms_left(url) != 90:
                    await asyncio.sleep(0.05)
