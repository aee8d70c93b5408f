"""The numbers that an account may show when it calls: its own, verified by the operator of the server, and in France of
the ranges that automatic systems may show.

Arcep's numbering plan (decision 2018-0881 as amended by 2019-0954 and 2022-1583, since 1 January 2023): automatic calls
must not show geographic (01 to 05), ordinary 09 or mobile numbers. They may show verified polyvalent numbers (NPV),
those of technical platforms (0937 to 0939), and special and short numbers but 089.
"""

from __future__ import annotations

from typing import Final

from chappe.calls.states import State
from chappe.storage.database import Reader, Transaction
from chappe.storage.store import Store

NUMBERS_MAX: Final = 100
"""Of one account."""

_NPV: Final = ("162", "163", "270", "271", "377", "378", "424", "425", "568", "569", "948", "949")
_NPV_OVERSEAS: Final = ("9475", "9476", "9477", "9478", "9479")
_PLATFORMS: Final = ("937", "938", "939")
_ALLOWED: Final = (*_NPV, *_NPV_OVERSEAS, *_PLATFORMS)
_ARCEP: Final = ("33", "262", "508", "590", "594", "596")
"""Calling codes of the one numbering plan: the overseas departments' numbers have the same beginnings behind theirs."""


class CallersFull(Exception):
    """The account has as many numbers as it may have."""


def may_show(digits: str) -> bool:
    """Whether an automatic system may show this number (E.164 digits); abroad the operator of the trunk answers for it."""
    code = next((code for code in _ARCEP if digits.startswith(code)), None)
    if code is None:
        return True
    national = digits[len(code) :]
    return national.startswith(_ALLOWED) or (national.startswith("8") and not national.startswith("89"))


def is_verified(reader: Reader, account_id: int, digits: str) -> bool:
    """Whether the number is one of the account's."""
    return (
        reader.one(
            "SELECT 1 FROM caller_numbers WHERE account_id = ? AND number = ?", (account_id, int(digits))
        )
        is not None
    )


def callers_of(reader: Reader, account_id: int) -> list[int]:
    """The account's numbers."""
    rows = reader.all("SELECT number FROM caller_numbers WHERE account_id = ? ORDER BY number", (account_id,))
    return [number for (number,) in rows]


async def add_caller(store: Store, account_id: int, digits: str) -> None:
    """The operator of the server has seen that the number is the account's; raises `CallersFull`."""
    now_ms = store.clock.now_ms()

    def unit(tx: Transaction) -> None:
        if len(callers_of(tx, account_id)) >= NUMBERS_MAX:
            raise CallersFull
        tx.run(
            "INSERT INTO caller_numbers (account_id, number, created_at_ms) VALUES (?, ?, ?)"
            " ON CONFLICT (account_id, number) DO NOTHING",
            (account_id, int(digits), now_ms),
        )

    await store.database.write(unit)


async def remove_caller(store: Store, account_id: int, digits: str) -> bool:
    """False when it was not there. Campaigns that wait for their date show the trunk's number instead."""

    def unit(tx: Transaction) -> bool:
        if not tx.run(
            "DELETE FROM caller_numbers WHERE account_id = ? AND number = ?", (account_id, int(digits))
        ):
            return False
        tx.run(
            # By the index of who waits: there may be millions of campaigns that have ended.
            "UPDATE campaigns SET sender = '' WHERE account_id = ? AND sender = ?"
            f" AND id IN (SELECT campaign_id FROM callees WHERE state = 10 AND state = {State.WAITING:d})",
            (account_id, digits),
        )
        return True

    return await store.database.write(unit)
