"""Transactions: every timer at its time, each machine alone and against the other."""

from __future__ import annotations

import itertools

import pytest

from chappe.operators.sip.errors import LocalError
from chappe.operators.sip.hop import Hop
from chappe.operators.sip.syntax.message import Request, Response, parse_message
from chappe.operators.sip.syntax.uri import SipUri
from chappe.operators.sip.transactions.events import (
    Dropped,
    RequestReceived,
    ResponseReceived,
    TimedOut,
    Unreachable,
)
from chappe.operators.sip.transactions.layer import Layer
from chappe.operators.sip.transactions.states import TABLE, Input, Machine, State, Timer, timers_of
from chappe.operators.sip.transactions.timing import Timing
from tests.unit.sip.messages import request as request_octets
from tests.unit.sip.network import Network, Weather

UDP = Hop("udp", "192.0.2.9", 5060)
TCP = Hop("tcp", "192.0.2.9", 5060)


def layer(host: str = "192.0.2.1", **settings) -> Layer:
    count = itertools.count(1)
    return Layer(sent_by=lambda hop: (host, 5060), ids=lambda: f"{host}-{next(count)}", **settings)


def outgoing(method: str, number: int = 1, call_id: str = "one") -> Request:
    return Request(
        method,
        SipUri("192.0.2.9", "bob"),
        [
            ("From", "<sip:alice@192.0.2.1>;tag=a"),
            ("To", "<sip:bob@192.0.2.9>"),
            ("Call-ID", call_id),
            ("CSeq", f"{number} {method}"),
            ("Max-Forwards", "70"),
            ("Route", "<sip:192.0.2.9;lr>"),
        ],
    )


def answer(octets: bytes, status: int, tag: str = "b") -> bytes:
    message = parse_message(octets)
    assert isinstance(message, Request)
    return message.respond(status, tag=tag).encode()


def sent(layer: Layer) -> list[bytes]:
    return [item.data for item in layer.take()]


def kinds(events) -> list[type]:
    return [type(event) for event in events]


def sendings(layer: Layer, until_ms: int, step_ms: int = 50) -> tuple[list[int], list[tuple[int, type]]]:
    """When something was sent, and what was told when, with the clock going on in steps."""
    times, told = [], []
    for now_ms in range(0, until_ms + 1, step_ms):
        told += [(now_ms, type(event)) for event in layer.tick(now_ms)]
        times += [now_ms] * len(sent(layer))
    return times, told


# Timers, each machine by itself


def test_an_invite_over_udp_is_repeated_until_timer_b():
    """Timers A and B"""
    client = layer()
    client.request(outgoing("INVITE"), UDP, 0)
    times, told = sendings(client, 40_000)
    assert times == [0, 500, 1500, 3500, 7500, 15500, 31500]
    assert told == [(32_000, TimedOut)]
    assert len(client) == 0
    assert client.next_timer_ms() is None


def test_another_request_over_udp_is_repeated_until_timer_f():
    """Timers E and F"""
    client = layer()
    client.request(outgoing("OPTIONS"), UDP, 0)
    times, told = sendings(client, 40_000)
    assert times == [0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500]
    assert told == [(32_000, TimedOut)]


def test_after_a_provisional_answer_a_request_is_repeated_slowly():
    """Timer E in PROCEEDING; F goes on."""
    client = layer()
    client.request(outgoing("OPTIONS"), UDP, 0)
    (first,) = sent(client)
    assert kinds(client.receive(answer(first, 100), UDP, 100)) == [ResponseReceived]
    times, told = sendings(client, 40_000)
    assert times == [500, *range(4500, 32_000, 4000)]
    assert told == [(32_000, TimedOut)]


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS"])
def test_over_a_stream_nothing_is_repeated(method):
    client = layer()
    client.request(outgoing(method), TCP, 0)
    assert sendings(client, 40_000) == ([0], [(32_000, TimedOut)])


def test_an_invite_that_rings_is_not_repeated_and_does_not_time_out():
    client = layer()
    client.request(outgoing("INVITE"), UDP, 0)
    (first,) = sent(client)
    client.receive(answer(first, 180), UDP, 100)
    assert sendings(client, 400_000, 1000) == ([], [])
    assert len(client) == 1


