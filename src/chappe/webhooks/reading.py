"""Reads the queue of pending events, oldest first, a page at a time, into the lanes."""

from __future__ import annotations

from typing import Final

from chappe.storage.database import Reader
from chappe.webhooks.lanes import Claimed, Lanes, Place

PAGE_ROWS: Final = 256
LATE_MS: Final = 1_000
"""How long after its `created_at_ms` an event is usually committed: new events are looked for from there on."""
SWEEP_S: Final = 30.0
"""How often the whole queue is looked through for events that came later than that."""
SWEEP_SHARE: Final = 50
"""A sweep that takes long is made less often: at most this part of the time."""

_DUE = (
    "SELECT id, account_id, url, payload, attempts, next_attempt_at_ms FROM events"
    " WHERE state = 'pending' AND next_attempt_at_ms <= ? AND (next_attempt_at_ms, id) >= (?, ?)"
    f" ORDER BY next_attempt_at_ms, id LIMIT {PAGE_ROWS}"
)
_NEXT = (
    "SELECT next_attempt_at_ms FROM events WHERE state = 'pending' AND next_attempt_at_ms > ?"
    " ORDER BY next_attempt_at_ms LIMIT 1"
)


def due_page(reader: Reader, start: Place, now_ms: int) -> list[Claimed]:
    """The oldest events due, at `start` or after it; fewer than `PAGE_ROWS` when they are the last ones."""
    return [Claimed(*row) for row in reader.all(_DUE, (now_ms, *start))]


def offer_page(lanes: Lanes, page: list[Claimed]) -> Place | None:
    """Offers a page to the lanes; gives where to read on, or None when nothing more is due."""
    for event in page:
        if lanes.is_full:
            return event.place
        lanes.offer(event)
    if len(page) < PAGE_ROWS:
        return None
    last = page[-1]
    return (last.due_at_ms, last.id + 1)


def next_due_at_ms(reader: Reader, now_ms: int) -> int | None:
    """When the next event that is not due yet will be; None when there is none."""
    row = reader.one(_NEXT, (now_ms,))
    return None if row is None else row[0]
