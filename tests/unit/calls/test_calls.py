"""From an accepted campaign to how its last call ended, on both databases, with a trunk in memory."""

from __future__ import annotations

import asyncio

import pytest

from chappe.audio.files import delete_file, moderate
from chappe.calls.callers import add_caller, remove_caller
from chappe.calls.cancel import CampaignLeft, CampaignUnknown, cancel_campaign
from chappe.calls.request import AcceptedCampaign, AudioGone, NobodyToCall
from chappe.calls.states import State
from chappe.credit.ledger import InsufficientCredit
from chappe.credit.money import MICRO
from chappe.optouts.numbers import opt_out
from chappe.storage.database import OutcomeUnknown
from tests.unit.calls.conftest import LANDLINE, MOBILE, PRICE, QUOTED_S, World

FULL = PRICE * QUOTED_S
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


async def test_a_text_is_heard_charged_by_the_second_and_reported(world: World) -> None:
    campaign = await world.send(MOBILE)
    assert await world.balance() == 10 * MICRO - FULL
    (order,) = await world.trunk.until_taken(1)
    assert (order.number, order.attempt, order.sender) == (MOBILE, 1, "")
    assert order.script.to_person == order.script.to_machine
    assert not order.script.detects
    assert await world.state(campaign) is State.CALLING
    await world.trunk.answer(order)
    assert await world.state(campaign) is State.ANSWERED
    world.clock.ms += 12_000
    await world.trunk.end(order, played_ms=2_100, is_complete=False)
    assert await world.state(campaign) is State.DELIVERED
    assert await world.balance() == 10 * MICRO - 3 * PRICE  # started seconds
    ((url, body),) = await world.events()
    assert url == "http://example.org/calls?id=7"
    assert list(body) == [
        *("campaignId", "status", "additionnal_status", "phoneNumber", "sendAt", "doneAt", "duration")
    ]
    assert body["campaignId"] == campaign.token
    assert (body["status"], body["additionnal_status"], body["duration"]) == (
        "delivered",
        "VOICE_ANSWERED",
        3,
    )
    assert body["phoneNumber"] == "0033612345678"
    assert (body["sendAt"], body["doneAt"]) == ("2027-01-15 09:00:00", "2027-01-15 09:00:12")
    assert world.woken == 1


@pytest.mark.parametrize(
    "result", ["busy", "no answer", "unreachable", "rejected", "not taken", "failed", "lost"]
)
async def test_a_call_that_nobody_answered_costs_nothing(world: World, result: str) -> None:
    campaign = await world.send(MOBILE)
    (order,) = await world.trunk.until_taken(1)
    await world.trunk.end(order, result)
    assert await world.state(campaign) is State.UNDELIVERED
    assert await world.balance() == 10 * MICRO
    ((_, body),) = await world.events()
    assert (body["status"], body["additionnal_status"], body["duration"]) == (
        "undelivered",
        "VOICE_NOT_ANSWERED",
        0,
    )
    await world.nothing_more()


async def test_what_is_played_longer_than_quoted_is_not_charged(world: World) -> None:
    await world.send(MOBILE)
    (order,) = await world.trunk.until_taken(1)
    await world.trunk.end(order, played_ms=QUOTED_S * 1000 + 60)
    assert await world.balance() == 10 * MICRO - FULL


async def test_an_answered_call_costs_a_second_at_least(world: World) -> None:
    await world.send(MOBILE)
    (order,) = await world.trunk.until_taken(1)
    await world.trunk.end(order, played_ms=0, is_complete=False)
    assert await world.balance() == 10 * MICRO - PRICE