def test_a_refusal_of_an_invite_is_acknowledged_each_time_until_timer_d():
    client = layer()
    transaction = client.request(outgoing("INVITE"), UDP, 0)
    (first,) = sent(client)
    refused = answer(first, 486)
    assert kinds(client.receive(refused, UDP, 100)) == [ResponseReceived]
    (ack_octets,) = sent(client)
    ack = parse_message(ack_octets)
    assert isinstance(ack, Request)
    assert (ack.method, str(ack.uri), ack.cseq) == ("ACK", "sip:bob@192.0.2.9", (1, "ACK"))
    assert ack.all("Via") == transaction.request.all("Via")
    assert (ack.to.tag, ack.from_.tag, ack.call_id) == ("b", "a", "one")
    assert ack.all("Route") == ["<sip:192.0.2.9;lr>"]
    for now_ms in (600, 20_000, 32_099):
        client.tick(now_ms)
        assert client.receive(refused, UDP, now_ms) == []
        assert sent(client) == [ack_octets]
    client.tick(32_100)
    assert len(client) == 0
    assert kinds(client.receive(refused, UDP, 32_100)) == [Dropped]
    assert sent(client) == []


def test_every_success_of_an_invite_is_told_until_timer_m():
    """RFC 6026, 8.4: the first and each that comes after, of other branches of a fork too."""
    client = layer()
    client.request(outgoing("INVITE"), UDP, 0)
    (first,) = sent(client)
    for now_ms, tag in ((100, "b"), (600, "b"), (700, "other"), (32_099, "b")):
        client.tick(now_ms)
        assert kinds(client.receive(answer(first, 200, tag), UDP, now_ms)) == [ResponseReceived]
    assert client.receive(answer(first, 486), UDP, 32_099) == []
    assert sent(client) == []
    client.tick(32_100)
    assert kinds(client.receive(answer(first, 200), UDP, 32_100)) == [Dropped]


@pytest.mark.parametrize(("hop", "after_ms"), [(UDP, 5000), (TCP, 0)])
def test_a_final_answer_to_another_request_ends_it_after_timer_k(hop, after_ms):
    client = layer()
    client.request(outgoing("OPTIONS"), hop, 0)
    (first,) = sent(client)
    assert kinds(client.receive(answer(first, 200), hop, 100)) == [ResponseReceived]
    assert len(client) == (after_ms > 0)
    if after_ms:
        assert client.receive(answer(first, 200), hop, 5000) == []
        assert client.next_timer_ms() == 100 + after_ms
        client.tick(100 + after_ms)
    assert len(client) == 0


def invited(hop: Hop = UDP, method: str = "INVITE"):
    server = layer("192.0.2.9")
    octets = request_octets(method)
    (event,) = server.receive(octets, hop, 0)
    assert isinstance(event, RequestReceived)
    assert event.transaction is not None
    return server, event.transaction, octets


def test_an_invite_is_answered_100_at_once_and_its_last_provisional_answer_repeated():
    server, transaction, octets = invited()
    (trying,) = sent(server)
    assert trying.startswith(b"SIP/2.0 100 ")
    assert server.receive(octets, UDP, 500) == []
    assert sent(server) == [trying]
    server.respond(transaction, transaction.request.respond(180, tag="b"), 600)
    (ringing,) = sent(server)
    server.receive(octets, UDP, 700)
    assert sent(server) == [ringing]


def test_a_refusal_is_repeated_until_it_is_acknowledged():
    """Timers G and I"""
    server, transaction, octets = invited()
    sent(server)
    server.respond(transaction, transaction.request.respond(486, tag="b"), 0)
    times, told = sendings(server, 4000)
    assert times == [0, 500, 1500, 3500]
    server.receive(octets, UDP, 4000)
    assert len(sent(server)) == 1
    assert server.receive(request_octets("ACK"), UDP, 4100) == []
    assert server.receive(request_octets("ACK"), UDP, 4200) == []
    assert server.receive(octets, UDP, 4300) == []
    assert sendings(server, 9099) == ([], [])
    server.tick(9100)
    assert len(server) == 0
    assert told == []


def test_a_refusal_that_is_never_acknowledged_times_out():
    """Timers G and H"""
    server, transaction, _ = invited()
    sent(server)
    server.respond(transaction, transaction.request.respond(486, tag="b"), 0)
    times, told = sendings(server, 40_000)
    assert times == [0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500]
    assert told == [(32_000, TimedOut)]
    server, transaction, _ = invited(TCP)
    sent(server)
    server.respond(transaction, transaction.request.respond(486, tag="b"), 0)
    assert sendings(server, 40_000) == ([0], [(32_000, TimedOut)])


