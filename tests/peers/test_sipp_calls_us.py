"""sipp as the caller of our numbers, and at the far end of what is passed on: it judges what comes back at both."""

from __future__ import annotations

import base64
import io
import subprocess
import time
import wave
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chappe.administration.commands import CallIncoming, RecordingList, RecordingSave
from chappe.audio import g711
from tests.support.peers import need
from tests.support.ports import free_ports
from tests.support.server import ChappeServer, clean_environment
from tests.support.sipp import (
    Sipp,
    accept,
    answer,
    answered,
    ask,
    far_ports,
    heard,
    lingers,
    pause,
    refuse,
    scenario,
    sdp,
)
from tests.support.trunked import as_wav, babble, on_the_network

pytestmark = pytest.mark.peer

RECORDS, FORWARDS, BUSY, RECORDED = "33162001122", "33162001123", "33162001124", "33162001125"
TARGET = "33612345678"
RUN_S_MAX = 45
SAID = on_the_network(as_wav(babble(3.0, seed=5))).alaw
VIA = "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]"
FROM = "From: <sip:+33612000000@[local_ip]:[local_port]>;tag=[pid]c[call_number]"
CONTACT = "Contact: <sip:sipp@[local_ip]:[local_port]>"


def send(method: str, *, body: str = "", to_tag: bool = True, same_branch: bool = False) -> str:
    """A request of the caller's; repeated until it is answered."""
    uri = "[next_url]" if to_tag else "sip:+[service]@[remote_ip]:[remote_port]"
    to = "To: <sip:+[service]@[remote_ip]:[remote_port]>" + ("[peer_tag_param]" if to_tag else "")
    via = "[last_Via:]" if same_branch else VIA
    lines = [f"{method} {uri} SIP/2.0", via, FROM, to, "Call-ID: [call_id]", f"CSeq: [cseq] {method}"]
    lines += ["Max-Forwards: 70", CONTACT, *(["Content-Type: application/sdp"] if body else [])]
    text = "\n".join([*lines, "Content-Length: [len]", "", body])
    repeats = "" if method == "ACK" else ' retrans="500"'
    return f"<send{repeats}><![CDATA[\n{text}\n]]></send>"


def took(status: int, *, optional: bool = False, is_route: bool = False) -> str:
    more = ' optional="true"' if optional else ""
    return (
        f'<recv response="{status}"{more}{" rrs=" + chr(34) + "true" + chr(34) if is_route else ""}></recv>'
    )


INVITE = [
    send("INVITE", body=sdp().replace("[rtp_port]", "[media_port]"), to_tag=False),
    took(100, optional=True),
]
ANSWERED = [took(180, optional=True), took(200, is_route=True), send("ACK")]
HANGS_UP = [send("BYE"), took(200)]


OK = (
    "SIP/2.0 200 OK\n[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n[last_CSeq:]\n"
    f"{CONTACT}\nContent-Type: application/sdp\nContent-Length: [len]\n\n"
)


def is_told(direction: str) -> list[str]:
    """A re-INVITE with this direction, answered."""
    seen = f'<ereg regexp="a={direction}" search_in="body" check_it="true" assign_to="told"/>'
    body = sdp().replace("[rtp_port]", "[media_port]")
    return [
        f'<recv request="INVITE"><action>{seen}</action></recv>',
        f'<send retrans="500"><![CDATA[\n{OK}{body}\n]]></send>',
        '<recv request="ACK"></recv>',
    ]


def speaks(file: Path) -> str:
    return f'<nop><action><exec rtp_stream="{file},1,8"/></action></nop>'


