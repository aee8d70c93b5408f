"""`SmppOperator`: an operator behind SMPP, all its binds together, as `messages/port.py` asks for it."""

import asyncio
import random as randomness
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Literal

import structlog

from chappe.logs import Sparing
from chappe.messages.port import Departure, Outcomes, Receipt, Reply, Submitted, Wake
from chappe.operators.smpp.arrival import read_arrival
from chappe.operators.smpp.committer import Committer
from chappe.operators.smpp.connection import Connection
from chappe.operators.smpp.constants import THROTTLED, CommandStatus
from chappe.operators.smpp.errors import LocalError
from chappe.operators.smpp.events import ResponseLate, ResponseReceived
from chappe.operators.smpp.joining import Joiner
from chappe.operators.smpp.link import BindKind, Link
from chappe.operators.smpp.message_ids import match_key
from chappe.operators.smpp.messages import DataSm, DeliverSm, MessageIdResponse
from chappe.operators.smpp.pacing import Pacing
from chappe.operators.smpp.pdu import GenericNack, Response
from chappe.operators.smpp.sender import Sender
from chappe.operators.smpp.submission import Submission, Writer
from chappe.operators.smpp.text import Alphabet
from chappe.operators.tls import client_context
from chappe.settings import OperatorSettings

_log: structlog.stdlib.BoundLogger = structlog.get_logger("smpp")

ANSWERS_S_MAX: Final = 2.5
"""When it stops: for the answers under way, and again for their commit. With unbinding in between and a socket that is
not read, less than the server has to stop.
"""
TRANSIENT: Final = frozenset({int(CommandStatus.ESME_RSYSERR), int(CommandStatus.ESME_RX_T_APPN)})
"""The operator's own trouble: worth another try, but some mean "no" by it."""
TRIES_MAX: Final = 4

_KINDS: Final[dict[str, tuple[BindKind, ...]]] = {
    "transmitter": ("transmitter",),
    "receiver": ("receiver",),
    "transceiver": ("transceiver",),
    "pair": ("transmitter", "receiver"),
}