def test_after_a_success_the_invite_is_swallowed_until_timer_l():
    """RFC 6026: the 2xx is repeated by whoever answered, the ACK is theirs."""
    server, transaction, octets = invited()
    sent(server)
    ok = transaction.request.respond(200, tag="b")
    server.respond(transaction, ok, 0)
    server.respond(transaction, ok, 500)
    assert len(sent(server)) == 2
    assert server.receive(octets, UDP, 1000) == []
    assert sent(server) == []
    # With a branch of its own, as it should be, and with the INVITE's, as some do.
    (event,) = server.receive(request_octets("ACK").replace(b"abc123", b"def456"), UDP, 1000)
    assert isinstance(event, RequestReceived)
    assert event.transaction is None
    (event,) = server.receive(request_octets("ACK"), UDP, 1000)
    assert isinstance(event, RequestReceived)
    assert event.transaction is transaction
    with pytest.raises(LocalError):
        server.respond(transaction, transaction.request.respond(486), 1000)
    server.tick(31_999)
    assert len(server) == 1
    server.tick(32_000)
    assert len(server) == 0


@pytest.mark.parametrize(("hop", "after_ms"), [(UDP, 32_000), (TCP, 0)])
def test_another_request_that_comes_again_is_answered_again_until_timer_j(hop, after_ms):
    server, transaction, octets = invited(hop, "OPTIONS")
    assert sent(server) == []
    assert server.receive(octets, hop, 10) == []
    assert sent(server) == []
    server.respond(transaction, transaction.request.respond(200, tag="b"), 100)
    (ok,) = sent(server)
    if after_ms:
        server.receive(octets, hop, 5000)
        assert sent(server) == [ok]
        with pytest.raises(LocalError):
            server.respond(transaction, transaction.request.respond(500), 5000)
        server.tick(100 + after_ms)
    assert len(server) == 0


# What belongs together


def test_cancel_has_the_branch_of_its_invite_and_finds_it():
    """Sections 9.1 and 9.2"""
    client, server = layer(), layer("192.0.2.9")
    invite = client.request(outgoing("INVITE"), UDP, 0, "the call")
    with pytest.raises(LocalError):
        client.cancel(invite, 0)
    (octets,) = sent(client)
    (event,) = server.receive(octets, Hop("udp", "192.0.2.1", 5060), 0)
    client.receive(sent(server)[0], UDP, 10)
    cancel = client.cancel(invite, 20, [("Reason", "SIP;cause=487")])
    assert cancel.owner == "the call"
    (octets,) = sent(client)
    message = parse_message(octets)
    assert message.all("Via") == invite.request.all("Via")
    assert message.cseq == (1, "CANCEL")
    assert message.all("Route") == ["<sip:192.0.2.9;lr>"]
    assert message.first("Reason") == "SIP;cause=487"
    (cancelled,) = server.receive(octets, Hop("udp", "192.0.2.1", 5060), 30)
    assert isinstance(cancelled, RequestReceived)
    assert cancelled.transaction is not None
    assert server.matching_invite(cancelled.transaction) is event.transaction
    with pytest.raises(LocalError):
        client.cancel(invite, 40)  # once is enough
    with pytest.raises(LocalError):
        client.cancel(cancel, 40)


@pytest.mark.parametrize(
    ("old", "new", "is_same"),
    [
        (b"", b"", True),
        (b"branch=z9hG4bKabc123", b"branch=z9hG4bKabc124", False),
        (b"here.example.com:5070", b"here.example.com:5071", False),
        (b"tag=a1", b"tag=a2", True),  # the branch is enough
    ],
)
def test_requests_are_the_same_by_branch_and_sender(old, new, is_same):
    server, transaction, octets = invited(UDP, "MESSAGE")
    server.respond(transaction, transaction.request.respond(200, tag="b"), 0)
    sent(server)
    events = server.receive(octets.replace(old, new).replace(b"Call-ID: one", b"Call-ID: two"), UDP, 1)
    assert (events == []) == is_same


