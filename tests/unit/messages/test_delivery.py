"""From accept to the last receipt, on a real database, with an operator in memory."""

from __future__ import annotations

import asyncio

import pytest

from chappe.credit.ledger import InsufficientCredit
from chappe.credit.money import MICRO
from chappe.messages.cancel import CancelRefused, CannotCancel, cancel_message
from chappe.messages.outcomes import CLOCKS_MS
from chappe.messages.request import Accepted, NobodyLeft
from chappe.messages.states import State
from chappe.storage.database import OutcomeUnknown
from tests.support.operators import MemoryOperator
from tests.unit.messages.world import NUMBER, PRICE, World


async def test_a_message_leaves_is_accepted_and_delivered(world: World) -> None:
    accepted = await world.send(NUMBER)
    await world.until_taken(1)
    (departure,) = world.operator.taken
    assert (departure.number, departure.parts, departure.which) == (NUMBER, ("hello",), (0,))
    assert await world.states(accepted.message_id) == {NUMBER: State.LEAVING}
    await world.operator.say(world.operator.accept(departure, smsc_message_id="77"))
    assert await world.states(accepted.message_id) == {NUMBER: State.SENT}
    await world.operator.say(world.operator.receipt("77"))
    assert await world.states(accepted.message_id) == {NUMBER: State.DELIVERED}
    assert await world.balance() == 10 * MICRO - PRICE
    (payload,) = await world.payloads()
    assert f'"status":"delivered","msgId":"{accepted.message_id}"' in payload
    assert await world.one("SELECT COUNT(*) FROM outbox") == 0
    assert await world.one("SELECT waiting_count FROM accounts") == 0


async def test_a_receipt_before_its_answer_waits_for_it(world: World) -> None:
    accepted = await world.send(NUMBER)
    await world.until_taken(1)
    await world.operator.say(world.operator.receipt("5"))
    assert await world.one("SELECT COUNT(*) FROM unmatched_receipts") == 1
    await world.operator.say(world.operator.accept(world.operator.taken[0], smsc_message_id="5"))
    assert await world.states(accepted.message_id) == {NUMBER: State.DELIVERED}
    assert await world.one("SELECT COUNT(*) FROM unmatched_receipts") == 0


async def test_a_receipt_in_the_same_batch_as_its_answer_finds_it(world: World) -> None:
    accepted = await world.send(NUMBER)
    await world.until_taken(1)
    answer = world.operator.accept(world.operator.taken[0], smsc_message_id="5")
    await world.operator.say(world.operator.receipt("5"), answer)
    assert await world.states(accepted.message_id) == {NUMBER: State.DELIVERED}


async def test_a_second_receipt_changes_nothing(world: World) -> None:
    accepted = await world.send(NUMBER)
    await world.until_taken(1)
    await world.operator.say(world.operator.accept(world.operator.taken[0], smsc_message_id="5"))
    await world.operator.say(world.operator.receipt("5"))
    await world.operator.say(world.operator.receipt("5", "undelivered"))
    assert await world.states(accepted.message_id) == {NUMBER: State.DELIVERED}
    assert len(await world.payloads()) == 1


async def test_a_receipt_kept_from_an_older_message_is_not_taken_for_a_new_one(world: World) -> None:
    await world.operator.say(world.operator.receipt("5", "undelivered"))
    world.clock.ms += CLOCKS_MS + 1
    accepted = await world.send(NUMBER)
    await world.until_taken(1)
    await world.operator.say(world.operator.accept(world.operator.taken[0], smsc_message_id="5"))
    assert await world.states(accepted.message_id) == {NUMBER: State.SENT}


async def test_a_refusal_by_the_operator_gives_the_credit_back(world: World) -> None:
    accepted = await world.send(NUMBER)
    await world.until_taken(1)
    await world.operator.say(world.operator.refuse(world.operator.taken[0]))
    assert await world.states(accepted.message_id) == {NUMBER: State.REFUSED}
    assert await world.balance() == 10 * MICRO
    (payload,) = await world.payloads()
    assert '"status":"not delivered"' in payload


