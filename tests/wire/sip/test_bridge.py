"""Calls that are passed on: two legs over real sockets, what crosses between them, and how each end ends the other."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace

import numpy as np
import pytest
from structlog.testing import capture_logs

from chappe.audio import g711
from chappe.calls.arriving import Bridge
from chappe.operators.sip import journal
from chappe.operators.sip.agent.digest import Authenticator, is_right
from chappe.operators.sip.agent.events import OfferAnswered, Offered, Progress
from chappe.operators.sip.bridged import digit_of
from chappe.operators.sip.hop import Hop
from chappe.operators.sip.rtp.laws import TO_OTHER
from chappe.operators.sip.sdp.audio import EVENTS_PAYLOAD_TYPE
from chappe.operators.sip.syntax.message import Request
from chappe.operators.sip.transactions.layer import Refusal
from tests.wire.sip.far import FarEnd, Telephone, settle
from tests.wire.sip.incoming_bench import CALLED, NUMBER, QUICK, IncomingBench, eventually

TARGET = 33612345678
FORWARD = Bridge(TARGET, ring_s_max=30, call_s_max=60)
SPEECH = [bytes([(n * 37 + k * 11) % 100 for k in range(160)]) for n in range(50)]
SAID = b"".join(SPEECH)


def tone_frame(hz: int, number: int) -> bytes:
    """The `number`-th 20 ms of a tone, in A-law."""
    times = np.arange(160 * number, 160 * (number + 1)) / 8000
    return g711.encode((8000 * np.sin(2 * np.pi * hz * times)).astype(np.int16), "alaw")


@pytest.fixture
async def bench() -> AsyncIterator[IncomingBench]:
    made = IncomingBench()
    made.arrivals.acts[CALLED] = FORWARD
    yield made
    await made.close()


async def joined(bench: IncomingBench, **more):
    """A call that was passed on and answered."""
    caller = await bench.dial(**more)
    telephone = await bench.far.telephone(len(bench.far.telephones) + 1)
    await caller.answered()
    await telephone.until(lambda: telephone.is_established)
    return caller, telephone


async def test_both_ends_hear_each_other_and_the_caller_hangs_up(bench):
    await bench.open({"caller_header": "p-asserted-identity"})
    caller, telephone = await joined(bench)
    caller.say(SPEECH)
    telephone.say(SPEECH[::-1])
    await telephone.until(lambda: SAID in telephone.heard)
    await caller.until(lambda: b"".join(SPEECH[::-1]) in caller.heard)
    assert bench.calls.ringing_onward == {}
    caller.do(caller.call.hang_up, q850=31)
    await telephone.until(lambda: telephone.ended)
    assert telephone.ended.cause.q850 == 31
    end = await bench.arrivals.end()
    assert (end.result, end.status, end.cause, end.onward) == ("forwarded", 200, 31, "t")
    assert end.answered_at_ms is not None
    request = telephone.request
    assert request.uri.user_text == f"+{TARGET}"
    assert request.from_.uri.user_text == "+33612000000"
    assert request.first("P-Asserted-Identity") == f"<sip:+33612000000@127.0.0.1:{bench.far.port}>"
    assert request.first("Diversion") == (
        f"<sip:{NUMBER}@127.0.0.1:{bench.far.port}>;reason=unconditional;counter=1"
    )
    assert request.first("Max-Forwards") == "69"


async def test_the_called_end_hangs_up(bench):
    await bench.open()
    caller, telephone = await joined(bench)
    bench.far.do(telephone.call.hang_up)
    ended = await caller.ended()
    assert ended.cause.q850 == 16
    assert (await bench.arrivals.end()).result == "forwarded"


@pytest.mark.parametrize(
    ("refused", "status", "result"),
    [
        (486, 486, "busy"),
        (600, 600, "busy"),
        (404, 404, "unreachable"),
        (603, 603, "rejected"),
        (480, 480, "unreachable"),
        (302, 480, "failed"),
        (407, 500, "failed"),
        (503, 503, "failed"),
    ],
)
async def test_a_refusal_is_passed_back(bench, refused, status, result):
    await bench.open()
    bench.far.act = lambda telephone: bench.far.do(telephone.call.reject, refused)
    caller = await bench.dial()
    failed = await caller.failed()
    assert failed.cause.status == status
    end = await bench.arrivals.end()
    assert (end.result, end.status) == (result, status)


async def test_it_rings_at_the_caller_s_too_and_giving_up_is_passed_on(bench):
    await bench.open()
    bench.far.act = lambda telephone: bench.far.do(telephone.call.ring)
    caller = await bench.dial()
    assert (await caller.told(Progress)).status == 180
    caller.do(caller.call.cancel)
    await caller.failed()
    telephone = await bench.far.telephone()
    await telephone.until(lambda: telephone.ended)
    end = await bench.arrivals.end()
    assert (end.result, end.status) == ("abandoned", 487)


async def test_what_rings_too_long_is_not_answered(bench):
    await bench.open()
    bench.arrivals.acts[CALLED] = Bridge(TARGET, ring_s_max=1, call_s_max=60)
    bench.far.act = lambda telephone: bench.far.do(telephone.call.ring)
    caller = await bench.dial()
    failed = await caller.failed()
    assert (failed.cause.status, failed.cause.q850) == (480, 19)
    telephone = await bench.far.telephone()
    await telephone.until(lambda: telephone.ended)
    assert (await bench.arrivals.end()).result == "no answer"


async def test_an_end_hangs_up_before_the_caller_has_acknowledged_that_it_rings(bench):
    """Our 200 waits for the PRACK of a caller that demands reliable answers; there is nothing to say it for any more."""
    await bench.open()
    receive = bench.element.sockets.receive
    pracks = []

    def without_pracks(data: bytes, hop: Hop) -> None:
        if data.startswith(b"PRACK "):
            pracks.append(data)
        else:
            receive(data, hop)

    bench.element.sockets.receive = without_pracks

    async def act(telephone: Telephone) -> None:
        bench.far.do(telephone.call.ring)
        await caller.told(Progress)
        await bench.far.answer(telephone)
        await telephone.until(lambda: telephone.is_established)
        bench.far.do(telephone.call.hang_up)

    bench.far.act = act
    caller = await bench.callers.caller()
    caller.dial(bench.port, NUMBER, headers=[("Require", "100rel")])
    failed = await caller.failed()
    assert pracks
    assert failed.cause.status == 480
    end = await bench.arrivals.end()
    assert (end.result, end.status) == ("forwarded", 480)


async def test_a_call_lasts_no_longer_than_it_may(bench):
    await bench.open()
    bench.arrivals.acts[CALLED] = Bridge(TARGET, ring_s_max=30, call_s_max=1)
    caller, telephone = await joined(bench)
    await caller.ended()
    await telephone.until(lambda: telephone.ended)
    assert (await bench.arrivals.end()).result == "forwarded"


async def test_early_media_is_heard_before_the_answer(bench):
    await bench.open()

    async def early(telephone: Telephone) -> None:
        await telephone.open()
        bench.far.do(telephone.call.ring, status=183, body=telephone.answer())

    bench.far.act = early
    caller = await bench.dial()
    progress = await caller.told(Progress)
    assert (progress.status, bool(progress.body)) == (183, True)
    telephone = await bench.far.telephone()
    telephone.say(SPEECH)
    await caller.until(lambda: SAID in caller.heard)
    bench.far.do(telephone.call.accept, telephone.answer())
    await caller.answered()
    telephone.say(SPEECH)
    await caller.until(lambda: caller.heard.count(SAID) == 2)
    caller.do(caller.call.hang_up)
    await bench.arrivals.end()


async def test_a_law_and_mu_law_are_translated_where_the_ends_differ(bench):
    await bench.open()
    bench.far.act = lambda telephone: bench.far.answer(telephone, codecs=("PCMU",))
    caller, telephone = await joined(bench, codecs=("PCMA",))
    caller.say(SPEECH)
    await telephone.until(lambda: SAID.translate(TO_OTHER["PCMA"]) in telephone.heard)


async def test_the_codec_of_the_caller_is_offered_first(bench):
    await bench.open()
    caller, telephone = await joined(bench, codecs=("PCMU", "PCMA"))
    caller.say(SPEECH)
    await telephone.until(lambda: SAID in telephone.heard)
    assert {packet.payload_type for packet in telephone.packets} == {0}


async def test_digits_cross_as_events_and_from_info_too(bench):
    await bench.open()
    caller, telephone = await joined(bench)
    caller.press(5)
    await telephone.until(lambda: [p for p in telephone.packets if p.payload_type == EVENTS_PAYLOAD_TYPE])
    assert telephone.packets[-1].payload[0] == 5 or any(
        packet.payload[0] == 5 for packet in telephone.packets if packet.payload_type == EVENTS_PAYLOAD_TYPE
    )
    dialog = caller.call.dialog
    info = dialog.request(
        "INFO", [("Content-Type", "application/dtmf-relay")], b"Signal=9\r\nDuration=160\r\n"
    )
    caller.element.agent.layer.request(info, dialog.next_hop(), caller.element.sockets.now_ms())
    caller.element.sockets.flush()
    await telephone.until(
        lambda: any(p.payload[0] == 9 for p in telephone.packets if p.payload_type == EVENTS_PAYLOAD_TYPE)
    )


async def test_a_hold_at_one_end_silences_the_other_s_voice_and_ends_again(bench):
    await bench.open()
    caller, telephone = await joined(bench)
    held = caller.endpoint.offer(7, version=2, direction="sendonly")
    caller.do(caller.call.offer, held.encode())
    assert b"a=recvonly" in (await caller.told(OfferAnswered)).body
    await settle(0.1)
    count = len(caller.packets)
    telephone.say(SPEECH)
    await settle(0.2)
    assert len(caller.packets) == count
    caller.say(SPEECH)  # music on hold
    await telephone.until(lambda: SAID in telephone.heard)
    resumed = caller.endpoint.offer(7, version=3)
    caller.do(caller.call.offer, resumed.encode())
    await caller.told(OfferAnswered, 2)
    telephone.say(SPEECH[::-1])
    await caller.until(lambda: b"".join(SPEECH[::-1]) in caller.heard)


async def test_a_hold_is_said_to_the_other_end_and_taken_back_there_too(bench):
    await bench.open()
    caller, telephone = await joined(bench)
    for version, direction in ((2, "sendonly"), (3, "inactive"), (4, "sendrecv")):
        caller.do(caller.call.offer, caller.endpoint.offer(7, version=version, direction=direction).encode())
        await caller.told(OfferAnswered, version - 1)
        await telephone.until(lambda count=version - 1: len(telephone.offers) == count)
        assert f"a={direction}\r\n".encode() in telephone.offers[-1]
    # A refresh that changes nothing is nobody else's business; nor is what the other end answered.
    caller.do(caller.call.offer, caller.endpoint.offer(7, version=5).encode())
    await caller.told(OfferAnswered, 4)
    held = telephone.endpoint.offer(1, version=9, direction="sendonly")
    bench.far.do(telephone.call.offer, held.encode())
    offered = await caller.told(Offered)
    assert b"a=sendonly\r\n" in offered.body
    assert len(telephone.offers) == 3
    caller.do(caller.call.refuse, 488)  # it may refuse: nothing changes, and the call goes on
    caller.say(SPEECH)
    await settle(0.2)
    assert telephone.heard == b""
    resumed = telephone.endpoint.offer(1, version=10)
    bench.far.do(telephone.call.offer, resumed.encode())
    await caller.told(Offered, 2)
    answer, _ = caller.endpoint.answer(telephone.offer, 7, version=6)
    caller.do(caller.call.answer, answer.encode())
    caller.say(SPEECH)
    await telephone.until(lambda: SAID in telephone.heard)
    caller.do(caller.call.hang_up)
    await telephone.until(lambda: telephone.ended)
    await bench.arrivals.end()


async def test_a_hold_that_meets_an_offer_of_the_other_end_is_said_a_little_later(bench):
    await bench.open()
    caller, telephone = await joined(bench)
    first = telephone.endpoint.offer(1, version=8, direction="sendonly")
    bench.far.do(telephone.call.offer, first.encode())
    await caller.told(Offered)  # and not answered yet
    back = telephone.endpoint.offer(1, version=9)
    bench.far.do(telephone.call.offer, back.encode())
    await settle(0.2)
    answer, _ = caller.endpoint.answer(telephone.offer, 7, version=2)
    caller.do(caller.call.answer, answer.encode())
    offered = await caller.told(Offered, 2)
    assert b"a=sendrecv\r\n" in offered.body
    caller.do(caller.call.refuse, 488)
    caller.do(caller.call.hang_up)
    await bench.arrivals.end()


class Guard:
    """The trunk's own proxy: challenges requests inside of its calls."""

    def __init__(self, bench: IncomingBench, status: int = 401) -> None:
        layer = bench.callers.element.agent.layer
        self._inner, layer.screen = layer.screen, self._screen
        self._status = status
        self.seen: list[tuple[str, bool]] = []
        """Method, and whether the password was right."""

    def _screen(self, request: Request, hop) -> Refusal | None:
        if request.method not in ("INVITE", "BYE"):
            return self._inner(request, hop)
        kind = "WWW-Authenticate" if self._status == 401 else "Proxy-Authenticate"
        answers = request.credentials("Authorization" if self._status == 401 else "Proxy-Authorization")
        is_proved = any(is_right(answer, request.method, "sesame") for answer in answers)
        self.seen.append((request.method, is_proved))
        if is_proved:
            return self._inner(request, hop)
        return Refusal(self._status, [(kind, 'Digest realm="trunk", nonce="n1", algorithm=MD5, qop="auth"')])


