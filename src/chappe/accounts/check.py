"""Verifies invariant 6 on a stored database: every thing has one owner that exists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from chappe.storage.database import Reader

_OWNED = {
    "an API key": "api_keys",
    "a remembered answer": "remembered_answers",
    "a price": "(SELECT account_id FROM prices WHERE account_id <> 0)",
}
_PARENTS = (
    "SELECT a.id, a.email, a.parent_id FROM accounts a LEFT JOIN accounts p ON p.id = a.parent_id"
    " WHERE a.parent_id IS NOT NULL AND (p.id IS NULL OR p.id = a.id OR p.parent_id IS NOT NULL) ORDER BY a.id"
)


def breaches_of_ownership(reader: Reader) -> Iterator[str]:
    """One line a breach of invariant 6: "An account sees and changes its own things only"."""
    yield from without_owner(reader, _OWNED)
    for account_id, email, parent_id in reader.stream(_PARENTS):
        yield f"invariant 6: account {account_id} ({email}) has parent {parent_id}, which is not a parent account"


def without_owner(reader: Reader, owned: Mapping[str, str]) -> Iterator[str]:
    """The same of other rooms' tables: `owned` has them by what one row is called."""
    for what, table in owned.items():
        for (account_id,) in reader.stream(
            f"SELECT x.account_id FROM {table} x LEFT JOIN accounts a ON a.id = x.account_id WHERE a.id IS NULL"
            " GROUP BY x.account_id"
        ):
            yield f"invariant 6: {what} belongs to account {account_id}, which does not exist"
