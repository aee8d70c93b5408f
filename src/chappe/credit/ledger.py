"""The ledger: append-only double entry in micro-euros, with the balance held beside it.

A posting is two rows with opposite amounts: the entry (id 2n) and its twin (id 2n + 1). One side may be a house
account, which has entries and no stored balance, so that no row is hot. The floor of a balance is
enforced inside the UPDATE itself: two debits cannot both see the same money.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from chappe.credit.money import AMOUNT_MICRO_MAX
from chappe.storage.database import Transaction

HOUSE_TOP_UPS = -1  # money that came in from outside
HOUSE_SALES = -2  # money earned by messages
HOUSE_ACCOUNTS = {HOUSE_TOP_UPS: "top-ups", HOUSE_SALES: "sales"}

_MOVE = (
    "UPDATE accounts SET balance_micro = balance_micro + ?, waiting_count = waiting_count + ? WHERE id = ?"
    " AND balance_micro + ? >= floor_micro AND balance_micro + ? <= ? RETURNING balance_micro"
)
_APPEND = (
    "INSERT INTO ledger_entries (id, account_id, amount_micro, cause, cause_id, created_at_ms)"
    " VALUES (?, ?, ?, ?, ?, ?)"
)


class InsufficientCredit(Exception):
    """The movement would take the balance below its floor; nothing was written."""


class BalanceTooLarge(Exception):
    """The movement would take the balance over what an account may hold; nothing was written."""


class Posting(msgspec.Struct, frozen=True, gc=False):
    """A movement of money: `amount_micro` (negative: a debit) to `account_id`, its opposite to `twin_id`.

    `cause` and `cause_id` name what it is for ("top-up", "sms" and the message id ...).
    """

    id: int
    account_id: int
    amount_micro: int
    twin_id: int
    cause: str
    cause_id: str
    created_at_ms: int


def post(
    tx: Transaction,
    posting: Posting,
    *,
    waiting_delta: int = 0,
    balance_micro_max: int = AMOUNT_MICRO_MAX,
) -> int:
    """Writes the entry, its twin and the balances; gives the new balance of `account_id`.

    `waiting_delta` changes the account's count of recipients that wait, in the same statement.

    Raises `InsufficientCredit` or `BalanceTooLarge`. The caller's unit must not catch them and go on: the
    savepoint around the unit takes back what was written before.
    """
    assert posting.account_id > 0, "a house account stands on the twin's side only"
    balance_micro = move_balance(
        tx,
        posting.account_id,
        posting.amount_micro,
        waiting_delta=waiting_delta,
        balance_micro_max=balance_micro_max,
    )
    if posting.twin_id > 0:
        move_balance(tx, posting.twin_id, -posting.amount_micro)
    append_entries(tx, [posting])
    return balance_micro


def append_entries(tx: Transaction, postings: Sequence[Posting]) -> None:
    """The rows alone, for callers that moved a balance in one statement for many postings."""
    rows: list[tuple[object, ...]] = []
    for p in postings:
        rows.append((p.id * 2, p.account_id, p.amount_micro, p.cause, p.cause_id, p.created_at_ms))
        rows.append((p.id * 2 + 1, p.twin_id, -p.amount_micro, p.cause, p.cause_id, p.created_at_ms))
    tx.run_many(_APPEND, rows)


def move_balance(
    tx: Transaction,
    account_id: int,
    amount_micro: int,
    *,
    waiting_delta: int = 0,
    balance_micro_max: int = AMOUNT_MICRO_MAX,
) -> int:
    """The balance alone, of a customer's account: its entries are the caller's. Gives the new balance."""
    row = tx.one(
        _MOVE, (amount_micro, waiting_delta, account_id, amount_micro, amount_micro, balance_micro_max)
    )
    if row is None:
        if amount_micro > 0:
            raise BalanceTooLarge(f"an account holds at most {AMOUNT_MICRO_MAX // 1_000_000} euros")
        raise InsufficientCredit
    return row[0]
