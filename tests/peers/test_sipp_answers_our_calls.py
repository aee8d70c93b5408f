"""sipp at the far end of our trunks: a whole server is asked over HTTP to call, and sipp answers, refuses, holds, hangs up.

What became of a call is read from the server's history and its money; what was heard by an ear of the test's own; whether
our messages were in order is sipp's word.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.ear import Ear
from tests.support.sipp import (
    Sipp,
    accept,
    answer,
    answered,
    ask,
    heard,
    hung_up,
    label,
    pause,
    refuse,
    sdp,
)
from tests.support.trunked import PRICE_MICRO, TrunkedServer, as_wav, babble, on_the_network

pytestmark = pytest.mark.peer

SHORT = as_wav(babble(0.7, seed=1))
MIDDLE = as_wav(babble(3.0, seed=3))
LONG = as_wav(babble(20.0, seed=2))
SILENCE = {8: b"\xd5", 0: b"\xff"}
CREDENTIALS = 'username = "alice"\npassword = "secret"\n'
BY_PASSWORD = f"{CREDENTIALS}register_s = 0\noptions_s = 0\n"
TRUNKS = {
    "plain": "",
    "tcp": 'transport = "tcp"',
    # A trunk remembers challenges, and answers them unasked: one for each test.
    **dict.fromkeys(("md5", "407", "sha-256"), BY_PASSWORD),
    "wrong": BY_PASSWORD,
    "registered": f"{CREDENTIALS}register_s = 60",
    "asked": "options_s = 5",
    "mulaw": 'codecs = ["PCMU"]',
    "full": "",
    "refused": 'transport = "tcp"',
    "second": "",
    "silent": "",
    "patient": "",
}
ROUTES = {"two": ("full", "second"), "unreachable": ("refused", "second"), "silence": ("silent", "patient")}
RINGS = [answer("100 Trying"), accept("180 Ringing")]


class World:
    """The server, and the short and the long file as they are stored."""

    def __init__(self, trunked: TrunkedServer, directory: Path) -> None:
        self.trunked = trunked
        self.directory = directory
        self.short = trunked.upload(SHORT)
        self.middle = trunked.upload(MIDDLE)
        self.long = trunked.upload(LONG)
        self.in_silence = ""
        self.patient: Sipp | None = None

    def sipp(self, name: str, trunk: str, *steps: Any, **more: Any) -> Sipp:
        return Sipp(self.directory / name, self.trunked.ports[trunk], *steps, **more)

    def call(self, route: str, token: str = "") -> Any:
        """Has one number called; the callee when it is over."""
        trunked = self.trunked
        (callee,) = trunked.ended(trunked.send(token or self.short, trunked.number(route)))
        return callee


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("sipp")
    with TrunkedServer(directory, TRUNKS, ROUTES, "ring_s_max = 5") as trunked:
        made = World(trunked, directory)
        # Nobody is there to answer the first trunk's INVITE, which is known 32 s later: the other tests fill them.
        made.in_silence = trunked.send(made.short, trunked.number("silence"))
        with made.sipp(
            "patient", "patient", heard("INVITE"), RINGS, picks_up(), hung_up(), run_s_max=240
        ) as patient:
            made.patient = patient
            yield made


@pytest.fixture
def ear() -> Iterator[Ear]:
    with Ear() as listening:
        yield listening


def picks_up(*headers: str, body: str = "", **more: Any) -> list[str]:
    return [accept("200 OK", *headers, body=body or sdp(), repeats=True, **more), heard("ACK")]


def hangs_up(*headers: str) -> list[str]:
    return [ask("BYE", *headers), answered(200)]


def last_call(callee: Any, **expected: Any) -> Any:
    """The newest call of a callee, which was as `expected`."""
    call = callee["calls"][-1]
    assert {name: call[name] for name in expected} == expected, callee
    return call


def heard_by(ear: Ear, payload_type: int = 8) -> bytes:
    """From the first frame that is not silent: one of silence may leave before the sound begins."""
    octets, frame = ear.heard(payload_type), SILENCE[payload_type] * 160
    while octets.startswith(frame):
        octets = octets[160:]
    return octets


def assert_heard(ear: Ear, content: bytes, payload_type: int = 8) -> None:
    """Loopback loses nothing: what is stored is heard to the octet, and then silence until we hang up."""
    stored = on_the_network(content)
    sound = stored.alaw if payload_type == 8 else stored.ulaw
    octets = heard_by(ear, payload_type)
    assert octets[: len(sound)] == sound
    assert octets[len(sound) :].strip(SILENCE[payload_type]) == b""


def assert_cost(callee: Any, seconds: int) -> None:
    assert callee["durationS"] == seconds
    kept_micro = round((float(callee["cost"]) - float(callee["refund"])) * 1_000_000)
    assert kept_micro == seconds * PRICE_MICRO


def test_sipp_answers_hears_the_file_and_is_hung_up_on(world: World, ear: Ear) -> None:
    with world.sipp(
        "answers", "plain", heard("INVITE"), RINGS, picks_up(), hung_up(), rtp_port=ear.port
    ) as far:
        callee = world.call("plain")
        far.over()
    assert callee["state"] == "delivered"
    call = last_call(callee, result="answered", status=200, cause=16, progress="180 200", playedMs=700)
    assert call["endedAtMs"] - call["answeredAtMs"] >= 700
    assert_cost(callee, 1)
    assert_heard(ear, SHORT)
    invite, ack, bye = far.received
    assert re.search(r"^INVITE sip:\+33611\d+@127\.0\.0\.1", invite)
    assert ack.startswith("ACK sip:sipp@127.0.0.1:")
    assert bye.startswith("BYE sip:sipp@127.0.0.1:")
    assert "Reason: Q.850;cause=16" in bye


def test_mu_law_is_heard_where_the_trunk_speaks_it(world: World, ear: Ear) -> None:
    steps = (heard("INVITE"), picks_up(body=sdp(codec="PCMU")), hung_up())
    with world.sipp("mulaw", "mulaw", *steps, rtp_port=ear.port) as far:
        last_call(world.call("mulaw"), result="answered", playedMs=700)
        far.over()
    assert_heard(ear, SHORT, 0)


def test_sipp_over_tcp(world: World, ear: Ear) -> None:
    steps = (heard("INVITE"), RINGS, picks_up(), hung_up())
    with world.sipp("tcp", "tcp", *steps, transport="t1", rtp_port=ear.port) as far:
        last_call(world.call("tcp"), result="answered", playedMs=700, progress="180 200")
        far.over()
    assert_heard(ear, SHORT)
    assert "TCP message received" in far.trace


def test_answers_in_compact_form(world: World, ear: Ear) -> None:
    contact = "m: <sip:sipp@[local_ip]:[local_port]>"
    steps = (
        heard("INVITE"),
        answer("180 Ringing", contact, compact=True),
        answer("200 OK", contact, body=sdp(), compact=True, repeats=True),
        *(heard("ACK"), hung_up()),
    )
    with world.sipp("compact", "plain", *steps, rtp_port=ear.port) as far:
        last_call(world.call("plain"), result="answered", progress="180 200")
        far.over()
    assert_heard(ear, SHORT)


# Not answered


@pytest.mark.parametrize(
    ("status", "headers", "result", "cause"),
    [
        ("486 Busy Here", (), "busy", 17),
        ("600 Busy Everywhere", (), "busy", 17),
        ("480 Temporarily Unavailable", ('Reason: Q.850;cause=19;text="no answer"',), "no answer", 19),
        ("404 Not Found", (), "unreachable", 1),
        ("603 Decline", (), "rejected", 21),
        ("302 Moved Temporarily", ("Contact: <sip:+33700000000@127.0.0.1>",), "failed", 41),
        ("503 Service Unavailable", (), "failed", 41),
    ],
)
def test_refusals(world: World, status: str, headers: tuple[str, ...], result: str, cause: int) -> None:
    code = int(status[:3])
    with world.sipp(f"refusal-{code}", "plain", heard("INVITE"), RINGS, refuse(status, *headers)) as far:
        callee = world.call("plain")
        far.over()
    assert callee["state"] == "undelivered"
    last_call(callee, result=result, status=code, cause=cause, progress=f"180 {code}", answeredAtMs=None)
    assert_cost(callee, 0)


def test_a_telephone_that_nobody_picks_up_is_cancelled(world: World) -> None:
    cancelled = [
        heard("CANCEL", ("Reason", r"Q\.850;cause=19")),
        answer("200 OK"),
        # The answer is to the INVITE, not to the CANCEL that was heard last.
        answer("487 Request Terminated", of_invite=True, repeats=True),
        heard("ACK"),
    ]
    with world.sipp("no-answer", "plain", heard("INVITE"), RINGS, cancelled) as far:
        callee = world.call("plain")
        far.over()
    call = last_call(callee, result="no answer", status=487, cause=19, progress="180 487")
    assert call["endedAtMs"] - call["leftAtMs"] >= 5000
    assert_cost(callee, 0)


# Digest authentication


NONCE = "dcd98b7102dd2f0e8b11d0f600bfb0c0"


def credentials(invite: str, header: str) -> dict[str, str]:
    """What stands in an Authorization of ours, by name."""
    (line,) = re.findall(rf"^{header}: Digest (.*)$", invite, flags=re.MULTILINE)
    return {name: quoted or plain for name, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|([^,]*))', line)}


def test_sipp_verifies_an_md5_digest(world: World, ear: Ear) -> None:
    challenge = f'WWW-Authenticate: Digest realm="far", nonce="{NONCE}", algorithm=MD5'
    verify = '<verifyauth assign_to="is_good" username="alice" password="secret"/>'
    steps = (
        *(heard("INVITE"), refuse("401 Unauthorized", challenge)),
        heard("INVITE", ("Authorization", 'Digest .*username="alice"'), actions=verify),
        '<nop test="is_good" next="good"/>',
        *(refuse("403 Forbidden"), label("good"), picks_up(), hung_up()),
    )
    with world.sipp("md5", "md5", *steps, rtp_port=ear.port) as far:
        last_call(world.call("md5"), result="answered", status=200)
        far.over()
    assert_heard(ear, SHORT)


@pytest.mark.parametrize(
    ("status", "header", "trunk"),
    [
        ("407 Proxy Authentication Required", "Proxy-Authorization", "407"),
        ("401 Unauthorized", "Authorization", "sha-256"),
    ],
)
def test_digests_that_are_calculated_here(
    world: World, ear: Ear, status: str, header: str, trunk: str
) -> None:
    """sipp verifies neither a proxy's nor SHA-256: RFC 7616, 3.4.1. Where both algorithms are offered SHA-256 is taken."""
    algorithms = ["MD5"] if trunk == "407" else ["SHA-256", "MD5"]
    asks = "Proxy-Authenticate" if trunk == "407" else "WWW-Authenticate"
    challenges = [
        f'{asks}: Digest realm="far end", nonce="{NONCE}", opaque="5ccc", qop="auth", algorithm={algorithm}'
        for algorithm in algorithms
    ]
    steps = (heard("INVITE"), refuse(status, *challenges), heard("INVITE"), picks_up(), hung_up())
    with world.sipp(trunk, trunk, *steps, rtp_port=ear.port) as far:
        last_call(world.call(trunk), result="answered", status=200)
        far.over()
    invite = next(message for message in far.received if f"\n{header}:" in message)
    uri = invite.split()[1]
    said = credentials(invite, header)

    def digest(*words: str) -> str:
        return hashlib.new("md5" if trunk == "407" else "sha256", ":".join(words).encode()).hexdigest()

    secret, what = digest("alice", "far end", "secret"), digest("INVITE", uri)
    assert said["response"] == digest(secret, NONCE, said["nc"], said["cnonce"], "auth", what)
    assert (said["algorithm"], said["uri"], said["opaque"], said["qop"]) == (
        algorithms[0],
        uri,
        "5ccc",
        "auth",
    )
    # The ACK of the answer repeats them (RFC 3261, 22.1).
    acks = [message for message in far.received if message.startswith("ACK")]
    assert credentials(acks[-1], header) == said
    assert_heard(ear, SHORT)


