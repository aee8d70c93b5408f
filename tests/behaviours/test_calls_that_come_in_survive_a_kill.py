"""A server that a trunk calls: what callers said is kept, whatever happens to it, and calls are passed on by a route."""

from __future__ import annotations

import asyncio
import json
import wave
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from chappe.audio import g711
from chappe.calls.greetings import with_tone
from tests.support.ports import free_ports
from tests.support.server import ChappeServer
from tests.wire.sip.callers import Caller, Callers
from tests.wire.sip.far import FarEnd, settle
from tests.wire.sip.incoming_bench import QUICK

RECORDS, FORWARDS, REFUSES = "33162001122", "33162001123", "33162001124"
SPEECH = [bytes([(n * 37 + k * 11) % 100 for k in range(160)]) for n in range(50)]
"""A second."""
GREETING = (8000 * np.sin(np.arange(4000) / 3)).astype(np.int16)

pytestmark = pytest.mark.usefixtures("either_database")


@dataclass
class World:
    server: ChappeServer
    callers: Callers
    far: FarEnd
    sip_port: int

    async def dial(self, number: str) -> Caller:
        caller = await self.callers.caller()
        caller.dial(self.sip_port, f"+{number}")
        return caller

    async def run(self, *arguments: str) -> str:
        return await asyncio.to_thread(self.server.run, *arguments)

    async def listed(self, *arguments: str) -> list[dict]:
        (items,) = json.loads(await self.run(*arguments, "--json")).values()
        return items

    async def until_listed(self, *arguments: str, count: int) -> list[dict]:
        """The command line can only be asked."""
        async with asyncio.timeout(20):
            while True:
                items = await self.listed(*arguments)
                if len(items) == count and all(item.get("result") != "under way" for item in items):
                    return items


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    callers, far = await Callers(QUICK).open(), await FarEnd(QUICK).open()
    (sip_port,) = free_ports(1)
    server = ChappeServer(tmp_path, rate_limits=False)
    (server.data / "greeting.wav").write_bytes(g711.wav(GREETING))
    (server.data / "chappe.toml").write_text(f"""
        [voice]
        sip_host = "127.0.0.1"
        sip_port = {sip_port}

        [[operators]]
        name = "trunk1"
        kind = "sip"
        host = "127.0.0.1"
        port = {far.port}
        options_s = 0

        [[routes]]
        product = "voice"
        operators = ["trunk1"]

        [[numbers]]
        number = "{RECORDS}"
        action = "record"
        greeting_file = "greeting.wav"

        [[numbers]]
        number = "{FORWARDS}"
        action = "forward"
        to = "33612345678"

        [[numbers]]
        number = "{REFUSES}"
        action = "refuse"
        status = 486
    """)
    await asyncio.to_thread(server.start)
    yield World(server, callers, far, sip_port)
    await callers.close()
    await far.close()
    await asyncio.to_thread(server.stop)
    server.assert_no_traceback()


async def speak(caller: Caller, seconds: int) -> None:
    """Says it in real time, so that some of it is under way at every instant."""
    for _ in range(seconds * 10):
        caller.say(SPEECH[:5])
        await asyncio.sleep(0.1)


async def greeted(world: World) -> Caller:
    caller = await world.dial(RECORDS)
    await caller.answered()
    await caller.until(lambda: with_tone(None).alaw in caller.heard)
    # What is played and what is heard are half a call apart: the recording begins when the last frame has left.
    await settle(0.3)
    return caller


async def test_a_message_is_left_listed_saved_and_deleted(world: World, tmp_path: Path) -> None:
    caller = await greeted(world)
    await speak(caller, 3)
    caller.do(caller.call.hang_up)
    (call,) = await world.until_listed("call", "incoming", count=1)
    assert (call["result"], call["number"], call["caller"]) == ("answered", f"+{RECORDS}", "+33612000000")
    (recording,) = await world.listed("recording", "list")
    assert recording["state"] == "complete"
    assert 1000 <= recording["durationMs"] <= 3000
    assert call["recordedMs"] == recording["durationMs"]
    identity = str(recording["id"])
    path = tmp_path / "message.wav"
    await world.run("recording", "save", identity, str(path))
    with wave.open(str(path)) as file:
        saved = file.readframes(file.getnframes())
    assert g711.decode(b"".join(SPEECH[:5]), "alaw").astype("<i2").tobytes() in saved
    assert str(identity) in await world.run("recording", "list")
    await world.run("recording", "delete", identity)
    assert await world.listed("recording", "list") == []
    assert "answered" in await world.run("call", "incoming")
    assert await world.run("check") is not None


async def test_what_was_heard_before_a_kill_is_there_afterwards_and_marked_as_cut(world: World) -> None:
    caller = await greeted(world)
    await speak(caller, 5)
    await asyncio.to_thread(world.server.kill)
    await asyncio.to_thread(world.server.start)
    async with asyncio.timeout(30):
        # Where others may live, the dead are taken for dead a while later.
        while (await world.listed("call", "incoming"))[0]["result"] == "under way":
            await asyncio.sleep(0.2)
    (call,) = await world.listed("call", "incoming")
    assert call["result"] == "lost"
    (recording,) = await world.listed("recording", "list")
    assert recording["state"] == "cut"
    assert 1000 <= recording["durationMs"] <= 5000
    await world.run("check")
    # And the next caller is answered as if nothing had been.
    caller = await greeted(world)
    caller.do(caller.call.hang_up)


async def test_a_call_is_passed_on_by_the_route_and_both_ends_hear_each_other(world: World) -> None:
    caller = await world.dial(FORWARDS)
    await caller.answered()
    telephone = await world.far.telephone()
    await telephone.until(lambda: telephone.is_established)
    caller.say(SPEECH)
    telephone.say(SPEECH[::-1])
    await telephone.until(lambda: b"".join(SPEECH) in telephone.heard)
    await caller.until(lambda: b"".join(SPEECH[::-1]) in caller.heard)
    world.far.do(telephone.call.hang_up)
    await caller.ended()
    (call,) = await world.until_listed("call", "incoming", "--number", FORWARDS, count=1)
    assert (call["result"], call["to"], call["onward"]) == ("forwarded", "+33612345678", "trunk1")


async def test_other_numbers_are_refused_and_it_is_in_the_history(world: World) -> None:
    for number, status in ((REFUSES, 486), ("33999999999", 404)):
        assert (await (await world.dial(number)).failed()).cause.status == status
    calls = await world.until_listed("call", "incoming", count=2)
    assert [(call["number"], call["status"]) for call in calls] == [
        ("+33999999999", 404),
        (f"+{REFUSES}", 486),
    ]


async def test_a_stop_ends_a_recording_in_time_and_keeps_it(world: World) -> None:
    caller = await greeted(world)
    await speak(caller, 2)
    await asyncio.to_thread(world.server.stop)
    await caller.ended()
    await asyncio.to_thread(world.server.start)
    (recording,) = await world.listed("recording", "list")
    assert recording["state"] == "cut"
    assert recording["durationMs"] >= 500
