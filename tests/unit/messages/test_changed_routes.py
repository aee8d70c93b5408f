"""Routes change with the configuration: nobody is left waiting behind one that is gone."""

from __future__ import annotations

import asyncio

from chappe.credit.money import MICRO
from chappe.messages.reroute import NOWHERE
from chappe.messages.states import State
from tests.support.operators import MemoryOperator
from tests.unit.messages.world import NUMBER, PRICE, World

GERMAN = 491512345678


async def test_a_longer_prefix_takes_over_whoever_waits_already(world: World) -> None:
    world.operator.is_up = False
    accepted = await world.send(NUMBER)
    await world.restart(MemoryOperator(), "33", "336")
    await world.until_taken(1)
    await world.operator.say(world.operator.accept(world.operator.taken[0]))
    assert await world.states(accepted.message_id) == {NUMBER: State.SENT}
    assert await world.one("SELECT COUNT(*) FROM outbox") == 0


async def test_those_of_one_request_that_go_by_other_routes_now_all_leave(world: World) -> None:
    world.operator.is_up = False
    await world.restart(MemoryOperator(is_up=False), "")
    accepted = await world.send(NUMBER, GERMAN, NUMBER + 1, routes=("",))
    await world.restart(MemoryOperator(), "", "49")
    await world.until_taken(3)
    assert {d.number for d in world.operator.taken} == {NUMBER, GERMAN, NUMBER + 1}
    await world.operator.say(*map(world.operator.accept, world.operator.taken))
    assert set((await world.states(accepted.message_id)).values()) == {State.SENT}


async def test_a_route_that_is_gone_gives_its_messages_to_another(world: World) -> None:
    world.operator.is_up = False
    await world.send(NUMBER)
    await world.restart(MemoryOperator(), "336")
    await world.until_taken(1)
    assert world.operator.taken[0].number == NUMBER


async def test_whoever_has_no_route_any_more_gets_the_credit_back(world: World) -> None:
    world.operator.is_up = False
    await world.restart(MemoryOperator(is_up=False), "")
    accepted = await world.send(NUMBER, GERMAN, routes=("",))
    await world.restart(MemoryOperator(), "33")
    await world.until_taken(1)
    await world.operator.say(world.operator.accept(world.operator.taken[0]))
    async with asyncio.timeout(10):
        while await world.one("SELECT COUNT(*) FROM outbox"):
            await world.delivery._sweep.once()
    assert await world.states(accepted.message_id) == {NUMBER: State.SENT, GERMAN: State.NO_ROUTE}
    assert await world.balance() == 10 * MICRO - PRICE
    assert len(await world.payloads()) == 1


async def test_a_lane_that_meets_numbers_without_a_route_leaves_them_to_the_sweep(world: World) -> None:
    world.operator.is_up = False
    await world.restart(MemoryOperator(is_up=False), "33")
    # As a process with other routes may accept it, on a database that they share.
    accepted = await world.send(GERMAN, routes=("33",))
    world.operator.is_up = True
    world.delivery._dispatcher.wake()
    async with asyncio.timeout(10):
        while await world.one("SELECT route FROM outbox") not in (NOWHERE, None):
            await asyncio.sleep(0.001)
    await world.delivery._sweep.once()
    assert await world.states(accepted.message_id) == {GERMAN: State.NO_ROUTE}
    assert await world.balance() == 10 * MICRO


async def test_a_deferred_message_keeps_its_date_when_its_route_is_gone(world: World) -> None:
    accepted = await world.send(NUMBER, due_at_ms=world.clock.ms + 3_600_000)
    await world.restart(MemoryOperator(), "49")
    await world.delivery._sweep.once()
    assert await world.states(accepted.message_id) == {NUMBER: State.WAITING}
    await world.restart(MemoryOperator(), "33")
    world.clock.ms += 3_600_000
    world.delivery._dispatcher.wake()
    await world.until_taken(1)


async def test_what_was_leaving_by_a_route_that_is_gone_ends_after_two_days(world: World) -> None:
    accepted = await world.send(NUMBER)
    await world.until_taken(1)
    await world.restart(MemoryOperator(), "49")
    world.clock.ms += 48 * 3_600_000 + 1
    await world.delivery._sweep.once()
    assert await world.states(accepted.message_id) == {NUMBER: State.NO_RECEIPT}
    assert await world.balance() == 10 * MICRO - PRICE
    assert len(await world.payloads()) == 1
