"""The built-in telephones over SIP and RTP: each number as documented, what is said to it is heard and stored."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import soundfile
from structlog.testing import capture_logs

from chappe.audio import g711
from chappe.operators.sip.agent.events import OfferAnswered
from chappe.operators.sip.rtp.laws import TO_OTHER
from chappe.settings import SettingsRefused
from chappe.simulator.sounds import sound
from tests.support.server import ChappeServer
from tests.support.wire import call
from tests.wire.simulator.caller import Caller, caller
from tests.wire.simulator.network import Network, network
from tests.wire.sip.element import WAIT_S_MAX

FREE = "[simulator]\nsmpp_port = 0\nsip_port = 0\n"
SPEECH = bytes(number * 7 % 200 for number in range(3200))


@pytest.fixture
async def net(tmp_path: Path) -> AsyncIterator[Network]:
    async with network(tmp_path / "data", FREE) as running:
        yield running


@pytest.fixture
async def phone(net: Network) -> AsyncIterator[Caller]:
    assert net.simulator.sip_port
    async with caller(net.simulator.sip_port) as made:
        yield made


async def seen(net: Network, phone: str, **expected: Any) -> dict[str, Any]:
    """The newest call to a telephone, once it is as expected; by default: over."""
    async with asyncio.timeout(WAIT_S_MAX):
        while True:
            for call in await net.get("/simulator/calls"):
                if call["phone"] == phone:
                    if expected.items() <= call.items() if expected else call["ended_at"]:
                        return call
                    break
            await asyncio.sleep(0.01)


async def test_where_the_telephones_are_is_shown(net: Network) -> None:
    info = await net.get("/simulator/info")
    assert (info["sip_host"], info["sip_port"]) == ("127.0.0.1", net.simulator.sip_port)
    assert info["products"] == ["sms", "voice"]


@pytest.mark.parametrize("user", ["+33600000000", "0033600000000", "33600000000", "0600000000"])
async def test_a_person_says_its_word_and_what_is_said_to_it_is_kept(
    net: Network, phone: Caller, user: str
) -> None:
    call = phone.call(user)
    await phone.answered()
    assert await phone.rings() == 180
    await phone.hears(sound("hello"))
    phone.say(SPEECH)
    phone.hang_up(call)
    shown = await seen(net, "+33600000000")
    assert (shown["from"], shown["behaviour"], shown["state"]) == (
        "+33162001122",
        "a person answers",
        "hung up",
    )
    assert (shown["heard_s"], shown["heard"]) == (0.4, f"/simulator/calls/{shown['id']}/heard.wav")
    async with net.http.get(net.url + shown["heard"]) as answer:
        samples, rate_hz = soundfile.read(io.BytesIO(await answer.read()))
    assert (len(samples), rate_hz) == (3200, 8000)
    for unknown in ("0", "9223372036854775808", "9" * 50):
        async with net.http.get(f"{net.url}/simulator/calls/{unknown}/heard.wav") as answer:
            assert answer.status == 404


@pytest.mark.parametrize(
    ("user", "said", "behaviour"),
    [
        ("+33600000001", "greeting", "an answering machine, with a beep"),
        ("+33100000000", "hello", "a person answers"),
        ("+33612345678", "hello", "a person answers"),
        ("*+33612345678", "mailbox", "its mailbox answers"),
        ("*+33600000000", "hello", "a person answers"),
    ],
)
async def test_the_number_chooses_who_answers(
    net: Network, phone: Caller, user: str, said: Any, behaviour: str
) -> None:
    call = phone.call(user)
    await phone.answered()
    await phone.hears(sound(said))
    phone.hang_up(call)
    assert (await seen(net, user.lstrip("*")))["behaviour"] == behaviour


@pytest.mark.parametrize(
    ("digits", "status", "cause", "state"), [("02", 486, 17, "busy"), ("04", 404, 20, "unreachable")]
)
async def test_a_telephone_that_cannot_be_had_refuses_without_ringing(
    net: Network, phone: Caller, digits: str, status: int, cause: int, state: str
) -> None:
    phone.call(f"+336000000{digits}")
    assert await phone.refused() == (status, cause)
    shown = await seen(net, f"+336000000{digits}")
    assert (shown["state"], shown["answered_at"], shown["heard"]) == (state, None, None)


async def test_a_caller_that_speaks_mu_law_hears_and_is_heard_in_it(net: Network, phone: Caller) -> None:
    phone.endpoint = replace(phone.endpoint, codecs=("PCMU",))
    phone.offer = phone.endpoint.offer(1)
    call = phone.call("+33600000000")
    await phone.answered()
    await phone.hears(sound("hello", "PCMU"))
    phone.say(SPEECH.translate(TO_OTHER["PCMA"]))
    phone.hang_up(call)
    shown = await seen(net, "+33600000000")
    async with net.http.get(net.url + shown["heard"]) as answer:
        samples, _ = soundfile.read(io.BytesIO(await answer.read()), dtype="int16")
    sent = g711.decode(SPEECH, "alaw").astype(int)
    assert abs(samples - sent).max() <= abs(sent).max() / 16  # as far as the two laws are apart


async def test_nobody_answers_and_the_clock_can_be_advanced(net: Network, phone: Caller) -> None:
    phone.call("+33600000003")
    assert await phone.rings() == 180
    await seen(net, "+33600000003", state="ringing")
    await net.advance(5)
    assert await phone.refused() == (480, 19)
    assert (await seen(net, "+33600000003"))["state"] == "no answer"


async def test_a_caller_that_gives_up_was_not_answered(net: Network, phone: Caller) -> None:
    call = phone.call("+33600000003")
    await phone.rings()
    phone.element.do(call.cancel)
    assert (await phone.refused())[0] == 487
    assert (await seen(net, "+33600000003"))["state"] == "no answer"


async def test_a_person_hangs_up(net: Network, phone: Caller) -> None:
    phone.call("+33600000005")
    await phone.answered()
    assert (await phone.over()).cause.origin == "remote"
    assert (await seen(net, "+33600000005"))["state"] == "hung up"


@pytest.mark.parametrize(
    "user", ["", "alice", "+336", "+3361234567890123", "*", "**+33612345678", "+0612345678"]
)
async def test_nobody_has_such_a_number(net: Network, phone: Caller, user: str) -> None:
    phone.call(user)
    assert (await phone.refused())[0] == 404
    assert await net.get("/simulator/calls") == []


async def test_who_does_not_say_a_number_is_anonymous(net: Network, phone: Caller) -> None:
    for number, user in enumerate(("", "x" * 41, "a%0Db"), start=1):
        call = phone.call("+33600000000", caller=user)
        await phone.answered(number)
        phone.hang_up(call)
        assert (await seen(net, "+33600000000"))["from"] == "anonymous"


async def test_a_caller_without_an_offer_is_offered_one(net: Network, phone: Caller) -> None:
    """It is answered in the ACK; ours has nothing to say there, and the call ends."""
    phone.call("+33600000000", body=b"")
    await phone.over()
    assert (await seen(net, "+33600000000"))["state"] == "hung up"


@pytest.mark.parametrize("body", [b"v=0 nothing", b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"])
async def test_an_offer_that_cannot_be_answered_is_refused(net: Network, phone: Caller, body: bytes) -> None:
    phone.call("+33600000000", body=body)
    assert (await phone.refused())[0] in (400, 488)
    assert (await seen(net, "+33600000000"))["state"] == "cut off"


async def test_a_call_is_put_on_hold_and_taken_back(net: Network, phone: Caller) -> None:
    call = phone.call("+33600000000")
    await phone.answered()
    for version, direction in ((2, "sendonly"), (3, "sendrecv")):
        offer = phone.endpoint.offer(1, version=version, direction=direction)
        phone.element.do(call.offer, offer.encode())
        answered = await phone.element.told(OfferAnswered, version - 1)
        assert answered.cause is None
    phone.say(SPEECH)
    phone.hang_up(call)
    assert (await seen(net, "+33600000000"))["heard_s"] == 0.4


async def test_the_audio_of_a_call_dies_and_the_next_call_has_it_again(net: Network, phone: Caller) -> None:
    media = net.simulator.telephones.media
    assert media.process is None
    phone.call("+33600000000")
    await phone.answered()
    await phone.hears(sound("hello"))
    os.kill(media.process.pid, signal.SIGKILL)
    await phone.over()
    assert (await seen(net, "+33600000000"))["state"] == "cut off"
    async with asyncio.timeout(WAIT_S_MAX):
        await media._ready.wait()
    call = phone.call("+33600000000")
    await phone.answered(2)
    phone.hang_up(call)
    assert (await seen(net, "+33600000000", state="hung up"))["answered_at"]


async def test_calls_under_way_are_cut_off_when_the_simulator_stops(tmp_path: Path) -> None:
    async with network(tmp_path / "data", FREE) as net:
        assert net.simulator.sip_port
        async with caller(net.simulator.sip_port) as phone:
            phone.call("+33600000000")
            await phone.answered()
            phone.call("+33600000003")
            await seen(net, "+33600000003", state="ringing")
            await net.simulator.telephones.stop()
            await phone.over()
            assert (await phone.refused())[0] == 503
            shown = await net.get("/simulator/calls")
            assert [call["state"] for call in shown] == ["cut off", "cut off"]


async def test_calls_of_a_server_that_was_killed_are_cut_off_at_the_next_start(tmp_path: Path) -> None:
    async with network(tmp_path / "data", FREE) as net:
        await net.store.database.write(
            lambda tx: tx.run(
                "INSERT INTO sim_calls (id, phone, caller, behaviour, state, began_at_ms, heard_ms, heard)"
                " VALUES (1, 33600000000, 'anonymous', 'a person answers', 'talking', 0, 0, ?)",
                (b"",),
            )
        )
    async with network(tmp_path / "data", FREE) as net:
        (call,) = await net.get("/simulator/calls")
        assert call["state"] == "cut off"
        assert call["ended_at"]


# Ports


def taken_port() -> tuple[socket.socket, int]:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    return sock, sock.getsockname()[1]


async def test_a_port_that_is_configured_and_taken_is_an_error(tmp_path: Path) -> None:
    sock, port = taken_port()
    with sock, pytest.raises(SettingsRefused, match=rf"\[simulator\] sip_port: .*127\.0\.0\.1:{port}"):
        async with network(tmp_path / "data", f"[simulator]\nsmpp_port = 0\nsip_port = {port}\n"):
            pass


async def test_usual_ports_give_way_when_they_are_taken_and_the_log_says_so_once(tmp_path: Path) -> None:
    async with network(tmp_path / "one", "") as one:
        with capture_logs() as said:
            async with network(tmp_path / "two", "") as two:
                ports = {"smpp_port": two.simulator.smpp_port, "sip_port": two.simulator.sip_port}
        assert one.simulator.sip_port != ports["sip_port"]
        assert one.simulator.smpp_port != ports["smpp_port"]
    taken = [line for line in said if line["event"].startswith("the usual port is taken")]
    assert [(line["setting"], line["usual"], line["log_level"]) for line in taken] == [
        ("[simulator] smpp_port", 2775, "warning"),
        ("[simulator] sip_port", 5060, "warning"),
    ]
    assert [line["used"] for line in taken] == list(ports.values())
    assert {line["shown_by"] for line in taken} == {"GET /simulator/info"}


def test_a_server_gives_way_to_a_pbx_that_has_the_usual_port_for_udp_only(tmp_path: Path) -> None:
    """With the event loop that servers have."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as pbx:
        with suppress(OSError):  # somebody has it already: as good
            pbx.bind(("127.0.0.1", 5060))
        with ChappeServer(tmp_path) as server:
            info = call(server.base_url, "/simulator/info").json
    assert info["sip_port"] not in (None, 5060)
    assert "the usual port is taken" in server.stderr


