"""A data folder with many accounts, each with a balance that no other one has."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import NamedTuple

from chappe.accounts.create import create_account
from chappe.storage.folder import Folder
from chappe.storage.store import Store, open_store

_AT_ONCE = 250


class Filled(NamedTuple):
    """An account that can be asked for its credits."""

    api_key: str
    balance_micro: int


def fill(folder: Path, count: int) -> list[Filled]:
    """Makes `count` accounts in the data folder; nothing else may hold it."""
    return asyncio.run(_fill(folder, count))


async def _fill(path: Path, count: int) -> list[Filled]:
    folder = Folder(path)
    folder.hold(as_server=False)
    try:
        store = await open_store(folder)
        try:
            filled: list[Filled] = []
            for first in range(0, count, _AT_ONCE):
                numbers = range(first, min(first + _AT_ONCE, count))
                filled += await asyncio.gather(*(_account(store, number) for number in numbers))
            return filled
        finally:
            await store.close()
    finally:
        folder.release()


async def _account(store: Store, number: int) -> Filled:
    # 7919 and a million have no common factor: every balance is another one, to the third decimal.
    balance_micro = (number * 7919 % 1_000_000 + 1) * 1000
    created = await create_account(
        store,
        f"customer{number}@example.org",
        firstname="Claude",
        lastname="Chappe",
        credit_micro=balance_micro,
    )
    return Filled(created.api_key, balance_micro)
