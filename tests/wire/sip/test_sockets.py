"""Sockets: calls over UDP, TCP and TLS on loopback, and what peers do wrong on them."""

from __future__ import annotations

import asyncio
import itertools
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from chappe.operators.sip import sockets
from chappe.operators.sip.agent.events import Answered, Ended, Established, Failed, Incoming, Pinged
from chappe.operators.sip.agent.outgoing import Order
from chappe.operators.sip.agent.ping import Ping
from chappe.operators.sip.agent.settings import Settings
from chappe.operators.sip.hop import Hop
from chappe.operators.sip.stream import TURN_MESSAGES, Stream
from chappe.operators.sip.syntax.address import Address
from chappe.operators.sip.syntax.framing import StreamReader
from chappe.operators.sip.syntax.limits import HEAD_OCTETS_MAX
from chappe.operators.sip.syntax.message import parse_message
from chappe.operators.sip.syntax.uri import SipUri
from chappe.operators.sip.transactions.timing import Timing
from tests.support.certificates import make_certificate
from tests.wire.sip.element import WAIT_S_MAX, Element

QUICK = Settings(timing=Timing(t1_ms=20, t2_ms=100, t4_ms=100))


@pytest.fixture
async def elements() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def opened(stack: AsyncExitStack, settings: Settings | None = None, **more) -> Element:
    element = await Element(settings, **more).open()
    stack.push_async_callback(element.close)
    return element


def answers(element: Element) -> None:
    def act(event) -> None:
        if isinstance(event, Incoming):
            element.do(event.call.ring)
            element.do(event.call.accept, b"v=0 answer")

    element.on_event = act


async def call_and_hang_up(
    caller: Element, callee: Element, port: int, transport, host: str = "127.0.0.1"
) -> None:
    answers(callee)
    call = caller.call(port, transport, host)
    answered = await caller.told(Answered)
    assert answered.body == b"v=0 answer"
    await callee.told(Established)
    caller.do(call.hang_up)
    await callee.told(Ended)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_call_over_udp_and_tcp_by_address_and_by_name(elements, transport, host):
    caller, callee = await opened(elements), await opened(elements)
    await call_and_hang_up(caller, callee, callee.sockets.port, transport, host)


async def test_a_call_over_tls_and_back_on_the_same_connection(elements, tmp_path: Path):
    certificate = make_certificate(tmp_path)
    context, trusted = certificate.server(), certificate.cert
    callee = await opened(elements)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Stream(callee.sockets, "tls"), "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    contexts = {("127.0.0.1", port): ssl.create_default_context(cafile=trusted)}
    caller = await opened(elements, tls=contexts)
    await call_and_hang_up(caller, callee, port, "tls")
    # The callee hangs up the second call: it has no other way to the caller than the caller's connection.
    caller.call(port, "tls")
    established = await callee.told(Established, 2)
    callee.do(established.call.hang_up)
    await caller.told(Ended, 2)
    server.close()


async def test_a_certificate_that_is_not_trusted_is_no_way(elements, tmp_path: Path):
    context = make_certificate(tmp_path).server()
    caller, callee = await opened(elements), await opened(elements)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Stream(callee.sockets, "tls"), "127.0.0.1", 0, ssl=context)
    caller.call(server.sockets[0].getsockname()[1], "tls")
    failed = await caller.told(Failed)
    assert failed.cause.origin == "unreachable"
    assert callee.events == []
    server.close()


async def test_nobody_there(elements):
    caller = await opened(elements, QUICK)
    gone = await Element().open()
    await gone.close()
    for number, (transport, host, origin) in enumerate(
        [
            ("tcp", "127.0.0.1", "unreachable"),
            ("udp", "127.0.0.1", "timeout"),
            ("udp", "nobody.invalid", "unreachable"),
        ],
        start=1,
    ):
        caller.call(gone.sockets.port, transport, host)
        failed = await caller.told(Failed, number)
        assert failed.cause.origin == origin


async def test_a_ping_over_one_connection_after_the_other(elements):
    caller, callee = await opened(elements, QUICK), await opened(elements)
    for number in range(1, 4):
        Ping(
            caller.agent,
            SipUri("127.0.0.1"),
            Address(SipUri("127.0.0.1", "me")),
            Hop("tcp", "127.0.0.1", callee.sockets.port),
            caller.sockets.now_ms(),
        )
        caller.sockets.flush()
        assert (await caller.told(Pinged, number)).status == 200
        for stream in list(callee.sockets._streams.values()):
            stream.close()
        async with asyncio.timeout(WAIT_S_MAX):
            while caller.sockets._streams:
                await asyncio.sleep(0)


