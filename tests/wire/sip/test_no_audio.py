"""Calls that find no place for their audio wait for one; calls whose media process dies end by what was heard."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from chappe.audio.sound import Converted
from chappe.calls.port import CallEnd, Script
from chappe.operators.sip import placed
from chappe.operators.sip.element import SipElement
from chappe.operators.sip.media import client
from tests.support.sipp import far_ports
from tests.wire.sip.element import WAIT_S_MAX
from tests.wire.sip.far import settle
from tests.wire.sip.test_trunk import QUICK, Bench, order

LONG = Converted(60_000, b"\x2a" * 480_000, b"\x2a" * 480_000)
ENDED = "the media process has ended"
NO_PORT = "no port for a call's audio: calls wait"


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    await made.open()
    yield made
    await made.close()


async def until_ready(bench: Bench) -> None:
    async with asyncio.timeout(WAIT_S_MAX):
        await bench.element.media._ready.wait()


async def until_down(bench: Bench) -> None:
    async with asyncio.timeout(WAIT_S_MAX):
        while bench.element.media.is_up:
            await asyncio.sleep(0.005)


def was_put_back(end: CallEnd) -> bool:
    assert end.answered_at_ms is None
    return (end.result, end.reason, end.status, end.progress) == ("not taken", "no audio", 0, "")


async def with_ports(bench: Bench, first: int, last: int) -> None:
    """Another element of ours, whose audio has these ports alone."""
    await bench.element.stop()
    bench.element = SipElement(
        host="127.0.0.1",
        port=0,
        rtp_ports=(first, last),
        settings=QUICK,
        on_unexpected=bench._on_unexpected,
    )
    await bench.element.start()


async def test_a_call_that_finds_the_media_process_dead_has_not_begun(bench):
    trunk = await bench.trunk()
    os.kill(bench.element.media.process.pid, signal.SIGKILL)
    await until_down(bench)
    assert not trunk.is_up
    assert trunk.free_calls == 0
    trunk.call(order())
    assert was_put_back(await bench.outcomes.end())
    await until_ready(bench)
    trunk.call(order(attempt=2))
    assert (await bench.outcomes.end(2)).is_complete
    assert len(bench.far.telephones) == 1


async def test_a_call_whose_media_process_dies_before_its_invite_left_has_not_begun(bench):
    trunk = await bench.trunk()
    os.kill(bench.element.media.process.pid, signal.SIGSTOP)
    for number in range(3):
        trunk.call(order(33600000000 + number))
    await settle(0.1)
    os.kill(bench.element.media.process.pid, signal.SIGKILL)
    await bench.outcomes.end(3)
    assert all(was_put_back(end) for _, end in bench.outcomes.ends)
    assert bench.far.telephones == []


async def test_the_process_is_started_again_ever_later_and_says_so_once_each_time(bench, monkeypatch):
    monkeypatch.setattr(client, "RESTART_S", 0.05)
    trunk = await bench.trunk()
    with capture_logs() as lines:
        for _ in range(3):
            os.kill(bench.element.media.process.pid, signal.SIGKILL)
            await until_down(bench)
            trunk.call(order())
            await until_ready(bench)
        monkeypatch.setattr(client, "STEADY_S", 0.0)
        os.kill(bench.element.media.process.pid, signal.SIGKILL)
        await until_down(bench)
        await until_ready(bench)
    ended = [line for line in lines if line["event"] == ENDED]
    assert [line["again_s"] for line in ended] == [0.05, 0.1, 0.2, 0.05]
    assert {line["code"] for line in ended} == {-signal.SIGKILL}
    assert len([line for line in lines if line["event"] == "the media process works again"]) == 4


async def test_a_process_that_gives_no_sign_of_life_is_replaced(bench, monkeypatch):
    monkeypatch.setattr(placed, "MEDIA_S_MAX", 0.3)
    monkeypatch.setattr(client, "SUSPECT_S_MAX", 0.3)
    trunk = await bench.trunk()
    hung = bench.element.media.process
    os.kill(hung.pid, signal.SIGSTOP)
    trunk.call(order())
    trunk.call(order(33600000001))
    await bench.outcomes.end(2)
    assert all(was_put_back(end) for _, end in bench.outcomes.ends)
    await until_down(bench)
    await until_ready(bench)
    assert bench.element.media.process is not hung
    monkeypatch.undo()
    trunk.call(order())
    assert (await bench.outcomes.end(3)).is_complete


async def test_a_process_that_is_only_slow_is_left_alone(bench):
    await bench.trunk()
    process = bench.element.media.process
    bench.element.media.suspect()
    async with asyncio.timeout(WAIT_S_MAX):
        while bench.element.media._suspecting is not None:
            await asyncio.sleep(0.005)
    assert bench.element.media.process is process
    assert bench.element.media.is_up


async def test_no_more_calls_begin_than_there_are_ports(bench):
    (first,) = far_ports(1)
    await with_ports(bench, first, first + 2)
    trunk = await bench.trunk()
    assert trunk.free_calls == 2  # the third port is for all reports
    trunk.call(order(script=Script(LONG, LONG)))
    trunk.call(order(33600000001, script=Script(LONG, LONG)))
    assert trunk.free_calls == 0
    telephones = [await bench.far.telephone(number) for number in (1, 2)]
    await telephones[0].until(lambda: telephones[0].packets)
    bench.far.do(telephones[0].call.hang_up)
    await bench.until(lambda: trunk.free_calls == 1)


async def test_a_call_that_others_have_taken_the_port_of_waits_and_one_is_tried_after_a_while(
    bench, monkeypatch
):
    monkeypatch.setattr(client, "FULL_S", 0.1)
    (first,) = far_ports(1)
    await with_ports(bench, first, first + 1)
    trunk = await bench.trunk()
    media = bench.element.media
    taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    reports = [port for port in (first, first + 1) if not _is_free(port)]
    assert len(reports) == 1
    taken.bind(("127.0.0.1", first + first + 1 - reports[0]))
    with taken, capture_logs() as lines:
        trunk.call(order())
        assert was_put_back(await bench.outcomes.end())
        assert trunk.free_calls == 0
        assert trunk.is_up
        await _until(lambda: trunk.free_calls == 1)
        trunk.call(order(attempt=2))
        assert trunk.free_calls == 0  # one is tried, no more
        assert was_put_back(await bench.outcomes.end(2))
        await _until(lambda: trunk.free_calls == 1)
    assert [line["event"] for line in lines].count(NO_PORT) == 1
    trunk.call(order(attempt=3))
    assert (await bench.outcomes.end(3)).is_complete
    assert media._owners == {}
    assert len(bench.far.telephones) == 1


async def test_what_was_heard_when_the_media_process_died_is_told(bench):
    trunk = await bench.trunk()
    trunk.call(order(script=Script(LONG, LONG)))
    telephone = await bench.far.telephone()
    await telephone.until(lambda: len(telephone.packets) >= 60)
    os.kill(bench.element.media.process.pid, signal.SIGKILL)
    end = await bench.outcomes.end()
    assert (end.result, end.is_complete) == ("answered", False)
    await telephone.until(lambda: telephone.ended)
    assert telephone.ended.cause.q850 == 16
    heard_ms = 20 * len(telephone.packets)
    passed_ms = end.ended_at_ms - end.answered_at_ms
    assert 1_200 <= heard_ms <= passed_ms + 40
    # The process and we need not begin at the same moment; nothing beyond the call itself is told.
    assert heard_ms - 100 <= end.played_ms <= passed_ms


async def test_a_call_that_was_held_when_the_media_process_died_tells_nothing_that_was_not_heard(bench):
    trunk = await bench.trunk()
    trunk.call(order(script=Script(LONG, LONG)))
    telephone = await bench.far.telephone()
    await telephone.until(lambda: len(telephone.packets) > 5)
    held = telephone.endpoint.offer(1, version=2, direction="sendonly")
    bench.far.do(telephone.call.offer, held.encode())
    await telephone.until(lambda: telephone.call._offering is None)
    await settle(1.2)
    os.kill(bench.element.media.process.pid, signal.SIGKILL)
    end = await bench.outcomes.end()
    assert (end.result, end.played_ms) == ("answered", 0)


async def test_a_telephone_that_rings_when_the_media_process_dies_is_given_up(bench):
    bench.far.act = lambda telephone: bench.far.do(telephone.call.ring)
    trunk = await bench.trunk()
    trunk.call(order())
    telephone = await bench.far.telephone()
    os.kill(bench.element.media.process.pid, signal.SIGKILL)
    await telephone.until(lambda: telephone.ended)
    end = await bench.outcomes.end()
    assert (end.result, end.played_ms) == ("failed", 0)


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


async def _until(condition) -> None:
    async with asyncio.timeout(WAIT_S_MAX):
        while not condition():
            await asyncio.sleep(0.01)
