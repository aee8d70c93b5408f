"""Operators that answer late, say too much, or say what cannot be."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import pytest

from chappe.administration.commands import Administration, CommandRefused, MessageShow
from chappe.credit.ledger import HOUSE_TOP_UPS, Posting, post
from chappe.credit.money import AMOUNT_MICRO_MAX, MICRO
from chappe.messages import sweep
from chappe.messages.port import Departure, Receipt, Submitted
from chappe.messages.states import State
from chappe.messages.stop import says_stop
from chappe.storage.database import Transaction
from tests.unit.messages.world import NUMBER, PRICE, World


def late(world: World, departure: Departure, smsc_message_id: str, part: int = 0) -> Submitted:
    accepted = world.operator.accept(departure, part, smsc_message_id)
    return msgspec.structs.replace(accepted, is_late=True)


async def after_the_answer_was_lost(world: World, count: int = 1, parts: Iterable[int] = (0,)) -> Departure:
    """The departure whose answer did not come in time; it waits to be sent again."""
    await world.until_taken(count)
    departure = world.operator.taken[count - 1]
    world.operator.is_up = False
    await world.operator.say(*(world.operator.lose(departure, part) for part in parts))
    return departure


async def test_a_yes_that_comes_late_is_matched_with_its_receipt_and_nothing_is_sent_again(
    world: World,
) -> None:
    accepted = await world.send(NUMBER)
    departure = await after_the_answer_was_lost(world)
    await world.operator.say(late(world, departure, "77"))
    assert await world.states(accepted.message_id) == {NUMBER: State.SENT}
    world.operator.is_up = True
    other = await world.send(NUMBER + 1)
    await world.until_taken(2)
    assert world.operator.taken[1].message_id == other.message_id
    await world.operator.say(world.operator.receipt("77"))
    assert await world.states(accepted.message_id) == {NUMBER: State.DELIVERED}


async def test_a_receipt_before_a_late_yes_waits_for_it(world: World) -> None:
    accepted = await world.send(NUMBER)
    departure = await after_the_answer_was_lost(world)
    await world.operator.say(world.operator.receipt("77"))
    await world.operator.say(late(world, departure, "77"))
    assert await world.states(accepted.message_id) == {NUMBER: State.DELIVERED}


async def test_a_no_to_what_was_sent_again_does_not_undo_a_late_yes(world: World) -> None:
    accepted = await world.send(NUMBER)
    departure = await after_the_answer_was_lost(world)
    world.operator.is_up = True
    world.delivery._dispatcher.wake()
    await world.until_taken(2)
    await world.operator.say(late(world, departure, "77"))
    await world.operator.say(world.operator.refuse(world.operator.taken[1]))
    assert await world.states(accepted.message_id) == {NUMBER: State.SENT}


async def test_late_answers_of_a_long_message_send_its_rest_once(world: World) -> None:
    accepted = await world.send(NUMBER, text="x" * 400, segments=3, costs_micro=[3 * PRICE])
    departure = await after_the_answer_was_lost(world, parts=(0, 1, 2))
    await world.operator.say(late(world, departure, "a"))
    await world.operator.say(late(world, departure, "b", 1))
    world.operator.is_up = True
    world.delivery._dispatcher.wake()
    await world.until_taken(2)
    await world.operator.say(late(world, departure, "c", 2))
    assert await world.states(accepted.message_id) == {NUMBER: State.SENT}
    other = await world.send(NUMBER + 1)
    await world.until_taken(3)
    assert world.operator.taken[2].message_id == other.message_id


async def test_a_long_message_whose_parts_were_lost_together_is_sent_again_once(world: World) -> None:
    await world.send(NUMBER, text="x" * 400, segments=3, costs_micro=[3 * PRICE])
    await after_the_answer_was_lost(world, parts=(0, 1, 2))
    world.operator.is_up = True
    other = await world.send(NUMBER + 1)
    await world.until_taken(3)
    assert [d.message_id for d in world.operator.taken].count(other.message_id) == 1


async def test_nothing_is_sent_again_to_whoever_said_stop_meanwhile(world: World) -> None:
    await world.send(NUMBER)
    await world.until_taken(1)
    await world.operator.say(world.operator.accept(world.operator.taken[0]))
    second = await world.send(NUMBER)
    await after_the_answer_was_lost(world, count=2)
    await world.operator.say(world.operator.reply(NUMBER, "STOP"))
    world.clock.ms += 1000
    world.operator.is_up = True
    other = await world.send(NUMBER + 1)
    await world.until_taken(3)
    assert world.operator.taken[2].message_id == other.message_id
    assert await world.states(second.message_id) == {NUMBER: State.SENT}
    assert await world.balance() == 10 * MICRO - 3 * PRICE


async def test_a_reply_goes_to_whose_message_came_last_not_to_whose_was_asked_for_last(world: World) -> None:
    deferred = await world.send(NUMBER, due_at_ms=world.clock.ms + 3_600_000)
    await world.send(NUMBER)
    await world.until_taken(1)
    await world.operator.say(world.operator.accept(world.operator.taken[0]))
    world.clock.ms += 3_600_000
    world.delivery._dispatcher.wake()
    await world.until_taken(2)
    await world.operator.say(world.operator.accept(world.operator.taken[1]))
    await world.operator.say(world.operator.reply(NUMBER, "Oui"))
    assert await world.one("SELECT message_id FROM replies") == deferred.message_id


@pytest.mark.parametrize(
    "text",
    [
        "STOP",
        "Stop.",
        " STOP",
        "\n\tstop\n",
        "stop merci",
        "STOP 36184",
        "STOP36184",
        "Stop, svp",
        "«STOP»",
        "_stop_",
        "🛑 stop",
        "STOPSMS",
        "stoppub",
        "ＳＴＯＰ",
        "\ufeffSTOP",
        "- stop !",
    ],
)
def test_a_stop_is_understood_however_it_is_spelled(text: str) -> None:
    assert says_stop(text)


@pytest.mark.parametrize(
    "text",
    ["", "Oui", "stopper", "Stopé", "stopped", "Stopover", "non stop", "non-stop", "1 stop", "autostop"],
)
def test_what_only_begins_like_stop_or_has_it_further_on_is_none(text: str) -> None:
    assert not says_stop(text)


async def test_an_operator_that_gives_every_message_one_id_is_understood_by_the_phones(world: World) -> None:
    world.operator.window = 100
    accepted = await world.send(*range(NUMBER, NUMBER + 30))
    await world.until_taken(30)
    await world.operator.say(*(world.operator.accept(d, smsc_message_id="1") for d in world.operator.taken))
    await world.operator.say(Receipt(("1",), "delivered", "", NUMBER))
    await world.operator.say(Receipt(("1",), "delivered", "", NUMBER + 1000))  # nobody's
    states = await world.states(accepted.message_id)
    assert states.pop(NUMBER) == State.DELIVERED
    assert set(states.values()) == {State.SENT}


async def test_receipts_that_nobody_waits_for_are_bounded_in_number(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "UNMATCHED_ROWS_MAX", 50)
    for second in range(20):
        world.clock.ms += 1000
        await world.operator.say(*(world.operator.receipt(f"{second}-{i}") for i in range(10)))
    while await world.delivery._sweep.once():
        pass
    assert await world.one("SELECT COUNT(*) FROM unmatched_receipts") == 50
    assert await world.one("SELECT COUNT(*) FROM unmatched_receipts WHERE smsc_message_id = '19-9'") == 1


async def test_credit_comes_back_to_an_account_that_is_full(world: World) -> None:
    accepted = await world.send(NUMBER)
    await world.until_taken(1)
    posting_id = await world.store.ids("postings").take()

    def fill(tx: Transaction) -> int:
        amount_micro = AMOUNT_MICRO_MAX - 10 * MICRO + PRICE
        return post(
            tx, Posting(posting_id, world.account.account_id, amount_micro, HOUSE_TOP_UPS, "top-up", "", 0)
        )

    assert await world.store.database.write(fill) == AMOUNT_MICRO_MAX
    await world.operator.say(world.operator.refuse(world.operator.taken[0]))
    assert await world.states(accepted.message_id) == {NUMBER: State.REFUSED}
    assert await world.balance() == AMOUNT_MICRO_MAX + PRICE


@pytest.mark.parametrize("message_id", [-1, 0, 2**63, 10**30])
async def test_the_history_of_an_id_that_none_can_have_is_refused(world: World, message_id: int) -> None:
    with pytest.raises(CommandRefused, match="there is no message"):
        await Administration(world.store).carry_out(MessageShow(message_id))
