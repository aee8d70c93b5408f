"""The transaction layer of one SIP element, without socket and clock (RFC 3261, section 17; RFC 6026).

    layer = Layer(sent_by=..., ids=...)
    transaction = layer.request(Request("OPTIONS", ...), Hop("udp", "192.0.2.1", 5060), clock(), owner)
    for event in layer.receive(datagram, hop, clock()):
        ...
    for outgoing in layer.take():
        ...

Times are milliseconds of any clock that does not go back.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from chappe.operators.sip.errors import LocalError, MessageError
from chappe.operators.sip.hop import Hop, Outgoing
from chappe.operators.sip.syntax.message import Header, Request, Response, parse_message, refusal
from chappe.operators.sip.syntax.via import MAGIC_COOKIE, Via
from chappe.operators.sip.transactions.events import (
    Dropped,
    Event,
    RequestReceived,
    ResponseReceived,
    TimedOut,
    Unreachable,
)
from chappe.operators.sip.transactions.states import (
    TABLE,
    TIMER_INPUT,
    Act,
    Input,
    Machine,
    State,
    Timer,
    is_running,
    next_interval_ms,
    timers_of,
)
from chappe.operators.sip.transactions.timing import Timing
from chappe.operators.sip.transactions.transaction import (
    ClientTransaction,
    Key,
    ServerTransaction,
    Transaction,
)

TRANSACTIONS_MAX: Final = 100_000
"""Of ours, and of the peers'. A transaction lives up to 32 s longer than its call."""
OCTETS_MAX: Final = 128 << 20
"""Of the requests of peers that are kept so long. Whoever forges a trunk's address can send 60 KiB a datagram."""
OVERLOAD_RETRY_S: Final = 5


@dataclass(frozen=True, slots=True)
class Refusal:
    """The answer to a request of which nothing is kept (section 8.2.7). A `status` of 0: it is not answered."""

    status: int
    headers: Sequence[Header] = ()


Screen = Callable[[Request, Hop], Refusal | None]
"""Looks at a request that nothing is known of yet; None lets it in."""
IsAnswered = Callable[[Hop], bool]
"""Whether whoever sends from there is told what was wrong with it; asked once for each such answer."""