async def test_a_long_message_is_delivered_when_every_part_is(world: World) -> None:
    accepted = await world.send(NUMBER, text="x" * 400, segments=3, costs_micro=[3 * PRICE])
    await world.until_taken(1)
    (departure,) = world.operator.taken
    assert departure.which == (0, 1, 2)
    await world.operator.say(*(world.operator.accept(departure, part, f"p{part}") for part in (0, 1)))
    assert await world.states(accepted.message_id) == {NUMBER: State.LEAVING}
    await world.operator.say(world.operator.accept(departure, 2, "p2"))
    assert await world.states(accepted.message_id) == {NUMBER: State.SENT}
    await world.operator.say(world.operator.receipt("p1"), world.operator.receipt("p0"))
    assert await world.states(accepted.message_id) == {NUMBER: State.SENT}
    await world.operator.say(world.operator.receipt("p2"))
    assert await world.states(accepted.message_id) == {NUMBER: State.DELIVERED}


@pytest.mark.parametrize("is_split", [False, True])
async def test_a_long_message_that_left_in_one_piece_is_delivered_by_its_one_receipt(
    world: World, is_split: bool
) -> None:
    accepted = await world.send(NUMBER, text="x" * 400, segments=3, costs_micro=[3 * PRICE])
    await world.until_taken(1)
    (departure,) = world.operator.taken
    # The operator's one id stands at the first part; the others have none, so nothing more can come for them.
    first, *others = [world.operator.accept(departure, part, "" if part else "p") for part in (0, 1, 2)]
    receipt = world.operator.receipt("p")
    if is_split:
        await world.operator.say(first, receipt)
        await world.operator.say(*others)
    else:
        await world.operator.say(first, *others)
        assert await world.states(accepted.message_id) == {NUMBER: State.SENT}
        await world.operator.say(receipt)
    assert await world.states(accepted.message_id) == {NUMBER: State.DELIVERED}
    assert len(await world.payloads()) == 1


async def test_a_receipt_for_one_part_only_is_enough_after_a_while(world: World) -> None:
    accepted = await world.send(NUMBER, text="x" * 200, segments=2, costs_micro=[2 * PRICE])
    await world.until_taken(1)
    (departure,) = world.operator.taken
    await world.operator.say(*(world.operator.accept(departure, part, f"p{part}") for part in (0, 1)))
    await world.operator.say(world.operator.receipt("p1"))
    world.clock.ms += 301_000
    await world.delivery._sweep.once()
    assert await world.states(accepted.message_id) == {NUMBER: State.DELIVERED}


async def test_a_long_message_of_which_a_part_is_refused_is_not_delivered_and_not_paid_back(
    world: World,
) -> None:
    accepted = await world.send(NUMBER, text="x" * 200, segments=2, costs_micro=[2 * PRICE])
    await world.until_taken(1)
    (departure,) = world.operator.taken
    await world.operator.say(world.operator.accept(departure, 0), world.operator.refuse(departure, 1))
    assert await world.states(accepted.message_id) == {NUMBER: State.UNDELIVERED}
    assert await world.balance() == 10 * MICRO - 2 * PRICE


async def test_a_lost_answer_is_sent_again_and_never_debited_again(world: World) -> None:
    accepted = await world.send(NUMBER)
    await world.until_taken(1)
    await world.operator.say(world.operator.lose(world.operator.taken[0]))
    await world.until_taken(2)
    assert world.operator.taken[1].attempt == 2
    await world.operator.say(world.operator.accept(world.operator.taken[1]))
    assert await world.states(accepted.message_id) == {NUMBER: State.SENT}
    assert await world.balance() == 10 * MICRO - PRICE
    outcomes = await world.store.database.read(
        lambda reader: reader.all("SELECT attempt, outcome FROM submissions ORDER BY attempt")
    )
    assert outcomes == [(1, "lost"), (2, "accepted")]


async def test_only_the_lost_part_of_a_long_message_is_sent_again(world: World) -> None:
    accepted = await world.send(NUMBER, text="x" * 200, segments=2, costs_micro=[2 * PRICE])
    await world.until_taken(1)
    (first,) = world.operator.taken
    await world.operator.say(world.operator.accept(first, 0, "a"), world.operator.lose(first, 1))
    await world.until_taken(2)
    second = world.operator.taken[1]
    assert second.which == (1,)
    await world.operator.say(world.operator.accept(second, 1, "b"))
    assert await world.states(accepted.message_id) == {NUMBER: State.SENT}
    await world.operator.say(world.operator.receipt("a"), world.operator.receipt("b"))
    assert await world.states(accepted.message_id) == {NUMBER: State.DELIVERED}


