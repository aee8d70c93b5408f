"""API keys: random, found by a keyed hash, kept encrypted because some documented answers show them.

A key stands in clear in the request that carries it and in the answer that shows it, nowhere else.
"""

from __future__ import annotations

import secrets

from chappe.storage.database import Reader, Transaction
from chappe.storage.store import Store
from chappe.storage.vault import Vault

KEY_CHARS_MAX = 256
_HASH_PURPOSE = "api-key-hash"
_SEAL_PURPOSE = "api-key"


def new_key() -> str:
    """160 random bits in hexadecimal: safe in a path, a query, a header and a shell."""
    return secrets.token_hex(20)


def key_hash(vault: Vault, key: str) -> bytes:
    """What a key is looked up by."""
    return vault.keyed_hash(_HASH_PURPOSE, key.encode("utf-8", "surrogatepass"))


def add_key(tx: Transaction, vault: Vault, account_id: int, key: str, now_ms: int) -> None:
    """Stores `key` for the account."""
    hashed = key_hash(vault, key)
    tx.run(
        "INSERT INTO api_keys (key_hash, account_id, cipher, created_at_ms) VALUES (?, ?, ?, ?)",
        (hashed, account_id, vault.seal(_SEAL_PURPOSE, key.encode(), bound_to=hashed), now_ms),
    )


def current_key(reader: Reader, vault: Vault, account_id: int) -> str | None:
    """The key in force, in clear: for the answers and commands that are documented to show it."""
    row = reader.one(
        "SELECT key_hash, cipher FROM api_keys WHERE account_id = ? AND revoked_at_ms IS NULL"
        " ORDER BY created_at_ms DESC LIMIT 1",
        (account_id,),
    )
    if row is None:
        return None
    return vault.open(_SEAL_PURPOSE, bytes(row[1]), bound_to=bytes(row[0])).decode()


async def rotate_key(store: Store, account_id: int) -> str:
    """Revokes every key of the account and gives it a new one, in one transaction: the old ones stop at once."""
    key = new_key()
    now_ms = store.clock.now_ms()

    def unit(tx: Transaction) -> None:
        # Two at once must not both find only the old key: they wait for each other at the account's row.
        tx.run("UPDATE accounts SET state = state WHERE id = ?", (account_id,))
        tx.run(
            "UPDATE api_keys SET revoked_at_ms = ? WHERE account_id = ? AND revoked_at_ms IS NULL",
            (now_ms, account_id),
        )
        add_key(tx, store.vault, account_id, key, now_ms)

    await store.database.write(unit)
    return key
