"""Group commit on SQLite: statements on the event loop, only COMMIT on a thread.

There is no timer: the next group is whatever waits when the last commit returns, at most `UNITS_MAX`
units or `WORK_S_MAX` of work. Under load every fdatasync carries many requests; alone, a request waits for
one fdatasync and nothing else. Statements run on the loop because a hop to a writer thread costs more than
the statements themselves (figures in bench/results); the COMMIT runs on a thread because fdatasync takes
milliseconds and releases the interpreter lock.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections import deque
from queue import SimpleQueue
from typing import Any, NamedTuple

from chappe.storage.database import Batch, StorageUnavailable, Transaction, Unit
from chappe.storage.sqlite_connection import SqliteTransaction, is_fault

UNITS_MAX = 256
WORK_S_MAX = 0.004
FOREGROUND_GROUPS_MAX = 3
"""Groups of requests in a row while background units wait."""
LOCKED_S_MAX = 5.0
LOCKED_RETRY_S = 0.02

BATCH_MAX = 64


class _Item:
    """One item of a batch, where a unit stands otherwise."""

    __slots__ = ("batch", "is_alone", "item")

    def __init__(self, batch: Batch[Any, Any], item: Any) -> None:
        self.batch = batch
        self.item = item
        self.is_alone = False
        """Its batch failed: it is run again by itself, so that one bad item does not fail its neighbours."""

    def __call__(self, tx: Transaction) -> Any:
        return self.batch(tx, [self.item])[0]


_Waiting = tuple[Unit[Any], "asyncio.Future[Any]"]
_Outcome = tuple["asyncio.Future[Any]", Any, BaseException | None]


class _Group(NamedTuple):
    """Units that ran and wait for their COMMIT; `fault` says why they must not have one."""

    outcomes: list[_Outcome]
    fault: sqlite3.Error | None


class _Spoiled(Exception):
    """A unit could not be taken back: the whole group must be."""

    def __init__(self, fault: sqlite3.Error) -> None:
        super().__init__(str(fault))
        self.fault = fault


class GroupCommit:
    """The only writer of a SQLite database; belongs to one event loop."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._transaction = SqliteTransaction(connection)
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Waiting] = deque()
        self._background: deque[_Waiting] = deque()
        self._foreground_groups_in_a_row = 0
        self._busy = False
        self._closed = False
        self._locked_since_s: float | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._commits: SimpleQueue[_Group | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._commit_forever, name="chappe-commit", daemon=True)
        self._thread.start()
        self.groups_total = 0
        self.units_total = 0

    def submit(self, unit: Unit[Any], *, background: bool = False) -> asyncio.Future[Any]:
        """Queues a unit. `background` units give way to the others: accepting goes before dispatching.

        A unit whose caller is cancelled runs and commits all the same: what it does cannot depend on when
        the cancellation came.
        """
        if self._closed:
            raise StorageUnavailable("the database is closed")
        future = self._loop.create_future()
        (self._background if background else self._waiting).append((unit, future))
        if not self._busy:
            # Not at once: whatever else is ready in this turn of the loop joins the same group.
            self._busy = True
            self._idle.clear()
            self._loop.call_soon(self._run_group)
        return future

    def submit_batched(self, batch: Batch[Any, Any], item: Any) -> asyncio.Future[Any]:
        """Queues one item of a batch: those of the same `batch` that stand together are run together."""
        return self.submit(_Item(batch, item))

    @property
    def foreground_waiting(self) -> int:
        """Units of requests that wait for a group now."""
        return len(self._waiting)

    async def close(self) -> None:
        """Refuses new units, lets the queued ones commit, ends the thread."""
        self._closed = True
        await self._idle.wait()
        self._commits.put(None)
        await asyncio.to_thread(self._thread.join)

    def _next_queue(self) -> deque[_Waiting]:
        # Requests first, but one group in four is given to the background while both wait: receipts and
        # dispatching may become slow under load, never stop.
        if self._waiting and (
            not self._background or self._foreground_groups_in_a_row < FOREGROUND_GROUPS_MAX
        ):
            self._foreground_groups_in_a_row += 1
            return self._waiting
        self._foreground_groups_in_a_row = 0
        return self._background

    def _run_group(self) -> None:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            self._cannot_begin(error)
            return
        self._locked_since_s = None
        queue = self._next_queue()
        outcomes: list[_Outcome] = []
        fault: sqlite3.Error | None = None
        deadline_s = time.perf_counter() + WORK_S_MAX
        while queue and len(outcomes) < UNITS_MAX:
            try:
                outcomes += self._run_next(queue)
            except _Spoiled as spoiled:
                fault = spoiled.fault
                break
            if not self._connection.in_transaction:
                fault = sqlite3.OperationalError("SQLite rolled the group back")  # disk full, I/O error
                break
            if time.perf_counter() > deadline_s:
                break
        self._commits.put(_Group(outcomes, fault))

    def _cannot_begin(self, error: sqlite3.Error) -> None:
        # Somebody else has the file (an operator's shell, a backup): we wait without stopping the loop.
        now_s = self._loop.time()
        if self._locked_since_s is None:
            self._locked_since_s = now_s
        is_locked = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
        if is_locked and now_s - self._locked_since_s < LOCKED_S_MAX:
            self._loop.call_later(LOCKED_RETRY_S, self._run_group)
            return
        self._locked_since_s = None
        if self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")  # what an earlier fault left open
            except sqlite3.Error:
                pass  # the callers are told all the same, and the next group tries again
        refused = [future for queue in (self._waiting, self._background) for _, future in queue]
        self._waiting.clear()
        self._background.clear()
        self._settle([(future, None, StorageUnavailable(f"cannot begin: {error}")) for future in refused])

    def _run_next(self, queue: deque[_Waiting]) -> list[_Outcome]:
        """Runs the next unit, or the next items of one batch; nothing when a batch must be tried item by item."""
        unit, future = queue.popleft()
        if not isinstance(unit, _Item) or unit.is_alone:
            return [self._run_unit(unit, future)]
        waiting: list[tuple[_Item, asyncio.Future[Any]]] = [(unit, future)]
        while queue and len(waiting) < BATCH_MAX:
            neighbour = queue[0][0]
            if not isinstance(neighbour, _Item) or neighbour.batch is not unit.batch or neighbour.is_alone:
                break
            waiting.append((neighbour, queue.popleft()[1]))
        items = [waiting_unit.item for waiting_unit, _ in waiting]
        try:
            _, values, error = self._run_unit(lambda tx: unit.batch(tx, items), future)
        except _Spoiled:
            queue.extendleft(
                reversed(waiting[1:])
            )  # the first one is told; the others go into the next group
            raise
        if error is None:
            return [(future, value, None) for (_, future), value in zip(waiting, values, strict=True)]
        for waiting_unit, _ in waiting:
            waiting_unit.is_alone = True
        queue.extendleft(reversed(waiting))
        return []

    def _run_unit(self, unit: Unit[Any], future: asyncio.Future[Any]) -> _Outcome:
        execute = self._connection.execute
        try:
            execute("SAVEPOINT unit")
            value = unit(self._transaction)
            execute("RELEASE unit")
        except BaseException as error:
            try:
                if self._connection.in_transaction:
                    execute("ROLLBACK TO unit")
                    execute("RELEASE unit")
            except sqlite3.Error as fault:
                _settle_one(future, None, StorageUnavailable(f"cannot take back: {fault}"))
                raise _Spoiled(fault) from error
            if is_fault(error):
                return (future, None, StorageUnavailable(f"statement failed: {error}"))
            if isinstance(error, StopIteration):  # a future refuses to carry one
                return (future, None, RuntimeError("a unit raised StopIteration"))
            return (future, None, error)
        return (future, value, None)

    def _commit_forever(self) -> None:
        while (group := self._commits.get()) is not None:
            fault = group.fault
            if fault is None:
                try:
                    self._connection.execute("COMMIT")
                except sqlite3.Error as error:
                    fault = error
            if self._connection.in_transaction:
                try:
                    self._connection.execute("ROLLBACK")
                except sqlite3.Error as error:
                    fault = error  # the next BEGIN fails too, and says so to its callers
            self._loop.call_soon_threadsafe(self._committed, group.outcomes, fault)

    def _committed(self, outcomes: list[_Outcome], fault: sqlite3.Error | None) -> None:
        self.groups_total += 1
        self.units_total += len(outcomes)
        if fault is not None:
            # One each: an exception that several tasks raise collects all their tracebacks.
            outcomes = [
                (future, None, StorageUnavailable(f"commit failed: {fault}")) for future, _, _ in outcomes
            ]
        self._settle(outcomes)

    def _settle(self, outcomes: list[_Outcome]) -> None:
        for future, value, error in outcomes:
            _settle_one(future, value, error)
        if self._waiting or self._background:
            # After the callers of this group had their turn, so that what they submit next can join.
            self._loop.call_soon(self._run_group)
        else:
            self._busy = False
            self._idle.set()


def _settle_one(future: asyncio.Future[Any], value: Any, error: BaseException | None) -> None:
    if future.done():
        return  # its caller went away; the work is committed all the same
    if error is None:
        future.set_result(value)
    else:
        future.set_exception(error)
