"""Adds credit to an account, or takes some off, by the hand of the operator of the server."""

from __future__ import annotations

from chappe.accounts.account import AccountRefused, clean_reason
from chappe.accounts.find import account_by_email
from chappe.credit.ledger import HOUSE_TOP_UPS, Posting, post
from chappe.storage.database import Transaction
from chappe.storage.store import Store


async def top_up(store: Store, email: str, amount_micro: int, reason: str = "") -> int:
    """Moves `amount_micro` (negative: takes off) and gives the new balance.

    Raises `AccountRefused`, `InsufficientCredit` or `BalanceTooLarge`; nothing is written then.
    """
    if amount_micro == 0:
        raise AccountRefused("the amount is zero")
    reason = clean_reason(reason)
    posting_id = await store.ids("postings").take()
    now_ms = store.clock.now_ms()
    cause = "top-up" if amount_micro > 0 else "withdrawal"

    def unit(tx: Transaction) -> int:
        account = account_by_email(tx, email)
        return post(tx, Posting(posting_id, account.id, amount_micro, HOUSE_TOP_UPS, cause, reason, now_ms))

    return await store.database.write(unit)