async def test_a_text_with_a_file_speaks_to_a_person_and_is_left_on_a_machine(world: World) -> None:
    file = await world.file()
    await world.send(MOBILE, LANDLINE, audio_id=file.id)
    first, second = sorted(await world.trunk.until_taken(2), key=lambda order: order.number)
    assert first.script.detects
    assert first.script.to_person is not None
    assert first.script.to_machine is not None
    assert (first.script.to_person.alaw[:1], first.script.to_machine.alaw[:1]) == (b"B", b"f")
    await world.trunk.end(first, party="machine", played_ms=1000)
    await world.trunk.end(second, party="person", played_ms=5000)
    assert [body["audioFileComplementaire"] for _, body in await world.events()] == [
        {"status": "Deposit"},
        {"status": "No deposit"},
    ]


async def test_busy_and_no_answer_are_tried_again_as_often_as_the_account_says(world: World) -> None:
    await world.write("UPDATE accounts SET voice_retries = 2, voice_retry_delay_s = 60")
    campaign = await world.send(MOBILE)
    for attempt, result in ((1, "busy"), (2, "no answer")):
        order = (await world.trunk.until_taken(attempt))[-1]
        assert order.attempt == attempt
        await world.trunk.end(order, result)
        assert await world.state(campaign) is State.WAITING
        assert await world.balance() == 10 * MICRO - FULL
        world.clock.ms += 59_000
        await world.nothing_more()
        world.clock.ms += 1_000
        world.delivery._dispatcher.wake()
    order = (await world.trunk.until_taken(3))[-1]
    await world.trunk.end(order, "busy")
    assert await world.state(campaign) is State.UNDELIVERED
    assert await world.balance() == 10 * MICRO
    assert len(await world.events()) == 1


async def test_what_is_unreachable_is_not_tried_again(world: World) -> None:
    await world.write("UPDATE accounts SET voice_retries = 3")
    campaign = await world.send(MOBILE)
    (order,) = await world.trunk.until_taken(1)
    await world.trunk.end(order, "unreachable")
    assert await world.state(campaign) is State.UNDELIVERED


# --- deposits ---------------------------------------------------------------------------------------------


async def test_a_campaign_of_deposits_is_told_of_once_by_get_when_the_last_has_ended(world: World) -> None:
    campaign = await world.deposit(MOBILE, LANDLINE, 33612345679)
    orders = await world.trunk.until_taken(3)
    by_number = {order.number: order for order in orders}
    assert all(order.script.to_person is None and order.script.detects for order in orders)
    await world.trunk.end(by_number[MOBILE], party="machine", played_ms=1000)
    await world.trunk.end(by_number[LANDLINE], party="person", played_ms=0, is_complete=False)
    assert await world.events() == []
    await world.trunk.end(by_number[33612345679], "unreachable")
    ((url, body),) = await world.events()
    assert body is None
    expected = f"&campaign_token={campaign.token}&campaign_id=NDA_20270115_{campaign.id:05}"
    assert url == f"http://example.org/calls?id=7{expected}&delivered_quantity=1&total_quantity=3"
    assert await world.balance() == 10 * MICRO - 150_000
    assert await world.one("SELECT ended_at_ms FROM campaigns") is not None


async def test_a_deposit_that_meets_a_person_on_a_mobile_is_tried_once_more(world: World) -> None:
    campaign = await world.deposit(MOBILE)
    (order,) = await world.trunk.until_taken(1)
    await world.trunk.end(order, party="person", played_ms=0, is_complete=False)
    assert await world.state(campaign) is State.WAITING
    world.clock.ms += 10 * 60_000
    world.delivery._dispatcher.wake()
    again = (await world.trunk.until_taken(2))[-1]
    assert again.attempt == 2
    await world.trunk.end(again, party="person", played_ms=0, is_complete=False)
    assert await world.state(campaign) is State.UNDELIVERED
    assert await world.balance() == 10 * MICRO


async def test_a_deposit_that_meets_a_person_on_a_landline_is_over(world: World) -> None:
    campaign = await world.deposit(LANDLINE)
    (order,) = await world.trunk.until_taken(1)
    await world.trunk.end(order, party="person", played_ms=0, is_complete=False)
    assert await world.state(campaign, LANDLINE) is State.UNDELIVERED


