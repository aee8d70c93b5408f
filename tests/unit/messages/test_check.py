"""Invariants 2, 3, 4 and 6 on stored messages: a sound store passes, each breach made by hand is named."""

from __future__ import annotations

import pytest

from chappe.messages.cancel import cancel_message
from chappe.messages.check import breaches_of_messages
from chappe.messages.states import State
from chappe.storage.database import Transaction
from tests.support.stores import drop_constraints
from tests.unit.messages.world import NUMBER, PRICE, World

DELIVERED, REFUSED, SENT, LONG, STOPPED = (NUMBER + n for n in range(5))
AN_HOUR_MS = 3_600_000

# The store: message 1 was delivered, refused and sent (no receipt yet), one number each; message 2 is deferred; message 3
# was cancelled; message 4 is a sandbox one, delivered; of message 5, in two parts, one part's receipt is there; message 6
# was kept back by a STOP. Account 1 is their owner.
BREACHES = {
    # 2: an accepted request maps to exactly one set of messages; debited = kept + given back
    "a recipient was lost": (
        "DELETE FROM recipients WHERE message_id = 2",
        "invariant 2: message 2 says 1 recipients for 0.038 but has 0 for 0",
    ),
    "a recipient was added": (
        "INSERT INTO recipients (message_id, number, state, cost_micro, refund_micro, attempts, operator,"
        " changed_at_ms) VALUES (2, 33699999999, 10, 38000, 0, 0, '', 0)",
        "invariant 2: message 2 says 1 recipients for 0.038 but has 2 for 0.076",
    ),
    "a recipient costs more": (
        "UPDATE recipients SET cost_micro = 39000 WHERE message_id = 2",
        "invariant 2: message 2 says 1 recipients for 0.038 but has 1 for 0.039",
    ),
    "a debit was lost": (
        "DELETE FROM ledger_entries WHERE cause = 'sms' AND cause_id = '1'",
        "invariant 2: message 1 costs 0.114 but has 0 debits of 0",
    ),
    "a debit of another amount": (
        "UPDATE ledger_entries SET amount_micro = amount_micro * 2 WHERE cause = 'sms' AND cause_id = '1'",
        "invariant 2: message 1 costs 0.114 but has 1 debits of 0.228",
    ),
    "a request was debited twice": (
        "INSERT INTO ledger_entries (id, account_id, amount_micro, cause, cause_id, created_at_ms)"
        " SELECT id + 1000000, account_id, amount_micro, cause, cause_id, created_at_ms FROM ledger_entries"
        " WHERE cause = 'sms' AND cause_id = '1'",
        "invariant 2: message 1 costs 0.114 but has 2 debits of 0.228",
    ),
    "a sandbox message was debited": (
        "UPDATE ledger_entries SET cause_id = '4' WHERE cause = 'sms' AND cause_id = '1'",
        "invariant 2: message 4 costs 0.038 but has 1 debits of 0.114",
    ),
    "a refund was lost": (
        "DELETE FROM ledger_entries WHERE cause = 'sms refund' AND cause_id = '3'",
        "invariant 2: message 3 gave back 0.038 to its recipients but 0 in the ledger",
    ),
    "a refund of another amount": (
        "UPDATE ledger_entries SET amount_micro = 2 * amount_micro WHERE cause = 'sms refund' AND cause_id = '3'",
        "invariant 2: message 3 gave back 0.038 to its recipients but 0.076 in the ledger",
    ),
    "a debit without its message": (
        "UPDATE ledger_entries SET cause_id = '99' WHERE cause = 'sms' AND cause_id = '1'",
        "invariant 2: account 1 was debited for message 99, which it does not have",
    ),
    "a message was lost": (
        "DELETE FROM messages WHERE id = 1",
        "invariant 2: recipients of message 1, which does not exist",
    ),
    "submissions without their message": (
        "UPDATE submissions SET message_id = 99 WHERE message_id = 5",
        "invariant 2: submissions of message 99, which does not exist",
    ),
    "an outbox row without its message": (
        "UPDATE outbox SET message_id = 99",
        "invariant 2: an outbox row of message 99, which does not exist",
    ),
    "an outbox row was lost": (
        "DELETE FROM outbox",
        "invariant 2: message 2 has 1 recipients waiting and nothing in the outbox",
    ),
    "a count of those who wait is wrong": (
        "UPDATE accounts SET waiting_count = 7",
        "invariant 2: account 1 (a@example.org) says 7 recipients wait, 1 do",
    ),
    # 3: at most one terminal status; states only move forward
    "a state that is none": (
        f"UPDATE recipients SET state = 99 WHERE number = {DELIVERED} AND message_id = 1",
        f"invariant 3: recipient {DELIVERED} of message 1 has state 99, which does not exist",
    ),
    "credit given back for what was delivered": (
        f"UPDATE recipients SET refund_micro = 38000 WHERE number = {DELIVERED} AND message_id = 1",
        f"invariant 3: recipient {DELIVERED} of message 1 in state 40 cost 0.038 and got 0.038 back",
    ),
    "no credit given back for what was refused": (
        f"UPDATE recipients SET refund_micro = 0 WHERE number = {REFUSED}",
        f"invariant 3: recipient {REFUSED} of message 1 in state 50 cost 0.038 and got 0 back",
    ),
    "sent without a try": (
        f"DELETE FROM submissions WHERE number = {SENT}",
        f"invariant 3: recipient {SENT} of message 1 has state 30 but was never submitted",
    ),
    "back to waiting after it left": (
        f"UPDATE recipients SET state = 10 WHERE number = {SENT}",
        f"invariant 3: recipient {SENT} of message 1 has state 10 but an operator took it",
    ),
    "cancelled after it left": (
        f"UPDATE recipients SET state = 53 WHERE number = {SENT}",
        f"invariant 3: recipient {SENT} of message 1 has state 53 but an operator took it",
    ),
    "back to sent after its receipt": (
        f"UPDATE recipients SET state = 30 WHERE number = {DELIVERED} AND message_id = 1",
        f"invariant 3: recipient {DELIVERED} of message 1 has state 30 although a receipt said delivered",
    ),
    "a failed part was forgotten": (
        "UPDATE submissions SET receipt_state = 'expired' WHERE message_id = 5 AND receipt_state IS NOT NULL",
        f"invariant 3: recipient {LONG} of message 5 has state 30 although a receipt said expired",
    ),
    "delivered without a receipt": (
        f"UPDATE recipients SET state = 40 WHERE number = {SENT}",
        f"invariant 3: recipient {SENT} of message 1 has state 40 but no receipt says so",
    ),
    "another end than its receipt's": (
        f"UPDATE recipients SET state = 43 WHERE number = {DELIVERED} AND message_id = 1",
        f"invariant 3: recipient {DELIVERED} of message 1 has state 43 but no receipt says so",
    ),
    # 4: nothing leaves that must not
    "left after a STOP": (
        f"UPDATE optouts SET number = {SENT}, created_at_ms = 1",
        f"invariant 4: message 1 left for {SENT} after that number opted out",
    ),
    "left before its date": (
        f"UPDATE messages SET due_at_ms = {2**53} WHERE id = 1",
        f"invariant 4: message 1 left for {DELIVERED} before its date",
    ),
    "cancelled and not kept back": (
        "UPDATE messages SET cancelled_at_ms = 1 WHERE id = 2",
        f"invariant 4: message 2 was cancelled but recipient {NUMBER} has state 10",
    ),
    # 6: an account sees and changes its own things only
    "a message of nobody": (
        "UPDATE messages SET account_id = 99 WHERE id = 1",
        "invariant 6: a message belongs to account 99, which does not exist",
    ),
    "an opt-out of nobody": (
        "UPDATE optouts SET account_id = 99",
        "invariant 6: an opt-out belongs to account 99, which does not exist",
    ),
    "an event of nobody": (
        "UPDATE events SET account_id = 99",
        "invariant 6: an event belongs to account 99, which does not exist",
    ),
    "a reply of somebody else": (
        "UPDATE replies SET account_id = 99",
        "invariant 6: reply {reply} belongs to account 99, its message to account 1",
    ),
}


