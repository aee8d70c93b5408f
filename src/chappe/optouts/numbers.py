"""The STOP list of an account: looked at when a request is accepted and again when a message leaves."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from chappe.storage.database import Reader, Transaction

_ONE = "SELECT number FROM optouts WHERE account_id = ? AND number = ?"
# A statement for each number of placeholders would fill the statement cache: lists are padded to these sizes.
_SIZES = (8, 32, 128, 500)


def opted_out_among(reader: Reader, account_id: int, numbers: Sequence[int]) -> set[int]:
    """Those of `numbers` (E.164 digits) that the account must not write to."""
    if len(numbers) == 1:
        row = reader.one(_ONE, (account_id, numbers[0]))
        return set() if row is None else {numbers[0]}
    found: set[int] = set()
    for start in range(0, len(numbers), _SIZES[-1]):
        chunk = numbers[start : start + _SIZES[-1]]
        size = next(size for size in _SIZES if size >= len(chunk))
        padding = [chunk[-1]] * (size - len(chunk))
        found.update(row[0] for row in reader.all(_many(size), (account_id, *chunk, *padding)))
    return found


@cache
def _many(size: int) -> str:
    places = ",".join("?" * size)
    return f"SELECT number FROM optouts WHERE account_id = ? AND number IN ({places})"


def opt_out(tx: Transaction, optout_id: int, account_id: int, number: int, source: str, now_ms: int) -> bool:
    """Adds a number; False when it is there already. `source`: "reply", "api" or "operator"."""
    return (
        tx.run(
            "INSERT INTO optouts (account_id, number, id, source, created_at_ms) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (account_id, number) DO NOTHING",
            (account_id, number, optout_id, source, now_ms),
        )
        == 1
    )