async def test_a_deposit_that_was_cut_off_is_none(world: World) -> None:
    campaign = await world.deposit(MOBILE)
    (order,) = await world.trunk.until_taken(1)
    await world.trunk.end(order, party="machine", played_ms=700, is_complete=False)
    assert await world.state(campaign) is State.UNDELIVERED
    assert await world.balance() == 10 * MICRO


async def test_a_number_that_an_account_loses_is_not_shown_by_what_waits(world: World) -> None:
    account_id, sender = world.account.account_id, "33162001122"
    await add_caller(world.store, account_id, sender)
    await world.deposit(MOBILE, sender=sender)
    (order,) = await world.trunk.until_taken(1)
    assert order.sender == sender
    await world.deposit(LANDLINE, sender=sender, due_at_ms=world.clock.ms + HOUR_MS)
    assert await remove_caller(world.store, account_id, sender)
    world.clock.ms += HOUR_MS
    world.delivery._dispatcher.wake()
    assert (await world.trunk.until_taken(2))[-1].sender == ""
    assert not await remove_caller(world.store, account_id, sender)


# --- accepting ----------------------------------------------------------------------------------------------


async def test_without_the_credit_for_all_nobody_is_called(world: World) -> None:
    with pytest.raises(InsufficientCredit):
        await world.send(MOBILE, LANDLINE, costs_micro=[6 * MICRO, 6 * MICRO])
    assert await world.one("SELECT COUNT(*) FROM campaigns") == 0
    assert await world.balance() == 10 * MICRO
    await world.nothing_more()


async def test_numbers_that_opted_out_are_left_out_and_cost_nothing(world: World) -> None:
    await world.store.database.write(
        lambda tx: opt_out(tx, 1, world.account.account_id, MOBILE, "operator", world.clock.ms)
    )
    with pytest.raises(NobodyToCall):
        await world.send(MOBILE)
    accepted = await world.send(MOBILE, LANDLINE)
    assert accepted.opted_out == {MOBILE}
    assert accepted.cost_micro == FULL
    (order,) = await world.trunk.until_taken(1)
    assert order.number == LANDLINE


async def test_a_number_that_opts_out_before_its_date_is_not_called(world: World) -> None:
    campaign = await world.send(MOBILE, due_at_ms=world.clock.ms + HOUR_MS)
    await world.store.database.write(
        lambda tx: opt_out(tx, 1, world.account.account_id, MOBILE, "operator", world.clock.ms)
    )
    world.clock.ms += HOUR_MS
    world.delivery._dispatcher.wake()
    await world.until(campaign, State.OPTED_OUT)
    assert world.trunk.taken == []
    ((_, told),) = await world.events()
    assert (told["status"], told["additionnal_status"]) == ("undelivered", "VOICE_NOT_ANSWERED")
    assert await world.balance() == 10 * MICRO


async def test_a_file_that_was_deleted_meanwhile_is_refused(world: World) -> None:
    file = await world.file()
    account_id = world.account.account_id
    await world.store.database.write(lambda tx: delete_file(tx, account_id, file.token, world.clock.ms))
    with pytest.raises(AudioGone):
        await world.send(MOBILE, audio_id=file.id)


async def test_a_file_that_was_refused_meanwhile_is_not_played(world: World) -> None:
    file = await world.file()
    await moderate(world.store, file.token, "refused")
    with pytest.raises(AudioGone):
        await world.send(MOBILE, audio_id=file.id)


async def test_a_deferred_campaign_begins_at_its_date(world: World) -> None:
    campaign = await world.send(MOBILE, due_at_ms=world.clock.ms + HOUR_MS)
    world.clock.ms += HOUR_MS - 1
    await world.nothing_more()
    world.clock.ms += 1
    world.delivery._dispatcher.wake()
    await world.trunk.until_taken(1)
    assert await world.state(campaign) is State.CALLING


# --- cancelling ---------------------------------------------------------------------------------------------