@pytest.fixture
async def stored(world: World) -> World:
    """The store that is described above."""
    operator = world.operator
    await world.send(DELIVERED, REFUSED, SENT)
    await world.until_taken(3)
    taken = {departure.number: departure for departure in operator.taken}
    await operator.say(
        operator.accept(taken[DELIVERED], smsc_message_id="a"),
        operator.refuse(taken[REFUSED]),
        operator.accept(taken[SENT], smsc_message_id="b"),
        operator.receipt("a"),
    )
    deferred = await world.send(NUMBER, due_at_ms=world.clock.ms + AN_HOUR_MS)
    cancelled = await world.send(NUMBER, due_at_ms=world.clock.ms + AN_HOUR_MS)
    await cancel_message(world.store, world.account.account_id, cancelled.message_id)
    sandbox = await world.send(NUMBER, is_sandbox=True, routes=("sandbox",))
    long = await world.send(LONG, text="x" * 161, segments=2, costs_micro=[2 * PRICE])
    await world.until_taken(4)
    departure = operator.taken[-1]
    assert departure.which == (0, 1)
    await operator.say(
        operator.accept(departure, 0, smsc_message_id="c"), operator.accept(departure, 1, smsc_message_id="d")
    )
    await operator.say(operator.receipt("c"))
    operator.is_up = False
    stopped = await world.send(STOPPED)
    await operator.say(operator.reply(LONG, "STOP"))
    await world.store.database.write(lambda tx: tx.run(f"UPDATE optouts SET number = {STOPPED}"))
    operator.is_up = True
    world.clock.ms += 1000
    world.delivery._dispatcher.wake()
    await world.until_states(stopped.message_id, {STOPPED: State.OPTED_OUT})
    await world.until_states(sandbox.message_id, {NUMBER: State.DELIVERED})
    ids = [m.message_id for m in (deferred, cancelled, sandbox, long, stopped)]
    assert ids == [2, 3, 4, 5, 6]
    assert await world.states(1) == {
        DELIVERED: State.DELIVERED,
        REFUSED: State.REFUSED,
        SENT: State.SENT,
    }
    assert await world.states(long.message_id) == {LONG: State.SENT}
    return world


class _Undone(Exception):
    """Takes the corruption back."""


async def test_each_breach_is_named(stored: World) -> None:
    assert await stored.check() == []
    await drop_constraints(stored.store)
    reply = await stored.one("SELECT id FROM replies")
    not_named: dict[str, list[str]] = {}
    for name, (statement, expected) in BREACHES.items():
        found: list[str] = []

        def corrupt(tx: Transaction, statement: str = statement, found: list[str] = found) -> None:
            assert tx.run(statement) > 0, statement
            found += breaches_of_messages(tx)
            raise _Undone

        with pytest.raises(_Undone):
            await stored.store.database.write(corrupt)
        if expected.format(reply=reply) not in found:
            not_named[name] = found
        assert all("\n" not in line for line in found)
    assert not_named == {}
    assert await stored.check() == []
