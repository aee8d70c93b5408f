"""The simulator's SMSC: a real SMPP 3.4 server on loopback. Nothing is answered before it is committed, and what it
owes an ESME is kept and brought again until it is acknowledged.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar

import structlog

from chappe.clock import Clock
from chappe.operators.smpp.ancillary import CancelSm, QuerySm, ReplaceSm
from chappe.operators.smpp.binds import Bind, Unbind
from chappe.operators.smpp.connection import Connection
from chappe.operators.smpp.constants import INTERFACE_VERSION, TlvTag
from chappe.operators.smpp.constants import CommandStatus as Status
from chappe.operators.smpp.events import (
    Ended,
    Event,
    InFlight,
    RequestReceived,
    RequestTimedOut,
    ResponseLate,
    ResponseReceived,
)
from chappe.operators.smpp.messages import DataSm, SubmitMulti, SubmitSm
from chappe.operators.smpp.pdu import Request
from chappe.operators.smpp.states import State
from chappe.simulator.esme import Esme
from chappe.simulator.intake import read_submission
from chappe.simulator.notebook import Delivery, Notebook
from chappe.simulator.outbox import Outbox
from chappe.simulator.refusals import Refusals
from chappe.simulator.work import Done, Work
from chappe.simulator.worker import Worker
from chappe.storage.database import Database, Transaction

SYSTEM_ID: Final = "Chappe"
"""What a bind is answered."""
CONNECTIONS_MAX: Final = 256
REFUSED_BINDS_MAX: Final = 3
BACKLOG: Final = 128
REST_CHECK_S: Final = 0.5
OTHER_BIND_MS: Final = 200
"""A receipt may travel on another connection than the answer to its submit, and programs that read each on a thread
(Kannel is one) drop a receipt whose message they do not know yet. So it waits, where there is another connection.
"""
DRAIN_S_MAX: Final = 3.0
CLOSE_S_MAX: Final = 1.0

T = TypeVar("T")
_log: structlog.stdlib.BoundLogger = structlog.get_logger("simulator")


class Smsc:
    """`start`, `listen`, `stop`. `accounts`: system_id -> password. `on_commit` hears of every transaction."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        accounts: Mapping[str, str],
        *,
        on_unexpected: Callable[[], None],
        on_commit: Callable[[Notebook], None],
    ) -> None:
        self._clock = clock
        self._accounts = dict(accounts)
        self._on_unexpected = on_unexpected
        self._on_commit = on_commit
        self._outboxes = {system_id: Outbox(system_id) for system_id in accounts}
        self._connections: dict[Esme, None] = {}
        """The oldest first."""
        self._refusals = Refusals()
        self._worker = Worker(database, clock, self, on_unexpected)
        self._server: asyncio.Server | None = None
        self._waker: asyncio.Task[None] | None = None
        self._is_stopping = False
        self._loop = asyncio.get_running_loop()

    # What the simulator asks

    @property
    def outboxes(self) -> list[Outbox]:
        return list(self._outboxes.values())

    @property
    def binds(self) -> list[tuple[str, State]]:
        """system_id and state of every bind."""
        return [(each.system_id, each.session.state) for each in self._connections if each.session.is_bound]

    def has_receiver(self, system_id: str) -> bool:
        """Whether a bind of this system_id takes what phones send."""
        outbox = self._outboxes.get(system_id)
        return outbox is not None and outbox.has_receiver

    async def call(self, function: Callable[[Transaction, Notebook], T]) -> T:
        """Runs in the next transaction; gives its value after the commit. Raises StorageUnavailable."""
        return await self._worker.call(function)

    # What the simulator does

    async def start(self) -> None:
        """Begins to work; nothing can connect yet."""
        await self._worker.start()
        self._waker = asyncio.create_task(self._wake_forever(), name="simulator-rests")

    async def listen(self, host: str, port: int) -> int:
        """Listens; gives the port. Raises OSError."""
        self._server = await self._loop.create_server(lambda: Esme(self), host, port, backlog=BACKLOG)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Takes no more, answers what it has, unbinds and ends the connections."""
        self._is_stopping = True
        if self._server is not None:
            self._server.close()
        if self._waker is not None:
            self._waker.cancel()
        await self._worker.stop(DRAIN_S_MAX)
        connections = tuple(self._connections)
        for connection in connections:
            connection.say_goodbye()
        if connections:
            await asyncio.wait([connection.closed for connection in connections], timeout=CLOSE_S_MAX)

    # What happens on the connections

    def on_connected(self, connection: Connection) -> None:
        assert isinstance(connection, Esme)
        self._connections[connection] = None
        if len(self._connections) > CONNECTIONS_MAX or self._is_stopping:
            # Whoever has bound stays; of the others the oldest goes, which had its time to bind.
            next(each for each in self._connections if not each.session.is_bound).abort()

    def on_writable(self, connection: Connection) -> None:
        assert isinstance(connection, Esme)
        self._pump(connection.system_id)

    def on_unexpected(self, connection: Connection, error: Exception) -> None:
        # A defect of ours: it must not take the other connections with it.
        self._on_unexpected()
        _log.error("unexpected", exc_info=error)

    def on_events(self, connection: Connection, events: list[Event]) -> None:
        assert isinstance(connection, Esme)
        for event in events:
            self._event(connection, event)
        self._pump(connection.system_id)

    def _event(self, connection: Esme, event: Event) -> None:
        if isinstance(event, RequestReceived):
            self._request(connection, event.request)
        elif isinstance(event, ResponseReceived):
            status = event.response.command_status
            if not event.accepted and not status:
                status = Status.ESME_RSYSERR  # a generic_nack
            self._answered(connection, event.sent, status)
        elif isinstance(event, ResponseLate):
            if event.response.command_status == Status.ESME_ROK:
                self._answered(connection, event.sent, Status.ESME_ROK)
        elif isinstance(event, RequestTimedOut):
            if isinstance(event.sent.context, Delivery):
                self._outboxes[connection.system_id].again(event.sent.context)
        elif isinstance(event, Ended):
            self._ended(connection, event)

    def _ended(self, connection: Esme, ended: Ended) -> None:
        self._connections.pop(connection, None)
        connection.close()
        outbox = self._outboxes.get(connection.system_id)
        if outbox is not None:
            _log.info("unbound", system_id=connection.system_id, reason=ended.reason.value)
            outbox.leave(connection, _owed(ended.unanswered))
            self._worker.wake()

    def _request(self, connection: Esme, request: Request) -> None:
        if isinstance(request, SubmitSm | DataSm | SubmitMulti):
            submission = read_submission(request, self._refusals, self._clock.now_ms())
            if submission.refusal is not None and not submission.items:
                connection.respond(submission.refusal)
            else:
                self._worker.submit(connection, submission)
        elif isinstance(request, Bind):
            self._bind(connection, request)
        else:
            assert isinstance(request, QuerySm | CancelSm | ReplaceSm | Unbind)
            connection.is_leaving = isinstance(request, Unbind)
            self._worker.ask(connection, request)

    def _bind(self, connection: Esme, request: Bind) -> None:
        password = self._accounts.get(request.system_id)
        status = Status.ESME_ROK
        if password is None:
            status = Status.ESME_RINVSYSID
        elif not hmac.compare_digest(password.encode(), request.password.encode()):
            status = Status.ESME_RINVPASWD
        elif self._is_stopping:
            status = Status.ESME_RBINDFAIL
        if status:
            _log.info("bind refused", status=status.name)
            connection.respond(request.response(status))
            connection.refused_binds += 1
            if connection.refused_binds >= REFUSED_BINDS_MAX:
                connection.close()
            return
        connection.system_id = request.system_id
        version = (
            ((int(TlvTag.SC_INTERFACE_VERSION), bytes((INTERFACE_VERSION,))),)
            if request.interface_version >= INTERFACE_VERSION
            else ()  # SMPP 3.3 has no optional parameters
        )
        connection.respond(request.response(system_id=SYSTEM_ID, tlvs=version))
        _log.info("bound", system_id=connection.system_id, state=connection.session.state.value)
        if connection.is_receiver:
            self._outboxes[connection.system_id].join(connection)
            self._worker.wake()

    def _answered(self, connection: Esme, sent: InFlight, command_status: int) -> None:
        delivery = sent.context
        if not isinstance(delivery, Delivery) or delivery.is_done:
            return
        outbox = self._outboxes[connection.system_id]
        if outbox.answered(connection, delivery, command_status, connection.now_ms()):
            self._worker.acknowledge(delivery)

    # What the worker tells

    def settled(self, work: Work, done: Done) -> None:
        touched: dict[Esme, None] = {}
        for outbox in self.outboxes:
            mine = [each for each in done.note.deliveries if each.system_id == outbox.system_id]
            if mine:
                if self._is_answered_elsewhere(work, outbox.system_id):
                    self._put_off(mine, outbox.system_id)
                outbox.add(mine)
                self._hand_out(outbox, touched, early_only=True)
        for connection, response in done.answers:
            connection.respond(response)
            touched[connection] = None
        for outbox in self.outboxes:
            self._hand_out(outbox, touched)
        self._flush(touched)
        self._on_commit(done.note)

    def _is_answered_elsewhere(self, work: Work, system_id: str) -> bool:
        """Whether what was submitted may have its answers on one bind and its receipts on another."""
        if not any(connection.system_id == system_id for connection, _ in work.submissions):
            return False
        return sum(connection.system_id == system_id for connection in self._connections) > 1

    def _put_off(self, deliveries: Iterable[Delivery], system_id: str) -> None:
        ready_at_ms = int(self._loop.time() * 1000) + OTHER_BIND_MS
        for each in deliveries:
            if not each.is_early:
                each.ready_at_ms = ready_at_ms
        self._loop.call_later((OTHER_BIND_MS + 1) / 1000, self._pump, system_id)

    def failed(self, work: Work) -> None:
        touched: dict[Esme, None] = {}
        for connection, submission in work.submissions:
            connection.respond(submission.request.response(Status.ESME_RSYSERR))
            touched[connection] = None
        for connection, request in work.asked:
            connection.respond(request.response(Status.ESME_RSYSERR))
            touched[connection] = None
        self._flush(touched)

    def _pump(self, system_id: str) -> None:
        outbox = self._outboxes.get(system_id)
        if outbox is not None:
            touched: dict[Esme, None] = {}
            self._hand_out(outbox, touched)
            self._flush(touched)
            if outbox.load_from is not None:
                self._worker.wake()

    def _hand_out(self, outbox: Outbox, touched: dict[Esme, None], *, early_only: bool = False) -> None:
        for receiver in outbox.pump(int(self._loop.time() * 1000), early_only=early_only):
            assert isinstance(receiver, Esme)
            touched[receiver] = None

    def _flush(self, touched: Iterable[Esme]) -> None:
        for connection in touched:
            connection.flush()
            if connection.session.state is State.UNBOUND:
                connection.close()

    async def _wake_forever(self) -> None:
        # For ESMEs whose rest after a refusal is over.
        while True:
            await asyncio.sleep(REST_CHECK_S)
            for system_id in self._outboxes:
                self._pump(system_id)


def _owed(unanswered: Iterable[InFlight]) -> list[Delivery]:
    return [sent.context for sent in unanswered if isinstance(sent.context, Delivery)]