async def test_a_deferred_campaign_is_cancelled_with_all_its_credit_and_without_a_callback(
    world: World,
) -> None:
    campaign = await world.deposit(MOBILE, LANDLINE, due_at_ms=world.clock.ms + 1000)
    assert await cancel_campaign(world.store, world.account.account_id, campaign.token) == 300_000
    assert await world.balance() == 10 * MICRO
    assert await world.events() == []
    world.clock.ms += 1000
    await world.nothing_more()
    with pytest.raises(CampaignLeft):
        await cancel_campaign(world.store, world.account.account_id, campaign.token)


async def test_what_has_begun_or_is_somebody_elses_is_not_cancelled(world: World) -> None:
    at_once = await world.send(MOBILE)
    deferred = await world.send(LANDLINE, due_at_ms=world.clock.ms + 1000)
    world.clock.ms += 1000
    for campaign in (at_once, deferred):
        with pytest.raises(CampaignLeft):
            await cancel_campaign(world.store, world.account.account_id, campaign.token)
    for account_id, token in (
        (world.account.account_id + 1, deferred.token),
        (world.account.account_id, "nothing"),
    ):
        with pytest.raises(CampaignUnknown):
            await cancel_campaign(world.store, account_id, token)


# --- marketing ----------------------------------------------------------------------------------------------


async def test_marketing_calls_wait_for_their_hours(world: World) -> None:
    campaign = await world.send(MOBILE, is_marketing=True)  # Friday, 9 in Paris
    await world.nothing_more()
    assert await world.one("SELECT due_at_ms FROM campaigns") == world.clock.ms + HOUR_MS
    world.clock.ms += HOUR_MS
    world.delivery._dispatcher.wake()
    await world.trunk.until_taken(1)
    assert await world.state(campaign) is State.CALLING


async def test_marketing_calls_keep_the_hours_of_the_overseas_departments(world: World) -> None:
    in_guadeloupe, in_reunion = 33690123456, 33692123456
    world.clock.ms += HOUR_MS  # 10 in Paris: 5 in Guadeloupe, 13 in Reunion
    campaign = await world.send(in_guadeloupe, in_reunion, is_marketing=True)
    await world.nothing_more()
    rows = await world.store.database.read(
        lambda r: r.all("SELECT number, due_at_ms FROM callees WHERE campaign_id = ?", (campaign.id,))
    )
    assert dict(rows) == {
        in_guadeloupe: world.clock.ms + 5 * HOUR_MS,
        in_reunion: world.clock.ms + HOUR_MS,
    }


async def test_a_retry_of_a_marketing_call_waits_for_the_hours_too(world: World) -> None:
    await world.write("UPDATE accounts SET voice_retries = 1, voice_retry_delay_s = 3600")
    world.clock.ms += 3 * HOUR_MS + 30 * 60_000  # 12:30
    await world.send(MOBILE, is_marketing=True)
    (order,) = await world.trunk.until_taken(1)
    await world.trunk.end(order, "busy")
    world.clock.ms += HOUR_MS  # 13:30: lunch
    await world.nothing_more()
    world.clock.ms += HOUR_MS // 2
    world.delivery._dispatcher.wake()
    await world.trunk.until_taken(2)


async def test_the_fifth_attempt_in_thirty_days_is_not_made(world: World) -> None:
    world.clock.ms += 2 * HOUR_MS
    for attempt in range(1, 5):
        await world.send(MOBILE, is_marketing=True)
        await world.trunk.end((await world.trunk.until_taken(attempt))[-1], "no answer")
    fifth = await world.send(MOBILE, is_marketing=True)
    await world.until(fifth, State.CAPPED)
    assert await world.balance() == 10 * MICRO
    # Other numbers, and calls that sell nothing, are not affected.
    await world.send(LANDLINE, is_marketing=True)
    await world.send(MOBILE)
    await world.trunk.until_taken(6)
    world.clock.ms += 31 * DAY_MS
    late = await world.send(MOBILE, is_marketing=True)
    await world.trunk.until_taken(7)
    assert await world.state(late) is State.CALLING


