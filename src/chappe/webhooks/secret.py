"""The secret an account's callbacks are signed with: made when first needed, stored sealed."""

from __future__ import annotations

from chappe.accounts.account import AccountRefused
from chappe.storage.database import Reader, Transaction
from chappe.storage.store import Store
from chappe.storage.vault import Vault
from chappe.webhooks.signature import new_secret

_SEAL_PURPOSE = "webhook-secret"
_KEEP = "UPDATE accounts SET webhook_secret = ? WHERE id = ? AND length(webhook_secret) = 0"
_READ = "SELECT webhook_secret FROM accounts WHERE id = ?"


async def webhook_secret(store: Store, account_id: int) -> str:
    """The account's `whsec_...`; raises `AccountRefused` when there is no such account."""
    secret = await store.database.read(lambda reader: _stored(reader, store.vault, account_id))
    if secret is not None:
        return secret
    new = new_secret()
    sealed = store.vault.seal(_SEAL_PURPOSE, new.encode(), bound_to=_bound_to(account_id))

    def unit(tx: Transaction) -> str:
        # Two may need it for the first time at once: the first one's stands.
        tx.run(_KEEP, (sealed, account_id))
        stored = _stored(tx, store.vault, account_id)
        assert stored is not None
        return stored

    return await store.database.write(unit, background=True)


def _stored(reader: Reader, vault: Vault, account_id: int) -> str | None:
    row = reader.one(_READ, (account_id,))
    if row is None:
        raise AccountRefused(f"there is no account with id {account_id}")
    if not row[0]:
        return None
    return vault.open(_SEAL_PURPOSE, bytes(row[0]), bound_to=_bound_to(account_id)).decode()


def _bound_to(account_id: int) -> bytes:
    return f"account {account_id}".encode()
