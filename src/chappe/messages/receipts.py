"""Which submission a receipt is about: by its message id in every spelling, and by the phone that it names.

SMSCs print one id in two bases, so "87" may be the message 87, or 135 written in hexadecimal, or 57 in decimal: near
each other where an SMSC has just begun to count. So a spelling that is a guess counts only for the phone that the
receipt names; and an id as it stands counts for another phone too (some operators mask or rewrite numbers), but only
where nothing agrees with the phone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from chappe.messages.port import Receipt
from chappe.storage.database import Transaction

SAME_ID_MAX = 8
"""Submissions that wait for a receipt under one id: an SMSC that counts in a circle uses it again. One that gives
every message the same id tells nothing by it: from so many on, only the phone counts."""
SAME_ID_WALKED_MAX = 2_000
"""Of these, how many of the newest are looked through for the phone."""
LAST_DIGITS = 10**8
"""What is compared of a phone number: the operator may leave out or change the country code."""

# The newest first, in the order of the index: there may be a hundred thousand under one id.
_OPEN = (
    "SELECT message_id, number, attempt, part FROM submissions"
    " WHERE smsc_message_id = ? AND smsc = ? AND receipt_at_ms IS NULL AND smsc_message_id <> ''"
    " ORDER BY message_id DESC LIMIT ?"
)
_OPEN_BY_ID = (
    "SELECT smsc_message_id, message_id, number, attempt, part FROM submissions"
    " WHERE smsc_message_id = ? AND smsc = ? AND receipt_at_ms IS NULL AND smsc_message_id <> ''"
    " ORDER BY message_id DESC LIMIT ?"
)
_OPEN_FOR_PHONE = (
    f"SELECT message_id, number, attempt, part FROM ({_OPEN}) AS o WHERE number % {LAST_DIGITS} = ?"
    " ORDER BY message_id DESC LIMIT 1"
)
_KEEP = (
    "INSERT INTO unmatched_receipts (id, smsc, smsc_message_id, is_guess, number, state, error, received_at_ms)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
# Only what came after this message left: an SMSC that counts ids in a circle may use one again.
_WAITING = (
    "SELECT id, state, error, number, is_guess FROM unmatched_receipts WHERE smsc_message_id = ? AND smsc = ?"
    " AND received_at_ms >= ? ORDER BY is_guess, id LIMIT ?"
)


_HAS_WAITING = "SELECT smsc_message_id FROM unmatched_receipts WHERE smsc_message_id = ? AND smsc = ? LIMIT 1"


class Found(NamedTuple):
    """One submit_sm: a part of one attempt."""

    message_id: int
    number: int
    attempt: int
    part: int


class Waiting(NamedTuple):
    """A receipt that came before the answer to its submit_sm."""

    id: int
    state: str
    error: str


def find_submission(tx: Transaction, smsc: str, receipt: Receipt) -> Found | None:
    """The submission without receipt that `receipt` is about."""
    as_it_stands: Found | None = None
    for place, candidate in enumerate(receipt.candidates):
        rows = tx.all(_OPEN, (candidate, smsc, SAME_ID_MAX))
        for row in rows:
            found = Found(*row)
            if receipt.number is None or _same_phone(found.number, receipt.number):
                return found
        if len(rows) == SAME_ID_MAX:
            assert receipt.number is not None
            row = tx.one(_OPEN_FOR_PHONE, (candidate, smsc, SAME_ID_WALKED_MAX, receipt.number % LAST_DIGITS))
            if row is not None:
                return Found(*row)
        elif place == 0 and rows:
            as_it_stands = Found(*rows[0])
    return as_it_stands


def find_submissions(
    tx: Transaction, smsc: str, receipts: Sequence[Receipt]
) -> tuple[list[tuple[Receipt, Found]], list[Receipt]]:
    """Those that are found by their id as it stands, in one journey to the database, each with its submission without
    receipt; and those that are not so plain, to be looked for one by one once the others are written."""
    counts = Counter(receipt.candidates[0] for receipt in receipts)
    asked = [(name, smsc, SAME_ID_MAX) for name, count in counts.items() if count == 1]
    by_id: dict[str, list[Found]] = {}
    for name, *row in tx.all_many(_OPEN_BY_ID, asked):
        by_id.setdefault(name, []).append(Found(*row))
    plain: list[tuple[Receipt, Found]] = []
    others: list[Receipt] = []
    for receipt in receipts:
        for found in by_id.get(receipt.candidates[0], ()):
            if receipt.number is None or _same_phone(found.number, receipt.number):
                plain.append((receipt, found))
                break
        else:
            others.append(receipt)
    return plain, others


def ids_waiting(tx: Transaction, smsc: str, smsc_message_ids: Sequence[str]) -> set[str]:
    """Of these ids, those under which receipts wait for their answer: in one journey to the database."""
    return {name for (name,) in tx.all_many(_HAS_WAITING, [(each, smsc) for each in smsc_message_ids])}


def keep_unmatched(tx: Transaction, smsc: str, receipt: Receipt, receipt_id: int, now_ms: int) -> None:
    """Stores a receipt that nothing was found for, under each spelling that the answer to come may use."""
    tx.run_many(
        _KEEP,
        [
            (
                receipt_id,
                smsc,
                candidate,
                int(place > 0),
                receipt.number,
                receipt.state,
                receipt.error,
                now_ms,
            )
            for place, candidate in enumerate(dict.fromkeys(receipt.candidates))
        ],
    )


def take_waiting(
    tx: Transaction, smsc: str, smsc_message_id: str, number: int, left_at_ms: int
) -> Waiting | None:
    """The receipt that waited for the answer to a submission to `number`, which is forgotten then."""
    as_it_stands: Waiting | None = None
    rows = tx.all(_WAITING, (smsc_message_id, smsc, left_at_ms, SAME_ID_MAX))
    for receipt_id, state, error, phone, is_guess in rows:
        waiting = Waiting(receipt_id, state, error)
        if phone is None or _same_phone(phone, number):
            break
        if not is_guess and as_it_stands is None:
            as_it_stands = waiting
    else:
        waiting = as_it_stands
    if waiting is not None and tx.run("DELETE FROM unmatched_receipts WHERE id = ?", (waiting.id,)) == 0:
        return None  # another process has just taken it
    return waiting


def _same_phone(one: int, other: int) -> bool:
    return one % LAST_DIGITS == other % LAST_DIGITS