# --- limits, trouble ----------------------------------------------------------------------------------------


async def test_no_more_calls_are_made_than_there_are_places(world: World) -> None:
    world.trunk.places = 2
    await world.send(*range(33612345000, 33612345005))
    await world.trunk.until_taken(2)
    await world.nothing_more()
    await world.trunk.end(world.trunk.taken[0])
    await world.trunk.until_taken(3)
    await world.nothing_more()


async def test_one_account_does_not_take_all_places(world: World) -> None:
    await world.send(*range(33612345000, 33612345009))
    await world.trunk.until_taken(6)  # account_calls_max
    await world.nothing_more()
    await world.trunk.end(world.trunk.taken[0])
    await world.trunk.until_taken(7)


async def test_a_text_that_cannot_be_spoken_now_is_spoken_later(world: World) -> None:
    world.engine.is_down = True
    campaign = await world.send(MOBILE)
    await world.nothing_more()
    assert await world.state(campaign) is State.WAITING
    world.engine.is_down = False
    world.clock.ms += 5_000
    world.delivery._dispatcher.wake()
    await world.trunk.until_taken(1)


async def test_a_trunk_that_is_down_is_waited_for(world: World) -> None:
    world.trunk.is_up = False
    await world.send(MOBILE)
    await world.nothing_more()
    world.trunk.is_up = True
    world.delivery._dispatcher.wake()
    await world.trunk.until_taken(1)


async def test_who_cannot_be_called_for_two_days_is_given_back_and_told(world: World) -> None:
    world.trunk.is_up = False
    campaign = await world.send(MOBILE)
    later = await world.send(LANDLINE, due_at_ms=world.clock.ms + HOUR_MS)
    world.clock.ms += 2 * DAY_MS
    world.delivery._dispatcher.wake()
    await world.nothing_more()
    assert await world.state(campaign) is State.WAITING
    world.clock.ms += 60_000
    world.delivery._dispatcher.wake()
    await world.until(campaign, State.EXPIRED)
    ((_, told),) = await world.events()
    assert (told["phoneNumber"], told["status"], told["duration"]) == (f"00{MOBILE}", "undelivered", 0)
    assert await world.one("SELECT ended_at_ms FROM campaigns WHERE id = ?", campaign.id) == world.clock.ms
    assert await world.state(later, LANDLINE) is State.WAITING
    world.trunk.is_up = True
    world.delivery._dispatcher.wake()
    (order,) = await world.trunk.until_taken(1)
    assert order.number == LANDLINE


async def test_what_is_said_twice_changes_nothing_the_second_time(world: World) -> None:
    campaign = await world.send(MOBILE)
    (order,) = await world.trunk.until_taken(1)
    await world.trunk.end(order, "busy")
    world.trunk.under_way += 1
    await world.trunk.end(order, played_ms=5000)
    assert await world.state(campaign) is State.UNDELIVERED
    assert await world.balance() == 10 * MICRO
    assert len(await world.events()) == 1


# --- crashes ------------------------------------------------------------------------------------------------


async def campaign_under_way(world: World) -> AcceptedCampaign:
    """Three callees: one waits (there are two places), one rings, one has answered."""
    world.trunk.places = 2
    campaign = await world.send(33612345001, 33612345002, 33612345003)
    first, second = await world.trunk.until_taken(2)
    assert (first.number, second.number) == (33612345001, 33612345002)
    await world.trunk.answer(second)
    return campaign


async def test_after_a_crash_who_waited_is_called_and_who_rang_is_held(world: World) -> None:
    campaign = await campaign_under_way(world)
    await world.restart()
    (order,) = await world.trunk.until_taken(1)
    assert order.number == 33612345003
    await world.nothing_more()
    await world.until(campaign, State.LOST, 33612345001)
    await world.until(campaign, State.DELIVERED, 33612345002)
    # Who rang heard nothing and costs nothing; who had answered may have heard everything.
    await world.trunk.end(order, "busy")
    assert await world.balance() == 10 * MICRO - FULL
    assert [(body["phoneNumber"][-1], body["status"]) for _, body in await world.events()] == [
        *(("1", "undelivered"), ("2", "delivered"), ("3", "undelivered"))
    ]