def test_a_password_that_does_not_count_is_given_up(world: World) -> None:
    challenge = 'WWW-Authenticate: Digest realm="far", nonce="{}", algorithm=MD5'
    steps = [
        step
        for nonce in ("one", "one")
        for step in (heard("INVITE"), *refuse("401 Unauthorized", challenge.format(nonce)))
    ]
    with world.sipp("wrong", "wrong", *steps) as far:
        callee = world.call("wrong")
        far.over()
    last_call(callee, result="not taken", status=401)
    assert_cost(callee, 0)


def test_a_registration_with_a_password_then_a_call(world: World, ear: Ear) -> None:
    verify = '<verifyauth assign_to="is_good" username="alice" password="secret"/>'
    asks = 'WWW-Authenticate: Digest realm="far", nonce="84a4cc6f3082121f32b42a2187831a9e", algorithm=MD5'
    registers = (
        heard("REGISTER"),
        answer("401 Unauthorized", asks, begins=True),
        heard("REGISTER", ("Contact", "expires=60|sip:alice@"), actions=verify),
        '<nop test="is_good" next="good"/>',
        answer("403 Forbidden", begins=True),
        label("good"),
        answer("200 OK", "[last_Contact:]", "Expires: 60", begins=True),
    )
    with world.sipp("registers", "registered", *registers) as far:
        far.over()
    with world.sipp(
        "registered", "registered", heard("INVITE"), picks_up(), hung_up(), rtp_port=ear.port
    ) as far:
        last_call(world.call("registered"), result="answered")
        far.over()
    assert_heard(ear, SHORT)


