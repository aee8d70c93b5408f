"""One SMPP 3.4 session, either end, without socket or clock: octets and the time go in, events and octets come out.

    session = Session(Role.ESME, now_ms=clock())
    session.send(BindTransceiver(system_id="...", password="..."), clock())
    write(session.data_to_send())
    for event in session.receive_data(read(), clock()):
        ...

Times are milliseconds of any clock that does not go back. What the session writes by itself: enquire_link and its
responses, generic_nack, and the answers to requests that are refused for their form, never for their content.
"""

from typing import Final

from chappe.operators.smpp.binds import Bind, BindResponse, EnquireLink, Unbind, UnbindResp
from chappe.operators.smpp.commands import REQUESTS, RESPONSES
from chappe.operators.smpp.constants import RESPONSE_BIT, CommandId, command_name
from chappe.operators.smpp.constants import CommandStatus as Status
from chappe.operators.smpp.errors import BodyError, LocalError, WindowFull
from chappe.operators.smpp.events import (
    Ended,
    EndReason,
    Event,
    Inactive,
    InFlight,
    RequestReceived,
    RequestRefused,
    RequestTimedOut,
    ResponseLate,
    ResponseReceived,
    ResponseUnmatched,
)
from chappe.operators.smpp.framing import FrameReader
from chappe.operators.smpp.pdu import HEADER, GenericNack, Request, Response
from chappe.operators.smpp.settings import Settings
from chappe.operators.smpp.states import BOUND, PEER, REQUESTS_ALLOWED, Role, State, refusal, state_after
from chappe.operators.smpp.window import Unanswered, Window

_ENQUIRE_LINK: Final = int(CommandId.ENQUIRE_LINK)
_ENQUIRE_LINK_RESP: Final = int(CommandId.ENQUIRE_LINK_RESP)