@pytest.mark.parametrize("status", [401, 407])
async def test_what_is_challenged_inside_of_a_call_that_came_in_is_said_again_with_the_password(
    bench, status
):
    await bench.open({"username": "alice", "password": "sesame", "register_s": 0})
    guard = Guard(bench, status)
    caller, telephone = await joined(bench)
    held = telephone.endpoint.offer(1, version=2, direction="sendonly")
    bench.far.do(telephone.call.offer, held.encode())
    await caller.told(Offered)
    answer, _ = caller.endpoint.answer(telephone.offer, 7, version=2)
    caller.do(caller.call.answer, answer.encode())
    await settle(0.1)
    bench.far.do(telephone.call.hang_up)
    await caller.ended()
    assert guard.seen[:2] == [("INVITE", False), ("INVITE", True)]
    assert guard.seen[-1] == ("BYE", True)
    await bench.arrivals.end()


async def test_who_calls_from_elsewhere_learns_nothing_of_the_trunk_s_password(bench):
    await bench.open(
        {
            "host": "192.0.2.1",
            "username": "alice",
            "password": "sesame",
            "register_s": 0,
            "incoming_username": "bob",
            "incoming_password": "pepper",
        },
        {"name": "u", "incoming_username": "carol", "incoming_password": "salt"},
        onward=("u",),
    )
    guard = Guard(bench)
    secret = Authenticator("bob", "pepper", lambda: "cnonce")
    _, telephone = await joined(bench, authenticator=secret)
    bench.far.do(telephone.call.hang_up)
    await eventually(lambda: guard.seen)
    await settle(0.2)
    assert guard.seen == [("BYE", False)]
    await bench.arrivals.end()


