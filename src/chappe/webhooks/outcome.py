"""What an attempt came to, and how it is put on record: delivered, to be tried again, or exhausted."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from chappe.storage.database import Transaction
from chappe.webhooks.lanes import Claimed
from chappe.webhooks.queue import RETRY_AFTER_S

RESULT_CHARS_MAX = 200

# The state is in every condition: an event that was settled or purged meanwhile stays as it is.
_DELIVERED = (
    "UPDATE events SET state = 'delivered', attempts = ?, last_result = ?, settled_at_ms = ?"
    " WHERE id = ? AND state = 'pending'"
)
_AGAIN = "UPDATE events SET attempts = ?, last_result = ?, next_attempt_at_ms = ? WHERE id = ? AND state = 'pending'"
_EXHAUSTED = (
    "UPDATE events SET state = 'exhausted', attempts = ?, last_result = ?, settled_at_ms = ?"
    " WHERE id = ? AND state = 'pending'"
)


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """The result of one attempt, for a person to read; `at_ms` is when it ended."""

    event: Claimed
    is_delivered: bool
    result: str
    at_ms: int

    @property
    def attempts(self) -> int:
        return self.event.attempts + 1

    @property
    def again_at_ms(self) -> int | None:
        """When the next attempt is due; None when this one settled the event."""
        if self.is_delivered or self.attempts > len(RETRY_AFTER_S):
            return None
        return self.at_ms + 1000 * RETRY_AFTER_S[self.attempts - 1]


def put_on_record(tx: Transaction, outcomes: Iterable[Outcome]) -> None:
    """Writes what became of the events."""
    delivered: list[tuple[object, ...]] = []
    again: list[tuple[object, ...]] = []
    exhausted: list[tuple[object, ...]] = []
    for outcome in outcomes:
        at_ms = outcome.again_at_ms
        rows = again if at_ms is not None else delivered if outcome.is_delivered else exhausted
        result = outcome.result[:RESULT_CHARS_MAX]
        rows.append((outcome.attempts, result, outcome.at_ms if at_ms is None else at_ms, outcome.event.id))
    for statement, rows in ((_DELIVERED, delivered), (_AGAIN, again), (_EXHAUSTED, exhausted)):
        if rows:
            tx.run_many(statement, rows)