class Session:
    """One connection's session. Methods raise LocalError where the owner asks for what cannot be; what the peer
    does wrong is never an exception.
    """

    def __init__(self, role: Role, *, now_ms: int, settings: Settings | None = None) -> None:
        self.role = role
        self.settings = settings = settings if settings is not None else Settings()
        self.state = State.OPEN
        """Read only; `states.py` decides."""
        self._frames = FrameReader(settings.pdu_octets_max)
        self._out: list[bytes] = []
        self._window = Window(settings.window, settings.late_max, settled_by_owner=settings.settled_by_owner)
        self._unanswered = Unanswered()
        self._bind_pending = False
        self._unbind_sent = False
        self._unbind_received = False
        self._enquiry: EnquireLink | None = None
        """The enquire_link that `tick` sent and that is not answered."""
        self._opened_ms = self._received_ms = self._active_ms = now_ms
        self._may_send: frozenset[int] = frozenset()
        self._may_receive: frozenset[int] = frozenset()
        self._moved()

    # What the owner asks

    @property
    def is_bound(self) -> bool:
        return self.state in BOUND

    @property
    def window_free(self) -> int:
        """How many requests `send` takes now, were the state right."""
        window = self._window
        return max(window.size - window.occupied, 0)

    @property
    def in_flight(self) -> int:
        """Requests of ours without response, enquire_link and the like included."""
        return len(self._window.in_flight)

    @property
    def unsettled(self) -> int:
        """Requests of ours that have ended and keep their slot until `settle`."""
        return self._window.unsettled

    @property
    def unanswered(self) -> int:
        """Requests of the peer's that the owner has not answered."""
        return self._unanswered.count

    # What the owner does

    def send(self, request: Request, now_ms: int, context: object = None) -> int:
        """Numbers the request (its `sequence_number` is set), encodes it and remembers it with `context` until it
        is answered. Returns the number. Raises WindowFull, or LocalError for a wrong state or a bad field; then
        nothing is sent or remembered. A request object is for one `send`.
        """
        if request.command_id not in self._may_send:
            name = command_name(request.command_id)
            raise LocalError(f"no {name} from the {self.role.value} in state {self.state.value}, or not now")
        window = self._window
        if request.response_type is None:
            request.sequence_number = sequence = window.next_sequence()
            self._out.append(request.encode())
            window.skip(sequence)
            return sequence
        if request.windowed and window.occupied >= window.size:
            raise WindowFull(f"{window.occupied} requests wait already")
        request.sequence_number = sequence = window.next_sequence()
        self._out.append(request.encode())
        window.add(sequence, InFlight(request, context, now_ms))
        if request.windowed:
            self._active_ms = now_ms
        elif isinstance(request, Bind):
            self._bind_pending = True
            self._moved()
        elif isinstance(request, Unbind):
            self._unbind_sent = True
            self._moved()
        return sequence

    def respond(self, response: Response) -> None:
        """Answers a request that was received; each is answered once, in any order, by its own response or by a
        generic_nack with its number. LocalError otherwise.
        """
        if self.state is State.CLOSED:
            raise LocalError("the session is closed")
        octets = response.encode()
        kind = self._unanswered.settle(response)
        self._out.append(octets)
        if kind is UnbindResp or issubclass(kind, BindResponse):
            self._bind_pending = False
            self._move(response)

    def settle(self, count: int = 1) -> None:
        """With `Settings.settled_by_owner`: the results of `count` windowed requests (answered or timed out) are
        committed, their slots are free.
        """
        self._window.settle(count)

    def data_to_send(self) -> bytes:
        """Everything to write since the last call, in one piece; empty if there is nothing."""
        out = self._out
        if not out:
            return b""
        data = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        return data

    def close(self) -> list[Event]:
        """Our side ends the session without more words. After an unbind that is how it should be."""
        return self._end(EndReason.UNBOUND if self.state is State.UNBOUND else EndReason.LOCAL)

    # What happens to it

    def receive_data(self, data: bytes, now_ms: int) -> list[Event]:
        """What `data` means. Whatever it holds, nothing is raised; after framing errors the last event is Ended."""
        events: list[Event] = []
        if self.state is State.CLOSED:
            return events
        frames = self._frames.feed(data)
        if frames:
            self._received_ms = now_ms
            for command_id, command_status, sequence_number, body in frames:
                if command_id & RESPONSE_BIT:
                    self._on_response(events, command_id, command_status, sequence_number, body, now_ms)
                else:
                    self._on_request(events, command_id, sequence_number, body, now_ms)
        failure = self._frames.failure
        if failure is not None:
            self._nack(failure.sequence_number, Status.ESME_RINVCMDLEN)
            events += self._end(EndReason.FRAMING, str(failure))
        return events

    def connection_lost(self, detail: str = "") -> list[Event]:
        """The transport has ended, by whoever's will. After an unbind that is how it should be."""
        reason = EndReason.UNBOUND if self.state is State.UNBOUND else EndReason.CONNECTION_LOST
        return self._end(reason, detail)

    def tick(self, now_ms: int) -> list[Event]:
        """What is due: look at `data_to_send` afterwards too. Calling it late or often is harmless."""
        settings = self.settings
        events: list[Event] = []
        if settings.response_ms:
            while (sent := self._window.first()) and now_ms - sent.sent_at_ms >= settings.response_ms:
                self._timed_out(events, sent)
        if self.state is State.OPEN and settings.bind_ms and now_ms - self._opened_ms >= settings.bind_ms:
            events += self._end(EndReason.BIND_TIMEOUT)
        if self._may_enquire and now_ms - self._received_ms >= settings.enquire_link_ms:
            self._enquiry = EnquireLink()
            self.send(self._enquiry, now_ms)
        if (
            self.state in BOUND
            and settings.inactivity_ms
            and now_ms - self._active_ms >= settings.inactivity_ms
        ):
            self._active_ms = now_ms
            events.append(Inactive())
        return events

    def next_timer_ms(self) -> int | None:
        """When `tick` has something to do at the earliest, if nothing is sent or received meanwhile."""
        settings = self.settings
        due: list[int] = []
        if settings.response_ms and (sent := self._window.first()):
            due.append(sent.sent_at_ms + settings.response_ms)
        if self.state is State.OPEN and settings.bind_ms:
            due.append(self._opened_ms + settings.bind_ms)
        if self._may_enquire:
            due.append(self._received_ms + settings.enquire_link_ms)
        if self.state in BOUND and settings.inactivity_ms:
            due.append(self._active_ms + settings.inactivity_ms)
        return min(due, default=None)

    # Inside

    @property
    def _may_enquire(self) -> bool:
        # Beside an unbind that waits for its response there is no point in asking.
        unbinding = self._unbind_sent or self._unbind_received
        return (
            bool(self.settings.enquire_link_ms)
            and self._enquiry is None
            and self.state in BOUND
            and not unbinding
        )

    def _on_response(
        self,
        events: list[Event],
        command_id: int,
        command_status: int,
        sequence_number: int,
        body: bytes,
        now_ms: int,
    ) -> None:
        kind = RESPONSES.get(command_id)
        if kind is None:
            events.append(ResponseUnmatched(command_id, command_status, sequence_number, None))
            return
        error = None
        try:
            response = kind.from_body(body, command_status, sequence_number)
        except BodyError as unreadable:
            error = unreadable
            response = kind(command_status=command_status, sequence_number=sequence_number)
        sent = self._window.answered(sequence_number, kind)
        if sent is None:
            late = self._window.answered_late(sequence_number, kind)
            if late is None:
                readable = response if error is None else None
                events.append(ResponseUnmatched(command_id, command_status, sequence_number, readable))
            elif late.request.windowed:
                events.append(ResponseLate(response, late, error))
            return
        request = sent.request
        if request is self._enquiry:
            self._enquiry = None
            return
        if request.windowed:
            self._active_ms = now_ms
        elif isinstance(request, Bind):
            self._bind_pending = False
            self._move(response)
        elif isinstance(request, Unbind):
            # A generic_nack to an unbind comes from a peer that does not know it: it will not be unbound better.
            self._move(UnbindResp() if kind is GenericNack else response)
        events.append(ResponseReceived(response, sent, error))

    def _on_request(
        self, events: list[Event], command_id: int, sequence_number: int, body: bytes, now_ms: int
    ) -> None:
        kind = REQUESTS.get(command_id)
        if kind is None:
            self._nack(sequence_number, Status.ESME_RINVCMDID)
            events.append(
                RequestRefused(command_id, sequence_number, Status.ESME_RINVCMDID, "unknown command")
            )
            return
        if command_id not in self._may_receive:
            status = refusal(self.state, command_id, bind_pending=self._bind_pending)
            reason = f"not from the {PEER[self.role].value} in state {self.state.value}, or not now"
            self._refuse(events, kind, sequence_number, status, reason)
            return
        if command_id == _ENQUIRE_LINK:
            self._out.append(HEADER.pack(16, _ENQUIRE_LINK_RESP, 0, sequence_number))
            return
        self._active_ms = now_ms
        try:
            request = kind.from_body(body, 0, sequence_number)
        except BodyError as error:
            self._refuse(events, kind, sequence_number, error.command_status, error.reason)
            return
        response_type = kind.response_type
        if response_type is not None:
            if self._unanswered.count >= self.settings.unanswered_max and kind is not Unbind:
                reason = f"{self._unanswered.count} requests wait already"
                self._refuse(events, kind, sequence_number, Status.ESME_RMSGQFUL, reason)
                return
            self._unanswered.add(sequence_number, response_type)
            if not kind.windowed:
                self._bind_pending = self.state is State.OPEN
                self._unbind_received = kind is Unbind
                self._moved()
        events.append(RequestReceived(request))

    def _refuse(
        self, events: list[Event], kind: type[Request], sequence_number: int, command_status: int, reason: str
    ) -> None:
        if kind.response_type is not None:
            refused = kind.response_type(command_status=command_status, sequence_number=sequence_number)
            self._out.append(refused.encode())
        events.append(RequestRefused(kind.command_id, sequence_number, int(command_status), reason))

    def _nack(self, sequence_number: int, command_status: int) -> None:
        self._out.append(GenericNack(command_status=command_status, sequence_number=sequence_number).encode())

    def _timed_out(self, events: list[Event], sent: InFlight) -> None:
        request = sent.request
        if isinstance(request, Bind):
            events += self._end(EndReason.BIND_TIMEOUT, "the bind was not answered")
        elif isinstance(request, Unbind):
            events += self._end(EndReason.UNBIND_TIMEOUT)
        elif request is not self._enquiry:
            self._window.time_out(sent)
            events.append(RequestTimedOut(sent))
        elif self._received_ms < sent.sent_at_ms:
            events += self._end(EndReason.ENQUIRE_LINK_TIMEOUT)
        else:
            # A peer that never answers enquire_link but goes on talking is alive.
            self._enquiry = None
            self._window.time_out(sent)

    def _end(self, reason: EndReason, detail: str = "") -> list[Event]:
        if self.state is State.CLOSED:
            return []
        unanswered = [sent for sent in self._window.in_flight.values() if sent.request.windowed]
        ended = Ended(reason, detail, tuple(unanswered))
        self._window.in_flight.clear()
        self._window.late.clear()
        self._unanswered.clear()
        self.state = State.CLOSED
        self._moved()
        return [ended]

    def _move(self, response: Response) -> None:
        self.state = state_after(self.state, response.command_id, response.command_status)
        self._moved()

    def _moved(self) -> None:
        """What may be sent and received from here on."""
        ours = REQUESTS_ALLOWED[self.role, self.state]
        theirs = REQUESTS_ALLOWED[PEER[self.role], self.state]
        if self._bind_pending:
            ours = theirs = frozenset({CommandId.ENQUIRE_LINK})
        if self._unbind_received:
            # Whoever asked to part asks for nothing else; what crosses our own unbind is still heard.
            theirs = theirs & {CommandId.ENQUIRE_LINK}
        if self._unbind_sent or self._unbind_received:
            ours = ours & {CommandId.ENQUIRE_LINK}
        self._may_send = frozenset(map(int, ours))
        self._may_receive = frozenset(map(int, theirs))
