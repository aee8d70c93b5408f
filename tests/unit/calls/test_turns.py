"""Accounts take turns, and what cannot be called now holds up nobody else."""

from __future__ import annotations

import asyncio

from chappe.accounts.create import create_account
from chappe.calls.due import LANES_MAX, ROWS_MAX
from chappe.calls.states import State
from chappe.credit.money import MICRO
from chappe.settings import VoiceSettings
from tests.unit.calls.conftest import LANDLINE, MOBILE, PRICE, World

CHEAP = {"quoted_s": 1}


def numbers(first: int, count: int) -> range:
    return range(first, first + count)


async def send_many(world: World, first: int, count: int) -> None:
    await world.send(*numbers(first, count), costs_micro=[PRICE] * count, **CHEAP)


async def other_account(world: World) -> int:
    created = await create_account(world.store, "b@example.org", credit_micro=MICRO)
    return created.account_id


async def test_a_customer_with_many_campaigns_leaves_room_for_another(world: World) -> None:
    for index in range(3):
        await send_many(world, 33600000000 + 1000 * index, 500)
    await world.trunk.until_taken(6)  # account_calls_max
    await world.send(MOBILE, account_id=await other_account(world))
    (*_, order) = await world.trunk.until_taken(7)
    assert order.number == MOBILE


async def test_two_customers_share_the_places_by_turns(world: World) -> None:
    world.trunk.places = 0
    await world.send(*numbers(33600000000, 9))
    other_id = await other_account(world)
    await world.send(*numbers(33700000000, 9), account_id=other_id)
    world.trunk.places = 4
    world.delivery._dispatcher.wake()
    taken = await world.trunk.until_taken(4)
    assert sorted(str(order.number)[:3] for order in taken) == ["336", "336", "337", "337"]


async def test_numbers_whose_trunk_is_down_hold_up_no_others(world: World) -> None:
    for index in range(ROWS_MAX // 500 + 1):
        await send_many(world, 32470000000 + 1000 * index, 500)
    await world.send(MOBILE)
    await world.trunk.until_taken(1)
    world.abroad.is_up = True
    world.delivery._dispatcher.wake()
    await world.abroad.until_taken(5)


async def test_more_moments_than_are_looked_at_in_one_round_are_all_reached(world: World) -> None:
    await send_many(world, 32470000000, 500)
    await send_many(world, 32480000000, 500)
    # As after retries: each has a moment of its own.
    await world.write("UPDATE callees SET due_at_ms = number - 32000000000 WHERE state = 10")
    assert LANES_MAX < 1000
    await world.send(LANDLINE)
    (order,) = await world.trunk.until_taken(1)
    assert order.number == LANDLINE


async def test_an_account_begins_no_more_calls_in_a_second_than_it_may(world: World) -> None:
    world.settings = VoiceSettings(account_calls_max=6, account_calls_per_second=10)
    await world.restart()
    campaign = await world.send(*numbers(33600000000, 4))
    await world.trunk.until_taken(2)  # a fifth of a second's calls may begin at once
    await world.nothing_more()
    await world.send(MOBILE, account_id=await other_account(world))
    await world.trunk.until_taken(3)
    world.clock.ms += 101
    world.delivery._dispatcher.wake()
    await world.trunk.until_taken(4)
    await world.nothing_more()
    assert await world.state(campaign, 33600000003) is State.WAITING


async def test_an_engine_that_hangs_holds_up_no_other_campaign(world: World) -> None:
    world.engine.hangs_on = "Attente"
    for index in range(20):
        await world.send(33611111100 + index, text=f"Attente {index}")
    await world.deposit(LANDLINE)  # the same account's, but nothing has to be spoken for it
    await world.send(MOBILE, account_id=await other_account(world))
    taken = await world.trunk.until_taken(2)
    assert {order.number for order in taken} == {LANDLINE, MOBILE}


async def test_an_engine_that_is_down_is_asked_once_for_each_campaign_until_some_time_has_passed(
    world: World,
) -> None:
    world.engine.is_down = True
    for index in range(30):
        await world.send(MOBILE + index, text=f"Texte {index}")
    async with asyncio.timeout(20):
        while world.engine.asked < 30:
            await asyncio.sleep(0.001)
    await world.nothing_more()
    assert world.engine.asked == 30
    world.engine.is_down = False
    world.clock.ms += 5_000
    world.delivery._dispatcher.wake()
    await world.trunk.until_taken(6)  # account_calls_max