@pytest.mark.parametrize("branch", [b"", b";branch=old", b";branch=z9hG4bK"])
@pytest.mark.parametrize(
    ("old", "new", "is_same"),
    [
        (b"", b"", True),
        (b"sip:bob@there.example.com SIP", b"sip:ann@there.example.com SIP", False),
        (b"tag=a1", b"tag=a2", False),
        (b"Call-ID: one", b"Call-ID: two", False),
        (b"CSeq: 1", b"CSeq: 2", False),
        (b"here.example.com:5070", b"here.example.com:5071", False),
    ],
)
def test_requests_without_a_unique_branch_are_the_same_by_rfc_2543(branch, old, new, is_same):
    octets = request_octets("INVITE").replace(b";branch=z9hG4bKabc123", branch)
    server = layer("192.0.2.9")
    (event,) = server.receive(octets, UDP, 0)
    assert isinstance(event, RequestReceived)
    assert event.transaction is not None
    sent(server)
    changed = octets.replace(old, new)
    if is_same:
        assert server.receive(changed, UDP, 1) == []
        assert len(sent(server)) == 1
        server.respond(event.transaction, event.request.respond(486, tag="b"), 2)
        ack = octets.replace(b"INVITE", b"ACK").replace(b"there.example.com>", b"there.example.com>;tag=b")
        assert server.receive(ack, UDP, 3) == []
        assert event.transaction.state is State.CONFIRMED
    else:
        assert kinds(server.receive(changed, UDP, 1)) != []


def test_a_request_that_comes_by_two_ways_is_refused_the_second_time():
    """Section 8.2.2.2"""
    server, _, octets = invited()
    sent(server)
    forked = octets.replace(b"abc123", b"def456")
    assert kinds(server.receive(forked, UDP, 10)) == [Dropped]
    (merged,) = sent(server)
    assert merged.startswith(b"SIP/2.0 482 ")
    assert server.receive(forked.replace(b"INVITE", b"ACK"), UDP, 20) == []
    # Inside of a dialog nothing is merged, and a new CSeq is a new request.
    assert RequestReceived in kinds(
        server.receive(
            octets.replace(b"abc123", b"x1").replace(b"example.com>\r", b"example.com>;tag=b\r"), UDP, 30
        )
    )
    assert RequestReceived in kinds(
        server.receive(octets.replace(b"abc123", b"x2").replace(b"CSeq: 1", b"CSeq: 2"), UDP, 30)
    )


def test_answers_go_where_the_request_came_from():
    """Section 18.2.2, RFC 3581"""
    server = layer("192.0.2.9")

    def reply_hop(octets: bytes, hop: Hop) -> Hop:
        (event,) = server.receive(octets, hop, 0)
        assert isinstance(event, RequestReceived)
        assert event.transaction is not None
        return event.transaction.hop

    came = Hop("udp", "198.51.100.7", 4444)
    assert reply_hop(request_octets(), came) == Hop("udp", "198.51.100.7", 5070)
    with_rport = request_octets(cseq=2).replace(b";branch=z9hG4bKabc123", b";rport;branch=z9hG4bKabc124")
    assert reply_hop(with_rport, came) == came
    stream = Hop("tcp", "198.51.100.7", 4444, 17)
    over_tcp = request_octets(cseq=3).replace(b"UDP here", b"TCP here").replace(b"abc123", b"abc125")
    assert reply_hop(over_tcp, stream) == Hop("tcp", "198.51.100.7", 5070, 17)


def test_responses_that_belong_to_nothing_are_dropped():
    """RFC 4475, 3.3.10 too: a response with somebody else's Via"""
    client = layer()
    client.request(outgoing("OPTIONS"), UDP, 0)
    (first,) = sent(client)
    good = answer(first, 200)
    for wrong in (
        good.replace(b"z9hG4bK", b"z9hG4bKx"),
        good.replace(b"1 OPTIONS", b"1 INVITE"),
        good.replace(b"Call-ID", b"Via: SIP/2.0/UDP second;branch=z9hG4bKq\r\nCall-ID"),
    ):
        assert kinds(client.receive(wrong, UDP, 1)) == [Dropped]
    assert kinds(client.receive(good, UDP, 1)) == [ResponseReceived]


def test_keep_alives_and_nonsense_are_nothing():
    server = layer("192.0.2.9")
    for octets in (b"", b"\r\n", b"\r\n\r\n", b"\0", b"\0\0\0\0"):
        assert server.receive(octets, UDP, 0) == []
    assert kinds(server.receive(b"GET / HTTP/1.1\r\n\r\n", UDP, 0)) == [Dropped]
    assert sent(server) == []


