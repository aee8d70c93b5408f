"""A call that a trunk did not take goes to the next one of its route at once; on both databases."""

from __future__ import annotations

import pytest

from chappe.calls.history import campaign_history
from chappe.calls.request import AcceptedCampaign
from chappe.calls.states import State
from chappe.credit.money import MICRO
from tests.support.trunks import MemoryTrunk
from tests.unit.calls.conftest import LANDLINE, MOBILE, PRICE, QUOTED_S, World

FULL = PRICE * QUOTED_S


async def calls(world: World, campaign: AcceptedCampaign) -> list[tuple[str, str]]:
    """(trunk, result) of every call, oldest first."""
    history = await world.store.database.read(
        lambda reader: campaign_history(reader, campaign.token, world.store.clock.now_ms())
    )
    assert history is not None
    return [(call.operator, call.result) for callee in history.callees for call in callee.attempts]


async def refuse(trunk: MemoryTrunk, count: int = 1, result: str = "not taken") -> None:
    """The newest call of so many."""
    await trunk.end((await trunk.until_taken(count))[-1], result, status=503, cause=41, progress="100")


async def test_a_call_that_a_trunk_does_not_take_is_made_by_the_next_one(world: World) -> None:
    world.second.is_up = True
    campaign = await world.send(MOBILE)
    await refuse(world.trunk)
    (order,) = await world.second.until_taken(1)
    assert (order.number, order.attempt) == (MOBILE, 2)
    assert await world.balance() == 10 * MICRO - FULL
    assert await world.events() == []
    await world.second.answer(order)
    await world.second.end(order, played_ms=2_000)
    assert await world.state(campaign) is State.DELIVERED
    assert await world.balance() == 10 * MICRO - 2 * PRICE
    assert len(await world.events()) == 1
    assert await calls(world, campaign) == [("memory", "not taken"), ("second", "answered")]
    await world.nothing_more()


async def test_what_no_trunk_takes_ends_with_its_credit_back_and_one_callback(world: World) -> None:
    world.second.is_up = True
    campaign = await world.send(MOBILE)
    await refuse(world.trunk)
    await refuse(world.second)
    await world.until(campaign, State.UNDELIVERED)
    assert await world.balance() == 10 * MICRO
    assert [body["status"] for _, body in await world.events()] == ["undelivered"]
    await world.nothing_more()
    assert await calls(world, campaign) == [("memory", "not taken"), ("second", "not taken")]


@pytest.mark.parametrize("result", ["no answer", "unreachable", "rejected", "failed", "lost"])
async def test_what_may_have_rung_or_is_the_numbers_own_answer_is_not_passed_on(
    world: World, result: str
) -> None:
    world.second.is_up = True
    campaign = await world.send(MOBILE)
    await refuse(world.trunk, result=result)
    await world.until(campaign, State.UNDELIVERED)
    await world.nothing_more()
    assert world.second.taken == []


async def test_a_trunk_that_is_full_is_waited_for_and_one_that_is_down_is_not(world: World) -> None:
    world.second.is_up, world.second.places = True, 0
    campaign = await world.send(MOBILE)
    await refuse(world.trunk)
    await world.until(campaign, State.WAITING)
    await world.nothing_more()
    world.second.places = 1
    world.delivery._dispatcher.wake()
    await world.second.end((await world.second.until_taken(1))[0], "busy")
    world.second.is_up = False
    again = await world.send(LANDLINE)
    await refuse(world.trunk, 2)
    await world.until(again, State.UNDELIVERED, LANDLINE)


async def test_who_has_refused_is_asked_again_only_when_nobody_else_is_left(world: World) -> None:
    world.second.is_up, world.second.places = True, 0
    campaign = await world.send(MOBILE)
    await refuse(world.trunk)
    await world.until(campaign, State.WAITING)
    world.second.is_up = False  # it was up a moment ago: the call is not to wait until it comes back
    world.delivery._dispatcher.wake()
    await refuse(world.trunk, 2)
    await world.until(campaign, State.UNDELIVERED)
    assert await world.balance() == 10 * MICRO


async def test_trunks_that_come_and_go_do_not_keep_a_call_going_round_for_ever(world: World) -> None:
    world.second.places = 0
    campaign = await world.send(MOBILE)
    for count in range(1, 9):
        order = (await world.trunk.until_taken(count))[-1]
        world.second.is_up = True
        await world.trunk.end(order, "not taken")
        world.second.is_up = False
        world.delivery._dispatcher.wake()
    await world.until(campaign, State.UNDELIVERED)
    assert await calls(world, campaign) == [("memory", "not taken")] * 8


async def test_calls_that_were_not_taken_use_up_no_further_attempt(world: World) -> None:
    await world.write("UPDATE accounts SET voice_retries = 1, voice_retry_delay_s = 60")
    world.second.is_up = True
    campaign = await world.send(MOBILE)
    await refuse(world.trunk)
    await world.second.end((await world.second.until_taken(1))[0], "busy")
    assert await world.state(campaign) is State.WAITING
    world.clock.ms += 60_000
    world.delivery._dispatcher.wake()
    # A new attempt begins with the first trunk again.
    await refuse(world.trunk, 2)
    await world.second.end((await world.second.until_taken(2))[-1], "busy")
    assert await world.state(campaign) is State.UNDELIVERED
    assert [result for _, result in await calls(world, campaign)] == ["not taken", "busy"] * 2