class Layer:
    """`sent_by` gives the host and port for Via by where it goes, `ids` random text (at least 60 bits, token
    characters). Methods raise LocalError where the user asks for what cannot be; what a peer does wrong is never an
    exception.
    """

    def __init__(
        self,
        *,
        sent_by: Callable[[Hop], tuple[str, int]],
        ids: Callable[[], str],
        timing: Timing | None = None,
        transactions_max: int = TRANSACTIONS_MAX,
        octets_max: int = OCTETS_MAX,
    ) -> None:
        self.timing = Timing() if timing is None else timing
        self._sent_by = sent_by
        self._ids = ids
        self._transactions_max = transactions_max
        self._octets_max = octets_max
        self._octets = 0
        self._clients: dict[Key, ClientTransaction] = {}
        self._servers: dict[Key, ServerTransaction] = {}
        self._merged: dict[Key, ServerTransaction] = {}
        """Requests outside of dialogs by what stays the same on every way they take (section 8.2.2.2)."""
        self._timers: list[tuple[int, int, Transaction, Timer]] = []
        self._count = itertools.count()
        self._out: list[Outgoing] = []
        self.screen: Screen | None = None
        """Who floods us from a forged address is to cost neither us memory nor the address repeated answers."""
        self.is_answered: IsAnswered | None = None
        """About requests that cannot be read; None: everybody."""
        self._tag_key = ids().encode()[:64]

    # What the user does

    def request(
        self, request: Request, hop: Hop, now_ms: int, owner: object = None, *, branch: str = ""
    ) -> ClientTransaction:
        """Sends a request in a transaction of its own; Via is put on top of it. `branch` is for `cancel` only."""
        if request.method == "ACK":
            raise LocalError("an ACK has no transaction of its own")
        branch = branch or MAGIC_COOKIE + self._ids()
        sent = self._with_via(request, hop, branch)
        machine = Machine.INVITE_CLIENT if request.method == "INVITE" else Machine.CLIENT
        transaction = ClientTransaction(machine, (branch, request.method), sent, hop, owner)
        if transaction.key in self._clients:
            raise LocalError("there is such a transaction already")
        transaction.last = sent.encode()
        self._clients[transaction.key] = transaction
        self._send(transaction, transaction.last)
        self._start_timers(transaction, now_ms, [])
        return transaction

    def cancel(
        self, invite: ClientTransaction, now_ms: int, headers: Sequence[Header] = ()
    ) -> ClientTransaction:
        """Sends the CANCEL of an INVITE that has had a provisional response (section 9.1)."""
        if invite.machine is not Machine.INVITE_CLIENT or not invite.had_response:
            raise LocalError("only an INVITE with a provisional response and no final one can be cancelled")
        request = invite.request
        echoed: list[Header] = []
        for name, value in request.headers:
            if name in ("From", "To", "Call-ID", "Route", "Max-Forwards"):
                echoed.append((name, value))
        echoed.append(("CSeq", f"{request.cseq.number} CANCEL"))
        cancel = Request("CANCEL", request.uri, [*echoed, *headers])
        return self.request(cancel, invite.hop, now_ms, invite.owner, branch=request.via.branch)

    def send(self, request: Request, hop: Hop) -> bytes:
        """Sends an ACK of a 2xx, which is in no transaction (section 13.2.2.4); gives what was sent, for `resend`."""
        if request.method != "ACK":
            raise LocalError("only an ACK goes without a transaction")
        data = self._with_via(request, hop, MAGIC_COOKIE + self._ids()).encode()
        self.resend(data, hop)
        return data

    def resend(self, data: bytes, hop: Hop) -> None:
        """Sends the same octets again."""
        self._out.append(Outgoing(hop, data))

    def respond(self, transaction: ServerTransaction, response: Response, now_ms: int) -> None:
        """Answers a request. After a final answer there is no other, except that a 2xx to INVITE may be repeated.
        LocalError otherwise.
        """
        happened = _input_of(response.status)
        if (transaction.state, happened) not in TABLE[transaction.machine]:
            raise LocalError(f"no {response.status} can be sent in {transaction!r}")
        data = response.encode()
        transaction.response = response
        self._move(transaction, happened, now_ms, [], data=data)

    def abandon(self, transaction: Transaction) -> None:
        """Forgets a transaction: whatever belongs to it and comes later is nobody's."""
        transaction.state = State.TERMINATED
        self._forget(transaction)

    def take(self) -> list[Outgoing]:
        """Everything to send since the last call, in order."""
        out, self._out = self._out, []
        return out

    def __len__(self) -> int:
        """Transactions that are not terminated."""
        return len(self._clients) + len(self._servers)

    @property
    def has_room(self) -> bool:
        """Whether a call of ours may begin, whatever peers ask meanwhile. What is part of one that has begun (a BYE) always
        finds room.
        """
        return len(self._clients) < self._transactions_max

    # What happens to it

    def receive(self, data: bytes, hop: Hop, now_ms: int) -> list[Event]:
        """What one message means: a datagram, or what `StreamReader` cut out. Whatever it holds, nothing is raised."""
        events: list[Event] = []
        if not data.strip(b"\r\n\0"):
            return events  # a keep-alive
        try:
            message = parse_message(data)
        except MessageError as error:
            self._refuse_unreadable(error, hop, events)
            return events
        if isinstance(message, Response):
            self._on_response(message, hop, now_ms, events)
        elif message.method == "ACK":
            self._on_ack(message, hop, now_ms, events)
        else:
            self._on_request(message, len(data), hop, now_ms, events)
        return events

    def failed(self, outgoing: Outgoing, now_ms: int) -> list[Event]:
        """What was taken could not be sent."""
        events: list[Event] = []
        if isinstance(outgoing.source, Transaction):
            self._move(outgoing.source, Input.UNREACHABLE, now_ms, events)
        return events

    def tick(self, now_ms: int) -> list[Event]:
        """What is due; look at `take` afterwards too. Calling it late or often is harmless."""
        events: list[Event] = []
        timers = self._timers
        while timers and timers[0][0] <= now_ms:
            _, _, transaction, timer = heapq.heappop(timers)
            if not is_running(timer, transaction.state):
                continue
            happened = TIMER_INPUT[timer]
            self._move(transaction, happened, now_ms, events)
            if happened is Input.RETRANSMIT:
                interval_ms = next_interval_ms(timer, transaction.state, transaction.interval_ms, self.timing)
                transaction.interval_ms = interval_ms
                self._start(transaction, timer, now_ms + interval_ms)
        return events

    def next_timer_ms(self) -> int | None:
        """When `tick` has something to do at the earliest, if nothing is sent or received meanwhile."""
        timers = self._timers
        while timers and not is_running(timers[0][3], timers[0][2].state):
            heapq.heappop(timers)
        return timers[0][0] if timers else None

    def matching_invite(self, cancel: ServerTransaction) -> ServerTransaction | None:
        """The INVITE that a CANCEL is about (section 9.2)."""
        return self._servers.get((*cancel.key[:-1], "INVITE"))

    def has_invite_of(self, cancel: Request) -> bool:
        """The same before the CANCEL has a transaction."""
        return _server_key(cancel, "INVITE") in self._servers

    # Inside

    def _with_via(self, request: Request, hop: Hop, branch: str) -> Request:
        host, port = self._sent_by(hop)
        if ":" in host and not host.startswith("["):
            host = f"[{host}]"
        # rport always: the answer then comes back through whatever translated our address (RFC 3581).
        via = f"SIP/2.0/{hop.transport.upper()} {host}:{port};rport;branch={branch}"
        return Request(request.method, request.uri, [("Via", via), *request.headers], request.body)

    def _on_response(self, response: Response, hop: Hop, now_ms: int, events: list[Event]) -> None:
        transaction = self._clients.get((response.via.branch, response.cseq.method))
        if transaction is None or len(response.all("Via")) > 1:  # the second: section 8.1.3.3
            events.append(Dropped("a response to nothing that was asked", hop))
            return
        happened = _input_of(response.status)
        if happened is Input.FAILURE and transaction.machine is Machine.INVITE_CLIENT and not transaction.ack:
            transaction.ack = _ack_of(transaction.request, response).encode()
        self._move(transaction, happened, now_ms, events, told=ResponseReceived(response, transaction, hop))

    def _on_ack(self, ack: Request, hop: Hop, now_ms: int, events: list[Event]) -> None:
        transaction = self._servers.get(_server_key(ack, "INVITE"))
        if transaction is None:
            events.append(RequestReceived(ack, hop, None))
        else:
            self._move(transaction, Input.ACK, now_ms, events, told=RequestReceived(ack, hop, transaction))

    def _on_request(self, request: Request, octets: int, hop: Hop, now_ms: int, events: list[Event]) -> None:
        key = _server_key(request, request.method)
        known = self._servers.get(key)
        if known is not None:
            self._move(known, Input.REQUEST, now_ms, events)
            return
        via = request.via.received_from(hop.host, hop.port)
        reply_hop = _reply_hop(via, hop)
        refused = None if self.screen is None else self.screen(request, hop)
        if refused is not None:
            if refused.status:
                answer = request.respond(
                    refused.status, tag=self._tag_of(request), headers=refused.headers, via=via
                )
                self._out.append(Outgoing(reply_hop, answer.encode()))
            return
        if self._is_full(request):
            busy = request.respond(
                503, tag=self._ids(), headers=[("Retry-After", str(OVERLOAD_RETRY_S))], via=via
            )
            self._out.append(Outgoing(reply_hop, busy.encode()))
            events.append(Dropped("too many transactions", hop))
            return
        machine = Machine.INVITE_SERVER if request.method == "INVITE" else Machine.SERVER
        transaction = ServerTransaction(machine, key, request, reply_hop, via, octets)
        if not request.to.tag and request.method != "CANCEL":
            merge_key: Key = (request.call_id, request.from_.tag, request.cseq)
            if merge_key in self._merged:
                self._keep(transaction)
                merged = request.respond(482, tag=self._ids(), via=via)
                self._move(transaction, Input.FAILURE, now_ms, events, data=merged.encode())
                events.append(Dropped("a request that came by two ways", hop))
                return
            transaction.merge_key = merge_key
            self._merged[merge_key] = transaction
        self._keep(transaction)
        if machine is Machine.INVITE_SERVER:
            # At once, so that a peer over UDP does not ask again while ours thinks (section 17.2.1).
            self._move(
                transaction, Input.PROVISIONAL, now_ms, events, data=request.respond(100, via=via).encode()
            )
        events.append(RequestReceived(request, hop, transaction))

    def _is_full(self, request: Request) -> bool:
        """Whether nothing more of the peers' is kept. What is part of a call, a BYE too, has as much room again."""
        share = 2 if request.to.tag else 1
        return (
            len(self._servers) >= share * self._transactions_max or self._octets >= share * self._octets_max
        )

    def _keep(self, transaction: ServerTransaction) -> None:
        self._servers[transaction.key] = transaction
        self._octets += transaction.octets

    def _tag_of(self, request: Request) -> str:
        """The same for each repetition of a request."""
        what = f"{request.call_id} {request.via.branch}".encode("utf-8", "surrogateescape")
        return hashlib.blake2b(what, key=self._tag_key, digest_size=10).hexdigest()

    def _refuse_unreadable(self, error: MessageError, hop: Hop, events: list[Event]) -> None:
        """Answered without a transaction: if the peer asks again, it is answered again."""
        tag = self._ids()
        answer = refusal(error, tag)
        if answer is not None and (self.is_answered is None or self.is_answered(hop)):
            via = answer.via.received_from(hop.host, hop.port)
            answer = refusal(error, tag, via)
            assert answer is not None
            self._out.append(Outgoing(_reply_hop(via, hop), answer.encode()))
        events.append(Dropped(error.reason, hop))

    def _move(
        self,
        transaction: Transaction,
        happened: Input,
        now_ms: int,
        events: list[Event],
        *,
        data: bytes = b"",
        told: RequestReceived | ResponseReceived | None = None,
    ) -> None:
        """The one place where a transaction changes."""
        row = TABLE[transaction.machine].get((transaction.state, happened))
        if row is None:
            return
        state, acts = row
        is_new = state is not transaction.state
        transaction.state = state
        for act in acts:
            if act is Act.SEND:
                transaction.last = data
                self._send(transaction, data)
            elif act is Act.RESEND:
                self._send(transaction, transaction.last)
            elif act is Act.ACK:
                assert isinstance(transaction, ClientTransaction)
                self._send(transaction, transaction.ack)
            elif act is Act.PASS:
                assert told is not None
                events.append(told)
            elif act is Act.TELL_TIMEOUT:
                events.append(TimedOut(transaction))
            else:
                events.append(Unreachable(transaction))
        if state is State.TERMINATED:
            self._forget(transaction)
        elif is_new:
            self._start_timers(transaction, now_ms, events)

    def _send(self, transaction: Transaction, data: bytes) -> None:
        if data:
            self._out.append(Outgoing(transaction.hop, data, transaction))

    def _start_timers(self, transaction: Transaction, now_ms: int, events: list[Event]) -> None:
        starts = timers_of(
            transaction.machine, transaction.state, self.timing, is_reliable=transaction.hop.is_reliable
        )
        for start in starts:
            if start.after_ms == 0:
                self._move(transaction, TIMER_INPUT[start.timer], now_ms, events)
                return
            if TIMER_INPUT[start.timer] is Input.RETRANSMIT:
                transaction.interval_ms = start.after_ms
            self._start(transaction, start.timer, now_ms + start.after_ms)

    def _start(self, transaction: Transaction, timer: Timer, due_ms: int) -> None:
        heapq.heappush(self._timers, (due_ms, next(self._count), transaction, timer))

    def _forget(self, transaction: Transaction) -> None:
        if isinstance(transaction, ServerTransaction):
            if self._servers.get(transaction.key) is transaction:
                del self._servers[transaction.key]
                self._octets -= transaction.octets
            if transaction.merge_key is not None:
                self._merged.pop(transaction.merge_key, None)
        elif self._clients.get(transaction.key) is transaction:
            del self._clients[transaction.key]


