"""Verifies invariants 2, 3, 4 and 6 of calls on a stored database."""

from __future__ import annotations

from collections.abc import Iterator

from chappe.accounts.check import without_owner
from chappe.calls.accept import CAUSE_CALL
from chappe.calls.finish import CAUSE_REFUND
from chappe.calls.states import State
from chappe.credit.money import exact_text
from chappe.storage.database import Reader

_STATES = ",".join(str(int(state)) for state in State)

_COUNTS = (
    "SELECT c.id, c.callee_count, c.cost_micro, c.open_count, COALESCE(e.n, 0), COALESCE(e.cost, 0), COALESCE(e.open, 0)"
    " FROM campaigns c LEFT JOIN (SELECT campaign_id, COUNT(*) AS n, SUM(cost_micro) AS cost,"
    f" SUM(CASE WHEN state < {State.DELIVERED:d} THEN 1 ELSE 0 END) AS open FROM callees GROUP BY campaign_id) e"
    " ON e.campaign_id = c.id WHERE c.callee_count <> COALESCE(e.n, 0) OR c.cost_micro <> COALESCE(e.cost, 0)"
    " OR c.open_count <> COALESCE(e.open, 0) ORDER BY c.id"
)
_LEDGER = (
    "SELECT c.id, {amount}, COALESCE(e.n, 0), COALESCE(e.total, 0) FROM campaigns c LEFT JOIN"
    " (SELECT cause_id, account_id, COUNT(*) AS n, SUM(amount_micro) AS total FROM ledger_entries"
    "  WHERE cause = '{cause}' AND account_id > 0 GROUP BY cause_id, account_id) e"
    " ON e.cause_id = CAST(c.id AS TEXT) AND e.account_id = c.account_id WHERE {wrong} ORDER BY c.id"
)
_DEBITS = _LEDGER.format(
    amount="c.cost_micro",
    cause=CAUSE_CALL,
    wrong="COALESCE(e.n, 0) <> 1 OR COALESCE(e.total, 0) <> -c.cost_micro",
)
_GIVEN = "(SELECT COALESCE(SUM(x.refund_micro), 0) FROM callees x WHERE x.campaign_id = c.id)"
_REFUNDS = _LEDGER.format(amount=_GIVEN, cause=CAUSE_REFUND, wrong=f"COALESCE(e.total, 0) <> {_GIVEN}")
# A set difference: a join by the text of an id compares every debit of an account with every campaign of it.
_OWNERLESS = (
    f"SELECT cause_id, account_id FROM ledger_entries WHERE cause IN ('{CAUSE_CALL}', '{CAUSE_REFUND}')"
    " AND account_id > 0 EXCEPT SELECT CAST(id AS TEXT), account_id FROM campaigns ORDER BY 1, 2"
)
_ORPHANS = (
    ("callees", "SELECT DISTINCT x.campaign_id FROM callees x"),
    ("calls", "SELECT DISTINCT x.campaign_id FROM call_attempts x"),
)
_WRONG_STATES = f"SELECT campaign_id, number, state FROM callees WHERE state NOT IN ({_STATES}) ORDER BY campaign_id, number"
_WRONG_REFUNDS = (
    "SELECT campaign_id, number, state, cost_micro, refund_micro FROM callees WHERE refund_micro < 0"
    " OR refund_micro > cost_micro"
    f" OR (state < {State.DELIVERED:d} AND refund_micro <> 0)"
    f" OR (state >= {State.LOST:d} AND refund_micro <> cost_micro) ORDER BY campaign_id, number"
)
_UNCALLED = (
    "SELECT k.campaign_id, k.number, k.state FROM callees k"
    f" WHERE k.state BETWEEN {State.CALLING:d} AND {State.LOST:d} AND NOT EXISTS"
    " (SELECT 1 FROM call_attempts t WHERE t.campaign_id = k.campaign_id AND t.number = k.number)"
    " ORDER BY k.campaign_id, k.number"
)
_CALLED_AFTER_STOP = (
    "SELECT DISTINCT t.campaign_id, t.number FROM optouts o JOIN call_attempts t"
    " ON t.account_id = o.account_id AND t.number = o.number AND t.left_at_ms > o.created_at_ms"
    " ORDER BY t.campaign_id, t.number"
)
_CALLED_EARLY = (
    "SELECT DISTINCT t.campaign_id, t.number FROM campaigns c JOIN call_attempts t ON t.campaign_id = c.id"
    " WHERE c.due_at_ms IS NOT NULL AND t.left_at_ms < c.due_at_ms ORDER BY t.campaign_id, t.number"
)
_CANCELLED_BUT_NOT = (
    "SELECT k.campaign_id, k.number, k.state FROM callees k JOIN campaigns c ON c.id = k.campaign_id"
    f" WHERE c.cancelled_at_ms IS NOT NULL AND k.state <> {State.CANCELLED:d} ORDER BY k.campaign_id, k.number"
)
_OWNED = {"a campaign": "campaigns", "an audio file": "audio_files", "a caller number": "caller_numbers"}
_FOREIGN_FILES = (
    "SELECT c.id, c.account_id, f.account_id FROM campaigns c JOIN audio_files f ON f.id = c.audio_id"
    " WHERE f.account_id <> c.account_id ORDER BY c.id"
)


