"""Verifies invariant 1 on a stored database: entries, twins, balances, floors."""

from __future__ import annotations

from collections.abc import Iterator

from chappe.credit.ledger import HOUSE_ACCOUNTS
from chappe.credit.money import exact_text
from chappe.storage.database import Reader

_SUMS = (
    "SELECT a.id, a.email, a.balance_micro, COALESCE(e.total, 0) FROM accounts a LEFT JOIN"
    " (SELECT account_id, SUM(amount_micro) AS total FROM ledger_entries WHERE account_id > 0 GROUP BY account_id) e"
    " ON e.account_id = a.id WHERE a.balance_micro <> COALESCE(e.total, 0) ORDER BY a.id"
)
# Twins stand side by side: 2n and 2n + 1.
_TWINLESS = (
    "SELECT e.id, e.account_id, e.amount_micro, t.amount_micro FROM ledger_entries e LEFT JOIN ledger_entries t"
    " ON t.id = CASE WHEN e.id % 2 = 0 THEN e.id + 1 ELSE e.id - 1 END"
    " WHERE t.id IS NULL OR t.amount_micro <> -e.amount_micro OR t.cause <> e.cause OR t.cause_id <> e.cause_id"
    " ORDER BY e.id"
)
_BELOW_FLOOR = (
    "SELECT id, email, balance_micro, floor_micro FROM accounts WHERE balance_micro < floor_micro ORDER BY id"
)
_OWNERLESS = (
    "SELECT DISTINCT e.account_id FROM ledger_entries e LEFT JOIN accounts a ON a.id = e.account_id"
    " WHERE a.id IS NULL AND e.account_id > 0"
)
_HOUSES = "SELECT DISTINCT account_id FROM ledger_entries WHERE account_id <= 0"


def breaches_of_the_ledger(reader: Reader) -> Iterator[str]:
    """One line a breach of invariant 1: "Per account the ledger entries add up to the balance"."""
    for account_id, email, balance_micro, total_micro in reader.stream(_SUMS):
        yield (
            f"invariant 1: account {account_id} ({email}) has balance {exact_text(balance_micro)}"
            f" but its ledger entries add up to {exact_text(int(total_micro))}"
        )
    for entry_id, account_id, amount_micro, twin_micro in reader.stream(_TWINLESS):
        twin = "none" if twin_micro is None else exact_text(twin_micro)
        yield (
            f"invariant 1: ledger entry {entry_id} of account {account_id} ({exact_text(amount_micro)})"
            f" does not match its twin ({twin})"
        )
    for account_id, email, balance_micro, floor_micro in reader.stream(_BELOW_FLOOR):
        yield (
            f"invariant 1: account {account_id} ({email}) has balance {exact_text(balance_micro)}"
            f" below its floor {exact_text(floor_micro)}"
        )
    for (account_id,) in reader.stream(_OWNERLESS):
        yield f"invariant 1: ledger entries name account {account_id}, which does not exist"
    for (account_id,) in reader.stream(_HOUSES):
        if account_id not in HOUSE_ACCOUNTS:
            yield f"invariant 1: ledger entries name house account {account_id}, which does not exist"
