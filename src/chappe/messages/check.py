"""Verifies invariants 2, 3, 4 and 6 of messages on a stored database."""

from __future__ import annotations

from collections.abc import Iterator

from chappe.accounts.check import without_owner
from chappe.credit.money import exact_text
from chappe.messages.accept import CAUSE_REFUND, CAUSE_SEND
from chappe.messages.states import State
from chappe.storage.database import Reader

_STATES = ",".join(str(int(state)) for state in State)

_COUNTS = (
    "SELECT m.id, m.recipient_count, m.cost_micro, COALESCE(r.n, 0), COALESCE(r.cost, 0) FROM messages m LEFT JOIN"
    " (SELECT message_id, COUNT(*) AS n, SUM(cost_micro) AS cost FROM recipients GROUP BY message_id) r"
    " ON r.message_id = m.id WHERE m.recipient_count <> COALESCE(r.n, 0) OR m.cost_micro <> COALESCE(r.cost, 0)"
    " ORDER BY m.id"
)
_DEBITS = (
    "SELECT m.id, m.cost_micro, COALESCE(e.n, 0), COALESCE(e.total, 0) FROM messages m LEFT JOIN"
    " (SELECT cause_id, account_id, COUNT(*) AS n, SUM(amount_micro) AS total FROM ledger_entries"
    f"  WHERE cause = '{CAUSE_SEND}' AND account_id > 0 GROUP BY cause_id, account_id) e"
    " ON e.cause_id = CAST(m.id AS TEXT) AND e.account_id = m.account_id"
    " WHERE (m.is_sandbox = 0 AND (COALESCE(e.n, 0) <> 1 OR COALESCE(e.total, 0) <> -m.cost_micro))"
    " OR (m.is_sandbox = 1 AND COALESCE(e.n, 0) <> 0) ORDER BY m.id"
)
_REFUNDS = (
    "SELECT m.id, COALESCE(r.given, 0), COALESCE(e.total, 0) FROM messages m"
    " LEFT JOIN (SELECT message_id, SUM(refund_micro) AS given FROM recipients GROUP BY message_id) r"
    " ON r.message_id = m.id"
    " LEFT JOIN (SELECT cause_id, account_id, SUM(amount_micro) AS total FROM ledger_entries"
    f"  WHERE cause = '{CAUSE_REFUND}' AND account_id > 0 GROUP BY cause_id, account_id) e"
    " ON e.cause_id = CAST(m.id AS TEXT) AND e.account_id = m.account_id"
    " WHERE m.is_sandbox = 0 AND COALESCE(r.given, 0) <> COALESCE(e.total, 0) ORDER BY m.id"
)
# A set difference: a join by the text of an id compares every debit of an account with every message of it.
_OWNERLESS_DEBITS = (
    f"SELECT cause_id, account_id FROM ledger_entries WHERE cause IN ('{CAUSE_SEND}', '{CAUSE_REFUND}')"
    " AND account_id > 0 EXCEPT SELECT CAST(id AS TEXT), account_id FROM messages ORDER BY 1, 2"
)
_PART_REFUNDS = (
    "SELECT message_id, number, state, cost_micro, refund_micro FROM recipients"
    f" WHERE (state >= {State.REFUSED:d} AND refund_micro <> cost_micro)"
    f" OR (state < {State.REFUSED:d} AND refund_micro <> 0) ORDER BY message_id, number"
)
_WAITING_COUNTS = (
    "SELECT a.id, a.email, a.waiting_count, COALESCE(w.n, 0) FROM accounts a LEFT JOIN"
    " (SELECT m.account_id AS id, COUNT(*) AS n FROM outbox_messages o JOIN messages m ON m.id = o.message_id"
    f"  JOIN recipients r ON r.message_id = m.id WHERE r.state = {State.WAITING:d} AND m.is_sandbox = 0"
    "  GROUP BY m.account_id) w ON w.id = a.id WHERE a.waiting_count <> COALESCE(w.n, 0) ORDER BY a.id"
).replace("outbox_messages o", "(SELECT DISTINCT message_id FROM outbox) o")
_STRANDED = (
    "SELECT r.message_id, COUNT(*) FROM recipients r LEFT JOIN (SELECT DISTINCT message_id FROM outbox) o"
    " ON o.message_id = r.message_id"
    f" WHERE r.state = {State.WAITING:d} AND o.message_id IS NULL GROUP BY r.message_id ORDER BY r.message_id"
)
_UNKNOWN_STATES = f"SELECT message_id, number, state FROM recipients WHERE state NOT IN ({_STATES}) ORDER BY message_id, number"
_SENT_WITHOUT_TRY = (
    "SELECT r.message_id, r.number, r.state FROM recipients r JOIN messages m ON m.id = r.message_id"
    f" WHERE m.is_sandbox = 0 AND r.state BETWEEN {State.SENT:d} AND {State.NO_RECEIPT:d}"
    " AND NOT EXISTS (SELECT 1 FROM submissions s WHERE s.message_id = r.message_id AND s.number = r.number)"
    " ORDER BY r.message_id, r.number"
)
_KEPT_BUT_SENT = (
    "SELECT DISTINCT r.message_id, r.number, r.state FROM recipients r JOIN submissions s"
    " ON s.message_id = r.message_id AND s.number = r.number AND s.outcome = 'accepted'"
    f" WHERE r.state >= {State.REFUSED:d} OR r.state = {State.WAITING:d} ORDER BY r.message_id, r.number"
)
_END_WITHOUT_RECEIPT = (
    "SELECT r.message_id, r.number, r.state FROM recipients r JOIN messages m ON m.id = r.message_id"
    f" WHERE m.is_sandbox = 0 AND r.state IN ({State.DELIVERED:d}, {State.EXPIRED:d}, {State.REJECTED:d})"
    " AND NOT EXISTS (SELECT 1 FROM submissions s WHERE s.message_id = r.message_id AND s.number = r.number"
    f" AND s.receipt_state = CASE r.state WHEN {State.DELIVERED:d} THEN 'delivered'"
    f" WHEN {State.EXPIRED:d} THEN 'expired' ELSE 'rejected' END) ORDER BY r.message_id, r.number"
)
# A receipt ends its recipient in the same transaction, unless other parts of a long message are waited for.
_OPEN_DESPITE_RECEIPT = (
    "SELECT r.message_id, r.number, r.state, MIN(s.receipt_state) FROM recipients r"
    " JOIN messages m ON m.id = r.message_id"
    " JOIN submissions s ON s.message_id = r.message_id AND s.number = r.number"
    f" WHERE r.state IN ({State.LEAVING:d}, {State.SENT:d}) AND s.receipt_state IS NOT NULL"
    " AND (m.segments = 1 OR s.receipt_state <> 'delivered')"
    " GROUP BY r.message_id, r.number, r.state ORDER BY r.message_id, r.number"
)
_LEFT_AFTER_STOP = (
    "SELECT DISTINCT s.message_id, s.number FROM optouts o"
    " JOIN messages m ON m.account_id = o.account_id"
    " JOIN submissions s ON s.message_id = m.id AND s.number = o.number AND s.left_at_ms > o.created_at_ms + ?"
    " ORDER BY s.message_id, s.number"
)
_CANCELLED_BUT_NOT = (
    "SELECT r.message_id, r.number, r.state FROM recipients r JOIN messages m ON m.id = r.message_id"
    f" WHERE m.cancelled_at_ms IS NOT NULL AND r.state <> {State.CANCELLED:d} ORDER BY r.message_id, r.number"
)
_LEFT_EARLY = (
    "SELECT DISTINCT s.message_id, s.number FROM messages m JOIN submissions s ON s.message_id = m.id"
    " WHERE m.due_at_ms IS NOT NULL AND s.left_at_ms < m.due_at_ms ORDER BY s.message_id, s.number"
)
_OWNED = {"a message": "messages", "an opt-out": "optouts", "an event": "events"}
_FOREIGN_REPLIES = (
    "SELECT r.id, r.account_id, m.account_id FROM replies r JOIN messages m ON m.id = r.message_id"
    " WHERE r.account_id <> m.account_id ORDER BY r.id"
)
_ORPHANS = (
    ("recipients", "SELECT DISTINCT x.message_id FROM recipients x"),
    ("submissions", "SELECT DISTINCT x.message_id FROM submissions x"),
    ("an outbox row", "SELECT DISTINCT x.message_id FROM outbox x"),
)


