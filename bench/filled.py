"""A data folder with many accounts, each with a balance that no other one has."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

from chappe.accounts.create import create_account
from chappe.credit.money import MICRO
from chappe.storage.folder import Folder
from chappe.storage.store import Store, open_store

T = TypeVar("T")

SENDER_MICRO = 100_000_000 * MICRO
_AT_ONCE = 250


class Filled(NamedTuple):
    """An account, and what it had when it was made."""

    account_id: int
    api_key: str
    balance_micro: int


def fill(folder: Path, count: int) -> list[Filled]:
    """Makes `count` accounts in the data folder; nothing else may hold it."""
    return asyncio.run(_fill(folder, count))


def sender(folder: Path) -> Filled:
    """Makes the one account that sends everything, with credit for all of it; nothing else may hold the folder."""
    return asyncio.run(_in_store(folder, lambda store: _created(store, "sender@example.org", SENDER_MICRO)))


async def _fill(path: Path, count: int) -> list[Filled]:
    async def fill_store(store: Store) -> list[Filled]:
        filled: list[Filled] = []
        for first in range(0, count, _AT_ONCE):
            numbers = range(first, min(first + _AT_ONCE, count))
            filled += await asyncio.gather(*(_account(store, number) for number in numbers))
        return filled

    return await _in_store(path, fill_store)


async def _in_store(path: Path, act: Callable[[Store], Awaitable[T]]) -> T:
    folder = Folder(path)
    folder.hold(as_server=False)
    try:
        store = await open_store(folder)
        try:
            return await act(store)
        finally:
            await store.close()
    finally:
        folder.release()


async def _account(store: Store, number: int) -> Filled:
    # 7919 and a million have no common factor: every balance is another one, to the third decimal.
    balance_micro = (number * 7919 % 1_000_000 + 1) * 1000
    return await _created(store, f"customer{number}@example.org", balance_micro)


async def _created(store: Store, email: str, credit_micro: int) -> Filled:
    created = await create_account(
        store, email, firstname="Claude", lastname="Chappe", credit_micro=credit_micro
    )
    return Filled(created.account_id, created.api_key, credit_micro)
