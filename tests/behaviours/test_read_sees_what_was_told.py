"""A read sees every commit that anybody was told of, although reads of one turn of the loop share a snapshot."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import uvloop

from chappe.storage.database import Reader, Transaction
from chappe.storage.sqlite import SqliteDatabase

TASKS, ROUNDS = 40, 25


def increment(tx: Transaction) -> int:
    tx.run("UPDATE sequences SET next_id = next_id + 1 WHERE name = 'told'")
    return count(tx)


def count(reader: Reader) -> int:
    row = reader.one("SELECT next_id FROM sequences WHERE name = 'told'")
    assert row is not None
    return row[0]


async def prove(path: Path) -> None:
    database = SqliteDatabase(path)
    await database.write(lambda tx: tx.run("INSERT INTO sequences (name, next_id) VALUES ('told', 0)"))
    told = 0

    async def write_and_read() -> None:
        nonlocal told
        for _ in range(ROUNDS):
            written = await database.write(increment)
            told = max(told, written)
            assert await database.read(count) >= told

    async def only_read() -> None:
        while told < TASKS * ROUNDS:
            assert await database.read(count) >= told
            await asyncio.sleep(0)

    await asyncio.gather(*(write_and_read() for _ in range(TASKS)), only_read(), only_read())
    assert await database.read(count) == TASKS * ROUNDS
    await database.close()


@pytest.mark.parametrize(
    "new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)
def test_a_read_sees_every_commit_that_anybody_was_told_of(tmp_path: Path, new_loop: object) -> None:
    with asyncio.Runner(loop_factory=new_loop) as runner:  # type: ignore[arg-type]
        runner.run(prove(tmp_path / "chappe.db"))


async def test_everything_that_one_query_reads_is_of_one_moment(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "chappe.db")
    await database.write(lambda tx: tx.run("INSERT INTO sequences (name, next_id) VALUES ('told', 0)"))
    writes = [asyncio.ensure_future(database.write(increment)) for _ in range(50)]
    while not all(write.done() for write in writes):
        first, again = await database.read(lambda reader: (count(reader), count(reader)))
        assert first == again
        await asyncio.sleep(0)
    await database.close()