async def test_both_ends_are_recorded_into_one(bench):
    bench.arrivals.acts[CALLED] = replace(FORWARD, records=True)
    await bench.open()
    caller, telephone = await joined(bench)
    await bench.recording(2)
    caller.say(SPEECH)
    await telephone.until(lambda: SAID in telephone.heard)
    await settle(1.2)
    telephone.say(SPEECH[::-1])
    await caller.until(lambda: b"".join(SPEECH[::-1]) in caller.heard)
    caller.do(caller.call.hang_up)
    end = await bench.arrivals.end()
    assert (end.result, end.is_cut) == ("forwarded", False)
    recorded = bench.arrivals.recorded
    assert {piece.law for piece in bench.arrivals.pieces} == {"alaw"}
    # One after the other, each as it was said: silence adds nothing.
    first, second = recorded.index(SAID), recorded.index(b"".join(SPEECH[::-1]))
    assert second - first >= 8000
    assert len(recorded) <= 8 * (end.ended_at_ms - end.answered_at_ms) + 8000 + 800


async def test_who_speaks_at_the_same_time_is_heard_at_the_same_time_in_the_recording(bench):
    bench.arrivals.acts[CALLED] = replace(FORWARD, records=True)
    await bench.open()
    caller, telephone = await joined(bench)
    await bench.recording(2)
    for turn in range(50):
        caller.say([tone_frame(400, turn)])
        frame = telephone.sender().frame(tone_frame(1000, turn))
        telephone.transport.sendto(frame, (telephone.session.host, telephone.session.port))
        await settle(0.02)
    bench.far.do(telephone.call.hang_up)
    end = await bench.arrivals.end()
    assert not end.is_cut
    wave = g711.decode(bench.arrivals.recorded, "alaw").astype(float)
    powers = np.abs(np.fft.rfft(wave)) / len(wave)
    hz = np.fft.rfftfreq(len(wave), 1 / 8000)
    assert {round(f / 100) * 100 for f in hz[powers > powers.max() / 4]} == {400, 1000}


