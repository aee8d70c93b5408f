"""Makes events due again, with all their attempts before them: one by its id, or all that are exhausted."""

from __future__ import annotations

from chappe.storage.database import Transaction
from chappe.storage.store import Store
from chappe.webhooks.queue import EVENTS_DUE

BATCH_MAX = 1000

_ONE = "UPDATE events SET state = 'pending', attempts = 0, next_attempt_at_ms = ?, settled_at_ms = NULL WHERE id = ?"
_EXHAUSTED = (
    "UPDATE events SET state = 'pending', attempts = 0, next_attempt_at_ms = ?, settled_at_ms = NULL"
    " WHERE id IN (SELECT id FROM events WHERE state = 'exhausted' AND settled_at_ms <= ? ORDER BY id LIMIT ?)"
)


class ReplayRefused(Exception):
    """There is nothing to replay; the text is for the person who asked."""


async def replay(store: Store, event_id: int) -> None:
    """Posts an event again, whatever became of it before. Raises `ReplayRefused` when there is none."""
    if not 0 < event_id < 2**63:
        raise ReplayRefused(f"there is no event {event_id}")
    now_ms = store.clock.now_ms()

    def unit(tx: Transaction) -> None:
        if tx.run(_ONE, (now_ms, event_id)) == 0:
            raise ReplayRefused(f"there is no event {event_id}")
        tx.notify(EVENTS_DUE)

    await store.database.write(unit)


async def replay_exhausted(store: Store) -> int:
    """Posts again every event that is exhausted at this moment; gives how many."""
    now_ms = store.clock.now_ms()
    total = 0

    def unit(tx: Transaction) -> int:
        tx.notify(EVENTS_DUE)
        return tx.run(_EXHAUSTED, (now_ms, now_ms, BATCH_MAX))

    while True:
        count = await store.database.write(unit, background=True)
        total += count
        if count < BATCH_MAX:
            return total
