"""Group commit on PostgreSQL: one connection, one queue; what waits when a commit returns goes into the next one.

A unit may be run more than once: when its group fails it is run again by itself, and when the server chose its
transaction to give way to another one. What it did before was taken back.

A connection that is cut during COMMIT leaves the result unknown. Nobody is told anything then until the database has
been asked. Each transaction that writes anything writes a number into its writer's own row of `commit_marks` too, last of
all: once the cut session is gone, the row has that number or it has not. Unlike the server's own memory of transactions,
it says the truth on another server as well, which has taken over from the one that died: there the number of a
transaction that never arrived may be another one's.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog

from chappe.storage.database import Batch, OutcomeUnknown, StorageUnavailable, Transaction, Unit
from chappe.storage.postgres_connection import (
    Connection,
    Connector,
    Link,
    PostgresTransaction,
    close_quietly,
    end_session,
    has_session,
    is_broken,
    is_collision,
    is_fault,
)
from chappe.storage.waiting import call_waiting

UNITS_MAX = 64
"""Units in one transaction: each that writes is a subtransaction, of which the server keeps 64 at hand."""
BATCH_MAX = 256
WORK_S_MAX = 0.02
COLLISIONS_MAX = 8
"""How often a unit gives way to others before its caller is refused."""
COLLISION_REST_S = 0.02
DOWN_S_MAX = 3.0
"""How long callers wait for the server to come back before they are refused; the next ones are refused at once."""
RECONNECT_S_MIN = 0.05
RECONNECT_S_MAX = 1.0
UNDER_WAY_REST_S = 0.05

_NOW_MS = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"
# One journey for both. A transaction that has written nothing has no number of the server's, and gets no mark.
_MARK_AND_COMMIT = (
    f"INSERT INTO commit_marks (writer, number, marked_at_ms) SELECT {{writer}}, {{number}}, {_NOW_MS}"
    " WHERE pg_current_xact_id_if_assigned() IS NOT NULL"
    " ON CONFLICT (writer) DO UPDATE SET number = excluded.number, marked_at_ms = excluded.marked_at_ms; COMMIT"
)
# It writes, so that its own commit waits for the standby where there is one to wait for: what it reads is there too then.
_READ_MARK = f"UPDATE commit_marks SET marked_at_ms = {_NOW_MS} WHERE writer = $1 RETURNING number"
_FORGET_MARK = "DELETE FROM commit_marks WHERE writer = $1"

_log: structlog.stdlib.BoundLogger = structlog.get_logger("storage")


class _Call:
    """A unit, or items of one batch, with the futures of who wait for it."""

    __slots__ = ("batch", "futures", "items", "unit")

    def __init__(
        self,
        unit: Unit[Any] | None,
        batch: Batch[Any, Any] | None,
        items: list[Any],
        futures: list[asyncio.Future[Any]],
    ) -> None:
        self.unit = unit
        self.batch = batch
        self.items = items
        self.futures = futures

    def __call__(self, tx: Transaction) -> Sequence[Any]:
        if self.batch is not None:
            return self.batch(tx, list(self.items))
        assert self.unit is not None
        return [self.unit(tx)]

    def halves(self) -> list[_Call]:
        """A batch that failed in two parts, so that the bad item is found soon and fails by itself."""
        middle = len(self.items) // 2
        return [
            _Call(None, self.batch, self.items[part], self.futures[part])
            for part in (slice(middle), slice(middle, None))
        ]

    def done(self, values: Sequence[Any]) -> None:
        for future, value in zip(self.futures, values, strict=True):
            if not future.done():  # its caller went away; the work is committed all the same
                future.set_result(value)

    def failed(self, error: Callable[[], BaseException]) -> None:
        # One each: an exception that several tasks raise collects all their tracebacks.
        for future in self.futures:
            if not future.done():
                future.set_exception(error())


class _Failed(Exception):
    """A call raised; the transaction it was in is of no use any more."""

    def __init__(self, call: _Call, error: BaseException) -> None:
        super().__init__(str(error))
        self.call = call
        self.error = error


async def _take_back(connection: Connection, call: _Call) -> None:
    try:
        await connection.execute("ROLLBACK TO unit")
    except Exception as fault:
        raise _Failed(call, fault) from fault


class PostgresGroupCommit:
    """One writer of a PostgreSQL database; belongs to one event loop. `settings` are those of its sessions,
    `notify` is told what committed units want to have told to others."""

    def __init__(
        self, connector: Connector, settings: Mapping[str, str], notify: Callable[[set[str]], None]
    ) -> None:
        self._notify = notify
        self._connector = connector
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Call] = deque()
        self._link: Link | None = None
        self._lost: list[Link] = []
        """Connections that broke: the server may still hold their transactions, and with them their rows."""
        self._has_work = asyncio.Event()
        self._closing = asyncio.Event()
        self._is_busy = False
        self._down_since_s: float | None = None
        self._task = asyncio.create_task(self._run(), name="postgres-commit")
        self._writer = secrets.randbits(62)
        self._number = 0
        self.groups_total = 0
        self.units_total = 0

    def submit(self, unit: Unit[Any]) -> asyncio.Future[Any]:
        """Queues a unit. One whose caller is cancelled runs and commits all the same."""
        return self._queue(_Call(unit, None, [None], [self._future()]))

    def submit_batched(self, batch: Batch[Any, Any], item: Any) -> asyncio.Future[Any]:
        """Queues one item of a batch: those of the same `batch` that stand together are run together."""
        future = self._future()
        last = self._waiting[-1] if self._waiting else None
        if last is not None and last.batch is batch and len(last.items) < BATCH_MAX:
            last.items.append(item)
            last.futures.append(future)
            return future
        return self._queue(_Call(None, batch, [item], [future]))

    @property
    def is_busy(self) -> bool:
        """Whether a group is under way."""
        return self._is_busy

    @property
    def waiting(self) -> int:
        """Callers that wait for a group now."""
        return sum(len(call.futures) for call in self._waiting)

    @property
    def is_up(self) -> bool:
        """Whether the last thing known of the server is that it answers."""
        return self._down_since_s is None

    async def close(self) -> None:
        """Refuses new units, lets the queued ones commit, closes the connection."""
        self._closing.set()
        self._has_work.set()
        await self._task
        if self._link is not None:
            with contextlib.suppress(Exception):  # a small row stays behind
                await self._link.connection.execute(_FORGET_MARK, self._writer)
            await close_quietly(self._link)
            self._link = None

    def _future(self) -> asyncio.Future[Any]:
        if self._closing.is_set():
            raise StorageUnavailable("the database is closed")
        return self._loop.create_future()

    def _queue(self, call: _Call) -> asyncio.Future[Any]:
        self._waiting.append(call)
        self._has_work.set()
        return call.futures[0]

    # --- groups -------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            if not self._waiting:
                if self._closing.is_set():
                    return
                self._has_work.clear()
                await self._has_work.wait()
                continue
            if self._link is None or self._link.connection.is_closed():
                await self._connect()
                continue
            # Whatever else is ready in this turn of the loop joins the same group.
            await asyncio.sleep(0)
            group = [self._waiting.popleft() for _ in range(min(len(self._waiting), UNITS_MAX))]
            self._is_busy = True
            try:
                await self._run_group(group)
            except BaseException as error:
                for call in group:
                    call.failed(lambda error=error: StorageUnavailable(f"group commit failed: {error!r}"))
                self._drop_link()
                if not isinstance(error, Exception):
                    raise
                _log.error("an unexpected exception", exc_info=error)
            finally:
                self._is_busy = False

    async def _run_group(self, group: list[_Call]) -> None:
        """Commits the calls together; those that cannot stay with the others, one by one or in halves."""
        alone = await self._commit(group)
        collisions = 0
        while alone:
            call = alone.popleft()
            if self._link is None:
                call.failed(lambda: StorageUnavailable("the connection to PostgreSQL broke"))
                continue
            rest = await self._commit([call], collisions=collisions)
            collisions = collisions + 1 if call in rest else 0
            if collisions:
                await asyncio.sleep(COLLISION_REST_S * collisions * (0.5 + random.random()))  # noqa: S311
            alone.extendleft(reversed(rest))

    async def _commit(self, calls: list[_Call], *, collisions: int = 0) -> deque[_Call]:
        """One transaction. Gives the calls that are to be run again in transactions of their own."""
        assert self._link is not None
        link = self._link
        connection = link.connection
        has_neighbours = len(calls) > 1
        settled: list[tuple[_Call, Sequence[Any]]] = []
        refused: list[tuple[_Call, BaseException]] = []
        deadline_s = self._loop.time() + WORK_S_MAX
        rest: deque[_Call] = deque(calls)
        again: deque[_Call] = deque()
        transaction = PostgresTransaction(connection)
        try:
            await connection.execute("BEGIN; SAVEPOINT unit" if has_neighbours else "BEGIN")
            while rest:
                call = rest.popleft()
                try:
                    values = await call_waiting(call, transaction)
                except Exception as error:
                    if is_fault(error) or is_collision(error) or not has_neighbours:
                        raise _Failed(call, error) from error
                    await _take_back(connection, call)
                    if len(call.items) > 1:
                        again += call.halves()
                    else:
                        refused.append((call, error))
                    continue
                settled.append((call, values))
                if self._loop.time() > deadline_s:
                    break
                if rest:
                    await connection.execute("RELEASE unit; SAVEPOINT unit")
            fault: Exception | None = await self._end(link, has_written=bool(settled))
        except _Failed as failed:
            return await self._failed(failed, link, calls, collisions)
        except Exception as error:
            if not is_fault(error):
                raise
            self._drop_link()
            fault = StorageUnavailable(f"the transaction failed: {error}")
        # What found no time goes first in the next group.
        self._waiting.extendleft(reversed(rest))
        self.groups_total += 1
        if fault is not None:
            for call, _ in settled:
                call.failed(lambda fault=fault: type(fault)(str(fault)))
        else:
            if transaction.notices:
                self._notify(transaction.notices)
            for call, values in settled:
                self.units_total += len(call.futures)
                call.done(values)
        for call, error in refused:
            call.failed(lambda error=error: error)
        return again

    async def _failed(self, failed: _Failed, link: Link, calls: list[_Call], collisions: int) -> deque[_Call]:
        """Takes the whole transaction back. Gives what is to be run again by itself."""
        error = failed.error
        try:
            if is_broken(error):
                raise error
            await link.connection.execute("ROLLBACK")
        except Exception as fault:
            self._drop_link()
            for call in calls:
                call.failed(lambda fault=fault: StorageUnavailable(f"the transaction failed: {fault}"))
            return deque()
        if len(calls) > 1:
            return deque(calls)
        call = failed.call
        if is_collision(error):
            if collisions < COLLISIONS_MAX:
                return deque([call])
            call.failed(lambda: StorageUnavailable(f"others were always faster: {error}"))
        elif is_fault(error):
            call.failed(lambda: StorageUnavailable(f"statement failed: {error}"))
        elif len(call.items) > 1:
            return deque(call.halves())
        elif isinstance(error, StopIteration):  # a future refuses to carry one
            call.failed(lambda: RuntimeError("a unit raised StopIteration"))
        else:
            call.failed(lambda: error)
        return deque()

    # --- COMMIT -------------------------------------------------------------------------------------------

    async def _end(self, link: Link, *, has_written: bool) -> Exception | None:
        """COMMIT; gives why nothing is stored, or None. Waits for the truth when the connection is cut."""
        self._number += 1
        statement = _MARK_AND_COMMIT.format(writer=self._writer, number=self._number)
        try:
            tag = await link.connection.execute(statement if has_written else "COMMIT")
        except Exception as error:
            self._drop_link()
            if not is_broken(error):
                return StorageUnavailable(f"commit failed: {error}")
            if not has_written:
                return None  # there is nothing to be unsure of
            _log.warning("the connection was cut during a commit: its result is looked up", reason=str(error))
            return await self._find_out(link, self._number)
        return None if tag == "COMMIT" else StorageUnavailable("commit failed: the server rolled back")

    async def _find_out(self, link: Link, number: int) -> Exception | None:
        """What became of the transaction `number` of a lost connection."""
        told = ""
        while True:
            if self._link is None or self._link.connection.is_closed():
                await self._connect()
            if self._link is None:
                if self._closing.is_set():
                    return OutcomeUnknown("PostgreSQL went away during a commit")
                await asyncio.sleep(RECONNECT_S_MAX)
                continue
            connection = self._link.connection
            try:
                if not await has_session(connection, link):
                    if await connection.fetchval(_READ_MARK, self._writer) == number:
                        return None
                    return StorageUnavailable("commit failed: the connection was cut before it")
                await end_session(connection, link)
            except Exception as error:
                # Also where it is another server now, or one that takes no writes yet: there is nothing but to ask again.
                self._drop_link()
                reason = str(error)
                if self._closing.is_set():
                    return OutcomeUnknown(f"the result of a commit could not be looked up: {reason}")
                if reason != told:
                    told = reason
                    _log.warning("the result of a commit cannot be looked up yet", reason=reason)
            await asyncio.sleep(UNDER_WAY_REST_S)

    # --- the connection -----------------------------------------------------------------------------------

    def _drop_link(self) -> None:
        if self._link is not None:
            self._link.connection.terminate()
            self._lost.append(self._link)
            self._link = None

    async def _connect(self) -> None:
        """Connects, with growing rests; refuses who waits once the server has been away for `DOWN_S_MAX`.

        Without a link afterwards there is nobody left to work for, or the database is being closed.
        """
        self._drop_link()
        rest_s = RECONNECT_S_MIN
        while True:
            try:
                link = await self._connector.link(settings=self._settings)
                await self._end_lost(link, self._lost)
                self._lost.clear()
            except Exception as error:
                reason = str(error)
            else:
                if self._down_since_s is not None:
                    _log.info("PostgreSQL is back")
                self._down_since_s = None
                self._link = link
                return
            now_s = self._loop.time()
            if self._down_since_s is None:
                self._down_since_s = now_s
                _log.error("PostgreSQL is not available", reason=reason)
            if now_s - self._down_since_s >= DOWN_S_MAX or self._closing.is_set():
                self._refuse_waiting(reason)
                return
            await asyncio.sleep(rest_s)
            rest_s = min(rest_s * 2, RECONNECT_S_MAX)

    async def _end_lost(self, link: Link, lost: Sequence[Link]) -> None:
        # A transaction of a cut connection would keep its rows locked until the server finds out by itself.
        for each in lost:
            await end_session(link.connection, each)

    def _refuse_waiting(self, reason: str) -> None:
        refused, self._waiting = self._waiting, deque()
        for call in refused:
            call.failed(lambda: StorageUnavailable(reason))