async def test_an_end_that_says_nothing_is_silence_as_long_as_the_other_s_speech(bench):
    bench.arrivals.acts[CALLED] = replace(FORWARD, records=True)
    await bench.open()
    caller, telephone = await joined(bench)
    await bench.recording(2)
    caller.say(SPEECH)
    await telephone.until(lambda: SAID in telephone.heard)
    # It is brought while the call goes on, whatever the other end does not say.
    await bench.arrivals.until(lambda: SAID in bench.arrivals.recorded)
    caller.do(caller.call.hang_up)
    assert not (await bench.arrivals.end()).is_cut


async def test_a_recording_whose_media_process_dies_is_cut_and_one_that_a_stop_ends_is_whole(bench):
    bench.arrivals.acts[CALLED] = replace(FORWARD, records=True)
    await bench.open()
    caller, telephone = await joined(bench)
    await bench.recording(2)
    caller.say(SPEECH)
    await telephone.until(lambda: SAID in telephone.heard)
    os.kill(bench.element.media.process.pid, signal.SIGKILL)
    assert (await bench.arrivals.end()).is_cut
    await eventually(lambda: bench.trunk.is_up)
    bench.arrivals.pieces.clear()
    caller, telephone = await joined(bench)
    await bench.recording(4)
    caller.say(SPEECH)
    await telephone.until(lambda: SAID in telephone.heard)
    await bench.calls.stop()
    end = await bench.arrivals.end(2)
    assert (end.result, end.is_cut) == ("forwarded", False)
    assert SAID in bench.arrivals.recorded