class SmppOperator:
    """The `Operator` port. `on_unexpected` is called for each exception that nothing expected; `random` gives 0 to 1.

    `share` gives the part of its throughput that this process may use, `on_binds` is told when binds come and go.

    When nobody answers behind it, it goes on trying, and what was handed over comes back as lost after
    `response_timeout_s`, so that it can take another way. Raises `SettingsRefused` for a certificate file that is none.
    """

    def __init__(
        self,
        settings: OperatorSettings,
        *,
        on_unexpected: Callable[[], None] | None = None,
        random: Callable[[], float] = randomness.random,
        share: Callable[[str], float] | None = None,
        on_binds: Callable[[], None] = lambda: None,
    ) -> None:
        self._share = share if settings.throughput else None
        self._on_binds = on_binds
        self.name = settings.name
        self.smsc = settings.smsc or f"{settings.host}:{settings.port}"
        self._settings = settings
        self._count_unexpected = on_unexpected
        self._random = random
        self._tls = client_context(settings) if settings.tls == "tls" else None
        self._default_alphabet = Alphabet(settings.charset)
        self._writer = Writer(settings)
        self._joiner: Joiner[tuple[Connection, DeliverSm | DataSm]] = Joiner(self._default_alphabet)
        self._links: list[Link] = []
        self._senseless, self._late = Sparing(), Sparing()
        self._has_ready = False
        self._live_binds = 0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ms = 0.0
        self._is_started = False
        self._stopping = False

    # The port

    @property
    def free_slots(self) -> int:
        if not self.is_up:
            return 0
        self._use_share()
        return self._sender.free(self._now_ms())

    @property
    def live_binds(self) -> int:
        """Binds that can submit now."""
        return self._live_binds if self.is_up else 0

    @property
    def is_up(self) -> bool:
        return self._has_ready and not self._stopping

    def submit(self, departures: Sequence[Departure]) -> None:
        for departure in departures:
            try:
                submissions = self._writer.submissions(departure)
            except LocalError as error:
                _log.error("a message cannot be written", operator=self.name, reason=str(error))
                for part in departure.which:
                    self._committer.put(_refused_by_us(departure, part))
            else:
                self._sender.add(submissions)
        if self._stopping:
            self._sender.give_back()
        else:
            self._write()

    async def start(self, outcomes: Outcomes, wake: Wake) -> None:
        assert not self._is_started
        self._is_started = True
        settings = self._settings
        self._loop = asyncio.get_running_loop()
        self._wake = wake
        self._committer = Committer(
            self,
            outcomes,
            on_settled=self._on_settled,
            on_unexpected=self.on_unexpected,
            random=self._random,
        )
        self._pacing = Pacing(settings.throughput, self._now_ms(), self._random)
        self._sender = Sender(
            self._pacing,
            stranded_after_ms=settings.response_timeout_s * 1000,
            on_stranded=lambda submission: self.lost(submission, submission.connection),
            on_unwritable=self._on_unwritable,
            random=self._random,
        )
        for number in range(1, settings.binds + 1):
            for kind in _KINDS[settings.bind]:
                label = f"{kind} {number}"
                self._links.append(Link(self, settings, kind, label, tls=self._tls, random=self._random))

    async def stop(self) -> None:
        if not self._is_started or self._stopping:
            return
        self._stopping = True
        self._bring(self._joiner.rest())
        self._sender.give_back()
        await asyncio.gather(*(link.stop(ANSWERS_S_MAX) for link in self._links))
        if self._timer is not None:
            self._timer.cancel()
        await self._committer.stop(ANSWERS_S_MAX)

    # What the links tell

    def link_changed(self) -> None:
        ready = [link for link in self._links if link.is_ready]
        self._has_ready = bool(ready)
        self._live_binds = len(ready)
        self._on_binds()
        self._sender.links_changed(ready)
        if ready:
            self._wake()

    def answered(self, connection: Connection, submission: Submission, event: ResponseReceived) -> None:
        response = event.response
        status = response.command_status
        if event.accepted:
            self._sender.accepted(submission)
            self._outcome(submission, "accepted", connection, _message_id(response))
        elif status in THROTTLED and not self._stopping:
            self._sender.throttled(submission, self._now_ms())
        elif status in THROTTLED:
            self._outcome(submission, "lost", connection)
        elif status in TRANSIENT and submission.failures < TRIES_MAX - 1 and not self._stopping:
            submission.failures += 1
            self._sender.put_off(submission, submission.failures, self._now_ms())
        else:
            # A generic_nack with status 0 says no all the same.
            self._outcome(submission, "refused", connection, "", status or CommandStatus.ESME_RUNKNOWNERR)

    def answered_late(self, submission: Submission, event: ResponseLate) -> None:
        response = event.response
        accepted = response.command_status == 0 and not isinstance(response, GenericNack)
        self._complain(self._late, "an answer came late", accepted=accepted)
        if accepted:
            # Its slot was given back when it was reported as lost.
            self._outcome(submission, "accepted", None, _message_id(response), is_late=True)

    def lost(self, submission: Submission, connection: Connection | None) -> None:
        self._outcome(submission, "lost", connection)

    def arrived(self, connection: Connection, request: DeliverSm | DataSm) -> None:
        arrival = read_arrival(request, self._default_alphabet, self._settings.country_code)
        if arrival is None:
            self._complain(self._senseless, "an incoming message that makes no sense")
            connection.respond(request.response())
        elif isinstance(arrival, Receipt | Reply):
            self._committer.put(arrival, connection, request)
        else:
            self._bring(self._joiner.add(arrival, (connection, request), self._now_ms()))
            if self._stopping:
                self._bring(self._joiner.rest())
            self._set_timer()

    def turn_ended(self) -> None:
        self._write()

    def on_unexpected(self, error: Exception) -> None:
        _log.error("an unexpected exception", operator=self.name, exc_info=error)
        if self._count_unexpected is not None:
            self._count_unexpected()

    # Inside

    def _complain(self, sparing: Sparing, what: str, **details: object) -> None:
        kept_back = sparing.kept_back(self._now_ms() / 1000)
        if kept_back is not None:
            _log.warning(what, operator=self.name, kept_back=kept_back, **details)

    def _now_ms(self) -> int:
        return int(self._loop.time() * 1000)

    def _use_share(self) -> None:
        if self._share is not None:
            throughput = self._settings.throughput * self._share(self.name)
            self._pacing.use(throughput, self._now_ms())

    def _write(self) -> None:
        if not self._stopping:
            self._use_share()
            self._sender.write(self._now_ms())
            self._set_timer()

    def _wake_if_free(self) -> None:
        if self.free_slots > 0:
            self._wake()

    def _on_settled(self, connections: Iterable[Connection]) -> None:
        self._write()
        for connection in connections:
            connection.flush()
        for link in self._links:
            link.settled()
        self._wake_if_free()

    def _set_timer(self) -> None:
        """One timer for all that waits, moved only where something is due earlier."""
        now_ms = self._now_ms()
        due_ms = self._sender.next_ms(now_ms)
        joiner_ms = self._joiner.due_ms
        if joiner_ms is not None and (due_ms is None or joiner_ms < due_ms):
            due_ms = joiner_ms
        if due_ms is None or (self._timer is not None and self._timer_ms <= due_ms):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_ms = due_ms
        self._timer = self._loop.call_later(max(1.0, due_ms - now_ms) / 1000, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._stopping:
            return
        try:
            self._bring(self._joiner.due(self._now_ms()))
            self._write()
            self._wake_if_free()
        except Exception as error:
            self.on_unexpected(error)

    def _outcome(
        self,
        submission: Submission,
        outcome: Literal["accepted", "refused", "lost"],
        connection: Connection | None,
        message_id: str = "",
        status: int = 0,
        *,
        is_late: bool = False,
    ) -> None:
        submission.connection = None
        for part in submission.parts:
            # Of a text that left in one piece, the first part stands for the id and for the slot.
            self._committer.put(
                Submitted(submission.departure, part, outcome, message_id, int(status), is_late), connection
            )
            message_id, connection = "", None

    def _on_unwritable(self, submission: Submission) -> None:
        for part in submission.parts:
            self._committer.put(_refused_by_us(submission.departure, part))

    def _bring(self, replies: Iterable[tuple[Reply, list[tuple[Connection, DeliverSm | DataSm]]]]) -> None:
        for reply, (first, *others) in replies:
            self._committer.put(reply, *first)
            for other in others:
                self._committer.put(None, *other)


def _message_id(response: Response) -> str:
    """As receipts are matched by it; empty where there is none."""
    return match_key(response.message_id) if isinstance(response, MessageIdResponse) else ""


def _refused_by_us(departure: Departure, part: int) -> Submitted:
    return Submitted(departure, part, "refused", "", int(CommandStatus.ESME_RSUBMITFAIL))
