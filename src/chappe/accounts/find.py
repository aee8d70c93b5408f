"""Finds accounts: by key for a request (the hot path), by e-mail for a person, all for a list."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from chappe.accounts.account import COLUMNS, Account, AccountRefused, clean_email
from chappe.storage.database import Reader

BY_KEY_HASH = (
    f"SELECT {COLUMNS} FROM api_keys k JOIN accounts a ON a.id = k.account_id"
    " WHERE k.key_hash = ? AND k.revoked_at_ms IS NULL"
)
# A statement for each number of keys would fill the statement cache: lists are padded to these sizes.
_SIZES = (4, 16, 64)
_BY_EMAIL = f"SELECT {COLUMNS} FROM accounts a WHERE a.email = ?"
_ALL = f"SELECT {COLUMNS} FROM accounts a ORDER BY a.id"


def account_by_key_hash(reader: Reader, hashed: bytes) -> Account | None:
    """The account that a key in force belongs to; its row is read at each call."""
    row = reader.one(BY_KEY_HASH, (hashed,))
    return None if row is None else Account(*row)


def accounts_by_key_hash(reader: Reader, hashes: Sequence[bytes]) -> list[Account | None]:
    """`account_by_key_hash` of many keys."""
    if len(hashes) == 1:
        return [account_by_key_hash(reader, hashes[0])]
    size = next(size for size in _SIZES if size >= len(hashes))
    padding = [hashes[-1]] * (size - len(hashes))
    found = {
        bytes(row[0]): Account(*row[1:]) for row in reader.all(_by_key_hashes(size), (*hashes, *padding))
    }
    return [found.get(hashed) for hashed in hashes]


@cache
def _by_key_hashes(size: int) -> str:
    places = ",".join("?" * size)
    return (
        f"SELECT k.key_hash, {COLUMNS} FROM api_keys k JOIN accounts a ON a.id = k.account_id"
        f" WHERE k.key_hash IN ({places}) AND k.revoked_at_ms IS NULL"
    )


def account_by_email(reader: Reader, email: str) -> Account:
    """The account of an e-mail address; raises `AccountRefused` when there is none."""
    row = reader.one(_BY_EMAIL, (clean_email(email),))
    if row is None:
        raise AccountRefused(f"there is no account {clean_email(email)}")
    return Account(*row)


def all_accounts(reader: Reader) -> list[Account]:
    """Every account, oldest first."""
    return [Account(*row) for row in reader.stream(_ALL)]
