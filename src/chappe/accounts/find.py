"""Finds accounts: by key for a request (the hot path), by e-mail for a person, all for a list."""

from __future__ import annotations

from chappe.accounts.account import COLUMNS, Account, AccountRefused, clean_email
from chappe.storage.database import Reader

BY_KEY_HASH = (
    f"SELECT {COLUMNS} FROM api_keys k JOIN accounts a ON a.id = k.account_id"
    " WHERE k.key_hash = ? AND k.revoked_at_ms IS NULL"
)
_BY_EMAIL = f"SELECT {COLUMNS} FROM accounts a WHERE a.email = ?"
_ALL = f"SELECT {COLUMNS} FROM accounts a ORDER BY a.id"


def account_by_key_hash(reader: Reader, hashed: bytes) -> Account | None:
    """The account that a key in force belongs to; its row is read at each call."""
    row = reader.one(BY_KEY_HASH, (hashed,))
    return None if row is None else Account(*row)


def account_by_email(reader: Reader, email: str) -> Account:
    """The account of an e-mail address; raises `AccountRefused` when there is none."""
    row = reader.one(_BY_EMAIL, (clean_email(email),))
    if row is None:
        raise AccountRefused(f"there is no account {clean_email(email)}")
    return Account(*row)


def all_accounts(reader: Reader) -> list[Account]:
    """Every account, oldest first."""
    return [Account(*row) for row in reader.stream(_ALL)]