async def test_a_call_goes_on_when_its_recording_cannot_be_kept(bench, monkeypatch):
    monkeypatch.setattr(journal, "WAITING_MAX", 1)
    bench.arrivals.acts[CALLED] = replace(FORWARD, records=True)
    await bench.open()
    caller, telephone = await joined(bench)
    await bench.recording(2)
    bench.arrivals.is_down = True
    with capture_logs() as lines:
        for count in range(1, 6):
            caller.say(SPEECH)
            telephone.say(SPEECH)
            await telephone.until(lambda count=count: telephone.heard.count(SAID) >= count)
        await eventually(lambda: any(line["event"].startswith("a recording ends") for line in lines))
    bench.arrivals.is_down = False
    assert caller.call.state.name == "CONFIRMED"
    caller.do(caller.call.hang_up)
    end = await bench.arrivals.end()
    assert (end.result, end.is_cut) == ("forwarded", True)


async def test_whatever_may_mean_that_it_rang_keeps_the_next_trunk_from_calling(bench):
    other = await FarEnd(QUICK).open()
    try:
        await bench.open({}, {"name": "u", "port": other.port}, onward=("t", "u"))

        def act(telephone: Telephone) -> None:
            bench.far.do(telephone.call.ring, status=182)  # queued: somebody may sit there
            bench.far.do(telephone.call.reject, 503)

        bench.far.act = act
        assert (await (await bench.dial()).failed()).cause.status == 503
        assert (await bench.arrivals.end()).onward == "t"
        assert other.telephones == []
    finally:
        await other.close()