class World:
    def __init__(self, directory: Path, server: ChappeServer, sip_port: int, far_port: int) -> None:
        self.directory = directory
        self.server = server
        self.sip_port = sip_port
        self.far_port = far_port
        self.runs = 0

    def calls(
        self, number: str, *steps: str | Sequence[str], count: int = 1, address: str = "127.0.0.1"
    ) -> None:
        """sipp calls us `count` times; AssertionError unless all goes as the steps say."""
        self.runs += 1
        directory = self.directory / f"caller{self.runs}"
        directory.mkdir()
        path = directory / "scenario.xml"
        path.write_text(scenario(*steps), "iso-8859-1")
        first, media = far_ports(1)[0], 2 * (free_ports(1)[0] // 2) - 2
        command = ["timeout", "-k", "5", str(RUN_S_MAX), need("sipp"), f"127.0.0.1:{self.sip_port}"]
        command += ["-sf", str(path), "-i", address, "-p", str(first), "-mi", address, "-mp", str(media)]
        command += ["-s", number, "-m", str(count), "-r", "10", "-nostdin", "-recv_timeout", "20000"]
        command += ["-trace_msg", "-message_file", str(directory / "messages.log")]
        command += ["-trace_err", "-error_file", str(directory / "errors.log")]
        done = subprocess.run(
            command,
            cwd=directory,
            env=clean_environment(TERM="dumb"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=RUN_S_MAX + 10,
        )
        story = "\n".join(file.read_text("utf-8", "replace") for file in sorted(directory.glob("*.log")))
        assert done.returncode == 0, f"sipp ended with {done.returncode}:\n{story}\n{self.server.stderr}"

    def far(self, *steps: Any, **more: Any) -> Sipp:
        self.runs += 1
        return Sipp(self.directory / f"far{self.runs}", self.far_port, *steps, **more)

    def history(self, number: str) -> list[dict[str, Any]]:
        """The newest first, once none is under way."""
        found: list[dict[str, Any]] = []

        def look() -> bool:
            found[:] = self.server.ask(CallIncoming(f"+{number}"))["calls"]
            return bool(found) and all(call["result"] != "under way" for call in found)

        eventually(look)
        return found


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("callers")
    sip_port, far_port = far_ports(2)
    server = ChappeServer(directory / "server", rate_limits=False)
    (server.data / "chappe.toml").write_text(f"""
        [voice]
        sip_host = "0.0.0.0"
        sip_port = {sip_port}

        [[operators]]
        name = "trunk1"
        kind = "sip"
        host = "127.0.0.1"
        port = {far_port}
        options_s = 0
        calls_per_second = 100

        [[routes]]
        product = "voice"
        operators = ["trunk1"]

        [[numbers]]
        number = "{RECORDS}"
        action = "record"

        [[numbers]]
        number = "{FORWARDS}"
        action = "forward"
        to = "{TARGET}"

        [[numbers]]
        number = "{RECORDED}"
        action = "forward"
        to = "{TARGET}"
        record = true

        [[numbers]]
        number = "{BUSY}"
        action = "refuse"
        status = 486
    """)
    with server:
        yield World(directory, server, sip_port, far_port)
    server.assert_no_traceback()


def test_what_a_caller_says_is_recorded_to_the_octet(world: World) -> None:
    file = world.directory / "said.alaw"
    file.write_bytes(SAID)
    # The tone is over after a quarter of a second; what is said into it is not recorded.
    world.calls(RECORDS, INVITE, ANSWERED, pause(1500), speaks(file), pause(4500), HANGS_UP)
    (call,) = world.history(RECORDS)
    assert (call["result"], call["caller"], call["cause"]) == ("answered", "+33612000000", 16)
    (recording,) = world.server.ask(RecordingList())["recordings"]
    assert recording["state"] == "complete"
    content = base64.b64decode(world.server.ask(RecordingSave(recording["id"]))["wav"])
    with wave.open(io.BytesIO(content)) as saved:
        samples = saved.readframes(saved.getnframes())
    # But for its beginning, which on a slow machine may meet the tone.
    assert g711.decode(SAID[8000:], "alaw").astype("<i2").tobytes() in samples


def test_a_number_that_is_busy_and_one_that_is_nobody_s(world: World) -> None:
    for number, status in ((BUSY, 486), ("33999999999", 404)):
        world.calls(number, INVITE, took(status), send("ACK"))
        assert world.history(number)[0]["status"] == status


def test_a_caller_at_another_address_is_a_stranger(world: World) -> None:
    before = world.server.ask(CallIncoming())["calls"]
    world.calls(RECORDS, INVITE, took(403), send("ACK"), address="127.0.0.2")
    assert world.server.ask(CallIncoming())["calls"] == before


def test_calls_are_passed_on_and_the_caller_hangs_up(world: World) -> None:
    far = [
        heard("INVITE", ("To", f"sip:.{TARGET}@"), ("Diversion", FORWARDS), ("Max-Forwards", "69")),
        answer("100 Trying"),
        accept("180 Ringing"),
        accept("200 OK", body=sdp(), repeats=True),
        heard("ACK"),
        heard("BYE"),
        answer("200 OK"),
        lingers(500),
    ]
    with world.far(*far, calls=5) as answering:
        world.calls(FORWARDS, INVITE, ANSWERED, pause(500), HANGS_UP, count=5)
        answering.over()
    assert [call["result"] for call in world.history(FORWARDS)[:5]] == ["forwarded"] * 5


def test_a_hold_of_the_far_end_is_said_to_the_caller_and_taken_back(world: World) -> None:
    far = [
        heard("INVITE"),
        accept("200 OK", body=sdp(), repeats=True),
        heard("ACK"),
        ask("INVITE", body=sdp("sendonly", version=2)),
        answered(200),
        ask("ACK"),
        pause(2000),  # a hold that is taken back at once need not be said to the caller at all
        ask("INVITE", body=sdp(version=3)),
        answered(200),
        ask("ACK"),
        heard("BYE"),
        answer("200 OK"),
        lingers(500),
    ]
    with world.far(*far) as holding:
        world.calls(FORWARDS, INVITE, ANSWERED, is_told("sendonly"), is_told("sendrecv"), HANGS_UP)
        holding.over()
    assert world.history(FORWARDS)[0]["result"] == "forwarded"


def test_both_ends_of_a_call_that_is_passed_on_are_recorded(world: World) -> None:
    file = world.directory / "both.alaw"
    file.write_bytes(SAID)
    far = [
        heard("INVITE"),
        accept("200 OK", body=sdp(), repeats=True),
        heard("ACK"),
        heard("BYE"),
        answer("200 OK"),
        lingers(500),
    ]
    with world.far(*far) as answering:
        world.calls(RECORDED, INVITE, ANSWERED, pause(300), speaks(file), pause(3500), HANGS_UP)
        answering.over()
    call = world.history(RECORDED)[0]
    recording = world.server.ask(RecordingList())["recordings"][-1]
    assert (recording["id"], recording["state"]) == (call["id"], "complete")
    octets = base64.b64decode(world.server.ask(RecordingSave(recording["id"]))["wav"])
    with wave.open(io.BytesIO(octets)) as read:
        heard_samples = g711.encode(np.frombuffer(read.readframes(10**9), dtype=np.int16), "alaw")
    # sipp's far end says nothing: what is there is what the caller said. Where sipp had to wait for the processor, there
    # is a silence.
    pieces = [SAID[start : start + 2000] for start in range(0, len(SAID) - 2000, 2000)]
    found = [heard_samples.find(piece) for piece in pieces]
    assert len([place for place in found if place >= 0]) > 0.7 * len(pieces), found
    assert [place for place in found if place >= 0] == sorted(place for place in found if place >= 0)


def test_the_far_end_hangs_up(world: World) -> None:
    far = [
        heard("INVITE"),
        accept("200 OK", body=sdp(), repeats=True),
        heard("ACK"),
        ask("BYE", "Reason: Q.850;cause=31"),
        answered(200),
    ]
    with world.far(*far) as holding:
        world.calls(
            FORWARDS,
            INVITE,
            ANSWERED,
            '<recv request="BYE"></recv>',
            "<send><![CDATA[\nSIP/2.0 200 OK\n[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n[last_CSeq:]\n"
            "Content-Length: 0\n\n]]></send>",
            lingers(500),
        )
        holding.over()
    assert (world.history(FORWARDS)[0]["result"], world.history(FORWARDS)[0]["cause"]) == ("forwarded", 31)


def test_a_refusal_of_the_far_end_is_the_caller_s_too(world: World) -> None:
    with world.far(heard("INVITE"), refuse("486 Busy Here")) as refusing:
        world.calls(FORWARDS, INVITE, took(486), send("ACK"))
        refusing.over()
    assert world.history(FORWARDS)[0]["result"] == "busy"


def test_a_caller_who_gives_up_is_heard_of_at_the_far_end(world: World) -> None:
    far = [
        heard("INVITE"),
        answer("100 Trying"),
        accept("180 Ringing"),
        heard("CANCEL"),
        answer("200 OK"),
        answer("487 Request Terminated", of_invite=True, repeats=True),
        heard("ACK"),
    ]
    cancel = (
        "<send><![CDATA[\nCANCEL sip:+[service]@[remote_ip]:[remote_port] SIP/2.0\n[last_Via:]\n"
        f"{FROM}\nTo: <sip:+[service]@[remote_ip]:[remote_port]>\nCall-ID: [call_id]\nCSeq: 1 CANCEL\n"
        "Max-Forwards: 70\nContent-Length: 0\n\n]]></send>"
    )
    with world.far(*far) as ringing:
        world.calls(FORWARDS, INVITE, took(180), pause(300), cancel, took(200), took(487), send("ACK"))
        ringing.over()
    assert world.history(FORWARDS)[0]["result"] == "abandoned"
