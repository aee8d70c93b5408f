"""Which submission a receipt is about: by its message id in every spelling, and by the phone that it names.

SMSCs print one id in two bases, so "87" may be the message 87, or 135 written in hexadecimal, or 57 in decimal: near
each other where an SMSC has just begun to count. So a spelling that is a guess counts only for the phone that the
receipt names; and an id as it stands counts for another phone too (some operators mask or rewrite numbers), but only
where nothing agrees with the phone.
"""

from __future__ import annotations

from typing import NamedTuple

from chappe.messages.port import Receipt, Submitted
from chappe.storage.database import Transaction

SAME_ID_MAX = 8
"""Submissions that wait for a receipt under one id: an SMSC that counts in a circle uses it again."""
LAST_DIGITS = 10**8
"""What is compared of a phone number: the operator may leave out or change the country code."""

_OPEN = (
    "SELECT message_id, number, attempt, part FROM submissions"
    " WHERE smsc_message_id = ? AND smsc = ? AND receipt_at_ms IS NULL AND smsc_message_id <> ''"
    " ORDER BY left_at_ms DESC LIMIT ?"
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
        for row in tx.all(_OPEN, (candidate, smsc, SAME_ID_MAX)):
            found = Found(*row)
            if receipt.number is None or _same_phone(found.number, receipt.number):
                return found
            if place == 0 and as_it_stands is None:
                as_it_stands = found
    return as_it_stands


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


def take_waiting(tx: Transaction, smsc: str, answer: Submitted) -> Waiting | None:
    """The receipt that waited for this answer, which is forgotten then."""
    departure = answer.departure
    as_it_stands: Waiting | None = None
    rows = tx.all(_WAITING, (answer.smsc_message_id, smsc, departure.left_at_ms, SAME_ID_MAX))
    for receipt_id, state, error, number, is_guess in rows:
        waiting = Waiting(receipt_id, state, error)
        if number is None or _same_phone(number, departure.number):
            break
        if not is_guess and as_it_stands is None:
            as_it_stands = waiting
    else:
        waiting = as_it_stands
    if waiting is not None:
        tx.run("DELETE FROM unmatched_receipts WHERE id = ?", (waiting.id,))
    return waiting


def _same_phone(one: int, other: int) -> bool:
    return one % LAST_DIGITS == other % LAST_DIGITS
