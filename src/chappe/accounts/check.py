"""Verifies invariant 6 on a stored database: every thing has one owner that exists."""

from __future__ import annotations

from collections.abc import Iterator

from chappe.storage.database import Reader

_KEYS = (
    "SELECT k.account_id FROM api_keys k LEFT JOIN accounts a ON a.id = k.account_id WHERE a.id IS NULL"
    " GROUP BY k.account_id"
)
_PARENTS = (
    "SELECT a.id, a.email, a.parent_id FROM accounts a LEFT JOIN accounts p ON p.id = a.parent_id"
    " WHERE a.parent_id IS NOT NULL AND (p.id IS NULL OR p.id = a.id OR p.parent_id IS NOT NULL) ORDER BY a.id"
)
_ANSWERS = (
    "SELECT r.account_id FROM remembered_answers r LEFT JOIN accounts a ON a.id = r.account_id"
    " WHERE a.id IS NULL GROUP BY r.account_id"
)
_PRICES = (
    "SELECT p.account_id FROM prices p LEFT JOIN accounts a ON a.id = p.account_id"
    " WHERE a.id IS NULL AND p.account_id <> 0 GROUP BY p.account_id"
)


def breaches_of_ownership(reader: Reader) -> Iterator[str]:
    """One line a breach of invariant 6: "An account sees and changes its own things only"."""
    for query, what in ((_KEYS, "an API key"), (_ANSWERS, "a remembered answer"), (_PRICES, "a price")):
        for (account_id,) in reader.stream(query):
            yield f"invariant 6: {what} belongs to account {account_id}, which does not exist"
    for account_id, email, parent_id in reader.stream(_PARENTS):
        yield f"invariant 6: account {account_id} ({email}) has parent {parent_id}, which is not a parent account"