# Inside of a call


def test_hold_and_resume(world: World, ear: Ear) -> None:
    """While it is held nothing is sent, and the sound does not go on."""
    steps = (
        *(heard("INVITE"), RINGS, picks_up(), pause(600)),
        *(ask("INVITE", body=sdp("sendonly", version=2)), answered(200), ask("ACK"), pause(1500)),
        *(ask("INVITE", body=sdp(version=3)), answered(200), ask("ACK"), hung_up()),
    )
    with world.sipp("hold", "plain", *steps, rtp_port=ear.port) as far:
        callee = world.call("plain", world.middle)
        far.over()
    assert callee["state"] == "delivered"
    last_call(callee, result="answered", playedMs=3000)
    assert_cost(callee, 3)
    assert_heard(ear, MIDDLE)
    held, resumed = [message for message in far.received if message.startswith("SIP/2.0 200")]
    assert "a=recvonly" in held
    assert "a=sendrecv" in resumed
    times = [packet.at_s for packet in ear.packets]
    assert max(later - earlier for earlier, later in itertools.pairwise(times)) > 0.5


def test_sessions_are_refreshed_by_the_peer(world: World, ear: Ear) -> None:
    """By re-INVITE with the same description, and by UPDATE: nothing changes in what is heard."""
    expires = "Session-Expires: 90;refresher=uas"
    refresh = ("Session-Expires: 90;refresher=uac", "Supported: timer")
    steps = (
        heard("INVITE", ("Supported", "timer"), ("Session-Expires", "1800")),
        *(picks_up(expires, "Require: timer"), pause(300)),
        *(ask("INVITE", *refresh, body=sdp()), answered(200), ask("ACK"), pause(300)),
        *(ask("UPDATE", *refresh), answered(200), pause(300), hangs_up()),
    )
    with world.sipp("refresh", "plain", *steps, rtp_port=ear.port) as far:
        last_call(world.call("plain", world.long), result="answered")
        far.over()
    answers = [message for message in far.received if message.startswith("SIP/2.0 200")][:2]
    assert all("Session-Expires: 90;refresher=uac" in message for message in answers)
    assert on_the_network(LONG).alaw.startswith(heard_by(ear))


