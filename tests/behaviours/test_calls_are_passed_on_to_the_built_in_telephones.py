"""A real trunk brings calls in, and voice is simulated: what is passed on rings at the built-in telephones."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from chappe.administration.commands import CallIncoming, RecordingList
from chappe.operators.sip.agent.events import Failed, Progress
from chappe.operators.sip.rtp.laws import MAGNITUDES
from tests.support.server import ChappeServer
from tests.support.sipp import far_ports
from tests.wire.sip.callers import Caller, Callers

UNTIL_S_MAX = 30.0
REQUEST_S_MAX = 30
ANSWERS, BUSY, RINGS = "33162001101", "33162001102", "33162001103"
SPEECH = [bytes([(n * 37 + k * 11) % 100 for k in range(160)]) for n in range(50)]


async def until(condition: Callable[[], object], what: str) -> None:
    try:
        async with asyncio.timeout(UNTIL_S_MAX):
            while not condition():
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"{what}: not within {UNTIL_S_MAX} s") from None


def own_address() -> str:
    """One of this machine's that is not loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"  # a machine without any: the other cases stand for it
        return str(probe.getsockname()[0])


class World:
    def __init__(self, server: ChappeServer, callers: Callers, host: str, port: int) -> None:
        self.server = server
        self._callers = callers
        self._host, self._port = host, port

    async def dial(self, number: str) -> Caller:
        caller = await self._callers.caller()
        caller.dial(self._port, f"+{number}", host=self._host)
        return caller

    def seen(self) -> list[dict[str, Any]]:
        """What the telephones saw."""
        return requests.get(f"{self.server.base_url}/simulator/calls", timeout=REQUEST_S_MAX).json()

    def result(self, number: str) -> str:
        return self.server.ask(CallIncoming(f"+{number}"))["calls"][0]["result"]


@asynccontextmanager
async def world_at(folder: Path, voice: str, host: str) -> AsyncIterator[World]:
    (port,) = far_ports(1)
    callers = await Callers().open()
    server = ChappeServer(folder, rate_limits=False)
    numbers = {ANSWERS: "33612345678", BUSY: "33600000002", RINGS: "33600000003"}
    (server.data / "chappe.toml").write_text(
        f'[voice]\nsip_port = {port}\n{voice}\n[simulator]\nsmpp_port = 0\nsip_port = 0\n[[operators]]\nname = "in"\n'
        f'kind = "sip"\nhost = "127.0.0.1"\nport = {callers.element.sockets.port}\noptions_s = 0\n'
        + "".join(
            f'[[numbers]]\nnumber = "{number}"\naction = "forward"\nto = "{to}"\nrecord = true\n'
            for number, to in numbers.items()
        )
    )
    try:
        with server:
            yield World(server, callers, host, port)
            await asyncio.to_thread(server.stop)
        server.run("check")
        server.assert_no_traceback()
    finally:
        await callers.close()


@pytest.mark.parametrize("kind", ["everywhere", "behind a translator", "at one address"])
async def test_both_ends_hear_each_other_wherever_our_sockets_are(tmp_path: Path, kind: str) -> None:
    own = own_address()
    voice = {
        "everywhere": "",
        "behind a translator": 'public_host = "198.51.100.7"',
        "at one address": f'sip_host = "{own}"',
    }[kind]
    async with world_at(tmp_path, voice, own if kind == "at one address" else "127.0.0.1") as world:
        caller = await world.dial(ANSWERS)
        await caller.answered()
        await caller.until(lambda: loud(caller.heard))
        caller.say(SPEECH)
        # It is on its way; what comes back meanwhile tells the time.
        count = len(caller.packets)
        await caller.until(lambda: len(caller.packets) >= count + 50)
        await until(lambda: [call["state"] for call in world.seen()] == ["talking"], "they talk")
        assert world.seen()[0]["phone"] == "+33612345678"
        caller.do(caller.call.hang_up)
        await until(lambda: world.result(ANSWERS) != "under way", "it has ended")
        assert world.result(ANSWERS) == "forwarded"
        await until(lambda: world.seen()[0]["state"] == "hung up", "the telephone knows it")
        assert world.seen()[0]["heard_s"] > 0.5
        (recording,) = world.server.ask(RecordingList())["recordings"]
        assert recording["state"] == "complete"


async def test_a_telephone_that_is_busy_or_rings_is_so_for_the_caller_too(tmp_path: Path) -> None:
    async with world_at(tmp_path, 'sip_host = "127.0.0.1"', "127.0.0.1") as world:
        assert (await (await world.dial(BUSY)).failed()).cause.status == 486
        await until(lambda: world.result(BUSY) == "busy", "it was busy")
        caller = await world.dial(RINGS)
        assert (await caller.told(Progress)).status == 180
        caller.do(caller.call.cancel)
        await caller.told(Failed)
        await until(lambda: world.result(RINGS) == "abandoned", "its caller gave up")
        await until(lambda: world.seen()[0]["state"] == "no answer", "the telephone knows it")


def loud(octets: bytes) -> bool:
    """Whether somebody speaks."""
    return sum(octets.translate(MAGNITUDES["PCMA"])) > 20 * max(1, len(octets)) and len(octets) > 4000