def breaches_of_messages(reader: Reader, clocks_ms: int = 0) -> Iterator[str]:
    """One line a breach. `clocks_ms`: how far the clocks of the machines that wrote may be apart."""
    yield from _requests(reader)
    yield from _states(reader)
    yield from _rules(reader, clocks_ms)
    yield from _owners(reader)


def _requests(reader: Reader) -> Iterator[str]:
    """Invariant 2: an accepted request maps to exactly one set of messages; debited = kept + given back."""
    for message_id, count, cost, found, sum_micro in reader.stream(_COUNTS):
        yield (
            f"invariant 2: message {message_id} says {count} recipients for {exact_text(cost)}"
            f" but has {found} for {exact_text(int(sum_micro))}"
        )
    for message_id, cost, entries, total in reader.stream(_DEBITS):
        yield (
            f"invariant 2: message {message_id} costs {exact_text(cost)}"
            f" but has {entries} debits of {exact_text(-int(total))}"
        )
    for message_id, given, total in reader.stream(_REFUNDS):
        yield (
            f"invariant 2: message {message_id} gave back {exact_text(int(given))} to its recipients"
            f" but {exact_text(int(total))} in the ledger"
        )
    for cause_id, account_id in reader.stream(_OWNERLESS_DEBITS):
        yield f"invariant 2: account {account_id} was debited for message {cause_id}, which it does not have"
    for what, query in _ORPHANS:
        for (message_id,) in reader.stream(
            f"{query} LEFT JOIN messages m ON m.id = x.message_id WHERE m.id IS NULL"
        ):
            yield f"invariant 2: {what} of message {message_id}, which does not exist"
    for message_id, count in reader.stream(_STRANDED):
        yield f"invariant 2: message {message_id} has {count} recipients waiting and nothing in the outbox"
    for account_id, email, says, found in reader.stream(_WAITING_COUNTS):
        yield f"invariant 2: account {account_id} ({email}) says {says} recipients wait, {found} do"


