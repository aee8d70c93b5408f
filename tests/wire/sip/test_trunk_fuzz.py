"""Garbage at a real trunk: answers whose descriptions are spoiled, datagrams of anything on the ports of SIP, RTP and RTCP.

By seeds, so that what fails fails again. Every call ends as itself, nothing is unexpected, the media process lives.
"""

from __future__ import annotations

import asyncio
import random
import re
import socket
from collections.abc import AsyncIterator

import pytest

from chappe.audio.sound import Converted
from chappe.calls.port import Script
from tests.wire.sip.far import Telephone
from tests.wire.sip.test_trunk import ALAW, Bench, order

CALLS = 60
DATAGRAMS = 400
PIECES = [
    line.encode() + b"\r\n"
    for line in (
        "",
        "m=audio 0 RTP/AVP 8",
        "m=audio 65536 RTP/AVP 8",
        "m=video 9 RTP/AVP 31",
        "a=rtpmap:8 PCMA/0",
        "a=rtpmap:96 telephone-event/8000",
        "a=fmtp:101 0-99999",
        "a=ptime:0",
        "a=ptime:99999999999",
        "a=rtcp:70000",
        "a=rtcp:0",
        "v=1",
    )
] + [b"m=audio -1", b"a=rtpmap:8", b" 8 8 8 8 8", b" 255", b"=", b"\x00", b"\xff\xfe", b"RTP/SAVP"]
"""None puts a call on hold: that is waited for."""


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    await made.open()
    yield made
    await made.close()


def spoiled(octets: bytes, chance: random.Random) -> bytes:
    """A few places cut out or filled in. Audio is sent to whatever address stands there: it stays this machine's."""
    while True:
        made = bytearray(octets)
        for _ in range(chance.randint(1, 4)):
            begin = chance.randint(0, len(made))
            made[begin : begin + chance.choice((0, 0, 1, 4, 12))] = (
                chance.choice(PIECES) if chance.random() < 0.7 else chance.randbytes(chance.randint(0, 4))
            )
        addresses = re.findall(rb"IN\s+IP[46]\s+(\S*)", made)
        if all(address == b"127.0.0.1" for address in addresses):
            return bytes(made)


@pytest.mark.parametrize("seed", [1, 2])
async def test_spoiled_descriptions_in_answers(bench: Bench, seed: int) -> None:
    chance = random.Random(seed)
    statuses = {"answered": 0, "failed": 0}

    async def act(telephone: Telephone) -> None:
        await telephone.open()
        body = spoiled(telephone.answer(), chance)
        if chance.random() < 0.3:
            bench.far.do(telephone.call.ring, status=183, body=body)
            body = spoiled(telephone.answer(), chance)
        bench.far.do(telephone.call.accept, body)

    bench.far.act = act
    process = bench.element.media.process
    trunk = await bench.trunk(concurrent_calls=CALLS + 1)
    short = Converted(100, ALAW[:800], ALAW[:800])
    for number in range(CALLS):
        trunk.call(order(33600000000 + number, script=Script(short, short)))
    await bench.outcomes.end(CALLS)
    for _, end in bench.outcomes.ends:
        statuses[end.result] += 1
    # Some of them can still be spoken to, others cannot.
    assert statuses["answered"] > 5
    assert statuses["failed"] > 5
    bench.far.act = None
    trunk.call(order())
    assert (await bench.outcomes.end(CALLS + 1)).is_complete
    assert bench.element.media.process is process


async def test_datagrams_of_anything_during_a_call(bench: Bench) -> None:
    chance = random.Random(3)
    long = Converted(1600, ALAW * 4, ALAW * 4)
    trunk = await bench.trunk()
    process = bench.element.media.process
    trunk.call(order(script=Script(long, long)))
    telephone = await bench.far.telephone()
    await telephone.until(lambda: telephone.packets)
    invite = telephone.request.encode()
    audio = telephone.offer.media[0]
    rtcp = next(int(value.split()[0]) for name, value in audio.attributes if name == "rtcp")
    sip_port = bench.element.sockets.port
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for _ in range(DATAGRAMS):
            head = chance.choice(
                (b"", b"\x80\x08", b"\x80\x65", b"\x81\xc8\x00\x06", b"\x80\xc9\x00\x01", b"\x9f\x88")
            )
            stranger.sendto(head + chance.randbytes(chance.randint(0, 200)), ("127.0.0.1", audio.port))
            stranger.sendto(head + chance.randbytes(chance.randint(0, 200)), ("127.0.0.1", rtcp))
            octets = chance.choice((invite, chance.randbytes(60), b"\r\n\r\n"))
            stranger.sendto(spoiled(octets, chance), ("127.0.0.1", sip_port))
            await asyncio.sleep(0)
    end = await bench.outcomes.end()
    assert (end.result, end.is_complete, end.played_ms) == ("answered", True, 1600)
    assert ALAW * 4 in telephone.heard
    assert bench.element.media.process is process
