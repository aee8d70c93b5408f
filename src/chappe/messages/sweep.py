"""The sweep: ends what waited too long, and forgets what need not be kept. A few times a minute.

Each act is one bounded transaction, so a long backlog never holds the writer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from chappe.messages.leave import Ids, keep_back
from chappe.messages.lost import Recovered, put_on_record
from chappe.messages.meta import MessageCache
from chappe.messages.outcomes import dlr_event
from chappe.messages.reroute import settle_stray, stored_routes, stray
from chappe.messages.routes import Routes
from chappe.messages.states import State
from chappe.storage.database import Reader, StorageUnavailable, Transaction
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
PARTLY_ROWS_MAX = 20 * ROWS_MAX
PARTLY_SHARE = 50
"""Looking for these is a walk over everything without a receipt: at most this part of the time."""
UNMATCHED_ROWS_MAX = 200_000
"""An operator may send receipts that nobody waits for all day: the oldest give way."""
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
_STUCK = (
    "SELECT message_id, number, attempts, operator, changed_at_ms, cost_micro, owner FROM recipients"
    f" WHERE state = {State.LEAVING:d} AND state IN (20, 30) AND changed_at_ms < ? ORDER BY changed_at_ms LIMIT ?"
)
_FINISH = (
    "UPDATE recipients SET state = ?, changed_at_ms = ? WHERE message_id = ? AND number = ?"
    f" AND state = {State.SENT:d}"
)
_UNSENT = "SELECT message_id FROM outbox WHERE route = ? AND due_at_ms < ? ORDER BY due_at_ms LIMIT 1"
_WAITING = f"SELECT number FROM recipients WHERE message_id = ? AND state = {State.WAITING:d} LIMIT ?"


_OLD_RECEIPTS = "SELECT id, smsc_message_id FROM unmatched_receipts WHERE received_at_ms <= ? LIMIT ?"
_FORGET_RECEIPT = "DELETE FROM unmatched_receipts WHERE id = ? AND smsc_message_id = ?"
_ONE_TOO_MANY = "SELECT received_at_ms FROM unmatched_receipts ORDER BY received_at_ms DESC LIMIT 1 OFFSET ?"
_OLD_ANSWERS = (
    "SELECT account_id, path, idempotency_key FROM remembered_answers WHERE created_at_ms < ? LIMIT ?"
)
_FORGET_ANSWER = "DELETE FROM remembered_answers WHERE account_id = ? AND path = ? AND idempotency_key = ?"


class Sweep:
    """The background task. `on_events` is called when delivery reports were queued."""

    def __init__(
        self,
        store: Store,
        routes: Routes,
        messages: MessageCache,
        on_events: Callable[[], None],
        on_unexpected: Callable[[], None],
    ) -> None:
        self._store = store
        self._routes = routes
        self._messages = messages
        self._partly: list[tuple[int, int, int]] = []
        self._look_for_partly_after_s = 0.0
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
        posting_id = await self._store.ids("postings").take(2 * ROWS_MAX)
        event_id = await self._store.ids("events").take(5 * ROWS_MAX)
        if not self._partly:
            self._partly = await self._look_for_partly(now_ms)
        partly = self._partly[:ROWS_MAX]

        def unit(tx: Transaction) -> tuple[int, bool]:
            if not tx.try_lock("sweep"):
                return 0, False  # another process does it
            ids = Ids(posting_id, event_id)
            rows = max(
                self._end_silent(tx, ids, now_ms),
                self._end_partly(tx, ids, now_ms, partly),
                self._end_stuck(tx, ids, now_ms),
                self._end_unsent(tx, ids, now_ms),
                self._settle_stray(tx, ids, now_ms),
                forget(tx, now_ms),
            )
            return rows, ids.event_id > event_id

        rows, has_events = await self._store.database.write(unit, background=True)
        del self._partly[: len(partly)]
        if has_events:
            self._on_events()
        return rows >= ROWS_MAX

    async def _look_for_partly(self, now_ms: int) -> list[tuple[int, int, int]]:
        """Walks over all that waits for receipts: beside the event loop, and not often where that takes long."""
        began_s = self._store.clock.monotonic_s()
        if began_s < self._look_for_partly_after_s:
            return []
        before_ms = now_ms - PARTS_MS_MAX
        bounds = (now_ms - RECEIPT_MS_MAX, before_ms, before_ms, PARTLY_ROWS_MAX)

        def query(reader: Reader) -> list[tuple[int, int, int]]:
            return [(row[0], row[1], row[2]) for row in reader.all(_PARTLY, bounds)]

        found = await self._store.database.scan(query)
        took_s = self._store.clock.monotonic_s() - began_s
        self._look_for_partly_after_s = began_s + PARTLY_SHARE * took_s
        return found

    def _end_silent(self, tx: Transaction, ids: Ids, now_ms: int) -> int:
        rows = tx.all(_SILENT, (now_ms - RECEIPT_MS_MAX, ROWS_MAX))
        for message_id, number, cost_micro in rows:
            self._end(tx, ids, message_id, number, cost_micro, State.NO_RECEIPT, now_ms)
        return len(rows)

    def _end_partly(self, tx: Transaction, ids: Ids, now_ms: int, rows: list[tuple[int, int, int]]) -> int:
        for message_id, number, cost_micro in rows:
            self._end(tx, ids, message_id, number, cost_micro, State.DELIVERED, now_ms)
        return len(rows)

    def _end_stuck(self, tx: Transaction, ids: Ids, now_ms: int) -> int:
        """Those whose answer was lost and that nobody can take up again: their route or its operator is gone."""
        rows = tx.all(_STUCK, (now_ms - RECEIPT_MS_MAX, ROWS_MAX))
        for message_id, number, attempt, operator, left_at_ms, cost_micro, owner in rows:
            lost = Recovered(message_id, number, attempt, operator, left_at_ms)
            put_on_record(tx, self._messages, lost, owner=owner, hold=True, now_ms=now_ms)
            self._end(tx, ids, message_id, number, cost_micro, State.NO_RECEIPT, now_ms)
        return len(rows)

    def _settle_stray(self, tx: Transaction, ids: Ids, now_ms: int) -> int:
        presence = self._store.database.presence
        kept = presence.kept_routes(tx, "sms")
        found = stray(tx, self._routes, kept, now_ms - presence.patience_ms)
        if found is None:
            return 0
        message_id, route = found
        settle_stray(tx, self._routes, kept, self._messages.get(tx, message_id), route, ids, now_ms)
        return ROWS_MAX

    def _end_unsent(self, tx: Transaction, ids: Ids, now_ms: int) -> int:
        for route in stored_routes(tx):
            row = tx.one(_UNSENT, (route, now_ms - UNSENT_MS_MAX))
            if row is not None:
                break
        else:
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
    tx.run("DELETE FROM rate_windows WHERE until_ms < ?", (now_ms - HOUR_MS,))
    before_ms = now_ms - RECEIPT_MS_MAX
    one_too_many = tx.one(_ONE_TOO_MANY, (UNMATCHED_ROWS_MAX,))
    if one_too_many is not None:
        before_ms = max(before_ms, one_too_many[0])
    receipts = tx.all(_OLD_RECEIPTS, (before_ms, ROWS_MAX))
    tx.run_many(_FORGET_RECEIPT, receipts)
    answers = tx.all(_OLD_ANSWERS, (now_ms - ANSWER_MS_MAX, ROWS_MAX))
    tx.run_many(_FORGET_ANSWER, answers)
    sandbox = tx.all(
        "SELECT id FROM messages WHERE is_sandbox = 1 AND created_at_ms < ? AND NOT EXISTS"
        " (SELECT 1 FROM outbox o WHERE o.message_id = messages.id) LIMIT ?",
        (now_ms - SANDBOX_MS_MAX, ROWS_MAX),
    )
    for (message_id,) in sandbox:
        tx.run("DELETE FROM recipients WHERE message_id = ?", (message_id,))
        tx.run("DELETE FROM messages WHERE id = ?", (message_id,))
    return max(len(receipts), len(answers), len(sandbox))