async def test_what_was_leaving_when_the_server_died_leaves_again(world: World) -> None:
    accepted = await world.send(NUMBER, NUMBER + 1)
    await world.until_taken(2)
    await world.operator.say(world.operator.accept(world.operator.taken[0]))
    lost = world.operator.taken[1]
    await world.restart(MemoryOperator())
    await world.until_taken(1)
    (again,) = world.operator.taken
    assert (again.number, again.attempt) == (lost.number, 2)
    await world.operator.say(world.operator.accept(again, smsc_message_id="z"))
    assert set((await world.states(accepted.message_id)).values()) == {State.SENT}


async def test_no_more_than_the_window_is_ever_leaving(world: World) -> None:
    await world.send(*range(NUMBER, NUMBER + 50))
    await world.until_taken(10)
    assert await world.one("SELECT COUNT(*) FROM recipients WHERE state = ?", int(State.LEAVING)) == 10
    while len(world.operator.taken) < 50 or world.operator.in_flight:
        answers = [world.operator.accept(d) for d in world.operator.taken[-world.operator.in_flight :]]
        taken = len(world.operator.taken)
        await world.operator.say(*answers)
        if taken < 50:
            await world.until_taken(min(50, taken + 10))
        assert world.operator.in_flight <= 10
    assert len({departure.number for departure in world.operator.taken}) == 50


async def test_a_number_that_opted_out_is_refused_at_the_door_and_when_it_leaves(world: World) -> None:
    world.operator.is_up = False
    waiting = await world.send(NUMBER, NUMBER + 1)
    other = await world.send(NUMBER + 2)
    await world.store.database.write(
        lambda tx: tx.run(
            "INSERT INTO optouts (account_id, number, id, source, created_at_ms) VALUES (?, ?, 1, 'api', ?)",
            (world.account.account_id, NUMBER, world.clock.ms),
        )
    )
    with pytest.raises(NobodyLeft):
        await world.send(NUMBER)
    partly = await world.send(NUMBER, NUMBER + 5)
    assert (partly.opted_out, partly.cost_micro) == (frozenset({NUMBER}), PRICE)
    world.operator.is_up = True
    world.delivery._dispatcher.wake()
    await world.until_taken(3)
    assert await world.states(waiting.message_id) == {NUMBER: State.OPTED_OUT, NUMBER + 1: State.LEAVING}
    assert await world.states(other.message_id) == {NUMBER + 2: State.LEAVING}
    assert await world.balance() == 10 * MICRO - 3 * PRICE


@pytest.mark.parametrize("text", ["STOP", "stop", " Stop.", "STOP 36180", "Stop au 36000"])
async def test_a_stop_reply_opts_the_number_out_and_is_told(world: World, text: str) -> None:
    accepted = await world.send(NUMBER)
    await world.until_taken(1)
    await world.operator.say(world.operator.accept(world.operator.taken[0]))
    await world.operator.say(world.operator.reply(NUMBER, text))
    with pytest.raises(NobodyLeft):
        await world.send(NUMBER)
    (payload,) = await world.payloads()
    assert payload == (
        f'{{"type":"stop","phone_number":"+{NUMBER}","text":"{text}","message_id":{accepted.message_id}}}'
    )


async def test_an_ordinary_reply_goes_to_the_request_that_wrote_last(world: World) -> None:
    await world.send(NUMBER)
    second = await world.send(NUMBER)
    await world.until_taken(2)
    await world.operator.say(*(world.operator.accept(departure) for departure in world.operator.taken))
    await world.operator.say(world.operator.reply(NUMBER, "Stopper"))
    (payload,) = await world.payloads()
    assert (
        f'"type":"response","phone_number":"+{NUMBER}","text":"Stopper","message_id":{second.message_id}'
        in payload
    )


async def test_a_thousand_sends_against_a_balance_for_ten_take_exactly_ten(world: World) -> None:
    world.operator.is_up = False
    results = await asyncio.gather(
        *(world.send(NUMBER + i, costs_micro=[MICRO]) for i in range(1000)), return_exceptions=True
    )
    assert sum(isinstance(result, Accepted) for result in results) == 10
    assert sum(isinstance(result, InsufficientCredit) for result in results) == 990
    assert await world.balance() == 0
    assert await world.one("SELECT COUNT(*) FROM recipients") == 10


