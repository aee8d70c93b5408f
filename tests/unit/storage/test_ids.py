"""Ids from blocks: never the same one twice, whatever happens in between."""

from __future__ import annotations

import asyncio
import random

import pytest

from chappe.storage.database import Database, StorageUnavailable
from chappe.storage.ids import IdBlocks
from chappe.storage.sqlite import SqliteDatabase


def numbers(first: int, count: int) -> range:
    return range(first, first + count)


def assert_all_different(taken: list[range]) -> None:
    every = [number for ids in taken for number in ids]
    assert len(every) == len(set(every))
    assert min(every) > 0


async def take_many(ids: IdBlocks, seed: int, tasks: int) -> list[range]:
    randomness = random.Random(seed)

    async def one(count: int) -> range:
        return numbers(await ids.take(count), count)

    return list(await asyncio.gather(*(one(randomness.choice([1, 1, 1, 7, 60, 150])) for _ in range(tasks))))


async def test_no_id_is_given_twice_to_tasks_that_take_them_at_the_same_time(
    either: Database,
) -> None:
    ids = IdBlocks(either, "messages", block_size=100)
    assert_all_different(await take_many(ids, seed=1, tasks=400))


async def test_no_id_is_given_twice_across_restarts(either: Database) -> None:
    taken: list[range] = []
    for start in range(10):
        # What the last start had reserved is lost with it, as after kill -9.
        ids = IdBlocks(either, "messages", block_size=100)
        taken += await take_many(ids, seed=start, tasks=30)
    assert_all_different(taken)


async def test_no_id_is_given_twice_by_processes_side_by_side(either: Database) -> None:
    several = [IdBlocks(either, "messages", block_size=100) for _ in range(4)]
    taken = await asyncio.gather(*(take_many(ids, seed, 50) for seed, ids in enumerate(several)))
    assert_all_different([ids for each in taken for ids in each])


async def test_sequences_are_independent(either: Database) -> None:
    assert await IdBlocks(either, "accounts").take() == 1
    assert await IdBlocks(either, "postings").take() == 1


async def test_ids_of_one_taking_are_consecutive_even_across_the_end_of_a_block(
    either: Database,
) -> None:
    ids = IdBlocks(either, "messages", block_size=10)
    taken = [numbers(await ids.take(count), count) for count in (1, 4, 4, 4, 25, 3, 1)]
    assert_all_different(taken)


async def test_a_caller_that_goes_away_takes_no_ids_from_the_others(either: Database) -> None:
    ids = IdBlocks(either, "messages", block_size=10)
    waiting = [asyncio.ensure_future(ids.take()) for _ in range(20)]
    await asyncio.sleep(0)
    for task in waiting[::2]:
        task.cancel()
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert_all_different([numbers(answer, 1) for answer in answers if isinstance(answer, int)])
    assert sum(isinstance(answer, int) for answer in answers) >= 10


async def test_ids_are_refused_while_the_storage_is_and_given_again_afterwards(
    database: SqliteDatabase,
) -> None:
    ids = IdBlocks(database, "messages", block_size=4)
    first = await ids.take()
    writer = database._writer  # pyright: ignore[reportPrivateUsage]
    writer.execute("PRAGMA query_only = ON")
    taken = [first]
    with pytest.raises(StorageUnavailable):
        for _ in range(20):
            taken.append(await ids.take())
    writer.execute("PRAGMA query_only = OFF")
    taken += [await ids.take() for _ in range(20)]
    assert len(taken) == len(set(taken))


async def test_a_sequence_ends_at_its_last_id_and_says_so(either: Database) -> None:
    ids = IdBlocks(either, "messages", block_size=100, id_max=250)
    taken = [numbers(await ids.take(), 1) for _ in range(200)]
    with pytest.raises(StorageUnavailable, match="250 was the last id"):
        for _ in range(100):
            taken.append(numbers(await ids.take(), 1))
    assert_all_different(taken)
    assert max(each.start for each in taken) <= 250
    with pytest.raises(StorageUnavailable):
        await IdBlocks(either, "messages", id_max=250).take()