def breaches_of_calls(reader: Reader) -> Iterator[str]:
    """One line a breach."""
    yield from _requests(reader)
    yield from _states(reader)
    yield from _rules(reader)
    yield from _owners(reader)


def _requests(reader: Reader) -> Iterator[str]:
    """Invariant 2: an accepted request maps to exactly one set of callees; debited = kept + given back."""
    for campaign_id, count, cost, is_open, found, sum_micro, found_open in reader.stream(_COUNTS):
        yield (
            f"invariant 2: campaign {campaign_id} says {count} callees, {is_open} open, for {exact_text(cost)}"
            f" but has {found}, {found_open} open, for {exact_text(int(sum_micro))}"
        )
    for campaign_id, cost, entries, total in reader.stream(_DEBITS):
        yield (
            f"invariant 2: campaign {campaign_id} costs {exact_text(cost)}"
            f" but has {entries} debits of {exact_text(-int(total))}"
        )
    for campaign_id, given, _, total in reader.stream(_REFUNDS):
        yield (
            f"invariant 2: campaign {campaign_id} gave back {exact_text(int(given))} to its callees"
            f" but {exact_text(int(total))} in the ledger"
        )
    for cause_id, account_id in reader.stream(_OWNERLESS):
        yield f"invariant 2: account {account_id} was debited for campaign {cause_id}, which it does not have"
    for what, query in _ORPHANS:
        for (campaign_id,) in reader.stream(
            f"{query} LEFT JOIN campaigns c ON c.id = x.campaign_id WHERE c.id IS NULL"
        ):
            yield f"invariant 2: {what} of campaign {campaign_id}, which does not exist"


def _states(reader: Reader) -> Iterator[str]:
    """Invariant 3: at most one terminal status; states only move forward."""
    for campaign_id, number, state in reader.stream(_WRONG_STATES):
        yield f"invariant 3: callee {number} of campaign {campaign_id} has state {state}, which does not exist"
    for campaign_id, number, state, cost, given in reader.stream(_WRONG_REFUNDS):
        yield (
            f"invariant 3: callee {number} of campaign {campaign_id} in state {state} cost {exact_text(cost)}"
            f" and got {exact_text(given)} back"
        )
    for campaign_id, number, state in reader.stream(_UNCALLED):
        yield f"invariant 3: callee {number} of campaign {campaign_id} has state {state} but was never called"


def _rules(reader: Reader) -> Iterator[str]:
    """Invariant 4: nobody is called who opted out, before the date, or after the cancellation."""
    for campaign_id, number in reader.stream(_CALLED_AFTER_STOP):
        yield f"invariant 4: campaign {campaign_id} called {number} after that number opted out"
    for campaign_id, number in reader.stream(_CALLED_EARLY):
        yield f"invariant 4: campaign {campaign_id} called {number} before its date"
    for campaign_id, number, state in reader.stream(_CANCELLED_BUT_NOT):
        yield f"invariant 4: campaign {campaign_id} was cancelled but callee {number} has state {state}"


def _owners(reader: Reader) -> Iterator[str]:
    """Invariant 6: everything has an owner that exists, and only one."""
    yield from without_owner(reader, _OWNED)
    for campaign_id, account_id, owner_id in reader.stream(_FOREIGN_FILES):
        yield f"invariant 6: campaign {campaign_id} of account {account_id} plays a file of account {owner_id}"
