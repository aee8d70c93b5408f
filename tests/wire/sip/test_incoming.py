"""Calls that come in over real sockets: who may call, what a number does, what is recorded."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
from collections.abc import AsyncIterator

import pytest

from chappe.audio.sound import Converted
from chappe.calls.arriving import Answer, Bridge, RecordingLimits, Redirect, Refuse
from chappe.operators.sip import arrived, taken
from chappe.operators.sip.agent.digest import Authenticator
from chappe.operators.sip.agent.events import Answered, OfferAnswered
from chappe.operators.sip.incoming import IncomingCalls
from chappe.operators.sip.media import client
from tests.wire.sip.element import WAIT_S_MAX
from tests.wire.sip.far import settle
from tests.wire.sip.incoming_bench import CALLED, NUMBER, IncomingBench, eventually

GREETING = Converted(400, bytes(n * 7 % 200 for n in range(3200)), bytes(n * 5 % 200 for n in range(3200)))
SPEECH = [bytes([(n * 37 + k * 11) % 100 for k in range(160)]) for n in range(100)]
"""Two seconds, all of it loud."""


@pytest.fixture
async def bench() -> AsyncIterator[IncomingBench]:
    made = IncomingBench()
    yield made
    await made.close()


def records(s_max: int = 60, silence_s: int = 0) -> Answer:
    return Answer(GREETING, RecordingLimits(s_max, silence_s))


async def test_a_call_is_greeted_recorded_and_committed_while_it_is_heard(bench):
    await bench.open()
    bench.arrivals.acts[CALLED] = records()
    caller = await bench.dial()
    await caller.answered()
    await caller.until(lambda: GREETING.alaw in caller.heard)
    await bench.recording()
    caller.say(SPEECH)
    await bench.arrivals.until(lambda: bench.arrivals.pieces)
    assert bench.arrivals.recorded == b"".join(SPEECH)
    assert bench.arrivals.ends == []
    caller.say(SPEECH[:10])
    await settle(0.2)
    caller.do(caller.call.hang_up)
    end = await bench.arrivals.end()
    assert (end.result, end.status, end.cause, end.is_cut) == ("answered", 200, 16, False)
    recorded = bench.arrivals.recorded
    assert len(recorded) > 16_000
    assert b"".join(SPEECH + SPEECH[:10]).startswith(recorded)
    assert {piece.law for piece in bench.arrivals.pieces} == {"alaw"}
    (asked,) = bench.arrivals.asked
    assert (asked.numbers, asked.caller, asked.trunk) == ((CALLED,), "33612000000", "t")
    assert bench.arrivals.answered_ids == [1]


async def test_mu_law_is_greeted_and_recorded_in_mu_law(bench):
    await bench.open()
    bench.arrivals.acts[CALLED] = records()
    caller = await bench.dial(codecs=("PCMU",))
    await caller.answered()
    await caller.until(lambda: GREETING.ulaw in caller.heard)
    await bench.recording()
    caller.say(SPEECH)
    await bench.arrivals.until(lambda: bench.arrivals.pieces)
    assert bench.arrivals.pieces[0].law == "ulaw"


async def test_an_acknowledgement_that_does_not_answer_our_offer_ends_the_call(bench):
    await bench.open()
    bench.arrivals.acts[CALLED] = Answer(GREETING, None)
    caller = await bench.dial(body=b"")
    event = await caller.told(Answered)
    assert event.body
    # The core that calls here does not answer offers in its ACK.
    end = await bench.arrivals.end()
    assert (end.result, end.cause) == ("answered", 88)


async def test_an_answer_without_a_recording_ends_with_its_greeting(bench):
    await bench.open()
    bench.arrivals.acts[CALLED] = Answer(GREETING, None)
    caller = await bench.dial()
    ended = await caller.ended()
    assert GREETING.alaw in caller.heard
    assert ended.cause.q850 == 16
    assert bench.arrivals.pieces == []
    assert (await bench.arrivals.end()).result == "answered"


@pytest.mark.parametrize("how", ["limit", "silence", "nothing comes", "digit"])
async def test_a_recording_ends_by(bench, how):
    await bench.open()
    s_max, silence_s = (1, 0) if how == "limit" else (60, 0) if how == "digit" else (60, 2)
    bench.arrivals.acts[CALLED] = Answer(None, RecordingLimits(s_max, silence_s))
    caller = await bench.dial()
    await caller.answered()
    await bench.recording()
    if how != "nothing comes":
        caller.say(SPEECH[:50])
    if how == "silence":
        for _ in range(3):
            caller.say([b"\xd5" * 160] * 50)
            await settle(1.0)
    elif how == "digit":
        caller.press(11)
    await caller.ended()
    end = await bench.arrivals.end()
    assert (end.result, end.cause, end.is_cut) == ("answered", 16, False)
    if how == "nothing comes":
        assert bench.arrivals.pieces == []
    else:
        assert bench.arrivals.recorded.startswith(b"".join(SPEECH[:50]))


async def test_a_hash_skips_the_greeting(bench):
    await bench.open()
    long = Converted(60_000, b"\xd5" * 480_000, b"\xff" * 480_000)
    bench.arrivals.acts[CALLED] = Answer(long, RecordingLimits(60, 0))
    caller = await bench.dial()
    await caller.answered()
    await caller.until(lambda: caller.packets)
    caller.press(11)
    await bench.recording()
    caller.say(SPEECH)
    await bench.arrivals.until(lambda: bench.arrivals.pieces)
    caller.do(caller.call.hang_up)
    await bench.arrivals.end()


async def test_a_number_that_is_not_ours_and_one_that_refuses(bench):
    await bench.open()
    bench.arrivals.acts[CALLED] = Refuse(486, 17)
    failed = await (await bench.dial()).failed()
    assert (failed.cause.status, failed.cause.q850) == (486, 17)
    failed = await (await bench.dial("+33999999999")).failed()
    assert (failed.cause.status, failed.cause.q850) == (404, 1)
    failed = await (await bench.dial("nobody")).failed()
    assert failed.cause.status == 404
    assert len(bench.arrivals.asked) == 2


async def test_a_call_is_redirected_to_the_trunk_s_domain(bench):
    await bench.open({"domain": "sip.example.net", "number_format": "00"})
    bench.arrivals.acts[CALLED] = Redirect(33612345678)
    answers = b""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.setblocking(False)
        invite = scan(1, peer.getsockname()[1]).replace(b"sip:100@127.0.0.1 ", f"sip:{NUMBER}@h ".encode())
        peer.sendto(invite, ("127.0.0.1", bench.port))
        while b"SIP/2.0 302 " not in answers:
            answers += await asyncio.get_running_loop().sock_recv(peer, 4096)
    assert b"\r\nContact: <sip:0033612345678@sip.example.net>\r\n" in answers
    assert bench.arrivals.ends == []


async def test_a_caller_who_gives_up_before_anything_is_decided(bench):
    await bench.open()
    bench.arrivals.may_decide.clear()
    bench.arrivals.acts[CALLED] = records()
    caller = await bench.dial()
    await bench.arrivals.until(lambda: bench.arrivals.asked)
    caller.do(caller.call.cancel)
    failed = await caller.failed()
    assert failed.cause.status == 487
    bench.arrivals.may_decide.set()
    assert (await bench.arrivals.end()).result == "abandoned"


async def test_no_codec_in_common(bench):
    await bench.open({"codecs": ("PCMA",)})
    bench.arrivals.acts[CALLED] = records()
    caller = await bench.dial(codecs=("PCMU",))
    assert (await caller.failed()).cause.status == 488
    end = await bench.arrivals.end()
    assert (end.result, end.status, end.cause) == ("failed", 488, 88)


async def test_while_the_storage_is_away_calls_are_refused_and_what_was_heard_is_kept(bench):
    await bench.open()
    bench.arrivals.acts[CALLED] = records()
    caller = await bench.dial()
    await caller.answered()
    await caller.until(lambda: GREETING.alaw in caller.heard)
    await bench.recording()
    bench.arrivals.is_down = True
    assert (await (await bench.dial()).failed()).cause.status == 503
    caller.say(SPEECH)
    await settle(0.3)
    caller.do(caller.call.hang_up)
    await caller.ended()
    assert bench.arrivals.ends == []
    bench.arrivals.is_down = False
    await bench.arrivals.until(lambda: len(bench.arrivals.ends) == 2)
    assert {end.result for end in bench.arrivals.ends} == {"answered", "failed"}
    # Packets that the media process has not read by the end of the call are not kept.
    assert bench.arrivals.recorded
    assert b"".join(SPEECH).startswith(bench.arrivals.recorded)


async def test_a_hold_is_answered_and_the_recording_goes_on(bench):
    await bench.open()
    bench.arrivals.acts[CALLED] = records()
    caller = await bench.dial()
    await caller.answered()
    await caller.until(lambda: GREETING.alaw in caller.heard)
    await bench.recording()
    held = caller.endpoint.offer(7, version=2, direction="sendonly")
    caller.do(caller.call.offer, held.encode())
    answer = await caller.told(OfferAnswered)
    assert b"a=recvonly" in answer.body
    caller.say(SPEECH)
    await bench.arrivals.until(lambda: bench.arrivals.pieces)
    caller.do(caller.call.hang_up)
    assert (await bench.arrivals.end()).result == "answered"


async def test_when_the_media_process_dies_the_call_ends_and_its_recording_is_cut(bench):
    await bench.open()
    bench.arrivals.acts[CALLED] = records()
    caller = await bench.dial()
    await caller.answered()
    await caller.until(lambda: GREETING.alaw in caller.heard)
    await bench.recording()
    caller.say(SPEECH)
    await bench.arrivals.until(lambda: bench.arrivals.pieces)
    os.kill(bench.element.media.process.pid, signal.SIGKILL)
    await caller.ended()
    end = await bench.arrivals.end()
    assert (end.result, end.is_cut) == ("answered", True)


@pytest.mark.parametrize("when", ["before a call", "in a call"])
async def test_a_media_process_that_hangs_is_replaced_where_calls_only_come_in(bench, when, monkeypatch):
    for module, name in ((arrived, "MEDIA_S_MAX"), (taken, "CLOSE_S_MAX"), (client, "SUSPECT_S_MAX")):
        monkeypatch.setattr(module, name, 0.2)
    monkeypatch.setattr(client, "RESTART_S", 0.05)
    await bench.open()
    bench.arrivals.acts[CALLED] = Answer(GREETING, None)
    media = bench.element.media
    hung = media.process
    if when == "before a call":
        os.kill(hung.pid, signal.SIGSTOP)
        assert (await (await bench.dial()).failed()).cause.status == 503
    else:
        caller = await bench.dial()
        await caller.until(lambda: caller.packets)
        os.kill(hung.pid, signal.SIGSTOP)
        caller.do(caller.call.hang_up)
        await bench.arrivals.end()
    await eventually(lambda: media.process is not hung and media.is_up)
    caller = await bench.dial()
    await caller.ended()
    assert GREETING.alaw in caller.heard


async def test_a_stop_ends_calls_and_has_them_committed(bench):
    await bench.open()
    bench.arrivals.acts[CALLED] = records()
    caller = await bench.dial()
    await caller.answered()
    await caller.until(lambda: GREETING.alaw in caller.heard)
    await bench.recording()
    caller.say(SPEECH[:20])
    await settle(0.2)
    await bench.calls.stop()
    await caller.ended()
    (end,) = bench.arrivals.ends
    assert (end.result, end.is_cut) == ("answered", True)
    assert bench.arrivals.recorded
    assert b"".join(SPEECH[:20]).startswith(bench.arrivals.recorded)
    assert (await (await bench.dial()).failed()).cause.status == 503


# Who may call


async def test_a_stranger_is_refused_and_nothing_is_kept_of_it(bench):
    await bench.open({"host": "192.0.2.1"})
    for _ in range(3):
        assert (await (await bench.dial()).failed()).cause.status == 403
    assert bench.arrivals.asked == []
    assert len(bench.element.agent.layer) == 0


@pytest.mark.parametrize(
    ("status", "spoil"),
    [
        (403, lambda octets: octets),
        (403, lambda octets: octets.replace(b"INVITE", b"REGISTER")),
        (481, lambda octets: octets.replace(b"To: <sip:100@127.0.0.1>", b"To: <sip:100@127.0.0.1>;tag=1")),
        (481, lambda octets: octets.replace(b"INVITE", b"CANCEL")),
        (400, lambda octets: octets.replace(b"CSeq: 1 INVITE", b"CSeq: 1 BYE")),
        (505, lambda octets: octets.replace(b" SIP/2.0\r\nVia", b" SIP/3.0\r\nVia")),
    ],
    ids=["call", "registration", "in no call", "cancellation", "contradiction", "version"],
)
async def test_a_flood_of_strangers_is_not_even_answered(bench, status, spoil):
    await bench.open({"host": "192.0.2.1"})
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as scanner:
        scanner.bind(("127.0.0.1", 0))
        port = scanner.getsockname()[1]
        for number in range(200):
            scanner.sendto(spoil(scan(number, port)), ("127.0.0.1", bench.port))
        await settle(0.5)
        scanner.setblocking(False)
        answers = []
        while True:
            try:
                answers.append(scanner.recv(4096))
            except BlockingIOError:
                break
    assert 1 <= len(answers) <= 40
    assert all(answer.startswith(b"SIP/2.0 %d " % status) for answer in answers)
    assert len(bench.element.agent.layer) == 0


@pytest.mark.parametrize("pointer", [b"maddr", b"received"])
async def test_who_asks_is_answered_and_nobody_else_that_he_names(bench, pointer):
    await bench.open({"host": "192.0.2.1"})
    loop = asyncio.get_running_loop()
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as scanner,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as victim,
    ):
        scanner.bind(("127.0.0.1", 0))
        port = scanner.getsockname()[1]
        victim.bind(("127.0.0.2", port))
        for each in (scanner, victim):
            each.setblocking(False)
        named = scan(1, port).replace(b";branch", b";" + pointer + b"=127.0.0.2;branch")
        scanner.sendto(named, ("127.0.0.1", bench.port))
        async with asyncio.timeout(WAIT_S_MAX):
            answer = await loop.sock_recv(scanner, 4096)
        assert answer.startswith(b"SIP/2.0 403 ")
        with pytest.raises(BlockingIOError):
            victim.recv(4096)


async def test_a_repeated_request_of_a_stranger_has_the_same_answer(bench):
    await bench.open({"host": "192.0.2.1"})
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as scanner:
        scanner.bind(("127.0.0.1", 0))
        scanner.setblocking(False)
        answers = set()
        for _ in range(2):
            scanner.sendto(scan(1, scanner.getsockname()[1]), ("127.0.0.1", bench.port))
            answers.add(await loop.sock_recv(scanner, 4096))
    assert len(answers) == 1


def scan(number: int, port: int) -> bytes:
    return (
        f"INVITE sip:100@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{number}\r\n"
        f"From: <sip:100@1.1.1.1>;tag={number}\r\nTo: <sip:100@127.0.0.1>\r\nCall-ID: {number}\r\n"
        f"CSeq: 1 INVITE\r\nContact: <sip:100@127.0.0.1:{port}>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    ).encode()


async def test_other_addresses_of_a_trunk_may_call_too(bench):
    await bench.open({"host": "192.0.2.1", "incoming_from": ("127.0.0.0/8",)})
    bench.arrivals.acts[CALLED] = Refuse(486, 17)
    assert (await (await bench.dial()).failed()).cause.status == 486


async def test_a_host_is_looked_up(bench):
    await bench.open({"host": "localhost"})
    bench.arrivals.acts[CALLED] = Refuse(486, 17)
    assert (await (await bench.dial()).failed()).cause.status == 486


async def test_whoever_has_to_prove_it_proves_it_by_digest(bench):
    await bench.open({"incoming_username": "they", "incoming_password": "secret"})
    bench.arrivals.acts[CALLED] = Refuse(486, 17)
    assert (await (await bench.dial()).failed()).cause.status == 401
    for password, status in (("secret", 486), ("wrong", 401)):
        authenticator = Authenticator("they", password, bench.callers.element.agent.ids)
        failed = await (await bench.dial(authenticator=authenticator)).failed()
        assert failed.cause.status == status
    authenticator = Authenticator("others", "secret", bench.callers.element.agent.ids)
    assert (await (await bench.dial(authenticator=authenticator)).failed()).cause.status == 401
    assert len(bench.arrivals.asked) == 1


async def test_of_two_trunks_at_one_address_the_one_whose_user_is_asked_for(bench):
    await bench.open({"name": "a", "username": "33162000009"}, {"name": "b", "username": "33162000008"})
    bench.arrivals.acts[CALLED] = Refuse(486, 17)
    caller = await bench.dial("33162000008")
    await caller.failed()
    assert [call.trunk for call in bench.arrivals.asked] == ["b"]


async def test_there_are_no_more_calls_than_the_trunk_may_have(bench):
    await bench.open({"incoming_calls": 2})
    bench.arrivals.acts[CALLED] = records()
    callers = [await bench.dial() for _ in range(2)]
    for caller in callers:
        await caller.answered()
    failed = await (await bench.dial()).failed()
    assert (failed.cause.status, failed.cause.q850) == (503, 42)
    callers[0].do(callers[0].call.hang_up)
    await bench.arrivals.end()
    await eventually(lambda: bench.calls._of_trunk["t"] == 1)
    await (await bench.dial()).answered()


async def test_calls_come_no_faster_than_they_may(bench):
    await bench.open({"incoming_per_second": 0.5})
    bench.arrivals.acts[CALLED] = Refuse(486, 17)
    statuses = [(await (await bench.dial()).failed()).cause.status for _ in range(3)]
    assert statuses == [486, 503, 503]


async def test_a_number_in_another_place_of_the_request_is_found(bench):
    await bench.open()
    bench.arrivals.acts[CALLED] = Refuse(486, 17)
    headers = [
        ("P-Called-Party-ID", "<sip:0162000001@example.net>"),
        ("P-Asserted-Identity", "<tel:+33612345678>"),
    ]
    assert (await (await bench.dial("user", headers=headers)).failed()).cause.status == 486
    headers.append(("Privacy", "id"))
    assert (await (await bench.dial(NUMBER, headers=headers)).failed()).cause.status == 486
    assert [call.caller for call in bench.arrivals.asked] == ["33612345678", ""]


async def test_what_is_asked_outside_of_calls_is_answered_to_those_we_know(bench):
    await bench.open()
    assert isinstance(bench.calls, IncomingCalls)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.setblocking(False)
        port = peer.getsockname()[1]
        peer.sendto(scan(1, port).replace(b"INVITE", b"OPTIONS"), ("127.0.0.1", bench.port))
        answer = await asyncio.get_running_loop().sock_recv(peer, 4096)
    assert answer.startswith(b"SIP/2.0 200 ")


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_a_trunk_sends_nothing_is_unexpected_and_the_next_call_is_taken(bench, seed):
    await bench.open({"incoming_calls": 10_000, "concurrent_calls": 1000})
    bench.arrivals.acts[CALLED] = records()
    bench.arrivals.acts[CALLED + 1] = Bridge(33612345678, ring_s_max=5, call_s_max=60)
    dice = random.Random(seed)
    caller = await bench.callers.caller()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        port = peer.getsockname()[1]
        for number in range(300):
            message = bytearray(whole(number, port, CALLED + number % 2, caller.offer.encode()))
            for _ in range(dice.randrange(4)):
                place = dice.randrange(len(message))
                if dice.random() < 0.5:
                    message[place] = dice.randrange(256)
                else:
                    message[place : place + dice.randrange(40)] = dice.randbytes(dice.randrange(20))
            peer.sendto(bytes(message), ("127.0.0.1", bench.port))
            if number % 3 == 0:
                cancel = whole(number, port, CALLED + number % 2, b"").replace(b"INVITE", b"CANCEL")
                peer.sendto(cancel, ("127.0.0.1", bench.port))
            await asyncio.sleep(0)
    await (await bench.dial()).answered()
    assert len(bench.arrivals.asked) > 50
    assert bench.unexpected == 0
    await bench.calls.stop()
    assert bench.unexpected == 0


def whole(number: int, port: int, called: int, body: bytes) -> bytes:
    """An INVITE with everything in it that is read."""
    head = scan(number, port).decode().replace("100@127.0.0.1 ", f"+{called}@127.0.0.1 ", 1)
    more = (
        "P-Asserted-Identity: <sip:+33612345678@h>\r\nP-Called-Party-ID: <sip:x@h>\r\nPrivacy: none\r\n"
        "Diversion: <sip:+33162000009@h>;reason=no-answer\r\nHistory-Info: <sip:+33162000008@h>;index=1\r\n"
        "Supported: timer, 100rel\r\nSession-Expires: 1800\r\nContent-Type: application/sdp\r\n"
    )
    head = head.replace("Content-Length: 0", f"{more}Content-Length: {len(body)}")
    return head.encode() + body
