"""The simulator's only writer: takes what has come in, commits it, says when it is done, and begins again."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Any, Final, Protocol, TypeVar

import structlog

from chappe.clock import Clock
from chappe.operators.smpp.binds import Unbind
from chappe.operators.smpp.commands import decode
from chappe.operators.smpp.messages import DeliverSm
from chappe.simulator.asked import Asking
from chappe.simulator.esme import Esme
from chappe.simulator.intake import Submission
from chappe.simulator.notebook import Delivery, Notebook, Numbering
from chappe.simulator.outbox import LOADED_MAX, Outbox
from chappe.simulator.work import SUBMISSIONS_MAX, Call, Done, Work
from chappe.storage.database import Database, Reader, StorageUnavailable, Transaction

ACKNOWLEDGED_MAX: Final = 512
CALLS_MAX: Final = 16
STORAGE_RETRY_S: Final = 0.5

T = TypeVar("T")
_log: structlog.stdlib.BoundLogger = structlog.get_logger("simulator")


class Owner(Protocol):
    """Whom the worker tells."""

    def settled(self, work: Work, done: Done) -> None:
        """It is committed."""
        ...

    def failed(self, work: Work) -> None:
        """Nothing of it is stored."""
        ...

    @property
    def outboxes(self) -> list[Outbox]:
        """What may want to be loaded."""
        ...


class Worker:
    """`start`, then give it work; everything is committed in the order it came, in transactions of many."""

    def __init__(
        self, database: Database, clock: Clock, owner: Owner, on_unexpected: Callable[[], None]
    ) -> None:
        self._database = database
        self._clock = clock
        self._owner = owner
        self._on_unexpected = on_unexpected
        self._submissions: deque[tuple[Esme, Submission]] = deque()
        self._asked: deque[tuple[Esme, Asking | Unbind]] = deque()
        self._acknowledged: deque[Delivery] = deque()
        self._calls: deque[tuple[Call, asyncio.Future[Any]]] = deque()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        numbering = await self._database.read(Numbering.read)
        self._task = asyncio.create_task(self._run(numbering), name="simulator")

    async def stop(self, seconds_max: float) -> None:
        """Commits what is there, unless that takes too long."""
        if self._task is None:
            return
        self.wake()
        try:
            await asyncio.wait_for(self._idle.wait(), seconds_max)
        except TimeoutError:
            _log.warning("stopped before everything was stored")
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        for _, future in self._calls:
            future.cancel()

    def wake(self) -> None:
        """There is something to do, or to load."""
        self._idle.clear()
        self._wake.set()

    def submit(self, connection: Esme, submission: Submission) -> None:
        self._submissions.append((connection, submission))
        self.wake()

    def ask(self, connection: Esme, request: Asking | Unbind) -> None:
        self._asked.append((connection, request))
        self.wake()

    def acknowledge(self, delivery: Delivery) -> None:
        """It is owed no more."""
        self._acknowledged.append(delivery)
        self.wake()

    async def call(self, function: Callable[[Transaction, Notebook], T]) -> T:
        """Runs in the next transaction; gives its value after the commit. Raises StorageUnavailable."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._calls.append((function, future))
        self.wake()
        return await future

    async def _run(self, numbering: Numbering) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while True:
                await self._load()
                work = self._take()
                if not work:
                    break
                await self._do(work, numbering)
            self._idle.set()

    def _take(self) -> Work:
        # unbind and the like wait until what came before them is stored.
        submissions = _take(self._submissions, SUBMISSIONS_MAX)
        return Work(
            submissions,
            [] if self._submissions else _take(self._asked, SUBMISSIONS_MAX),
            _take(self._acknowledged, ACKNOWLEDGED_MAX),
            _take(self._calls, CALLS_MAX),
        )

    async def _do(self, work: Work, numbering: Numbering) -> None:
        def unit(tx: Transaction) -> Done:
            return work.run(tx, numbering, self._clock.now_ms())

        try:
            done = await self._database.write(unit, background=True)
        except StorageUnavailable as error:
            _log.warning("storage unavailable", reason=str(error))
            self._acknowledged.extendleft(reversed(work.acknowledged))
            self._fail(work, error)
            await asyncio.sleep(STORAGE_RETRY_S)
        except Exception as error:
            self._on_unexpected()
            _log.exception("unexpected")
            self._fail(work, error)
        else:
            try:
                self._owner.settled(work, done)
            except Exception:
                # It is stored; whoever waits for an answer asks again.
                self._on_unexpected()
                _log.exception("unexpected")
            for (_, future), value in zip(work.calls, done.values, strict=True):
                if not future.done():
                    future.set_result(value)

    def _fail(self, work: Work, error: Exception) -> None:
        self._owner.failed(work)
        for _, future in work.calls:
            if not future.done():
                future.set_exception(error)

    async def _load(self) -> None:
        # Between two transactions, so that what is loaded and what was just committed cannot be the same.
        for outbox in self._owner.outboxes:
            start = outbox.load_from
            if start is not None:
                try:
                    outbox.loaded(await self._database.read(_owed(outbox.system_id, start)))
                except StorageUnavailable:
                    return


def _owed(system_id: str, above: int) -> Callable[[Reader], list[Delivery]]:
    def read(reader: Reader) -> list[Delivery]:
        rows = reader.all(
            "SELECT id, message_id, is_reply, pdu FROM sim_deliveries WHERE system_id = ? AND id > ?"
            " ORDER BY id LIMIT ?",
            (system_id, above, LOADED_MAX),
        )
        deliveries: list[Delivery] = []
        for delivery_id, message_id, is_reply, octets in rows:
            pdu = decode(bytes(octets))
            assert isinstance(pdu, DeliverSm)
            deliveries.append(
                Delivery(delivery_id, system_id, message_id, bool(is_reply), pdu, bytes(octets))
            )
        return deliveries

    return read


def _take(queue: deque[T], count: int) -> list[T]:
    if len(queue) <= count:
        taken = list(queue)
        queue.clear()
        return taken
    taken = list(islice(queue, count))
    for _ in taken:
        queue.popleft()
    return taken