async def test_after_a_crash_who_rang_is_called_again_where_the_trunk_says_so(world: World) -> None:
    campaign = await campaign_under_way(world)
    await world.restart(resends=["memory"])
    orders = await world.trunk.until_taken(2)
    assert {(order.number, order.attempt) for order in orders} == {(33612345001, 2), (33612345003, 1)}
    assert await world.balance() == 10 * MICRO - 3 * FULL  # our second call never debits
    for order in orders:
        await world.trunk.end(order, played_ms=5000)
    assert await world.state(campaign, 33612345001) is State.DELIVERED
    assert await world.balance() == 10 * MICRO - 3 * FULL


async def test_after_a_crash_a_deposit_that_was_being_left_is_none(world: World) -> None:
    campaign = await world.deposit(MOBILE)
    (order,) = await world.trunk.until_taken(1)
    await world.trunk.answer(order)
    await world.restart()
    await world.until(campaign, State.UNDELIVERED)
    ((url, _),) = await world.events()
    assert url.endswith("&delivered_quantity=0&total_quantity=1")


async def test_hundreds_of_calls_that_were_on_their_way_are_all_settled(world: World) -> None:
    numbers = range(33612340000, 33612340450)
    campaign = await world.send(*numbers, costs_micro=[PRICE * QUOTED_S] * 450)
    await world.trunk.until_taken(6)
    await world.write("UPDATE callees SET state = 20, attempts = 1 WHERE state = 10")
    await world.write(
        "INSERT INTO call_attempts (campaign_id, number, attempt, account_id, operator, left_at_ms, result, status,"
        " cause, party, reason, played_ms, progress) SELECT k.campaign_id, k.number, 1, ?, 'memory', 0, '', 0, 0, '',"
        " '', 0, '' FROM callees k WHERE NOT EXISTS (SELECT 1 FROM call_attempts t WHERE t.number = k.number)",
        world.account.account_id,
    )
    await world.restart()
    await world.until(campaign, State.LOST, numbers[-1])  # they are settled in their order
    assert await world.one("SELECT COUNT(*) FROM callees WHERE state = 42") == 450
    assert len(await world.events()) == 450
    assert await world.balance() == 10 * MICRO


async def test_two_campaigns_against_a_balance_for_one_take_exactly_one(world: World) -> None:
    cost = [6 * MICRO]
    results = await asyncio.gather(
        *(world.send(MOBILE, costs_micro=cost, quoted_s=5) for _ in range(2)), return_exceptions=True
    )
    assert [type(result) for result in results].count(InsufficientCredit) == 1
    assert await world.balance() == 4 * MICRO


@pytest.mark.parametrize("is_committed", [True, False])
async def test_a_call_is_made_once_when_nobody_knows_whether_its_commit_was_done(
    world: World, monkeypatch: pytest.MonkeyPatch, is_committed: bool
) -> None:
    write, cut = world.store.database.write, []

    async def once_unknown(unit, **how):  # type: ignore[no-untyped-def]
        if unit.__qualname__ != "CallDispatcher._round.<locals>.unit" or cut:
            return await write(unit, **how)
        cut.append(unit)
        if is_committed:
            await write(unit, **how)
        raise OutcomeUnknown("PostgreSQL went away during a commit")

    monkeypatch.setattr(world.store.database, "write", once_unknown)
    campaign = await world.send(MOBILE)
    (order,) = await world.trunk.until_taken(1)
    assert len(cut) == 1
    await world.trunk.end(order, played_ms=QUOTED_S * 1000)
    await world.until(campaign, State.DELIVERED)
    await world.nothing_more()
