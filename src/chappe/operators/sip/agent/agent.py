"""A SIP user agent, without socket and clock: messages and the time go in, events and messages come out.

    agent = UserAgent(address_of=..., ids=..., random=...)
    call = agent.call(Order(target, caller, hop, offer), clock())
    for outgoing in agent.take():
        send(outgoing.hop, outgoing.data)
    for event in agent.receive(octets, hop, clock()):
        ...

What it does by itself: it acknowledges answers, hangs up on further answers of a fork, answers challenges, PRACKs,
refreshes sessions and registrations, answers OPTIONS, and refuses what cannot be understood.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from chappe.operators.sip.agent.call import SDP, Call, body_of
from chappe.operators.sip.agent.dialog import Dialog, DialogId
from chappe.operators.sip.agent.events import Event, Incoming, Nuisance, OtherRequest
from chappe.operators.sip.agent.exchange import Exchange
from chappe.operators.sip.agent.incoming import IncomingCall
from chappe.operators.sip.agent.outgoing import Order, OutgoingCall
from chappe.operators.sip.agent.session_timer import read_interval
from chappe.operators.sip.agent.settings import Settings
from chappe.operators.sip.agent.timers import Timers
from chappe.operators.sip.errors import LocalError, RemoteError
from chappe.operators.sip.hop import Hop, Outgoing
from chappe.operators.sip.syntax.grammar import Parameters, split_list
from chappe.operators.sip.syntax.message import Header, Request
from chappe.operators.sip.syntax.uri import OtherUri, SipUri, sip_uri
from chappe.operators.sip.transactions import events as transaction_events
from chappe.operators.sip.transactions.events import RequestReceived
from chappe.operators.sip.transactions.layer import Layer, Refusal, Screen
from chappe.operators.sip.transactions.transaction import ClientTransaction, ServerTransaction

EXTENSIONS: Final = frozenset({"100rel", "timer"})
IN_CALLS: Final = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "UPDATE", "PRACK", "INFO")
_KNOWN: Final = frozenset(IN_CALLS) | {"REGISTER", "MESSAGE", "SUBSCRIBE", "NOTIFY", "PUBLISH", "REFER"}
OVERLOAD_RETRY_S: Final = 5


class UserAgent:
    """`address_of` gives the host and port where whoever is there reaches us; `ids` random text (at least 60 bits,
    token characters); `random` a whole number between two, both included.

    Methods raise LocalError where the owner asks for what cannot be; what a peer does wrong is never an exception.
    """

    def __init__(
        self,
        *,
        address_of: Callable[[Hop], tuple[str, int]],
        ids: Callable[[], str],
        random: Callable[[int, int], int],
        settings: Settings | None = None,
    ) -> None:
        self.settings = settings = Settings() if settings is None else settings
        self.ids = ids
        self.random = random
        self.timers = Timers()
        self.layer = Layer(
            sent_by=address_of, ids=ids, timing=settings.timing, transactions_max=settings.transactions_max
        )
        self.layer.screen = self._screen
        self.screen: Screen | None = None
        """Who may ask for what outside of dialogs; None: everybody."""
        self.allow = ", ".join([*IN_CALLS, *sorted(settings.handles - set(IN_CALLS))])
        self._address_of = address_of
        self._dialogs: dict[DialogId, tuple[Dialog, Call]] = {}
        self._events: list[Event] = []

    # What the owner does

    def call(self, order: Order, now_ms: int) -> OutgoingCall:
        """Sends an INVITE; `Progress`, then `Answered` or `Failed` follow."""
        if not self.layer.has_room:
            raise LocalError(f"{len(self.layer)} transactions are under way already")
        return OutgoingCall(self, order, now_ms)

    def take(self) -> list[Outgoing]:
        """Everything to send since the last call, in order."""
        return self.layer.take()

    def events(self) -> list[Event]:
        """What happened by our own doing (`hang_up`) since `receive`, `tick` or `failed` last gave events."""
        events, self._events = self._events, []
        return events

    @property
    def dialogs(self) -> int:
        """Calls that are answered, and early dialogs of those that are not."""
        return len(self._dialogs)

    # What happens to it

    def receive(self, data: bytes, hop: Hop, now_ms: int) -> list[Event]:
        """What one message means: a datagram, or what `StreamReader` cut out."""
        self._handle(self.layer.receive(data, hop, now_ms), now_ms)
        return self.events()

    def failed(self, outgoing: Outgoing, now_ms: int) -> list[Event]:
        """What was taken could not be sent."""
        self._handle(self.layer.failed(outgoing, now_ms), now_ms)
        return self.events()

    def tick(self, now_ms: int) -> list[Event]:
        """What is due; look at `take` afterwards too. Calling it late or often is harmless."""
        self._handle(self.layer.tick(now_ms), now_ms)
        self.timers.run(now_ms)
        return self.events()

    def next_timer_ms(self) -> int | None:
        """When `tick` has something to do at the earliest, if nothing is sent or received meanwhile."""
        dues = [due for due in (self.layer.next_timer_ms(), self.timers.next_ms()) if due is not None]
        return min(dues, default=None)

    def respond(
        self,
        transaction: ServerTransaction,
        status: int,
        now_ms: int,
        *,
        tag: str = "",
        reason: str = "",
        headers: Sequence[Header] = (),
        body: bytes = b"",
    ) -> None:
        """Answers a request (the owner: one that `OtherRequest` told)."""
        request = transaction.request
        response = request.respond(
            status,
            tag=tag or self.ids(),
            reason=reason,
            headers=[("Server", self.settings.product), *headers],
            body=body,
            via=transaction.via,
        )
        self.layer.respond(transaction, response, now_ms)

    # For those of this package

    def tell(self, event: Event) -> None:
        self._events.append(event)

    def remember(self, dialog: Dialog, call: Call) -> None:
        self._dialogs[dialog.id] = (dialog, call)

    def forget(self, dialog: Dialog) -> None:
        known = self._dialogs.get(dialog.id)
        if known is not None and known[0] is dialog:
            del self._dialogs[dialog.id]

    def contact_uri(self, hop: Hop, user: str) -> SipUri:
        host, port = self._address_of(hop)
        parameters: Parameters = {} if hop.transport == "udp" else {"transport": hop.transport}
        return sip_uri(user or None, host, port, parameters)

    def contact(self, hop: Hop, user: str) -> str:
        return f"<{self.contact_uri(hop, user)}>"

    def dialog_headers(self, hop: Hop, user: str) -> list[Header]:
        return [
            ("Contact", self.contact(hop, user)),
            ("Allow", self.allow),
            ("Supported", ", ".join(sorted(EXTENSIONS))),
        ]

    def refuse_method(self, transaction: ServerTransaction, now_ms: int) -> None:
        """A method that is not done here, and which are (section 8.2.1). A REFER is one: whoever may have a call
        transferred calls at our expense.
        """
        status = 405 if transaction.request.method in _KNOWN else 501
        self.respond(transaction, status, now_ms, headers=[("Allow", self.allow)])

    def refuses(self, transaction: ServerTransaction, now_ms: int) -> bool:
        """Whether the request asks for what we cannot do; it is answered then (section 8.2.2.3 and 8.2.3, 21.4.7). Raises
        RemoteError for a body of another kind.
        """
        request = transaction.request
        unknown = request.required - EXTENSIONS
        if unknown:
            headers = [("Unsupported", ", ".join(sorted(unknown)))]
            self.respond(transaction, 420, now_ms, headers=headers)
            return True
        if (request.first("Content-Encoding") or "identity").lower() != "identity":
            self.respond(transaction, 415, now_ms, headers=[("Accept-Encoding", "identity")])
            return True
        if request.method == "INVITE" and not _takes_sdp(request):
            self.respond(transaction, 406, now_ms)
            return True
        body_of(request)
        return False

    def refuses_interval(self, transaction: ServerTransaction, now_ms: int) -> bool:
        """Whether the session timer asked for is too short; it is answered then (RFC 4028, section 9)."""
        interval = read_interval(transaction.request)
        if interval is None or interval.seconds >= self.settings.min_session_s:
            return False
        self.respond(transaction, 422, now_ms, headers=[("Min-SE", str(self.settings.min_session_s))])
        return True

    # Inside

    def _screen(self, request: Request, hop: Hop) -> Refusal | None:
        """What is about a call that is not there is refused without keeping anything of it."""
        if request.method == "CANCEL":
            is_known = self.layer.has_invite_of(request)
        elif request.to.tag:
            is_known = (request.call_id, request.to.tag, request.from_.tag) in self._dialogs
        else:
            return None if self.screen is None else self.screen(request, hop)
        if is_known:
            return None
        is_answered = self.layer.is_answered is None or self.layer.is_answered(hop)
        return Refusal(481 if is_answered else 0)

    def _handle(self, events: Sequence[transaction_events.Event], now_ms: int) -> None:
        for event in events:
            if isinstance(event, RequestReceived):
                self._guarded_request(event, now_ms)
            elif isinstance(event, transaction_events.ResponseReceived):
                owner = event.transaction.owner
                if isinstance(owner, Exchange):
                    owner.on_response(event.transaction, event.response, now_ms)
            elif isinstance(event, transaction_events.Dropped):
                self.tell(Nuisance(event.reason, event.hop))
            else:
                transaction = event.transaction
                owner = transaction.owner
                if isinstance(transaction, ClientTransaction) and isinstance(owner, Exchange):
                    is_timeout = isinstance(event, transaction_events.TimedOut)
                    owner.on_failure(transaction, "timeout" if is_timeout else "unreachable", now_ms)
                # What an answer of ours meets is noticed by whoever repeats it.

    def _guarded_request(self, event: RequestReceived, now_ms: int) -> None:
        """A request that cannot be read where it matters is refused; whatever it was about stays as it is."""
        transaction = event.transaction
        try:
            self._on_request(event, now_ms)
        except RemoteError as error:
            self.tell(Nuisance(error.reason, event.hop))
            if transaction is not None and not transaction.is_over and event.request.method != "ACK":
                headers = [("Accept", SDP)] if error.status == 415 else []
                self.respond(transaction, error.status, now_ms, headers=headers)

    def _on_request(self, event: RequestReceived, now_ms: int) -> None:
        request, transaction = event.request, event.transaction
        method = request.method
        if method == "ACK":
            known = self._dialogs.get((request.call_id, request.to.tag, request.from_.tag))
            if known is not None:
                known[1].on_ack(request, now_ms)
            return
        assert transaction is not None
        if method == "CANCEL":
            self._on_cancel(transaction, now_ms)
        elif request.to.tag:
            known = self._dialogs.get((request.call_id, request.to.tag, request.from_.tag))
            if known is None:
                self.respond(transaction, 481, now_ms)
            else:
                dialog, call = known
                call.on_request(event, dialog, now_ms)
        elif isinstance(request.uri, OtherUri):
            self.respond(transaction, 416, now_ms)
        elif method in self.settings.handles:
            self.tell(OtherRequest(request, event.hop, transaction))
        elif method == "INVITE":
            self._on_invite(event, transaction, now_ms)
        elif method == "OPTIONS":
            if not self.refuses(transaction, now_ms):
                headers = self.dialog_headers(event.hop, "")
                self.respond(transaction, 200, now_ms, headers=[*headers, ("Accept", SDP)])
        elif method in IN_CALLS:
            self.respond(transaction, 481, now_ms)  # it belongs into a dialog
        else:
            self.refuse_method(transaction, now_ms)

    def _on_cancel(self, cancel: ServerTransaction, now_ms: int) -> None:
        """Section 9.2."""
        invite = self.layer.matching_invite(cancel)
        if invite is None:
            self.respond(cancel, 481, now_ms)
            return
        call = invite.owner
        tag = call.local_tag if isinstance(call, Call) else ""
        self.respond(cancel, 200, now_ms, tag=tag)
        if isinstance(call, Call) and not invite.is_over:
            call.on_cancel(invite, cancel.request, now_ms)

    def _on_invite(self, event: RequestReceived, transaction: ServerTransaction, now_ms: int) -> None:
        if len(self._dialogs) >= self.settings.calls_max:
            headers = [("Retry-After", str(OVERLOAD_RETRY_S))]
            self.respond(transaction, 503, now_ms, headers=headers)
            return
        if self.refuses(transaction, now_ms) or self.refuses_interval(transaction, now_ms):
            return
        call = IncomingCall(self, transaction, event.hop)
        transaction.owner = call
        assert call.dialog is not None
        self.remember(call.dialog, call)
        self.tell(Incoming(call, event.request, body_of(event.request)))


def _takes_sdp(request: Request) -> bool:
    """Whether its sender can read our answer: that is taken for granted, unless it says what else it reads (section 20.1)."""
    values = request.all("Accept")
    ranges = {each.partition(";")[0].strip().lower() for value in values for each in split_list(value)}
    return not values or not ranges.isdisjoint({SDP, "application/*", "*/*"})
