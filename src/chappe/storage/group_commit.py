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
from typing import Any

from chappe.storage.database import Row, StorageUnavailable, Unit
from chappe.storage.sqlite_connection import SqliteTransaction

UNITS_MAX = 256
WORK_S_MAX = 0.004

_Waiting = tuple[Unit[Any], "asyncio.Future[Any]"]
_Outcome = tuple["asyncio.Future[Any]", Any, BaseException | None]


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
        self._idle = asyncio.Event()
        self._idle.set()
        self._commits: SimpleQueue[list[_Outcome] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._commit_forever, name="chappe-commit", daemon=True)
        self._thread.start()
        self.groups_total = 0
        self.units_total = 0

    def submit(self, unit: Unit[Any], *, background: bool = False) -> asyncio.Future[Any]:
        """Queues a unit. `background` units give way to the others: accepting goes before dispatching."""
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
        if self._waiting and (not self._background or self._foreground_groups_in_a_row < 3):
            self._foreground_groups_in_a_row += 1
            return self._waiting
        self._foreground_groups_in_a_row = 0
        return self._background

    def _run_group(self) -> None:
        queue = self._next_queue()
        outcomes: list[_Outcome] = []
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            fault = StorageUnavailable(f"cannot begin: {error}")
            while queue and len(outcomes) < UNITS_MAX:
                outcomes.append((queue.popleft()[1], None, fault))
            self._settle(outcomes)
            return
        deadline = time.perf_counter() + WORK_S_MAX
        while queue and len(outcomes) < UNITS_MAX:
            unit, future = queue.popleft()
            outcomes.append(self._run_unit(unit, future))
            if not self._connection.in_transaction:
                break  # SQLite rolled the whole group back (disk full, I/O error)
            if time.perf_counter() > deadline:
                break
        self._commits.put(outcomes)

    def _run_unit(self, unit: Unit[Any], future: asyncio.Future[Any]) -> _Outcome:
        execute = self._connection.execute
        try:
            execute("SAVEPOINT unit")
            value = unit(self._transaction)
            execute("RELEASE unit")
        except Exception as error:
            if self._connection.in_transaction:
                execute("ROLLBACK TO unit")
                execute("RELEASE unit")
            if isinstance(error, sqlite3.OperationalError):
                return (future, None, StorageUnavailable(f"statement failed: {error}"))
            return (future, None, error)
        return (future, value, None)

    def _commit_forever(self) -> None:
        while (outcomes := self._commits.get()) is not None:
            fault: sqlite3.Error | None = None
            try:
                if not self._connection.in_transaction:
                    raise sqlite3.OperationalError("the transaction was rolled back by SQLite")
                self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                fault = error
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
            self._loop.call_soon_threadsafe(self._committed, outcomes, fault)

    def _committed(self, outcomes: list[_Outcome], fault: sqlite3.Error | None) -> None:
        self.groups_total += 1
        self.units_total += len(outcomes)
        if fault is not None:
            unavailable = StorageUnavailable(f"commit failed: {fault}")
            outcomes = [(future, None, unavailable) for future, _, _ in outcomes]
        self._settle(outcomes)

    def _settle(self, outcomes: list[_Outcome]) -> None:
        for future, value, error in outcomes:
            if future.done():
                continue  # its caller went away; the work is committed all the same
            if error is None:
                future.set_result(value)
            else:
                future.set_exception(error)
        if self._waiting or self._background:
            # After the callers of this group had their turn, so that what they submit next can join.
            self._loop.call_soon(self._run_group)
        else:
            self._busy = False
            self._idle.set()


__all__ = ["UNITS_MAX", "WORK_S_MAX", "GroupCommit", "Row"]