def test_a_session_interval_too_short_is_made_longer(world: World, ear: Ear) -> None:
    steps = (
        *(heard("INVITE"), refuse("422 Session Interval Too Small", "Min-SE: 3600")),
        heard("INVITE", ("Session-Expires", "3600"), ("Min-SE", "3600")),
        *(picks_up("Session-Expires: 3600;refresher=uac", "Require: timer"), hung_up()),
    )
    with world.sipp("interval", "plain", *steps, rtp_port=ear.port) as far:
        last_call(world.call("plain"), result="answered")
        far.over()
    assert_heard(ear, SHORT)


def test_early_media_and_an_answer_without_a_description(world: World, ear: Ear) -> None:
    steps = (
        *(heard("INVITE"), answer("100 Trying"), accept("183 Session Progress", body=sdp()), pause(500)),
        *(accept("200 OK", repeats=True), heard("ACK"), hung_up()),
    )
    with world.sipp("early", "plain", *steps, rtp_port=ear.port) as far:
        trunked = world.trunked
        campaign = trunked.send(world.short, trunked.number("plain"))
        until_received(far, "INVITE")
        (port,) = re.findall(r"m=audio (\d+)", far.received[0])
        ear.say(int(port), [b"\x55" * 160] * 10)
        (callee,) = trunked.ended(campaign)
        far.over()
    call = last_call(callee, result="answered", progress="183 200")
    assert call["answeredAtMs"] - call["leftAtMs"] >= 500
    assert_heard(ear, SHORT)