def test_an_unreadable_request_is_refused_where_it_came_from():
    server = layer("192.0.2.9")
    came = Hop("udp", "198.51.100.7", 4444)
    octets = request_octets("INVITE", "Content-Length: 50").replace(b";branch", b";rport;branch")
    assert kinds(server.receive(octets, came, 0)) == [Dropped]
    (refused,) = server.take()
    assert refused.hop == came
    message = parse_message(refused.data)
    assert isinstance(message, Response)
    assert message.status == 400
    assert message.via.parameters["received"] == "198.51.100.7"
    assert len(server) == 0


def test_too_many_transactions_are_a_503():
    server = layer("192.0.2.9", transactions_max=2)
    for number in range(1, 4):
        octets = request_octets(cseq=number).replace(b"abc123", b"abc%d" % number)
        events = server.receive(octets, UDP, 0)
    assert kinds(events) == [Dropped]
    (busy,) = sent(server)
    message = parse_message(busy)
    assert isinstance(message, Response)
    assert (message.status, message.number("Retry-After")) == (503, 5)
    # Our own calls go on, and what is part of a call finds room for a while.
    assert server.has_room
    within = request_octets("BYE", cseq=9).replace(b"abc123", b"abc9")
    within = within.replace(b"\r\nCall-ID", b";tag=b1\r\nCall-ID")
    assert RequestReceived in kinds(server.receive(within, UDP, 0))


def test_too_many_of_ours_are_no_room():
    client = layer(transactions_max=2)
    for _ in range(2):
        client.request(outgoing("OPTIONS"), UDP, 0)
    assert not client.has_room
    client.request(outgoing("BYE"), UDP, 0)


def test_large_requests_fill_the_room_earlier_and_give_it_back():
    server = layer("192.0.2.9", octets_max=100_000)

    def answered(number: int, now_ms: int) -> bool:
        octets = request_octets("OPTIONS", f"X: {'a' * 30_000}", cseq=number)
        (event,) = server.receive(octets.replace(b"abc123", b"abc%d" % number), UDP, now_ms)
        if isinstance(event, RequestReceived):
            server.respond(event.transaction, event.request.respond(200, tag="t"), now_ms)
        return isinstance(event, RequestReceived)

    assert [answered(number, 0) for number in range(1, 7)] == [True] * 4 + [False] * 2
    server.tick(32_000)
    assert len(server) == 0
    assert [answered(number, 32_000) for number in range(11, 17)] == [True] * 4 + [False] * 2


def test_what_cannot_be_sent_ends_the_request():
    client = layer()
    for method in ("INVITE", "OPTIONS"):
        client.request(outgoing(method), TCP, 0)
        (item,) = client.take()
        assert kinds(client.failed(item, 10)) == [Unreachable]
    assert len(client) == 0
    server, transaction, _ = invited(TCP)
    (item,) = server.take()
    assert kinds(server.failed(item, 10)) == [Unreachable]
    assert transaction.state is State.PROCEEDING  # RFC 6026: a later answer may find another way


def test_a_2xx_is_acknowledged_outside_of_transactions():
    client = layer()
    data = client.send(outgoing("ACK"), UDP)
    client.resend(data, UDP)
    assert sent(client) == [data, data]
    assert len(client) == 0
    with pytest.raises(LocalError):
        client.send(outgoing("BYE"), UDP)
    with pytest.raises(LocalError):
        client.request(outgoing("ACK"), UDP, 0)


def test_an_abandoned_transaction_is_gone():
    client = layer()
    transaction = client.request(outgoing("INVITE"), UDP, 0)
    (first,) = sent(client)
    client.abandon(transaction)
    assert len(client) == 0
    assert sendings(client, 40_000) == ([], [])
    assert kinds(client.receive(answer(first, 180), UDP, 0)) == [Dropped]


# The table


def test_nothing_leads_out_of_terminated_and_everything_leads_there():
    for machine in Machine:
        rows = TABLE[machine]
        assert not any(state is State.TERMINATED for state, _ in rows)
        reached = {State.TERMINATED}
        while True:
            more = {state for (state, _), (following, _) in rows.items() if following in reached} | reached
            if more == reached:
                break
            reached = more
        assert {state for state, _ in rows} <= reached


