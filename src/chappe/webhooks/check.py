"""Verifies invariant 5 on a stored database: every event is on its way, delivered, or visibly exhausted."""

from __future__ import annotations

from collections.abc import Iterator

from chappe.storage.database import Reader
from chappe.webhooks.queue import ATTEMPTS_MAX, RETRY_AFTER_S

# Clocks of machines differ, and may have been put back since.
_CLOCK_MS = 3600 * 1000
_LATER_MS = 1000 * max(RETRY_AFTER_S) + _CLOCK_MS

_RULES = (
    ("state NOT IN ('pending', 'delivered', 'exhausted')", "is in no known state"),
    ("state = 'pending' AND settled_at_ms IS NOT NULL", "is pending and says when it was settled"),
    ("state <> 'pending' AND settled_at_ms IS NULL", "is settled and does not say when"),
    (
        f"state = 'pending' AND (attempts < 0 OR attempts >= {ATTEMPTS_MAX})",
        f"is pending with a number of attempts outside 0 to {ATTEMPTS_MAX - 1}",
    ),
    (
        f"state = 'delivered' AND (attempts < 1 OR attempts > {ATTEMPTS_MAX})",
        f"is delivered with a number of attempts outside 1 to {ATTEMPTS_MAX}",
    ),
    (
        f"state = 'exhausted' AND attempts <> {ATTEMPTS_MAX}",
        f"is exhausted without its {ATTEMPTS_MAX} attempts",
    ),
    ("attempts > 0 AND last_result = ''", "was tried and does not say what came of it"),
    ("url = '' OR (payload = '' AND kind <> 'campaign')", "has no URL or nothing to say"),
    ("state = 'pending' AND next_attempt_at_ms <= 0", "is pending without a next attempt"),
)
# One walk over the table; of several rules that a row breaks, the first is named.
_BROKEN = (
    "SELECT id, account_id, attempts, rule FROM (SELECT id, account_id, attempts, CASE "
    + " ".join(f"WHEN {condition} THEN {rule}" for rule, (condition, _) in enumerate(_RULES))
    + " END AS rule FROM events) AS e WHERE rule IS NOT NULL ORDER BY id"
)


def breaches_of_delivery(reader: Reader, now_ms: int) -> Iterator[str]:
    """One line a breach of invariant 5: "Every event for a customer's URL is delivered at least once, or is visible".

    A pending event that is overdue is none: the server may have been stopped, or its customer's may be slow.
    """
    for event_id, account_id, attempts, rule in reader.stream(_BROKEN):
        yield f"invariant 5: event {event_id} of account {account_id} {_RULES[rule][1]} (attempts: {attempts})"
    for event_id, account_id in reader.stream(
        "SELECT id, account_id FROM events WHERE state = 'pending' AND next_attempt_at_ms > ? ORDER BY id",
        (now_ms + _LATER_MS,),
    ):
        yield (
            f"invariant 5: event {event_id} of account {account_id} is pending"
            " with its next attempt later than any retry"
        )
