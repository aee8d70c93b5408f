"""Gives back what was debited for recipients whose message never left."""

from __future__ import annotations

from chappe.credit.ledger import HOUSE_SALES, Posting, post
from chappe.credit.money import REFUNDED_MICRO_MAX
from chappe.messages.accept import CAUSE_REFUND
from chappe.storage.database import Transaction


def refund(
    tx: Transaction,
    posting_id: int,
    account_id: int,
    message_id: int,
    amount_micro: int,
    now_ms: int,
    *,
    waiting_delta: int = 0,
) -> None:
    """One posting for all recipients of one message that end together; their `refund_micro` is the caller's."""
    posting = Posting(
        posting_id, account_id, amount_micro, HOUSE_SALES, CAUSE_REFUND, str(message_id), now_ms
    )
    post(tx, posting, waiting_delta=waiting_delta, balance_micro_max=REFUNDED_MICRO_MAX)