def _input_of(status: int) -> Input:
    if status < 200:
        return Input.PROVISIONAL
    return Input.SUCCESS if status < 300 else Input.FAILURE


def _server_key(request: Request, method: str) -> Key:
    """What makes a request the same as another (section 17.2.3), its method last."""
    via = request.via
    if via.is_unique:
        return (via.branch, via.sent_by, method)
    # RFC 2543's rules. To is left out: an ACK has the tag of our answer in it, its INVITE had none.
    return (
        str(request.uri),
        request.from_.tag,
        request.call_id,
        request.cseq.number,
        via.branch,
        via.sent_by,
        method,
    )


def _reply_hop(via: Via, hop: Hop) -> Hop:
    """Where the response goes (section 18.2.2)."""
    if hop.transport == "udp":
        host, port = via.reply_to()
        return Hop("udp", host, port)
    # Should the connection be gone, the peer listens where its Via says.
    return Hop(hop.transport, hop.host, via.sent_by[1], hop.connection)


def _ack_of(invite: Request, response: Response) -> Request:
    """The ACK of a final response that is no success (section 17.1.1.3): same branch, To as answered."""
    headers: list[Header] = []
    for name, value in invite.headers:
        if name in ("Via", "From", "Call-ID", "Route", "Max-Forwards"):
            headers.append((name, value))
        elif name == "To":
            headers.append(("To", response.first("To") or value))
        elif name == "CSeq":
            headers.append(("CSeq", f"{invite.cseq.number} ACK"))
    return Request("ACK", invite.uri, headers)
