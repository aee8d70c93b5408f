"""Cancels a deferred message: all credit back, unless it is about to leave or has left."""

from __future__ import annotations

from enum import Enum

from chappe.messages.refund import refund
from chappe.messages.states import State
from chappe.storage.database import Transaction
from chappe.storage.store import Store

NOTICE_MS = 5 * 60 * 1000

_CANCEL = (
    f"UPDATE recipients SET state = {State.CANCELLED:d}, changed_at_ms = ?, refund_micro = cost_micro"
    f" WHERE message_id = ? AND state = {State.WAITING:d}"
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


async def cancel_message(store: Store, account_id: int, message_id: int) -> int:
    """Gives the micro-euros that went back; raises `CancelRefused`."""
    posting_id = await store.ids("postings").take()
    now_ms = store.clock.now_ms()

    def unit(tx: Transaction) -> int:
        row = tx.one(
            "SELECT due_at_ms, cost_micro, recipient_count, is_sandbox, cancelled_at_ms FROM messages"
            " WHERE id = ? AND account_id = ?",
            (message_id, account_id),
        )
        if row is None:
            raise CancelRefused(CannotCancel.UNKNOWN)
        due_at_ms, cost_micro, recipient_count, is_sandbox, cancelled_at_ms = row
        if cancelled_at_ms is not None:
            raise CancelRefused(CannotCancel.TWICE)
        if due_at_ms is None or due_at_ms <= now_ms:
            raise CancelRefused(CannotCancel.LEFT)
        if due_at_ms - now_ms < NOTICE_MS:
            raise CancelRefused(CannotCancel.TOO_LATE)
        cancelled = tx.run(_CANCEL, (now_ms, message_id))
        assert cancelled == recipient_count, "nobody leaves before the due date"
        tx.run("UPDATE messages SET cancelled_at_ms = ? WHERE id = ?", (now_ms, message_id))
        tx.run("DELETE FROM outbox WHERE message_id = ?", (message_id,))
        if is_sandbox:
            return 0
        refund(tx, posting_id, account_id, message_id, cost_micro, now_ms, waiting_delta=-recipient_count)
        return cost_micro

    return await store.database.write(unit)
