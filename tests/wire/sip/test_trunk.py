"""A trunk: campaigns' calls over real sockets, to telephones that answer, refuse, hang up, hold and fall silent."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest

from chappe.audio.sound import Converted
from chappe.calls.port import CallEnd, CallOrder, Script
from chappe.clock import SystemClock
from chappe.operators.sip.agent.settings import Settings
from chappe.operators.sip.element import SipElement
from chappe.operators.sip.transactions.timing import Timing
from chappe.operators.sip.trunk import SipTrunk
from chappe.settings import OperatorSettings
from chappe.storage.database import OutcomeUnknown, StorageUnavailable
from tests.wire.sip.element import WAIT_S_MAX
from tests.wire.sip.far import FarEnd, Telephone, settle

QUICK = Settings(timing=Timing(t1_ms=50, t2_ms=200, t4_ms=200))
ALAW = bytes(number * 7 % 200 for number in range(3200))
SOUND = Converted(400, ALAW, bytes(octet ^ 0xFF for octet in ALAW))
OTHER = Converted(400, ALAW[::-1], ALAW[::-1])


def order(number: int = 33612345678, *, script: Script | None = None, **more) -> CallOrder:
    fields = {"campaign_id": 1, "number": number, "attempt": 1, "sender": "33162001122", "ring_s_max": 30}
    return CallOrder(**{**fields, **more}, script=script or Script(SOUND, SOUND), left_at_ms=0)


@dataclass
class Outcomes:
    """Commits when the test lets it."""

    answered_calls: list[CallOrder] = field(default_factory=list)
    ends: list[tuple[CallOrder, CallEnd]] = field(default_factory=list)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    refuses_answer: bool = False
    troubles: int = 0
    trouble: type[Exception] = StorageUnavailable
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.may_answer.set()

    async def answered(self, trunk, order: CallOrder, at_ms: int) -> None:
        self.answered_calls.append(order)
        self.changed.set()
        await self.may_answer.wait()
        if self.refuses_answer:
            raise StorageUnavailable("no")

    async def ended(self, trunk, order: CallOrder, end: CallEnd) -> None:
        if self.troubles:
            self.troubles -= 1
            raise self.trouble("not now")
        self.ends.append((order, end))
        self.changed.set()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(WAIT_S_MAX):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    async def end(self, number: int = 1) -> CallEnd:
        await self.until(lambda: len(self.ends) >= number)
        return self.ends[number - 1][1]


class Bench:
    """A far end, and trunks to it."""

    def __init__(self, detector: str = "") -> None:
        self._detector = detector
        self.far = FarEnd(QUICK)
        self.outcomes = Outcomes()
        self.wakes = 0
        self.woken = asyncio.Event()
        self.unexpected = 0
        self.trunks: list[SipTrunk] = []

    async def open(self) -> None:
        await self.far.open()
        self.element = SipElement(
            host="127.0.0.1",
            port=0,
            public_host="",
            rtp_ports=(0, 0),
            detector=self._detector,
            settings=QUICK,
            on_unexpected=self._on_unexpected,
        )
        await self.element.start()

    async def trunk(self, *, up: bool = True, **settings) -> SipTrunk:
        fields = {
            "name": "t",
            "kind": "sip",
            "host": "127.0.0.1",
            "port": self.far.port,
            "calls_per_second": 1000,
        }
        trunk = SipTrunk(OperatorSettings(**{**fields, **settings}), self.element, SystemClock())
        self.trunks.append(trunk)
        await trunk.start(self.outcomes, self._wake)
        if up:
            await self.until(lambda: trunk.is_up)
        return trunk

    async def until(self, condition: Callable[[], object]) -> None:
        """Looked at whenever a trunk wakes its dispatcher."""
        async with asyncio.timeout(WAIT_S_MAX):
            while not condition():
                self.woken.clear()
                await self.woken.wait()

    async def close(self) -> None:
        for trunk in self.trunks:
            await trunk.stop()
        await self.element.stop()
        await self.far.close()
        assert self.unexpected == 0

    def _wake(self) -> None:
        self.wakes += 1
        self.woken.set()

    def _on_unexpected(self) -> None:
        self.unexpected += 1


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    await made.open()
    yield made
    await made.close()


async def test_a_call_is_answered_the_sound_is_heard_and_the_call_hung_up(bench):
    trunk = await bench.trunk()
    assert trunk.free_calls == 30
    trunk.call(order())
    assert trunk.free_calls == 29
    end = await bench.outcomes.end()
    telephone = await bench.far.telephone()
    await telephone.until(lambda: telephone.ended)
    assert ALAW in telephone.heard
    assert end.result == "answered"
    assert (end.status, end.cause, end.party) == (200, 16, "")
    assert (end.played_ms, end.is_complete) == (400, True)
    assert end.answered_at_ms is not None
    assert end.ended_at_ms - end.answered_at_ms >= 400
    assert len(bench.outcomes.answered_calls) == 1
    await bench.until(lambda: trunk.free_calls == 30)
    request = telephone.request
    assert str(request.uri) == f"sip:+33612345678@127.0.0.1:{bench.far.port}"
    assert str(request.from_.uri) == f"sip:+33162001122@127.0.0.1:{bench.far.port}"


async def test_no_frame_leaves_before_the_answer_is_committed(bench):
    bench.outcomes.may_answer.clear()
    trunk = await bench.trunk()
    trunk.call(order())
    telephone = await bench.far.telephone()
    await telephone.until(lambda: telephone.is_established)
    await bench.outcomes.until(lambda: bench.outcomes.answered_calls)
    await settle(0.3)
    assert telephone.packets == []
    bench.outcomes.may_answer.set()
    await telephone.until(lambda: ALAW in telephone.heard)
    assert (await bench.outcomes.end()).is_complete


async def test_an_answer_that_cannot_be_committed_ends_the_call_without_a_frame(bench):
    bench.outcomes.refuses_answer = True
    trunk = await bench.trunk()
    trunk.call(order())
    end = await bench.outcomes.end()
    telephone = await bench.far.telephone()
    await telephone.until(lambda: telephone.ended)
    assert (end.result, end.played_ms) == ("failed", 0)
    assert telephone.packets == []


async def test_the_telephone_hangs_up_while_its_answer_is_being_committed(bench):
    bench.outcomes.may_answer.clear()
    trunk = await bench.trunk()
    trunk.call(order())
    telephone = await bench.far.telephone()
    await telephone.until(lambda: telephone.is_established)
    await bench.outcomes.until(lambda: bench.outcomes.answered_calls)
    bench.far.do(telephone.call.hang_up)
    await settle(0.1)
    assert bench.outcomes.ends == []
    bench.outcomes.may_answer.set()
    end = await bench.outcomes.end()
    assert (end.result, end.played_ms) == ("answered", 0)
    assert telephone.packets == []


@pytest.mark.parametrize("trouble", [StorageUnavailable, OutcomeUnknown])
async def test_the_end_is_brought_until_it_is_committed_and_the_place_kept(bench, trouble):
    bench.outcomes.troubles, bench.outcomes.trouble = 2, trouble
    trunk = await bench.trunk(concurrent_calls=1)
    trunk.call(order())
    telephone = await bench.far.telephone()
    await telephone.until(lambda: telephone.ended)
    assert trunk.free_calls == 0
    await bench.outcomes.end()
    await bench.until(lambda: trunk.free_calls == 1)
    assert len(bench.outcomes.ends) == 1


@pytest.mark.parametrize(
    ("status", "q850", "rings", "result"),
    [
        (486, None, True, "busy"),
        (600, None, False, "busy"),
        (480, None, True, "no answer"),
        (480, 20, True, "unreachable"),
        (404, None, False, "unreachable"),
        (484, None, False, "unreachable"),
        (403, None, False, "rejected"),
        (603, None, True, "rejected"),
        (488, None, False, "failed"),
        (503, None, False, "not taken"),
        (503, None, True, "failed"),
        (503, 17, True, "busy"),
        (500, 1, False, "unreachable"),
    ],
)
async def test_every_refusal_has_its_result(bench, status, q850, rings, result):
    def act(telephone: Telephone) -> None:
        if rings:
            bench.far.do(telephone.call.ring)
        bench.far.do(telephone.call.reject, status, q850=q850)

    bench.far.act = act
    trunk = await bench.trunk()
    trunk.call(order())
    end = await bench.outcomes.end()
    assert (end.result, end.status, end.answered_at_ms) == (result, status, None)
    if q850:
        assert end.cause == q850
    assert end.progress == (f"180 {status}" if rings else f"{status}")


async def test_a_telephone_that_rings_too_long_is_given_up(bench):
    bench.far.act = lambda telephone: bench.far.do(telephone.call.ring)
    trunk = await bench.trunk()
    trunk.call(order(ring_s_max=1))
    telephone = await bench.far.telephone()
    await telephone.until(lambda: telephone.ended)
    end = await bench.outcomes.end()
    assert (end.result, end.status, end.cause, end.progress) == ("no answer", 487, 19, "180 487")
    assert telephone.ended.cause.q850 == 19


async def test_a_trunk_that_is_silent_for_longer_than_it_may_ring_has_not_taken_the_call(bench):
    silent = await bench.trunk(port=bench.far.port ^ 1 or 1, options_s=0)
    silent.call(order(ring_s_max=1))
    end = await bench.outcomes.end()
    assert (end.result, end.status, end.progress) == ("not taken", 0, "")


async def test_a_telephone_that_hangs_up_early_has_heard_so_much(bench):
    long = Converted(60_000, b"\x2a" * 480_000, b"\x2a" * 480_000)
    trunk = await bench.trunk()
    trunk.call(order(script=Script(long, long)))
    telephone = await bench.far.telephone()
    await telephone.until(lambda: len(telephone.packets) > 20)
    bench.far.do(telephone.call.hang_up, q850=31)
    end = await bench.outcomes.end()
    assert (end.result, end.cause, end.is_complete) == ("answered", 31, False)
    assert 200 <= end.played_ms < 60_000


async def test_the_codec_of_the_answer_is_played(bench):
    async def act(telephone: Telephone) -> None:
        await bench.far.answer(telephone, codecs=("PCMU",))

    bench.far.act = act
    trunk = await bench.trunk()
    trunk.call(order())
    await bench.outcomes.end()
    telephone = await bench.far.telephone()
    assert SOUND.ulaw in telephone.heard
    assert {packet.payload_type for packet in telephone.packets} == {0}


async def test_early_media_is_answered_in_the_183_and_stays_in_force(bench):
    async def act(telephone: Telephone) -> None:
        await telephone.open()
        bench.far.do(telephone.call.ring, status=183, body=telephone.answer())
        telephone.say([b"\x2a" * 160] * 3)
        await settle(0.2)
        assert telephone.packets == []
        bench.far.do(telephone.call.accept, b"")

    bench.far.act = act
    trunk = await bench.trunk()
    trunk.call(order())
    end = await bench.outcomes.end()
    assert end.progress == "183 200"
    assert ALAW in (await bench.far.telephone()).heard


@pytest.mark.parametrize(
    ("address", "codec"), [(b"127.0.0.1", b"18"), (b"media.example.com", b"8"), (b"224.0.0.1", b"8")]
)
async def test_an_answer_without_a_codec_of_ours_or_an_address_is_hung_up(bench, address, codec):
    def act(telephone: Telephone) -> None:
        body = (
            b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 %b\r\nt=0 0\r\nm=audio 4000 RTP/AVP %b\r\n"
        )
        body %= (address, codec)
        bench.far.do(telephone.call.accept, body)

    bench.far.act = act
    trunk = await bench.trunk()
    trunk.call(order())
    end = await bench.outcomes.end()
    assert (end.result, end.status, end.cause) == ("failed", 488, 88)
    assert bench.outcomes.answered_calls == []
    telephone = await bench.far.telephone()
    await telephone.until(lambda: telephone.ended)


async def test_a_call_on_hold_is_silent_and_goes_on_when_it_is_taken_back(bench):
    long = Converted(60_000, b"\x2a" * 480_000, b"\x2a" * 480_000)
    trunk = await bench.trunk()
    trunk.call(order(script=Script(long, long)))
    telephone = await bench.far.telephone()
    await telephone.until(lambda: len(telephone.packets) > 5)
    endpoint = telephone.endpoint
    bench.far.do(telephone.call.offer, endpoint.offer(1, version=2, direction="sendonly").encode())
    await telephone.until(lambda: telephone.call._offering is None)
    await settle(0.2)
    count = len(telephone.packets)
    await settle(0.2)
    assert len(telephone.packets) == count
    bench.far.do(telephone.call.offer, endpoint.offer(1, version=3).encode())
    await telephone.until(lambda: len(telephone.packets) > count + 5)
    bench.far.do(telephone.call.hang_up)
    assert (await bench.outcomes.end()).result == "answered"


async def test_script_of_nothing_is_hung_up_at_once(bench):
    trunk = await bench.trunk()
    trunk.call(order(script=Script(None, SOUND)))
    end = await bench.outcomes.end()
    assert (end.result, end.played_ms, end.is_complete) == ("answered", 0, False)


async def test_the_media_process_dies_in_a_call(bench):
    long = Converted(60_000, b"\x2a" * 480_000, b"\x2a" * 480_000)
    trunk = await bench.trunk()
    trunk.call(order(script=Script(long, long)))
    telephone = await bench.far.telephone()
    await telephone.until(lambda: telephone.packets)
    os.kill(bench.element.media.process.pid, signal.SIGKILL)
    end = await bench.outcomes.end()
    assert (end.result, end.is_complete) == ("answered", False)
    await telephone.until(lambda: telephone.ended)
    assert not trunk.is_up
    async with asyncio.timeout(WAIT_S_MAX):
        await bench.element.media._ready.wait()
    assert trunk.is_up
    trunk.call(order())
    assert (await bench.outcomes.end(2)).is_complete


@pytest.mark.parametrize(
    ("number", "script", "user"),
    [
        (33612345678, Script(None, SOUND), "*98+33612345678"),
        (33123456789, Script(None, SOUND), "+33123456789"),
        (33612345678, Script(OTHER, SOUND), "+33612345678"),
    ],
)
async def test_a_deposit_on_a_mobile_goes_by_the_number_plan_of_the_trunk(bench, number, script, user):
    trunk = await bench.trunk(deposit_prefix="*98")
    trunk.call(order(number, script=script))
    await bench.outcomes.end()
    assert (await bench.far.telephone()).request.uri.user == user


# The trunk itself


async def test_calls_a_second_and_calls_at_a_time_are_kept(bench):
    bench.far.act = lambda telephone: bench.far.do(telephone.call.ring)
    trunk = await bench.trunk(calls_per_second=10, concurrent_calls=4)
    times = []
    loop = asyncio.get_running_loop()
    for number in range(4):
        await bench.until(lambda: trunk.free_calls)
        times.append(loop.time())
        trunk.call(order(33600000000 + number, ring_s_max=5))
    assert times[3] - times[1] >= 0.19
    await settle(0.3)
    assert trunk.free_calls == 0
    telephone = await bench.far.telephone()
    bench.far.do(telephone.call.reject, 486)
    await bench.until(lambda: trunk.free_calls == 1)


async def test_a_trunk_is_up_when_it_answers_and_down_when_it_does_not(bench):
    trunk = await bench.trunk(options_s=5)
    assert trunk.is_up
    nobody = await bench.trunk(up=False, port=bench.far.port ^ 1 or 1, name="nobody")
    assert not nobody.is_up
    assert nobody.free_calls == 0
    always = await bench.trunk(port=bench.far.port ^ 1 or 1, options_s=0, name="always")
    assert always.is_up


async def test_a_trunk_that_never_answers_a_call_has_not_taken_it_and_rests(bench):
    silent = await bench.trunk(port=bench.far.port ^ 1 or 1, options_s=0)
    for number in range(1, 4):
        silent.call(order())
        end = await bench.outcomes.end(number)
        assert (end.result, end.status, end.answered_at_ms) == ("not taken", 0, None)
    assert not silent.is_up


async def test_a_trunk_that_is_full_rests_as_long_as_it_says(bench):
    def act(telephone: Telephone) -> None:
        bench.far.do(telephone.call.reject, 503, headers=[("Retry-After", "1")])

    bench.far.act = act
    trunk = await bench.trunk()
    trunk.call(order())
    assert (await bench.outcomes.end()).result == "not taken"
    assert not trunk.is_up
    await bench.until(lambda: trunk.is_up)


async def test_registration_with_a_password(bench):
    """The registrar answers REGISTER; the far end is told who registers."""
    await bench.far.close()
    bench.far = await FarEnd(Settings(timing=QUICK.timing, handles=frozenset({"REGISTER"}))).open()
    trunk = await bench.trunk(up=False, username="alice", password="secret", domain="example.org")
    async with asyncio.timeout(WAIT_S_MAX):
        while not bench.far.requests:
            await asyncio.sleep(0.01)
    (request,) = bench.far.requests
    assert str(request.request.uri) == "sip:example.org"
    contact = request.request.first("Contact")
    assert not trunk.is_up
    bench.far.element.agent.respond(
        request.transaction, 200, bench.far.element.sockets.now_ms(), headers=[("Contact", contact)]
    )
    bench.far.element.sockets.flush()
    await bench.until(lambda: trunk.is_up)
    trunk.call(order())
    telephone = await bench.far.telephone()
    assert str(telephone.request.uri) == "sip:+33612345678@example.org"
    assert (await bench.outcomes.end()).is_complete


@pytest.mark.parametrize(
    ("settings", "sender", "expected"),
    [
        ({}, "", '"Anonymous" <sip:anonymous@anonymous.invalid>'),
        ({"caller_id": "33199001122"}, "", "<sip:+33199001122@example.org>"),
        ({"number_format": "national"}, "33162001122", "<sip:0162001122@example.org>"),
        ({"number_format": "00"}, "33162001122", "<sip:0033162001122@example.org>"),
        (
            {"username": "bob", "register_s": 0, "caller_header": "p-asserted-identity"},
            "33162001122",
            "<sip:bob@example.org>",
        ),
    ],
)
async def test_how_numbers_are_shown(bench, settings, sender, expected):
    bench.far.act = lambda telephone: bench.far.do(telephone.call.reject, 486)
    trunk = await bench.trunk(domain="example.org", **settings)
    trunk.call(order(sender=sender))
    request = (await bench.far.telephone()).request
    assert request.first("From").partition(";")[0] == expected
    if "caller_header" in settings:
        assert request.first("P-Asserted-Identity") == "<sip:+33162001122@example.org>"
    await bench.outcomes.end()


async def test_a_trunk_that_stops_ends_its_calls_and_brings_their_ends(bench):
    long = Converted(60_000, b"\x2a" * 480_000, b"\x2a" * 480_000)
    trunk = await bench.trunk()
    trunk.call(order(script=Script(long, long)))
    telephone = await bench.far.telephone()
    await telephone.until(lambda: telephone.packets)
    bench.far.act = lambda telephone: bench.far.do(telephone.call.ring)
    trunk.call(order(33600000001))
    ringing = await bench.far.telephone(2)
    await trunk.stop()
    await ringing.until(lambda: ringing.ended)
    await telephone.until(lambda: telephone.ended)
    ends = {order.number: end for order, end in bench.outcomes.ends}
    assert ends[33612345678].result == "answered"
    assert ends[33600000001].result == "failed"
    assert trunk.free_calls == 0


async def test_a_call_that_comes_in_meets_nobody(bench):
    call = bench.far.element.call(bench.element.sockets.port)
    async with asyncio.timeout(WAIT_S_MAX):
        while call.state.name != "ENDED":
            await asyncio.sleep(0.01)


async def test_many_calls_at_once(bench):
    trunk = await bench.trunk(concurrent_calls=200)
    for number in range(100):
        trunk.call(order(33600000000 + number))
    await bench.outcomes.end(100)
    assert {end.result for _, end in bench.outcomes.ends} == {"answered"}
    assert all(end.is_complete for _, end in bench.outcomes.ends)


async def test_a_trunk_that_stops_leaves_what_has_not_left_to_the_next_start(bench):
    trunk = await bench.trunk()
    trunk.call(order())
    await trunk.stop()
    end = await bench.outcomes.end()
    assert (end.result, end.reason, end.status) == ("not taken", "stopped", 0)
    await settle(0.1)
    assert bench.far.telephones == []
