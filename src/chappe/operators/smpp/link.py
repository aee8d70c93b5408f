"""One bind of an operator: connects, binds, stays bound, parts in good order, and comes back whenever it ends."""

import asyncio
import math
import ssl
from collections.abc import Callable
from typing import Final, Literal, Protocol

import structlog

from chappe.operators.names import connected
from chappe.operators.smpp.binds import Bind, BindReceiver, BindTransceiver, BindTransmitter, Outbind, Unbind
from chappe.operators.smpp.connection import Connection
from chappe.operators.smpp.constants import command_name, status_name
from chappe.operators.smpp.events import (
    Ended,
    EndReason,
    Event,
    InFlight,
    RequestReceived,
    RequestRefused,
    RequestTimedOut,
    ResponseLate,
    ResponseReceived,
    ResponseUnmatched,
)
from chappe.operators.smpp.messages import DataSm, DeliverSm
from chappe.operators.smpp.pacing import back_off_ms
from chappe.operators.smpp.pdu import Request
from chappe.operators.smpp.settings import Settings
from chappe.operators.smpp.states import Role, State
from chappe.operators.smpp.submission import Submission
from chappe.settings import OperatorSettings

_log: structlog.stdlib.BoundLogger = structlog.get_logger("smpp")

BindKind = Literal["transmitter", "receiver", "transceiver"]

CONNECT_S_MAX: Final = 10.0
RECONNECT_MS_FIRST: Final = 1_000
STEADY_MS: Final = 10_000
"""A bind that lived so long was good: the next try comes soon again."""
PARTING_S_MAX: Final = 2.0
"""After the peer's unbind, for the answers that are under way."""
UNBIND_S_MAX: Final = 1.0
COMPLAINTS_MAX: Final = 20
"""Lines in the log about what a peer does wrong, a connection: it may go on all day."""

_FORESEEN: Final = frozenset({EndReason.LOCAL, EndReason.UNBOUND})

_BINDS: Final[dict[BindKind, type[Bind]]] = {
    "transmitter": BindTransmitter,
    "receiver": BindReceiver,
    "transceiver": BindTransceiver,
}


class Owner(Protocol):
    """The operator that a link belongs to."""

    def link_changed(self) -> None:
        """A link became ready for submissions, or ceased to be. `turn_ended` follows, which may write."""

    def answered(self, connection: Connection, submission: Submission, event: ResponseReceived) -> None: ...

    def answered_late(self, submission: Submission, event: ResponseLate) -> None:
        """After it was reported as lost."""

    def lost(self, submission: Submission, connection: Connection | None) -> None:
        """No answer will come; with `connection`, a slot there is to be given back."""

    def arrived(self, connection: Connection, request: DeliverSm | DataSm) -> None: ...

    def turn_ended(self) -> None:
        """Everything of one read, or one timer, is told."""

    def on_unexpected(self, error: Exception) -> None: ...


