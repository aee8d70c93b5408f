"""Whose a plain request is, without waiting."""

from __future__ import annotations

from collections.abc import Sequence

from chappe.accounts.account import Account, address_is_allowed
from chappe.accounts.find import account_by_key_hash
from chappe.accounts.keys import key_hash
from chappe.partner.api import PartnerApi
from chappe.partner.errors import Header
from chappe.storage.sqlite import SqliteDatabase

KEY_CHARS_MAX = 128


class FastAccounts:
    """Finds accounts that may be answered well; every refusal is left to the ordinary path."""

    def __init__(self, api: PartnerApi, database: SqliteDatabase) -> None:
        self._database = database
        self._vault = api.services.store.vault
        self._client_address = api.client_address

    def find(self, key: str, headers: Sequence[Header], peer: str) -> Account | None:
        """The account of `key`, if it is active and may ask from here. Raises `StorageUnavailable`."""
        account = self._database.read_once(
            key, lambda reader: account_by_key_hash(reader, key_hash(self._vault, key))
        )
        if (
            account is None
            or account.state != "active"
            or not address_is_allowed(account.allowed_networks, self._client_address.of(peer, headers))
        ):
            return None
        return account