def _states(reader: Reader) -> Iterator[str]:
    """Invariant 3: at most one terminal status; states only move forward."""
    for message_id, number, state in reader.stream(_UNKNOWN_STATES):
        yield f"invariant 3: recipient {number} of message {message_id} has state {state}, which does not exist"
    for message_id, number, state, cost, given in reader.stream(_PART_REFUNDS):
        yield (
            f"invariant 3: recipient {number} of message {message_id} in state {state} cost {exact_text(cost)}"
            f" and got {exact_text(given)} back"
        )
    for message_id, number, state in reader.stream(_SENT_WITHOUT_TRY):
        yield f"invariant 3: recipient {number} of message {message_id} has state {state} but was never submitted"
    for message_id, number, state in reader.stream(_KEPT_BUT_SENT):
        yield f"invariant 3: recipient {number} of message {message_id} has state {state} but an operator took it"
    for message_id, number, state in reader.stream(_END_WITHOUT_RECEIPT):
        yield f"invariant 3: recipient {number} of message {message_id} has state {state} but no receipt says so"
    for message_id, number, state, receipt in reader.stream(_OPEN_DESPITE_RECEIPT):
        yield (
            f"invariant 3: recipient {number} of message {message_id} has state {state}"
            f" although a receipt said {receipt}"
        )


def _rules(reader: Reader, clocks_ms: int) -> Iterator[str]:
    """Invariant 4: nothing leaves for a number that opted out, before its date, or after its cancellation."""
    for message_id, number in reader.stream(_LEFT_AFTER_STOP, (clocks_ms,)):
        yield f"invariant 4: message {message_id} left for {number} after that number opted out"
    for message_id, number in reader.stream(_LEFT_EARLY):
        yield f"invariant 4: message {message_id} left for {number} before its date"
    for message_id, number, state in reader.stream(_CANCELLED_BUT_NOT):
        yield f"invariant 4: message {message_id} was cancelled but recipient {number} has state {state}"


def _owners(reader: Reader) -> Iterator[str]:
    """Invariant 6: everything has an owner that exists, and only one."""
    yield from without_owner(reader, _OWNED)
    for reply_id, account_id, owner_id in reader.stream(_FOREIGN_REPLIES):
        yield f"invariant 6: reply {reply_id} belongs to account {account_id}, its message to account {owner_id}"