def test_reliable_answers_are_acknowledged(world: World, ear: Ear) -> None:
    contact = "Contact: <sip:sipp@[local_ip]:[local_port]>"
    steps = (
        heard("INVITE", ("Supported", "100rel")),
        accept("183 Session Progress", "Require: 100rel", "RSeq: 71", body=sdp(), repeats=True),
        *(heard("PRACK", ("RAck", "71 1 INVITE")), answer("200 OK")),
        answer("180 Ringing", contact, "Require: 100rel", "RSeq: 72", of_invite=True, repeats=True),
        *(heard("PRACK", ("RAck", "72 1 INVITE")), answer("200 OK")),
        answer("200 OK", contact, of_invite=True, repeats=True),
        *(heard("ACK"), hung_up()),
    )
    with world.sipp("reliable", "plain", *steps, rtp_port=ear.port) as far:
        last_call(world.call("plain"), result="answered", progress="183 180 200")
        far.over()
    assert_heard(ear, SHORT)


def test_the_peer_hangs_up_and_what_was_heard_is_charged(world: World, ear: Ear) -> None:
    steps = (
        *(heard("INVITE"), picks_up(), pause(1300)),
        hangs_up('Reason: Q.850;cause=31;text="gone"'),
    )
    with world.sipp("bye", "plain", *steps, rtp_port=ear.port) as far:
        callee = world.call("plain", world.long)
        far.over()
    assert callee["state"] == "delivered"
    call = last_call(callee, result="answered", cause=31)
    assert 0 < call["playedMs"] < 20_000
    assert_cost(callee, -(-call["playedMs"] // 1000))
    said = on_the_network(LONG).alaw
    assert said.startswith(heard_by(ear))


def test_options_and_others_inside_of_a_call_are_answered(world: World) -> None:
    steps = (
        *(heard("INVITE"), picks_up(), ask("OPTIONS"), answered(200), ask("INFO"), answered(200)),
        *(ask("PUBLISH"), answered(405), hangs_up()),
    )
    with world.sipp("options", "plain", *steps) as far:
        last_call(world.call("plain", world.long), result="answered")
        far.over()


def test_requests_go_the_way_that_was_recorded(world: World, ear: Ear) -> None:
    """Both elements of the way stand where sipp does; the Contact leads nowhere."""
    route = ("<sip:[local_ip]:[local_port];lr;a=2>", "<sip:[local_ip]:[local_port];lr;a=1>")
    ways = tuple(f"Record-Route: {each}" for each in route)
    steps = (
        heard("INVITE"),
        accept("200 OK", *ways, body=sdp(), repeats=True, contact_port=9),
        *(heard("ACK"), hung_up()),
    )
    with world.sipp("routes", "plain", *steps, rtp_port=ear.port) as far:
        last_call(world.call("plain"), result="answered", cause=16)
        far.over()
    assert all(re.match(r"(ACK|BYE) sip:sipp@127\.0\.0\.1:9\b", message) for message in far.received[1:])


# The trunk


def test_a_trunk_that_answers_options_is_called_by(world: World, ear: Ear) -> None:
    """Nobody has answered there until now, so the call waits for the first answer."""
    trunked = world.trunked
    campaign = trunked.send(world.short, trunked.number("asked"))
    assert trunked.campaign(campaign)["callees"][0]["calls"] == []
    with world.sipp("asked", "asked", heard("OPTIONS"), answer("404 Not Found", begins=True)) as far:
        far.over()
    with world.sipp("asked-2", "asked", heard("INVITE"), picks_up(), hung_up(), rtp_port=ear.port) as far:
        (callee,) = trunked.ended(campaign)
        far.over()
    last_call(callee, result="answered", attempt=1)


def test_a_call_that_the_first_trunk_refuses_is_made_by_the_second(world: World, ear: Ear) -> None:
    full = (heard("INVITE"), answer("100 Trying"), refuse("503 Service Unavailable", "Retry-After: 60"))
    answers = (heard("INVITE"), RINGS, picks_up(), hung_up())
    with (
        world.sipp("full", "full", *full) as first,
        world.sipp("second", "second", *answers, calls=2, rtp_port=ear.port) as second,
    ):
        callee = world.call("two")
        first.over()
        # It said for how long it is full: the next call does not even ask it.
        next_callee = world.call("two")
        second.over()
    assert callee["state"] == "delivered"
    calls = [(call["attempt"], call["operator"], call["result"], call["status"]) for call in callee["calls"]]
    assert calls == [(1, "full", "not taken", 503), (2, "second", "answered", 200)]
    assert_cost(callee, 1)
    assert [call["operator"] for call in next_callee["calls"]] == ["second"]


def test_a_trunk_that_cannot_be_reached_is_passed_over(world: World, ear: Ear) -> None:
    steps = (heard("INVITE"), RINGS, picks_up(), hung_up())
    with world.sipp("reached", "second", *steps, rtp_port=ear.port) as far:
        callee = world.call("unreachable")
        far.over()
    calls = [(call["operator"], call["result"], call["status"]) for call in callee["calls"]]
    assert calls == [("refused", "not taken", 0), ("second", "answered", 200)]
    assert_cost(callee, 1)


def test_a_trunk_that_says_nothing_at_all_is_passed_over(world: World) -> None:
    (callee,) = world.trunked.ended(world.in_silence)
    assert world.patient is not None
    world.patient.over()
    calls = [(call["operator"], call["result"], call["progress"]) for call in callee["calls"]]
    assert calls == [("silent", "not taken", ""), ("patient", "answered", "180 200")]
    assert_cost(callee, 1)


def until_received(far: Sipp, method: str) -> None:
    far.until(lambda: any(message.startswith(method) for message in far.received), f"{method} has come")
