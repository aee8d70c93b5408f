"""Accounts take turns on a route: who has queued much holds up nobody else."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from chappe.accounts.create import create_account
from chappe.credit.money import MICRO
from chappe.messages import lane
from tests.unit.messages.world import NUMBER, PRICE, World

OTHERS = NUMBER + 1_000_000
WINDOW = 4


async def account(world: World, email: str) -> int:
    """Another account with credit."""
    return (await create_account(world.store, email, credit_micro=100 * MICRO)).account_id


async def send(world: World, account_id: int, count: int, first: int) -> None:
    """`count` messages to numbers from `first` on, in lists of ten."""
    for start in range(0, count, 10):
        numbers = range(first + start, first + min(start + 10, count))
        await world.send(*numbers, account_id=account_id)


async def take(world: World, count: int) -> None:
    """Lets the operator answer until it has taken `count` in all, a window at a time."""
    operator = world.operator
    while (answered := len(operator.taken) - operator.in_flight) < count:
        await world.until_taken(answered + 1)
        new = operator.taken[answered:]
        await world.operator.say(*(world.operator.accept(departure) for departure in new))
        world.delivery._dispatcher.has_slots()


async def test_one_message_does_not_wait_for_another_accounts_thousands(world: World) -> None:
    big = await account(world, "big@example.org")
    world.operator.window = WINDOW
    await send(world, big, 1500, OTHERS)
    await world.until_taken(WINDOW)
    await world.send(NUMBER)
    await take(world, 4 * WINDOW)
    before = [departure.number for departure in world.operator.taken].index(NUMBER)
    assert before < 3 * WINDOW
    world.operator.window = 1000
    await take(world, 1501)


async def test_accounts_with_much_to_send_share_the_route_evenly(world: World) -> None:
    accounts = [await account(world, f"{name}{name}@example.org") for name in "abc"]
    world.operator.is_up = False
    for index, account_id in enumerate(accounts):
        await send(world, account_id, 400, OTHERS + index * 10_000)
    world.operator.window = WINDOW
    world.operator.is_up = True
    world.delivery._dispatcher.has_slots()
    await take(world, 300)
    shares = Counter((departure.number - OTHERS) // 10_000 for departure in world.operator.taken[:300])
    assert max(shares.values()) - min(shares.values()) <= 20, shares
    world.operator.window = 1000
    await take(world, 1200)


async def test_more_accounts_than_one_look_asks_all_have_their_turn(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "ACCOUNTS_PER_LOOK", 2)
    monkeypatch.setattr(lane, "_ACCOUNTS_ALONE", lane._accounts(lane._ALONE))
    monkeypatch.setattr(lane, "_ACCOUNTS_SHARED", lane._accounts(lane._SHARED))
    monkeypatch.setattr(lane, "MESSAGES_PER_LOAD", 3)
    accounts = [await account(world, f"{name}{name}@example.org") for name in "abcde"]
    world.operator.is_up = False
    for index, account_id in enumerate(accounts):
        await send(world, account_id, 40, OTHERS + index * 10_000)
    world.operator.window = WINDOW
    world.operator.is_up = True
    world.delivery._dispatcher.has_slots()
    await take(world, 50)
    shares = Counter((departure.number - OTHERS) // 10_000 for departure in world.operator.taken[:50])
    assert len(shares) == 5
    world.operator.window = 1000
    await take(world, 200)
    assert await world.one("SELECT COUNT(*) FROM outbox") == 0


async def test_what_an_older_version_put_into_the_outbox_leaves_too(world: World) -> None:
    world.operator.is_up = False
    await send(world, world.account.account_id, 20, NUMBER)
    await world.store.database.write(lambda tx: tx.run("UPDATE outbox SET account_id = 0, lease_owner = ''"))
    world.operator.is_up = True
    world.delivery._dispatcher.wake()
    await take(world, 20)
    assert await world.balance() == 10 * MICRO - 20 * PRICE


async def test_a_lease_that_a_failover_has_lost_is_taken_again_and_nothing_is_loaded_twice(
    world: World,
) -> None:
    world.operator.window = 0
    await send(world, world.account.account_id, 20, NUMBER)
    lane = world.delivery._dispatcher._lanes[0]
    async with asyncio.timeout(10):
        while len(lane.waiting) < 20:
            await asyncio.sleep(0.001)
    await world.store.database.write(lambda tx: tx.run("UPDATE outbox SET lease_owner = ''"))
    await world.send(NUMBER + 100)
    async with asyncio.timeout(10):
        while len(lane.waiting) < 21:
            await asyncio.sleep(0.001)
    world.operator.window = 1000
    world.delivery._dispatcher.has_slots()
    await take(world, 21)
    async with asyncio.timeout(10):
        while await world.one("SELECT COUNT(*) FROM outbox"):
            await asyncio.sleep(0.001)
    assert len({departure.number for departure in world.operator.taken}) == len(world.operator.taken) == 21
