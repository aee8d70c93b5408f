"""A quarter of all datagrams between our trunks and sipp is lost, others come twice, late, out of order: every call ends as it
should, is made once and charged once; what is heard is right wherever it arrives.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from chappe.clock import SystemClock
from chappe.operators.sip.element import SipElement
from chappe.operators.sip.trunk import SipTrunk
from chappe.settings import OperatorSettings
from tests.support.ear import Ear, Packet
from tests.support.sipp import (
    Sipp,
    accept,
    answer,
    far_ports,
    heard,
    hung_up,
    lingers,
    pause,
    refuse,
    sdp,
)
from tests.support.trunked import PRICE_MICRO, TrunkedServer, as_wav, babble, on_the_network
from tests.support.weather import BadWeather
from tests.wire.sip.element import WAIT_S_MAX
from tests.wire.sip.test_trunk import QUICK, Outcomes, order

pytestmark = pytest.mark.peer

FILE = as_wav(babble(1.2, seed=7))
CALLS = 5
RINGS = (heard("INVITE"), answer("100 Trying"), accept("180 Ringing"))
SCENARIOS: dict[str, tuple[str | Sequence[str], ...]] = {
    "answers": (
        *RINGS,
        pause(200),
        accept("200 OK", body=sdp(), repeats=True),
        heard("ACK"),
        hung_up(),
        lingers(),
    ),
    "busy": (*RINGS, pause(200), refuse("486 Busy Here")),
    # sipp repeats its answer to an INVITE that comes again only where nothing has followed that answer.
    "rings": (
        *(heard("INVITE"), accept("180 Ringing")),
        *(heard("CANCEL"), answer("200 OK"), answer("487 Request Terminated", of_invite=True, repeats=True)),
        *(heard("ACK"), lingers()),
    ),
}
RESULTS = {"answers": "answered", "busy": "busy", "rings": "no answer"}


def test_calls_come_through_bad_weather(tmp_path: Path) -> None:
    with (
        TrunkedServer(tmp_path, dict.fromkeys(SCENARIOS, ""), voice="ring_s_max = 8") as trunked,
        ExitStack() as stack,
    ):
        ear = stack.enter_context(Ear())
        spoken = stack.enter_context(BadWeather(ear.port, seed=3, delay_s_max=0.08))
        weathers: list[BadWeather] = []
        fars: dict[str, Sipp] = {}
        for seed, (name, steps) in enumerate(SCENARIOS.items()):
            (port,) = far_ports(1)
            weather = BadWeather(port, port=trunked.ports[name], seed=seed, loss=0.25, doubling=0.2)
            weathers.append(stack.enter_context(weather))
            fars[name] = stack.enter_context(
                Sipp(
                    tmp_path / name,
                    port,
                    *steps,
                    calls=CALLS + 1,  # it does not end before we do
                    rtp_port=spoken.port,
                    contact_port=weather.port,
                    in_bad_weather=True,
                )
            )
        numbers = {trunked.number(name): name for name in SCENARIOS for _ in range(CALLS)}
        callees = trunked.ended(trunked.send(trunked.upload(FILE), *numbers))
        results = {name: [] for name in SCENARIOS}
        for callee in callees:
            results[numbers[f"0{callee['number'][3:]}"]].append(callee)
        for name, result in RESULTS.items():
            calls = [call["result"] for callee in results[name] for call in callee["calls"]]
            assert calls == [result] * CALLS
            # INVITEs come several times, but are of one call for each number.
            assert len(set(re.findall(r"^Call-ID: .*$", fars[name].trace, flags=re.MULTILINE))) == CALLS
        charged = [callee["durationS"] for callee in callees]
        assert sorted(set(charged)) == [0, 2]
        assert micro(trunked.credit) == 10_000_000 - PRICE_MICRO * 2 * CALLS
        for weather in (*weathers, spoken):
            assert weather.dropped
            assert weather.doubled
        assert_heard_in_pieces(ear.packets)


async def test_nothing_is_left_of_a_call_that_is_over(tmp_path: Path) -> None:
    """Transactions and dialogs end, whatever was lost on the way; T1 is a tenth of the usual."""
    (port,) = far_ports(1)
    with BadWeather(port, seed=11, loss=0.25, doubling=0.25) as weather:
        far = Sipp(
            *(tmp_path, port, *SCENARIOS["answers"]),
            calls=CALLS + 1,
            contact_port=weather.port,
            in_bad_weather=True,
        )
        element = SipElement(host="127.0.0.1", port=0, public_host="", rtp_ports=(0, 0), settings=QUICK)
        await element.start()
        outcomes = Outcomes()
        settings = OperatorSettings(
            name="far", kind="sip", host="127.0.0.1", port=weather.port, options_s=0, calls_per_second=100
        )
        trunk = SipTrunk(settings, element, SystemClock())
        with far:
            await trunk.start(outcomes, lambda: None)
            for number in range(CALLS):
                trunk.call(order(33612345670 + number))
            await outcomes.end(CALLS)
            assert [end.result for _, end in outcomes.ends] == ["answered"] * CALLS
            async with asyncio.timeout(WAIT_S_MAX):
                while len(element.agent.layer) or element.agent.dialogs:
                    await asyncio.sleep(0.05)
        assert len(outcomes.answered_calls) == CALLS
        await trunk.stop()
        await element.stop()


def micro(euros: str) -> int:
    return round(float(euros) * 1_000_000)


def assert_heard_in_pieces(packets: list[Packet]) -> None:
    """Every packet of every call says what stands there in the file; most have come."""
    sound = on_the_network(FILE).alaw
    by_source: Any = groupby(sorted(packets, key=lambda packet: packet.source), lambda packet: packet.source)
    sources = [list(group) for _, group in by_source]
    assert len(sources) == CALLS
    for group in sources:
        # A frame of silence may leave before the sound begins.
        spoken = [packet for packet in group if packet.payload.strip(b"\xd5")]
        first = min(spoken, key=lambda packet: packet.timestamp)
        begin = sound.index(first.payload)
        heard_places: set[int] = set()
        for packet in group:
            if packet.timestamp < first.timestamp:
                continue
            place = begin + packet.timestamp - first.timestamp
            expected = sound[place : place + len(packet.payload)]
            assert packet.payload[: len(expected)] == expected
            assert packet.payload[len(expected) :].strip(b"\xd5") == b""
            assert (packet.sequence - first.sequence) * 160 == packet.timestamp - first.timestamp
            heard_places.add(place)
        assert len([place for place in heard_places if place < len(sound)]) > 0.5 * len(sound) / 160
