"""A trunk that says anything at any time: every call ends, once, and nothing is left of any."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from chappe.calls.arriving import Answer, Bridge, RecordingLimits
from chappe.clock import SystemClock
from chappe.operators.sip import arrived, bridged, taken
from chappe.operators.sip.element import SipElement
from chappe.operators.sip.incoming import IncomingCalls
from chappe.operators.sip.trunk import SipTrunk
from chappe.settings import OperatorSettings
from tests.wire.sip.callers import MemoryArrivals
from tests.wire.sip.incoming_bench import QUICK
from tests.wire.sip.liar import Liar
from tests.wire.sip.test_trunk import SOUND, Outcomes, order

RECORDED, ANSWERED, FORWARDED, UNKNOWN = 33162000001, 33162000002, 33162000003, 33162000004
ROUNDS = 20
SEEDS = 2
END_S_MAX = 60.0


async def until(condition) -> None:
    async with asyncio.timeout(END_S_MAX):
        while not condition():
            await asyncio.sleep(0.02)


@pytest.fixture
async def parts() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_whatever_a_trunk_says_and_when_every_call_ends_and_nothing_is_left_of_it(
    seed, monkeypatch, parts
):
    monkeypatch.setattr(taken, "PLAY_MARGIN_S", 0.5)
    monkeypatch.setattr(bridged, "LAST_EVENT_S_MAX", 5.0)
    monkeypatch.setattr(bridged, "SAME_CALLER_MAX", 1000)
    monkeypatch.setattr(arrived, "MEDIA_S_MAX", 20.0)
    unexpected: list[None] = []
    element = SipElement(
        host="127.0.0.1", port=0, settings=QUICK, on_unexpected=lambda: unexpected.append(None)
    )
    await element.start()
    parts.push_async_callback(element.stop)
    liar = Liar(element.sockets.port, seed)
    await liar.open()
    parts.callback(liar.close)
    settings = OperatorSettings(
        "t",
        "sip",
        "127.0.0.1",
        liar.own_port,
        options_s=0,
        calls_per_second=1000,
        concurrent_calls=1000,
        incoming_per_second=1000,
        incoming_calls=1000,
    )
    trunk = SipTrunk(settings, element, SystemClock())
    # It counts as up whatever it answers, so that more may go wrong.
    monkeypatch.setattr(trunk, "note", lambda trouble, hop=None: None)
    outcomes = Outcomes()
    await trunk.start(outcomes, lambda: None)
    parts.push_async_callback(trunk.stop)
    arrivals = MemoryArrivals(
        {
            RECORDED: Answer(SOUND, RecordingLimits(2, 1)),
            ANSWERED: Answer(SOUND, None),
            FORWARDED: Bridge(33612345678, ring_s_max=2, call_s_max=3),
        }
    )
    calls = IncomingCalls(element, [trunk], arrivals, lambda number: [trunk], SystemClock())
    await calls.start()
    parts.push_async_callback(calls.stop)
    for number in range(ROUNDS):
        for called in (RECORDED, ANSWERED, FORWARDED, FORWARDED, UNKNOWN):
            liar.call(f"+{called}")
        for place in range(2):
            trunk.call(order(33600000000 + 2 * number + place, ring_s_max=2))
        await asyncio.sleep(0.05)
    await asyncio.sleep(1.0)
    liar.is_quiet = True
    await until(lambda: not trunk._calls and not calls._calls)
    assert len(outcomes.ends) == 2 * ROUNDS
    assert len({end.result for _, end in outcomes.ends}) > 2
    taken_up = [call.id for call in arrivals.asked if call.numbers[0] != UNKNOWN]
    assert len(arrivals.ends) == len(taken_up) > ROUNDS
    assert len({end.result for end in arrivals.ends}) > 2
    assert not calls.ringing_onward
    assert not calls._of_trunk["t"]
    await until(lambda: element.agent.dialogs == 0)
    assert element.media._owners == {}
    assert unexpected == []