async def test_a_deposit_that_meets_a_person_by_the_second_trunk_is_tried_once_more(world: World) -> None:
    world.second.is_up = True
    campaign = await world.deposit(MOBILE)
    await refuse(world.trunk)
    (order,) = await world.second.until_taken(1)
    await world.second.end(order, party="person", played_ms=0, is_complete=False)
    assert await world.state(campaign) is State.WAITING
    world.clock.ms += 10 * 60_000
    world.delivery._dispatcher.wake()
    order = (await world.trunk.until_taken(2))[-1]
    await world.trunk.end(order, party="person", played_ms=0, is_complete=False)
    assert await world.state(campaign) is State.UNDELIVERED


async def test_the_law_counts_calls_that_may_have_rung(world: World) -> None:
    world.second.is_up = True
    world.clock.ms += 2 * 3_600_000
    for count in range(1, 5):
        await world.send(MOBILE, is_marketing=True)
        await refuse(world.trunk, count)
        await world.second.end((await world.second.until_taken(count))[-1], "no answer")
    fifth = await world.send(MOBILE, is_marketing=True)
    await world.until(fifth, State.CAPPED)


async def test_places_of_an_account_are_free_again_after_a_failover(world: World) -> None:
    world.second.is_up = True
    numbers = range(33612345000, 33612345006)  # account_calls_max
    for number in numbers:
        await world.send(number)
        await refuse(world.trunk, number - numbers[0] + 1)
    for order in list(await world.second.until_taken(6)):
        await world.second.end(order, "busy")
    assert world.delivery._dispatcher._of_account == {}
    assert world.delivery._dispatcher._account_of == {}


# --- crashes ------------------------------------------------------------------------------------------------


async def test_killed_after_a_refusal_was_committed_the_next_trunk_calls(world: World) -> None:
    world.second.is_up, world.second.places = True, 0
    campaign = await world.send(MOBILE)
    await refuse(world.trunk)
    await world.until(campaign, State.WAITING)
    await world.restart()
    (order,) = await world.second.until_taken(1)
    assert (order.number, order.attempt) == (MOBILE, 2)
    assert world.trunk.taken == []
    await world.second.end(order, played_ms=QUOTED_S * 1000)
    assert await world.state(campaign) is State.DELIVERED
    assert await world.balance() == 10 * MICRO - FULL


async def test_killed_before_a_refusal_was_committed_nobody_knows_and_it_is_held(world: World) -> None:
    world.second.is_up = True
    campaign = await world.send(MOBILE)
    await world.trunk.until_taken(1)
    await world.restart()
    await world.until(campaign, State.LOST)
    assert await world.balance() == 10 * MICRO
    await world.nothing_more()
    assert world.second.taken == []


async def test_killed_while_the_second_trunk_calls_it_is_lost_as_any_other(world: World) -> None:
    world.second.is_up = True
    campaign = await world.send(MOBILE)
    await refuse(world.trunk)
    await world.second.until_taken(1)
    await world.restart()
    await world.until(campaign, State.LOST)
    assert await calls(world, campaign) == [("memory", "not taken"), ("second", "lost")]
    assert await world.balance() == 10 * MICRO
    assert len(await world.events()) == 1


async def test_a_call_that_had_not_left_when_its_server_stopped_is_made_by_the_next_start(
    world: World,
) -> None:
    world.second.is_up = True
    campaign = await world.send(MOBILE)
    (order,) = await world.trunk.until_taken(1)
    await world.delivery._dispatcher.stop()
    await world.trunk.end(order, "not taken", status=0, reason="stopped", progress="")
    assert await world.state(campaign) is State.WAITING
    assert await world.balance() == 10 * MICRO - FULL
    assert await world.events() == []
    await world.restart()
    # No trunk has refused it: the first of its route is asked, and it is the first call that may have rung.
    (order,) = await world.trunk.until_taken(1)
    assert order.attempt == 2
    await world.trunk.answer(order)
    await world.trunk.end(order, played_ms=2_000)
    await world.until(campaign, State.DELIVERED)
    await world.nothing_more()


async def test_a_call_without_a_place_for_its_audio_waits_and_nobody_has_refused_it(world: World) -> None:
    world.second.is_up, world.second.places = True, 0
    campaign = await world.send(MOBILE)
    for count in range(1, 12):  # more often than a call may be refused in a row
        order = (await world.trunk.until_taken(count))[-1]
        await world.trunk.end(order, "not taken", status=0, reason="no audio", progress="")
    assert await world.balance() == 10 * MICRO - FULL
    assert await world.events() == []
    # Then the first trunk refuses it, and of the second it is not asked for once more.
    world.second.places = 1
    await refuse(world.trunk, 12)
    order = (await world.second.until_taken(1))[-1]
    await world.second.end(order, "not taken", status=0, reason="no audio", progress="")
    order = (await world.second.until_taken(2))[-1]
    await world.second.answer(order)
    await world.second.end(order, played_ms=2_000)
    await world.until(campaign, State.DELIVERED)
    assert await world.balance() == 10 * MICRO - 2 * PRICE
    await world.nothing_more()


async def test_a_trunk_with_several_addresses_is_asked_once_by_each(world: World) -> None:
    world.trunk.ways = 2
    campaign = await world.send(MOBILE)
    await refuse(world.trunk)
    await refuse(world.trunk, 2)
    await world.until(campaign, State.UNDELIVERED)
    assert await calls(world, campaign) == [("memory", "not taken")] * 2
    assert await world.balance() == 10 * MICRO
    await world.nothing_more()