OPTIONS = (
    b"OPTIONS sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bKq1\r\n"
    b"From: <sip:a@h>;tag=1\r\nTo: <sip:x@h>\r\nCall-ID: c1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)


async def read_messages(reader: asyncio.StreamReader, count: int) -> list[bytes]:
    frames, found = StreamReader(), []
    async with asyncio.timeout(WAIT_S_MAX):
        while len(found) < count:
            data = await reader.read(4096)
            assert data
            found += frames.feed(data)
    return found


async def test_a_stream_in_drips_and_with_keep_alives(elements):
    callee = await opened(elements)
    reader, writer = await asyncio.open_connection("127.0.0.1", callee.sockets.port)
    for octet in OPTIONS:
        writer.write(bytes([octet]))
        await writer.drain()
    (answer,) = await read_messages(reader, 1)
    assert parse_message(answer).first("CSeq") == "1 OPTIONS"
    writer.write(b"\r\n\r\n")
    async with asyncio.timeout(WAIT_S_MAX):
        assert await reader.readexactly(2) == b"\r\n"
    # Several in one piece
    writer.write(
        b"".join(
            OPTIONS.replace(b"q1", b"r%d" % number).replace(b"c1", b"d%d" % number) for number in range(20)
        )
    )
    assert len(await read_messages(reader, 20)) == 20
    writer.close()


async def test_a_flood_in_one_piece_is_taken_in_turns_and_to_its_end(elements):
    """What else the server does gets its turn in between."""
    callee = await opened(elements)
    turns: list[int] = []
    taken = 0
    receive = callee.sockets.receive

    def counts(data: bytes, hop: Hop) -> None:
        nonlocal taken
        if not taken:
            asyncio.get_running_loop().call_soon(turn)
        taken += 1
        receive(data, hop)

    def turn() -> None:
        turns.append(taken)
        if taken < 2001:
            asyncio.get_running_loop().call_soon(turn)

    callee.sockets.receive = counts  # type: ignore[method-assign]
    reader, writer = await asyncio.open_connection("127.0.0.1", callee.sockets.port)
    writer.write(b"X\r\nl:0\r\n\r\n" * 2000 + OPTIONS)
    (answer,) = await read_messages(reader, 1)
    assert parse_message(answer).first("CSeq") == "1 OPTIONS"
    assert taken == 2001
    assert max(after - before for before, after in itertools.pairwise([0, *turns])) <= 2 * TURN_MESSAGES
    writer.close()


@pytest.mark.parametrize(
    "garbage", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01" * 20_000, b"a" * (HEAD_OCTETS_MAX + 9)]
)
async def test_a_stream_that_is_not_sip_is_closed(elements, garbage):
    callee = await opened(elements)
    reader, writer = await asyncio.open_connection("127.0.0.1", callee.sockets.port)
    writer.write(garbage)
    async with asyncio.timeout(WAIT_S_MAX):
        try:
            while await reader.read(4096):
                pass
        except ConnectionError:
            pass
    writer.close()


async def test_garbage_over_udp_harms_nobody(elements):
    caller, callee = await opened(elements), await opened(elements)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        asyncio.DatagramProtocol, remote_addr=("127.0.0.1", callee.sockets.port)
    )
    for data in (b"", b"\0", b"\r\n\r\n", b"x" * 60_000, b"SIP/2.0 200 OK\r\n\r\n", OPTIONS[:-50]):
        transport.sendto(data)
    transport.close()
    await call_and_hang_up(caller, callee, callee.sockets.port, "udp")


@pytest.mark.parametrize("host", ["::1", "224.0.0.1", "0.0.0.0"])
async def test_an_address_that_the_socket_does_not_reach_is_nobody_and_others_are_still_told(elements, host):
    """A peer may name it in its Contact; what else was to be sent at the same moment is sent."""
    caller, callee = await opened(elements, QUICK), await opened(elements)
    answers(callee)
    for to in (host, "127.0.0.1"):
        order = Order(
            SipUri("127.0.0.1", "+33612345678"),
            Address(SipUri("127.0.0.1", "+33123456789")),
            Hop("udp", to, callee.sockets.port),
            b"v=0 offer",
        )
        caller.agent.call(order, caller.sockets.now_ms())
    caller.sockets.flush()
    assert (await caller.told(Failed)).cause.origin == "unreachable"
    await caller.told(Answered)


@pytest.mark.parametrize("opens", ["we", "they"])
async def test_whoever_opens_many_connections_costs_himself_his_own(elements, opens, monkeypatch):
    monkeypatch.setattr(sockets, "STREAMS_MAX", 8)
    caller, callee = await opened(elements), await opened(elements)
    attacked = caller if opens == "we" else callee
    if opens == "they":
        callee.sockets.is_kept = lambda host: host == "127.0.0.1"
    call = caller.call(callee.sockets.port, "tcp")
    incoming = await callee.told(Incoming)
    (of_the_call,) = attacked.sockets._streams
    strangers = []
    for _ in range(20):
        strangers.append(
            await asyncio.open_connection("127.0.0.1", attacked.sockets.port, local_addr=("127.0.0.2", 0))
        )
    # All but the newest are closed.
    for reader, _ in strangers[:10]:
        async with asyncio.timeout(WAIT_S_MAX):
            try:
                assert await reader.read(1) == b""
            except ConnectionError:
                pass
    assert len(attacked.sockets._streams) == 8
    assert of_the_call in attacked.sockets._streams
    callee.do(incoming.call.accept, b"v=0 answer")
    await caller.told(Answered)
    caller.do(call.hang_up)
    await callee.told(Ended)
    for _, writer in strangers:
        writer.close()


async def test_a_lost_datagram_comes_again(elements):
    """Through a box that drops the first of each kind."""
    caller, callee = await opened(elements, QUICK), await opened(elements, QUICK)
    seen: set[bytes] = set()
    receive = callee.sockets.receive

    def drops(data: bytes, hop: Hop) -> None:
        method = data.split(b" ", 1)[0]
        if method in seen:
            receive(data, hop)
        seen.add(method)

    callee.sockets.receive = drops  # type: ignore[method-assign]
    await call_and_hang_up(caller, callee, callee.sockets.port, "udp")
    assert seen == {b"INVITE", b"ACK", b"BYE"}
