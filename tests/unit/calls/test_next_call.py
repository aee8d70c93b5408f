"""A campaign's history says when a callee that waits is called next, and why not now; on both databases."""

from __future__ import annotations

from typing import Any

from chappe.administration.commands import Administration, CallShow
from chappe.calls.request import AcceptedCampaign
from chappe.calls.states import State
from tests.unit.calls.conftest import MOBILE, World

MINUTE_MS = 60_000
MONDAY_TEN_IN_PARIS = 1_800_262_800_000
"""18 January 2027, after the Friday that the clock of these tests stands on."""


async def next_call(world: World, campaign: AcceptedCampaign) -> tuple[int | None, str | None]:
    """(when, why not now) of the only callee."""
    shown: dict[str, Any] = await Administration(world.store).carry_out(CallShow(campaign.token))
    (callee,) = shown["callees"]
    return callee["nextCallAtMs"], callee["waitsFor"]


async def test_a_retry_after_busy_or_no_answer_is_due_after_the_accounts_delay(world: World) -> None:
    await world.write("UPDATE accounts SET voice_retries = 2, voice_retry_delay_s = 60")
    campaign = await world.send(MOBILE)
    for count, result in enumerate(("busy", "no answer"), 1):
        order = (await world.trunk.until_taken(count))[-1]
        assert await next_call(world, campaign) == (None, None)
        await world.trunk.end(order, result)
        assert await next_call(world, campaign) == (world.clock.ms + MINUTE_MS, result)
        world.clock.ms += MINUTE_MS
    await world.trunk.end((await world.trunk.until_taken(3))[-1], "busy")
    await world.until(campaign, State.UNDELIVERED)
    assert await next_call(world, campaign) == (None, None)


async def test_a_deposit_that_met_a_person_is_tried_again_in_ten_minutes(world: World) -> None:
    campaign = await world.deposit(MOBILE)
    (order,) = await world.trunk.until_taken(1)
    await world.trunk.answer(order)
    await world.trunk.end(order, party="person")
    assert await next_call(world, campaign) == (world.clock.ms + 10 * MINUTE_MS, "person")


async def test_a_deferred_call_waits_for_its_date(world: World) -> None:
    due_at_ms = world.clock.ms + 90 * MINUTE_MS
    assert await next_call(world, await world.send(MOBILE, due_at_ms=due_at_ms)) == (due_at_ms, "date")


async def test_a_marketing_call_waits_for_its_hours(world: World) -> None:
    world.clock.ms += 13 * 60 * MINUTE_MS  # Friday evening
    campaign = await world.send(MOBILE, is_marketing=True)
    assert await next_call(world, campaign) == (MONDAY_TEN_IN_PARIS, "hours")


async def test_what_is_due_waits_for_a_trunk(world: World) -> None:
    world.trunk.is_up = False
    campaign = await world.send(MOBILE)
    assert await next_call(world, campaign) == (world.clock.ms, "trunk")