class Link:
    """The handler of one connection after the other. `is_ready`: bound, able to submit, and not about to part."""

    def __init__(
        self,
        owner: Owner,
        operator: OperatorSettings,
        kind: BindKind,
        label: str,
        *,
        tls: ssl.SSLContext | None,
        random: Callable[[], float],
    ) -> None:
        self.connection: Connection | None = None
        self.is_ready = False
        self._owner = owner
        self._operator = operator
        self._kind: BindKind = kind
        self._tls = tls
        self._random = random
        self._log = _log.bind(operator=operator.name, bind=label)
        self._session_settings = Settings(
            window=operator.window,
            settled_by_owner=True,
            response_ms=math.ceil(operator.response_timeout_s * 1000),
            enquire_link_ms=math.ceil(operator.enquire_link_s * 1000),
            bind_ms=math.ceil(operator.response_timeout_s * 1000),
        )
        self._open: Connection | None = None
        """The last connection, until its socket is closed too."""
        self._stopping = False
        self._draining = False
        self._unbind: Unbind | None = None
        """The peer's, to be answered once the answers under way have come."""
        self._deadline: asyncio.TimerHandle | None = None
        self._bound_at_ms: int | None = None
        self._was_refused = False
        self._complaints = 0
        self._task: asyncio.Task[None] = asyncio.create_task(
            self._run(), name=f"smpp {operator.name} {label}"
        )

    @property
    def room(self) -> int:
        """Submissions that fit into the window now."""
        connection = self.connection
        return connection.room if self.is_ready and connection is not None else 0

    async def stop(self, within_s: float) -> None:
        """Waits for answers under way, unbinds, closes."""
        self._stopping = True
        connection = self._open
        if connection is None or connection.closed.done():
            self._task.cancel()
        elif connection.session.is_bound:
            self._drain(within_s)
        else:
            connection.close()
        await asyncio.wait([self._task])

    def settled(self) -> None:
        """Outcomes of this link's were committed: it may part now, if it was to."""
        if self._draining:
            self._check_drained()

    # The life of a link

    async def _run(self) -> None:
        failures = 0
        while not self._stopping:
            self._bound_at_ms = None
            try:
                await self._connect()
            except asyncio.CancelledError:
                return
            except Exception as error:
                self._owner.on_unexpected(error)
            if self._stopping:
                return
            failures = 1 if self._was_steady() else failures + 1
            wait_ms = back_off_ms(
                failures, RECONNECT_MS_FIRST, self._operator.reconnect_s_max * 1000, self._random
            )
            self._log.info("trying again", in_s=round(wait_ms / 1000, 1))
            try:
                await asyncio.sleep(wait_ms / 1000)
            except asyncio.CancelledError:
                return

    async def _connect(self) -> None:
        """One connection from beginning to end."""
        operator = self._operator
        try:
            async with asyncio.timeout(CONNECT_S_MAX):
                connection = await connected(
                    lambda: Connection(self, Role.ESME, self._session_settings),
                    operator.host,
                    operator.port,
                    self._tls,
                )
        except TimeoutError:
            self._log.warning("the operator does not answer", host=operator.host, port=operator.port)
            return
        except (OSError, ValueError) as error:  # ValueError: a host name that cannot be one
            reason = str(error)
            self._log.warning(
                "the operator cannot be reached", host=operator.host, port=operator.port, reason=reason
            )
            return
        await connection.closed

    def _was_steady(self) -> bool:
        now_ms = asyncio.get_running_loop().time() * 1000
        return self._bound_at_ms is not None and now_ms - self._bound_at_ms >= STEADY_MS

    # What the connection tells

    def on_connected(self, connection: Connection) -> None:
        self.connection = self._open = connection
        self._complaints = 0
        self._was_refused = False
        operator = self._operator
        bind = _BINDS[self._kind](
            operator.system_id, operator.password, operator.system_type, address_range=operator.address_range
        )
        connection.session.send(bind, connection.now_ms())

    def on_events(self, connection: Connection, events: list[Event]) -> None:
        is_broken = False
        lost_count = 0
        is_silent = False
        for event in events:
            try:
                self._on_event(connection, event)
                if isinstance(event, RequestTimedOut):
                    lost_count += 1
                    # Not one octet since it was sent: nobody is there.
                    is_silent |= connection.heard_at_ms <= event.sent.sent_at_ms
            except Exception as error:
                # The others of this read must not be lost with it.
                self._owner.on_unexpected(error)
                sent = getattr(event, "sent", None)
                if isinstance(sent, InFlight) and isinstance(sent.context, Submission):
                    self._owner.lost(sent.context, None)
                is_broken = True
        if lost_count:
            self._log.warning("answers did not come in time", requests=lost_count)
        if is_broken:
            connection.abort()
        elif is_silent:
            self._log.warning("the operator has fallen silent")
            connection.close()
        self._owner.turn_ended()
        self.settled()

    def on_writable(self, connection: Connection) -> None:
        self._owner.turn_ended()

    def on_unexpected(self, connection: Connection, error: Exception) -> None:
        self._owner.on_unexpected(error)

    # Inside

    def _on_event(self, connection: Connection, event: Event) -> None:
        if isinstance(event, ResponseReceived):
            submission = event.sent.context
            if isinstance(submission, Submission):
                self._owner.answered(connection, submission, event)
            else:
                self._on_own_answer(connection, event)
        elif isinstance(event, RequestReceived):
            self._on_request(connection, event.request)
        elif isinstance(event, RequestTimedOut):
            if isinstance(event.sent.context, Submission):
                self._owner.lost(event.sent.context, connection)
        elif isinstance(event, ResponseLate):
            if isinstance(event.sent.context, Submission):
                self._owner.answered_late(event.sent.context, event)
        elif isinstance(event, RequestRefused):
            self._complain(
                "a request was refused",
                command=command_name(event.command_id),
                status=status_name(event.command_status),
                reason=event.reason,
            )
        elif isinstance(event, ResponseUnmatched):
            self._complain(
                "an answer to nothing that was asked",
                command=command_name(event.command_id),
                status=status_name(event.command_status),
            )
        elif isinstance(event, Ended):
            self._on_ended(connection, event)

    def _on_own_answer(self, connection: Connection, event: ResponseReceived) -> None:
        """To a bind or an unbind."""
        request = event.sent.request
        if isinstance(request, Unbind):
            connection.close()
        elif isinstance(request, Bind):
            if not connection.session.is_bound:
                self._was_refused = True
                status = status_name(event.response.command_status)
                self._log.error("the operator refused the bind", status=status)
                connection.close()
                return
            self._bound_at_ms = connection.now_ms()
            self._log.info("bound", peer=getattr(event.response, "system_id", ""))
            if self._stopping:
                self._part()
            elif connection.session.state in (State.BOUND_TX, State.BOUND_TRX):
                self.is_ready = True
                self._owner.link_changed()

    def _on_request(self, connection: Connection, request: Request) -> None:
        if isinstance(request, (DeliverSm, DataSm)):
            self._owner.arrived(connection, request)
        elif isinstance(request, Unbind):
            self._log.info("the operator unbinds")
            self._unbind = request
            self._drain(PARTING_S_MAX)
        elif isinstance(request, Outbind):
            self._complain("outbind came where we connect")
        # alert_notification: a handset is there again. Nothing waits for that here.

    def _on_ended(self, connection: Connection, event: Ended) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self.connection = self._unbind = None
        self._draining = False
        was_ready, self.is_ready = self.is_ready, False
        if event.reason not in _FORESEEN and not self._was_refused:
            self._log.warning(
                "the link ended",
                reason=event.reason.value,
                detail=event.detail,
                unanswered=len(event.unanswered),
            )
        connection.close()
        for sent in event.unanswered:
            if isinstance(sent.context, Submission):
                self._owner.lost(sent.context, None)
        if was_ready:
            self._owner.link_changed()

    def _complain(self, what: str, **details: object) -> None:
        self._complaints += 1
        if self._complaints <= COMPLAINTS_MAX:
            self._log.warning(what, **details)

    # Parting in good order

    def _drain(self, within_s: float) -> None:
        """Nothing new leaves; parts once everything is answered, or after `within_s`."""
        self._draining = True
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = asyncio.get_running_loop().call_later(within_s, self._part)
        if self.is_ready:
            self.is_ready = False
            self._owner.link_changed()
        self._check_drained()

    def _check_drained(self) -> None:
        connection = self.connection
        if connection is None:
            return
        session = connection.session
        if session.in_flight == 0 and session.unsettled == 0:
            waiting = session.unanswered - (self._unbind is not None)
            if waiting <= 0:
                self._part()

    def _part(self) -> None:
        """Unbinds, or answers the peer's unbind."""
        self._draining = False
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        connection = self.connection
        if connection is None:
            return
        try:
            if self._unbind is not None:
                connection.respond(self._unbind.response())
                connection.close()
            else:
                connection.session.send(Unbind(), connection.now_ms())
                connection.flush()
                self._deadline = asyncio.get_running_loop().call_later(UNBIND_S_MAX, connection.close)
        except Exception as error:
            self._owner.on_unexpected(error)
            connection.abort()