async def test_a_trunk_that_is_in_trouble_is_passed_over(bench):
    other = await FarEnd(QUICK).open()
    try:
        await bench.open({}, {"name": "u", "port": other.port}, onward=("t", "u"))
        bench.far.act = lambda telephone: bench.far.do(telephone.call.reject, 503)
        caller = await bench.dial()
        await caller.answered()
        telephone = await other.telephone()
        await telephone.until(lambda: telephone.is_established)
        caller.say(SPEECH)
        await telephone.until(lambda: SAID in telephone.heard)
        caller.do(caller.call.hang_up)
        assert (await bench.arrivals.end()).onward == "u"
        await telephone.until(lambda: telephone.ended)
    finally:
        await other.close()


async def test_without_a_trunk_there_is_no_way_onward(bench):
    await bench.open(onward=())
    failed = await (await bench.dial()).failed()
    assert (failed.cause.status, failed.cause.q850) == (503, 34)
    assert (await bench.arrivals.end()).result == "failed"


async def test_no_place_on_the_trunk_is_taken_twice_and_all_are_given_back(bench):
    await bench.open({"concurrent_calls": 1})
    caller, telephone = await joined(bench)
    assert bench.trunk.free_calls == 0
    assert (await (await bench.dial()).failed()).cause.status == 503
    caller.do(caller.call.hang_up)
    await telephone.until(lambda: telephone.ended)
    await bench.arrivals.end(2)
    await eventually(lambda: bench.trunk.free_calls == 1)


@pytest.mark.parametrize(
    "headers",
    [
        [("Diversion", f"<sip:{NUMBER}@elsewhere.example>;reason=unconditional")],
        [("Diversion", ", ".join(f"<sip:+3316200010{n}@elsewhere.example>" for n in range(5)))],
        [
            (
                "History-Info",
                f"<sip:{NUMBER}@a.example>;index=1, <sip:+33612345678@a.example>;index=1.1, <sip:{NUMBER}@b.example>;index=2",
            )
        ],
    ],
)
async def test_a_call_that_was_passed_on_by_us_before_goes_round_in_a_circle(bench, headers):
    await bench.open()
    failed = await (await bench.dial(headers=headers)).failed()
    assert failed.cause.status == 482
    end = await bench.arrivals.end()
    assert (end.result, end.status) == ("refused", 482)
    assert bench.far.telephones == []


async def test_the_last_hop_is_not_passed_on(bench):
    await bench.open()
    assert (await (await bench.dial(max_forwards=0)).failed()).cause.status == 483
    caller = await bench.dial(max_forwards=5)
    telephone = await bench.far.telephone()
    assert telephone.request.first("Max-Forwards") == "4"
    await caller.answered()


async def test_one_caller_s_calls_that_ring_on_and_on_are_a_circle(bench):
    await bench.open()
    bench.far.act = lambda telephone: bench.far.do(telephone.call.ring)
    callers = [await bench.dial() for _ in range(3)]
    await bench.far.telephone(3)
    assert (await (await bench.dial()).failed()).cause.status == 482
    other = await bench.dial(caller="+33612000001")
    await bench.far.telephone(4)
    for caller in [*callers, other]:
        caller.do(caller.call.cancel)
        await caller.failed()
    await bench.arrivals.end(5)