async def test_telephones_on_another_port_than_the_usual_one_take_calls(tmp_path: Path) -> None:
    unset = "[simulator]\nsmpp_port = 0\n"
    async with (
        network(tmp_path / "one", unset),
        network(tmp_path / "two", unset) as two,
        caller(two.simulator.sip_port or 0) as phone,
    ):
        phone.call("+33600000002")
        assert (await phone.refused())[0] == 486


async def test_the_usual_port_is_left_to_our_own_trunks(tmp_path: Path) -> None:
    async with network(tmp_path / "data", "[voice]\nsip_port = 5060\n[simulator]\nsmpp_port = 0\n") as net:
        assert net.simulator.sip_port not in (None, 5060)


async def test_with_a_route_for_voice_there_are_no_telephones(tmp_path: Path) -> None:
    routed = (
        '[[operators]]\nname = "t"\nkind = "sip"\nhost = "127.0.0.1"\nport = 5062\n'
        '[[routes]]\nproduct = "voice"\noperators = ["t"]\n'
    )
    async with network(tmp_path / "data", f"{FREE}{routed}") as net:
        assert (await net.get("/simulator/info"))["sip_port"] is None
        assert net.simulator.smpp_port


async def test_the_newest_calls_are_kept_however_their_ids_jump(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chappe.simulator.calls_seen.KEPT", 3)
    monkeypatch.setattr("chappe.simulator.calls_seen.HEARD_KEPT", 2)
    for start in range(2):  # ids of a block that was begun are left behind
        async with network(tmp_path / "data", FREE) as net:
            async with caller(net.simulator.sip_port or 0) as phone:
                for number in range(1, 3):
                    call = phone.call(f"+336112233{start}{number}")
                    await phone.answered(number)
                    phone.say(SPEECH)
                    phone.hang_up(call)
                    await seen(net, f"+336112233{start}{number}")
            shown = await net.get("/simulator/calls")
    assert len(shown) == 3
    assert [bool(call["heard"]) for call in shown] == [True, True, False]
