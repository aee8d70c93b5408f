"""Creates an account: active, transactional, without sub-accounts, with a key and perhaps some credit."""

from __future__ import annotations

from dataclasses import dataclass

from chappe.accounts.account import AccountRefused, clean_email, clean_name
from chappe.accounts.keys import add_key, new_key
from chappe.credit.ledger import HOUSE_TOP_UPS, Posting, post
from chappe.storage.database import Transaction
from chappe.storage.store import Store


@dataclass(frozen=True, slots=True)
class Created:
    """A new account and the only time its key is handed out unasked."""

    account_id: int
    email: str
    api_key: str
    balance_micro: int


async def create_account(
    store: Store, email: str, *, firstname: str = "", lastname: str = "", credit_micro: int = 0
) -> Created:
    """Account, key and opening credit in one transaction; raises `AccountRefused` (taken, malformed)."""
    email = clean_email(email)
    firstname, lastname = clean_name(firstname), clean_name(lastname)
    if credit_micro < 0:
        raise AccountRefused("the opening credit cannot be negative")
    account_id = await store.ids("accounts").take()
    posting_id = await store.ids("postings").take()
    key = new_key()
    now_ms = store.clock.now_ms()

    def unit(tx: Transaction) -> int:
        made = tx.run(
            "INSERT INTO accounts (id, email, firstname, lastname, state, is_marketing, may_have_subaccounts,"
            " allowed_networks, balance_micro, floor_micro, waiting_count, created_at_ms)"
            " VALUES (?, ?, ?, ?, 'active', 0, 0, '', 0, 0, 0, ?) ON CONFLICT (email) DO NOTHING",
            (account_id, email, firstname, lastname, now_ms),
        )
        if not made:
            raise AccountRefused(f"there is already an account {email}")
        add_key(tx, store.vault, account_id, key, now_ms)
        if credit_micro == 0:
            return 0
        return post(
            tx, Posting(posting_id, account_id, credit_micro, HOUSE_TOP_UPS, "opening", email, now_ms)
        )

    balance_micro = await store.database.write(unit)
    return Created(account_id, email, key, balance_micro)
