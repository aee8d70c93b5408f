"""The sweep: ends what waited too long, and forgets what need not be kept. A few times a minute.

Each act is one bounded transaction, so a long backlog never holds the writer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from chappe.messages.leave import Ids, keep_back
from chappe.messages.meta import MessageCache
from chappe.messages.outcomes import dlr_event
from chappe.messages.states import State
from chappe.storage.database import StorageUnavailable, Transaction
from chappe.storage.store import Store
from chappe.webhooks.queue import enqueue

_log: structlog.stdlib.BoundLogger = structlog.get_logger("sweep")

EVERY_S = 20.0
ROWS_MAX = 500
HOUR_MS = 3_600_000
RECEIPT_MS_MAX = 48 * HOUR_MS
"""Receipts arrive within 48 h (sms-partner-api.md section 4), or not at all."""
UNSENT_MS_MAX = 48 * HOUR_MS
PARTS_MS_MAX = 300_000
"""Some operators send a receipt for one part of a long message only: after this the others are not waited for."""
ANSWER_MS_MAX = 24 * HOUR_MS
SANDBOX_MS_MAX = 24 * HOUR_MS

_SILENT = (
    "SELECT message_id, number, cost_micro FROM recipients"
    f" WHERE state = {State.SENT:d} AND state IN (20, 30) AND changed_at_ms < ? ORDER BY changed_at_ms LIMIT ?"
)
_PARTLY = (
    "SELECT r.message_id, r.number, r.cost_micro FROM recipients r"
    f" WHERE r.state = {State.SENT:d} AND r.state IN (20, 30) AND r.changed_at_ms BETWEEN ? AND ?"
    " AND EXISTS (SELECT 1 FROM submissions s WHERE s.message_id = r.message_id AND s.number = r.number"
    " AND s.receipt_state = 'delivered' AND s.receipt_at_ms < ?) ORDER BY r.changed_at_ms LIMIT ?"
)
_FINISH = (
    "UPDATE recipients SET state = ?, changed_at_ms = ? WHERE message_id = ? AND number = ?"
    f" AND state = {State.SENT:d}"
)
_UNSENT = "SELECT DISTINCT message_id FROM outbox WHERE due_at_ms < ? LIMIT 1"
_WAITING = f"SELECT number FROM recipients WHERE message_id = ? AND state = {State.WAITING:d} LIMIT ?"


class Sweep:
    """The background task. `on_events` is called when delivery reports were queued."""

    def __init__(
        self,
        store: Store,
        messages: MessageCache,
        on_events: Callable[[], None],
        on_unexpected: Callable[[], None],
    ) -> None:
        self._store = store
        self._messages = messages
        self._on_events = on_events
        self._on_unexpected = on_unexpected
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="sweep")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                while await self.once():
                    pass
            except StorageUnavailable as error:
                _log.error("the storage is not available", reason=str(error))
            except Exception as error:
                self._on_unexpected()
                _log.error("an unexpected exception", exc_info=error)
            await asyncio.sleep(EVERY_S)

    async def once(self) -> bool:
        """One round of every act; True when one of them was full and wants another round."""
        now_ms = self._store.clock.now_ms()
        ids = Ids(
            await self._store.ids("postings").take(ROWS_MAX),
            await self._store.ids("events").take(3 * ROWS_MAX),
        )
        first_event = ids.event_id

        def unit(tx: Transaction) -> int:
            rows = self._end_silent(tx, ids, now_ms)
            rows = max(rows, self._end_partly(tx, ids, now_ms))
            rows = max(rows, self._end_unsent(tx, ids, now_ms))
            return max(rows, forget(tx, now_ms))

        rows = await self._store.database.write(unit, background=True)
        if ids.event_id > first_event:
            self._on_events()
        return rows >= ROWS_MAX

    def _end_silent(self, tx: Transaction, ids: Ids, now_ms: int) -> int:
        rows = tx.all(_SILENT, (now_ms - RECEIPT_MS_MAX, ROWS_MAX))
        for message_id, number, cost_micro in rows:
            self._end(tx, ids, message_id, number, cost_micro, State.NO_RECEIPT, now_ms)
        return len(rows)

    def _end_partly(self, tx: Transaction, ids: Ids, now_ms: int) -> int:
        before_ms = now_ms - PARTS_MS_MAX
        rows = tx.all(_PARTLY, (now_ms - RECEIPT_MS_MAX, before_ms, before_ms, ROWS_MAX))
        for message_id, number, cost_micro in rows:
            self._end(tx, ids, message_id, number, cost_micro, State.DELIVERED, now_ms)
        return len(rows)

    def _end_unsent(self, tx: Transaction, ids: Ids, now_ms: int) -> int:
        row = tx.one(_UNSENT, (now_ms - UNSENT_MS_MAX,))
        if row is None:
            return 0
        message = self._messages.get(tx, row[0])
        numbers = tx.all(_WAITING, (message.id, ROWS_MAX))
        for (number,) in numbers:
            keep_back(tx, message, number, State.EXPIRED_UNSENT, ids, now_ms)
        tx.run("DELETE FROM outbox WHERE message_id = ?", (message.id,))
        return ROWS_MAX

    def _end(
        self,
        tx: Transaction,
        ids: Ids,
        message_id: int,
        number: int,
        cost_micro: int,
        state: State,
        now_ms: int,
    ) -> None:
        if tx.run(_FINISH, (state, now_ms, message_id, number)) == 0:
            return
        message = self._messages.get(tx, message_id)
        if message.url_dlr:
            enqueue(tx, dlr_event(ids.event(), message, number, state, cost_micro, now_ms))


def forget(tx: Transaction, now_ms: int) -> int:
    """Drops what was kept for a time only: unmatched receipts, remembered answers, sandbox messages."""
    rows = tx.run("DELETE FROM unmatched_receipts WHERE received_at_ms < ?", (now_ms - RECEIPT_MS_MAX,))
    rows = max(
        rows, tx.run("DELETE FROM remembered_answers WHERE created_at_ms < ?", (now_ms - ANSWER_MS_MAX,))
    )
    sandbox = tx.all(
        "SELECT id FROM messages WHERE is_sandbox = 1 AND created_at_ms < ? AND NOT EXISTS"
        " (SELECT 1 FROM outbox o WHERE o.message_id = messages.id) LIMIT ?",
        (now_ms - SANDBOX_MS_MAX, ROWS_MAX),
    )
    for (message_id,) in sandbox:
        tx.run("DELETE FROM recipients WHERE message_id = ?", (message_id,))
        tx.run("DELETE FROM messages WHERE id = ?", (message_id,))
    return max(rows, len(sandbox))
