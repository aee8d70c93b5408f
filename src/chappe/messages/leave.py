"""Lets recipients leave: the last look at the rules, then `leaving`, in one transaction, before the first octet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from chappe.messages.meta import MessageCache, MessageMeta
from chappe.messages.outcomes import dlr_event
from chappe.messages.port import Departure
from chappe.messages.refund import refund
from chappe.messages.states import State
from chappe.optouts.numbers import opted_out_among
from chappe.storage.database import Reader, Transaction
from chappe.webhooks.queue import enqueue

_LEAVE = (
    f"UPDATE recipients SET state = {State.LEAVING:d}, attempts = ?, operator = ?, changed_at_ms = ?, owner = ?"
    f" WHERE message_id = ? AND number = ? AND state = {State.WAITING:d} RETURNING message_id, number"
)
_STAY = (
    "UPDATE recipients SET state = ?, changed_at_ms = ?, refund_micro = cost_micro"
    f" WHERE message_id = ? AND number = ? AND state = {State.WAITING:d} RETURNING refund_micro"
)

_HAS_LEFT = (
    "SELECT 1 FROM recipients WHERE message_id = ? AND number = ? AND attempts = ? AND operator = ? AND owner = ?"
    f" AND changed_at_ms = ? AND state = {State.LEAVING:d}"
)


@dataclass
class Ids:
    """Ids taken before the transaction, handed out within it."""

    posting_id: int
    event_id: int

    def posting(self) -> int:
        self.posting_id += 1
        return self.posting_id - 1

    def event(self) -> int:
        self.event_id += 1
        return self.event_id - 1


@dataclass
class Left:
    """What a transaction let go, and what it kept back."""

    departures: list[Departure] = field(default_factory=list[Departure])
    has_events: bool = False


def let_leave(
    tx: Transaction,
    messages: MessageCache,
    operator: str,
    owner: int,
    departures: Sequence[Departure],
    ids: Ids,
    now_ms: int,
) -> Left:
    """Marks `departures` as leaving by `operator` and the process `owner`. Those that opted out since, or were
    cancelled, stay; and those that another process let leave are its own."""
    left = Left()
    gone: dict[int, int] = {}
    stopped = _opted_out(tx, messages, departures)
    leaving: list[tuple[object, ...]] = []
    for departure in departures:
        message = messages.get(tx, departure.message_id)
        if departure.number in stopped.get(message.account_id, ()):
            left.has_events |= keep_back(tx, message, departure.number, State.OPTED_OUT, ids, now_ms)
            continue
        leaving.append((departure.attempt, operator, now_ms, owner, departure.message_id, departure.number))
    marked = set(tx.all_many(_LEAVE, leaving))
    for departure in departures:
        if (departure.message_id, departure.number) in marked:
            left.departures.append(departure)
            account_id = messages.get(tx, departure.message_id).account_id
            gone[account_id] = gone.get(account_id, 0) + 1
    for account_id in sorted(gone):
        tx.run(
            "UPDATE accounts SET waiting_count = waiting_count - ? WHERE id = ?",
            (gone[account_id], account_id),
        )
    return left


def is_to_be_sent(reader: Reader, departure: Departure, operator: str, owner: int, now_ms: int) -> bool:
    """Whether it was marked as leaving at `now_ms`, when nothing is known of the commit."""
    key = (departure.message_id, departure.number, departure.attempt, operator, owner, now_ms)
    return reader.one(_HAS_LEFT, key) is not None


def keep_back(
    tx: Transaction, message: MessageMeta, number: int, state: State, ids: Ids, now_ms: int
) -> bool:
    """Ends a recipient that never left: credit back, delivery report. True when an event was queued."""
    row = tx.one(_STAY, (state, now_ms, message.id, number))
    if row is None:
        return False
    if not message.is_sandbox:
        refund(tx, ids.posting(), message.account_id, message.id, row[0], now_ms, waiting_delta=-1)
    if not message.url_dlr:
        return False
    enqueue(tx, dlr_event(ids.event(), message, number, state, 0, now_ms))
    return True


def _opted_out(
    tx: Transaction, messages: MessageCache, departures: Sequence[Departure]
) -> dict[int, set[int]]:
    numbers: dict[int, list[int]] = {}
    for departure in departures:
        account_id = messages.get(tx, departure.message_id).account_id
        numbers.setdefault(account_id, []).append(departure.number)
    return {
        account_id: opted_out_among(tx, account_id, of_account) for account_id, of_account in numbers.items()
    }
