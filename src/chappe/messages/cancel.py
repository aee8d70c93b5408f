"""Cancels a deferred message: all credit back, unless it is about to leave or has left."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from chappe.messages.meta import MessageCache
from chappe.messages.outcomes import dlr_event
from chappe.messages.refund import refund
from chappe.messages.states import State
from chappe.storage.database import Reader, Transaction
from chappe.storage.store import Store
from chappe.webhooks.queue import enqueue_many

NOTICE_MS = 5 * 60 * 1000

_CANCEL = (
    f"UPDATE recipients SET state = {State.CANCELLED:d}, changed_at_ms = ?, refund_micro = cost_micro"
    f" WHERE message_id = ? AND state = {State.WAITING:d}"
)


# Changes nothing, but takes the row: two that cancel at once do it one after the other.
_LOOK = (
    "UPDATE messages SET cancelled_at_ms = cancelled_at_ms WHERE id = ? AND account_id = ?"
    " RETURNING due_at_ms, cost_micro, recipient_count, is_sandbox, cancelled_at_ms"
)


class CannotCancel(Enum):
    """Why not, with the documented code (sms-partner-api.md section 3.5)."""

    UNKNOWN = 4
    TWICE = 5
    TOO_LATE = 6
    LEFT = 7


class CancelRefused(Exception):
    """Nothing was changed."""

    def __init__(self, why: CannotCancel) -> None:
        super().__init__(why.name)
        self.why = why


async def cancel_message(
    store: Store, account_id: int, message_id: int, on_events: Callable[[], None] = lambda: None
) -> int:
    """Gives the micro-euros that went back; raises `CancelRefused`. `on_events`: delivery reports were queued."""
    posting_id = await store.ids("postings").take()
    reports = await store.database.read(lambda reader: _reports(reader, message_id))
    event_id = await store.ids("events").take(reports) if reports else 0
    now_ms = store.clock.now_ms()

    def unit(tx: Transaction) -> int:
        row = tx.one(_LOOK, (message_id, account_id))
        if row is None:
            raise CancelRefused(CannotCancel.UNKNOWN)
        due_at_ms, cost_micro, recipient_count, is_sandbox, cancelled_at_ms = row
        if cancelled_at_ms is not None:
            raise CancelRefused(CannotCancel.TWICE)
        if due_at_ms is None or due_at_ms <= now_ms:
            raise CancelRefused(CannotCancel.LEFT)
        if due_at_ms - now_ms < NOTICE_MS:
            raise CancelRefused(CannotCancel.TOO_LATE)
        if tx.run(_CANCEL, (now_ms, message_id)) != recipient_count:
            # Nobody leaves before the due date, unless the machine's clock was put back since.
            raise CancelRefused(CannotCancel.LEFT)
        tx.run("UPDATE messages SET cancelled_at_ms = ? WHERE id = ?", (now_ms, message_id))
        tx.run("DELETE FROM outbox WHERE message_id = ?", (message_id,))
        if reports:
            _report(tx, message_id, event_id, now_ms)
        if is_sandbox:
            return 0
        refund(tx, posting_id, account_id, message_id, cost_micro, now_ms, waiting_delta=-recipient_count)
        return cost_micro

    given_back = await store.database.write(unit)
    if reports:
        on_events()
    return given_back


def _reports(reader: Reader, message_id: int) -> int:
    """How many delivery reports the end of this message is worth."""
    row = reader.one(
        "SELECT CASE WHEN m.url_dlr <> '' OR a.url_dlr <> '' THEN m.recipient_count ELSE 0 END"
        " FROM messages m JOIN accounts a ON a.id = m.account_id WHERE m.id = ?",
        (message_id,),
    )
    return 0 if row is None else row[0]


def _report(tx: Transaction, message_id: int, event_id: int, now_ms: int) -> None:
    message = MessageCache().get(tx, message_id)
    if not message.url_dlr:
        return  # the account's URL was taken away meanwhile
    numbers = tx.all("SELECT number FROM recipients WHERE message_id = ? ORDER BY number", (message_id,))
    enqueue_many(
        tx,
        [
            dlr_event(event_id + at, message, number, State.CANCELLED, 0, now_ms)
            for at, (number,) in enumerate(numbers)
        ],
    )
