"""Several processes on one PostgreSQL: what each does alone holds for what they do at the same moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from chappe.audio.files import delete_file
from chappe.calls.campaign import CampaignCache
from chappe.calls.due import Due
from chappe.calls.finish import Ids
from chappe.calls.leave import let_call
from chappe.calls.playing import campaign_plays
from chappe.calls.request import AudioGone
from chappe.calls.states import State
from chappe.credit.money import MICRO
from chappe.storage.database import Transaction
from chappe.storage.store import Store
from tests.support.stores import Place
from tests.unit.calls.conftest import LANDLINE, MOBILE, World

HOUR_MS = 3_600_000
GATE = 4711

needs_postgresql = pytest.mark.parametrize("place", ["postgresql"], indirect=True)


def pass_gate(tx: Transaction) -> None:
    tx.one("SELECT pg_advisory_xact_lock(?)", (GATE,))


class Other:
    """Another process: its units stop at the gate, before their commit, until it is opened."""

    def __init__(self, store: Store, gate: asyncpg.Connection[Any]) -> None:
        self.store, self._gate = store, gate

    async def until_waiting(self, count: int, *tasks: asyncio.Task[Any]) -> None:
        """Until so many sessions wait for a lock, or one of the tasks has ended."""
        waiting = "SELECT COUNT(DISTINCT pid) FROM pg_locks WHERE NOT granted AND database ="
        waiting += " (SELECT oid FROM pg_database WHERE datname = current_database()) OR NOT granted AND database IS NULL"
        async with asyncio.timeout(10):
            while await self._gate.fetchval(waiting) < count and not any(task.done() for task in tasks):
                await asyncio.sleep(0.01)

    async def open_gate(self) -> None:
        await self._gate.execute("SELECT pg_advisory_unlock_all()")


@asynccontextmanager
async def other_process(place: Place, world: World) -> AsyncIterator[Other]:
    assert place.url is not None
    gate = await asyncpg.connect(place.url)
    store = await place.open(world.clock)
    try:
        await gate.execute(f"SELECT pg_advisory_lock({GATE})")
        yield Other(store, gate)
    finally:
        await gate.close()
        await store.close()


async def test_a_unit_that_gave_way_uses_up_nobody_elses_ids(world: World) -> None:
    await world.send(MOBILE, LANDLINE)
    first, second = await world.trunk.until_taken(2)

    def gives_way(tx: Transaction) -> None:
        # As where two processes wanted each other's rows: on PostgreSQL its whole group is run again.
        tx.run("DO $$ BEGIN RAISE EXCEPTION 'after you' USING ERRCODE = '40001'; END $$")

    _, refused = await asyncio.gather(
        world.trunk.end(first, "busy"),
        world.store.database.write(gives_way, background=True),
        return_exceptions=True,
    )
    assert isinstance(refused, Exception)
    await world.trunk.end(second, "busy")
    assert await world.balance() == 10 * MICRO
    assert len(await world.events()) == 2


@needs_postgresql
async def test_a_file_is_not_deleted_while_a_campaign_with_it_is_accepted(world: World, place: Place) -> None:
    file = await world.file()
    account_id = world.account.account_id

    def delete(tx: Transaction) -> bool:
        is_played = campaign_plays(tx, delete_file(tx, account_id, file.token, world.clock.ms))
        pass_gate(tx)
        return is_played

    async with other_process(place, world) as other:
        deleting = asyncio.create_task(other.store.database.write(delete))
        await other.until_waiting(1, deleting)
        sending = asyncio.create_task(world.send(MOBILE, audio_id=file.id))
        await other.until_waiting(2, sending)
        await other.open_gate()
        assert await deleting is False
        with pytest.raises(AudioGone):
            await sending
    assert await world.balance() == 10 * MICRO


@needs_postgresql
async def test_two_processes_make_no_fifth_attempt_together(world: World, place: Place) -> None:
    world.clock.ms += 2 * HOUR_MS
    for attempt in range(1, 4):
        await world.send(MOBILE, is_marketing=True)
        await world.trunk.end((await world.trunk.until_taken(attempt))[-1], "no answer")
    world.trunk.is_up = False
    fourth, fifth = [await world.send(MOBILE, is_marketing=True) for _ in range(2)]

    async def call(store: Store, campaign_id: int, *, is_gated: bool) -> bool:
        campaign = await store.database.read(lambda reader: CampaignCache().get(reader, campaign_id))
        ids = Ids(await store.ids("postings").take(1), await store.ids("events").take(2))

        def unit(tx: Transaction) -> bool:
            ids.anew()
            owner = world.store.database.presence.id
            is_called = let_call(tx, Due(campaign, MOBILE, 0), "memory", owner, ids, world.clock.ms)
            if is_gated:
                pass_gate(tx)
            return is_called

        return await store.database.write(unit)

    async with other_process(place, world) as other:
        calling = asyncio.create_task(call(other.store, fourth.id, is_gated=True))
        await other.until_waiting(1, calling)
        assert not await call(world.store, fifth.id, is_gated=False)
        await other.open_gate()
        assert await calling
    world.trunk.is_up = True
    world.delivery._dispatcher.wake()
    await world.until(fifth, State.CAPPED)
    assert len(world.trunk.taken) == 3