def test_every_state_that_waits_for_nothing_else_has_a_timer():
    for machine in Machine:
        for state in {state for state, _ in TABLE[machine]}:
            leaves = {
                happened
                for (at, happened), (to, _) in TABLE[machine].items()
                if at is state and to is not state
            }
            if Input.GIVE_UP in leaves or Input.LINGER in leaves:
                for is_reliable in (True, False):
                    begins = State.TRYING if state is State.PROCEEDING else state
                    assert timers_of(machine, begins, Timing(), is_reliable=is_reliable)


def test_the_timers_of_table_4():
    timing = Timing()
    at = {
        (timer.timer, is_reliable): timer.after_ms
        for machine in Machine
        for state in State
        for is_reliable in (True, False)
        for timer in timers_of(machine, state, timing, is_reliable=is_reliable)
    }
    assert at == {
        (Timer.A, False): 500,
        (Timer.B, False): 32_000,
        (Timer.B, True): 32_000,
        (Timer.D, False): 32_000,
        (Timer.D, True): 0,
        (Timer.E, False): 500,
        (Timer.F, False): 32_000,
        (Timer.F, True): 32_000,
        (Timer.G, False): 500,
        (Timer.H, False): 32_000,
        (Timer.H, True): 32_000,
        (Timer.I, False): 5000,
        (Timer.I, True): 0,
        (Timer.J, False): 32_000,
        (Timer.J, True): 0,
        (Timer.K, False): 5000,
        (Timer.K, True): 0,
        (Timer.L, False): 32_000,
        (Timer.L, True): 32_000,
        (Timer.M, False): 32_000,
        (Timer.M, True): 32_000,
    }


# Client and server against each other, in all weathers


class User:
    """Answers what comes, notes what is told."""

    def __init__(self, host: str, statuses=(200,)) -> None:
        self.layer = layer(host)
        self.statuses = statuses
        self.requests: list[str] = []
        self.results: list[object] = []

    def receive(self, data, hop, now_ms):
        self.act(self.layer.receive(data, hop, now_ms), now_ms)

    def tick(self, now_ms):
        self.act(self.layer.tick(now_ms), now_ms)

    def failed(self, outgoing, now_ms):
        self.act(self.layer.failed(outgoing, now_ms), now_ms)

    def next_timer_ms(self):
        return self.layer.next_timer_ms()

    def take(self):
        return self.layer.take()

    def act(self, events, now_ms):
        for event in events:
            if isinstance(event, RequestReceived) and event.transaction is not None:
                self.requests.append(event.request.call_id)
                for status in self.statuses:
                    self.layer.respond(event.transaction, event.request.respond(status, tag="b"), now_ms)
            elif isinstance(event, ResponseReceived) and event.response.status >= 200:
                self.results.append(event.response.status)
            elif isinstance(event, (TimedOut, Unreachable)):
                self.results.append(type(event))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(
    ("method", "statuses"), [("OPTIONS", (200,)), ("INVITE", (180, 486)), ("MESSAGE", (100, 503))]
)
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_every_request_is_taken_once_and_has_one_result(seed, method, statuses, transport):
    weather = Weather(loss=0.25, doubling=0.2, delay_ms=(1, 900))
    network = Network(seed, weather)
    client, server = User("192.0.2.1"), User("192.0.2.9", statuses)
    network.add(client, "192.0.2.1")
    network.add(server, "192.0.2.9")
    hop = Hop(transport, "192.0.2.9", 5060)
    for number in range(15):
        client.layer.request(outgoing(method, 1, f"call-{number}"), hop, network.now_ms)
        network.run(40)
    network.run(200_000)
    assert len(client.results) == 15
    assert len(set(server.requests)) == len(server.requests)
    if transport == "tcp":
        assert client.results == [statuses[-1]] * 15
    else:
        # With 11 tries each way through such weather nearly all come through; the others are told.
        assert client.results.count(statuses[-1]) >= 12
        assert set(client.results) <= {statuses[-1], TimedOut}
    assert len(client.layer) == len(server.layer) == 0
    assert client.layer.next_timer_ms() is server.layer.next_timer_ms() is None


def test_nobody_there_is_told_after_64_t1_or_at_once_over_a_stream():
    network = Network()
    client = User("192.0.2.1")
    network.add(client, "192.0.2.1")
    for transport in ("udp", "tcp"):
        client.layer.request(outgoing("OPTIONS"), Hop(transport, "192.0.2.9", 5060), network.now_ms)
        network.run(32_000)
    assert client.results == [TimedOut, Unreachable]