async def test_a_deferred_message_waits_can_be_cancelled_and_is_paid_back(world: World) -> None:
    accepted = await world.send(NUMBER, due_at_ms=world.clock.ms + 3_600_000)
    assert await world.one("SELECT waiting_count FROM accounts") == 1
    account_id = world.account.account_id
    with pytest.raises(CancelRefused) as unknown:
        await cancel_message(world.store, account_id + 1, accepted.message_id)
    assert unknown.value.why is CannotCancel.UNKNOWN
    assert await cancel_message(world.store, account_id, accepted.message_id) == PRICE
    with pytest.raises(CancelRefused) as twice:
        await cancel_message(world.store, account_id, accepted.message_id)
    assert twice.value.why is CannotCancel.TWICE
    assert await world.balance() == 10 * MICRO
    assert await world.states(accepted.message_id) == {NUMBER: State.CANCELLED}
    world.clock.ms += 7_200_000
    world.delivery._dispatcher.wake()
    other = await world.send(NUMBER + 1)
    await world.until_taken(1)
    assert world.operator.taken[0].message_id == other.message_id


async def test_a_deferred_message_leaves_when_it_is_due(world: World) -> None:
    accepted = await world.send(NUMBER, due_at_ms=world.clock.ms + 200_000)
    with pytest.raises(CancelRefused) as late:
        await cancel_message(world.store, world.account.account_id, accepted.message_id)
    assert late.value.why is CannotCancel.TOO_LATE
    world.clock.ms += 200_000
    world.delivery._dispatcher.wake()
    await world.until_taken(1)
    with pytest.raises(CancelRefused) as left:
        await cancel_message(world.store, world.account.account_id, accepted.message_id)
    assert left.value.why is CannotCancel.LEFT


async def test_a_sandbox_message_is_delivered_where_it_stands_and_costs_nothing(world: World) -> None:
    accepted = await world.send(NUMBER, is_sandbox=True, routes=("sandbox",))
    assert (accepted.cost_micro, await world.balance()) == (PRICE, 10 * MICRO)
    world.clock.ms += 1000
    world.delivery._dispatcher.wake()
    async with asyncio.timeout(10):
        while await world.states(accepted.message_id) != {NUMBER: State.DELIVERED}:
            await asyncio.sleep(0.001)
    assert len(await world.payloads()) == 1
    assert world.operator.taken == []
    world.clock.ms += 25 * 3_600_000
    await world.delivery._sweep.once()
    assert await world.one("SELECT COUNT(*) FROM messages") == 0


async def test_a_message_without_a_receipt_ends_after_two_days(world: World) -> None:
    accepted = await world.send(NUMBER)
    await world.until_taken(1)
    await world.operator.say(world.operator.accept(world.operator.taken[0]))
    world.clock.ms += 48 * 3_600_000 + 1
    await world.delivery._sweep.once()
    assert await world.states(accepted.message_id) == {NUMBER: State.NO_RECEIPT}
    assert len(await world.payloads()) == 1


async def test_a_message_that_no_operator_takes_in_two_days_is_paid_back(world: World) -> None:
    world.operator.is_up = False
    accepted = await world.send(NUMBER)
    world.clock.ms += 48 * 3_600_000 + 1
    await world.delivery._sweep.once()
    assert await world.states(accepted.message_id) == {NUMBER: State.EXPIRED_UNSENT}
    assert await world.balance() == 10 * MICRO


@pytest.mark.parametrize("is_committed", [True, False])
async def test_a_message_leaves_once_when_nobody_knows_whether_its_commit_was_done(
    world: World, monkeypatch: pytest.MonkeyPatch, is_committed: bool
) -> None:
    write, cut = world.store.database.write, []

    async def once_unknown(unit, **how):  # type: ignore[no-untyped-def]
        if unit.__qualname__ != "Dispatcher._leave.<locals>.unit" or cut:
            return await write(unit, **how)
        cut.append(unit)
        if is_committed:
            await write(unit, **how)
        raise OutcomeUnknown("PostgreSQL went away during a commit")

    monkeypatch.setattr(world.store.database, "write", once_unknown)
    first = await world.send(NUMBER)
    await world.until_taken(1)
    assert len(cut) == 1
    await world.operator.say(world.operator.accept(world.operator.taken[0], smsc_message_id="1"))
    await world.operator.say(world.operator.receipt("1"))
    assert await world.states(first.message_id) == {NUMBER: State.DELIVERED}
    await world.send(NUMBER + 1)
    await world.until_taken(2)
    assert [departure.number for departure in world.operator.taken] == [NUMBER, NUMBER + 1]
    assert await world.one("SELECT COUNT(*) FROM outbox") == 0