async def test_former_diversions_go_along_as_history_info_or_not_at_all(bench):
    await bench.open({"forward_header": "history-info"})
    headers = [("Diversion", "<sip:+33162000007@a.example>;reason=user-busy")]
    await joined(bench, headers=headers)
    where = f"@127.0.0.1:{bench.far.port}"
    assert bench.far.telephones[0].request.all("History-Info") == [
        f"<sip:+33162000007{where}>;index=1",
        f"<sip:{NUMBER}{where};cause=302>;index=1.1",
        f"<sip:+{TARGET}{where};cause=302>;index=1.1.1",
    ]


async def test_a_withheld_number_stays_withheld_and_ours_may_be_shown_instead(bench):
    await bench.open()
    await joined(bench, headers=[("Privacy", "id")])
    request = bench.far.telephones[0].request
    assert str(request.from_.uri) == "sip:anonymous@anonymous.invalid"
    assert request.first("Privacy") == "id"


async def test_our_number_is_shown_where_the_trunk_wants_it(bench):
    await bench.open({"forward_caller": "number", "forward_header": "none"})
    await joined(bench)
    request = bench.far.telephones[0].request
    assert request.from_.uri.user_text == NUMBER
    assert request.first("Diversion") is None


async def test_an_answer_that_does_not_fit_ends_both(bench):
    await bench.open()
    bench.far.act = lambda telephone: bench.far.do(telephone.call.accept, b"no description")
    caller = await bench.dial()
    assert (await caller.failed()).cause.status == 502
    telephone = await bench.far.telephone()
    await telephone.until(lambda: telephone.ended)
    assert (await bench.arrivals.end()).result == "failed"


async def test_no_codec_in_common_is_found_before_anybody_is_called(bench):
    await bench.open({"codecs": ("PCMA",)})
    assert (await (await bench.dial(codecs=("PCMU",))).failed()).cause.status == 488
    assert bench.far.telephones == []


async def test_when_the_media_process_dies_both_ends_are_told(bench):
    await bench.open()
    caller, telephone = await joined(bench)
    os.kill(bench.element.media.process.pid, signal.SIGKILL)
    await caller.ended()
    await telephone.until(lambda: telephone.ended)
    end = await bench.arrivals.end()
    assert (end.result, end.cause) == ("forwarded", 41)


async def test_a_stop_ends_both(bench):
    await bench.open()
    caller, telephone = await joined(bench)
    await bench.calls.stop()
    await caller.ended()
    await telephone.until(lambda: telephone.ended)
    assert [end.result for end in bench.arrivals.ends] == ["forwarded"]


async def test_a_hundred_calls_that_give_up_leave_nothing_behind(bench):
    await bench.open({"incoming_calls": 200, "concurrent_calls": 200})
    bench.far.act = lambda telephone: bench.far.do(telephone.call.ring)
    callers = [await bench.dial(caller=f"+336120{n:05d}") for n in range(100)]
    await bench.far.telephone(100)
    for caller in callers:
        caller.do(caller.call.cancel)
    for caller in callers:
        await caller.failed()
    await bench.arrivals.end(100)
    await eventually(lambda: bench.trunk.free_calls == 200)
    await eventually(lambda: not bench.element.media._owners)
    await eventually(lambda: bench.element.agent.dialogs == 0)


@pytest.mark.parametrize(
    ("content_type", "body", "digit"),
    [
        ("application/dtmf-relay", b"Signal=5\r\nDuration=160", "5"),
        ("application/dtmf-relay", b"Signal= *\r\nDuration= 250\r\n", "*"),
        ("application/dtmf", b"d\r\n", "D"),
        ("application/dtmf-relay", b"Signal=55\r\n", ""),
        ("application/dtmf-relay", b"", ""),
        ("application/dtmf", b"1" * 100, ""),
        ("text/plain", b"Signal=5", ""),
    ],
)
def test_a_digit_is_read_from_an_info(content_type, body, digit):
    assert digit_of(content_type, body) == digit
