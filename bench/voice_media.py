"""Calls that play a file: how late their packets leave and arrive, with and without somebody to listen to.

The media process has the servers' core, the far end the load's. A bare loop that sends and reads at the same rate says
what of the cost is Python's and the kernel's.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, Self

from bench.figures import Context, Figure, Void
from bench.machine import SERVER_CORE, cpu_s, pin_server, resident_mb
from bench.rtp_far import Arrived, FarEnd
from chappe.operators.sip.amd import DETECTOR
from chappe.operators.sip.media.client import MediaProcess
from chappe.operators.sip.media.messages import (
    Closed,
    Connect,
    Detected,
    Event,
    Listen,
    Measure,
    Measured,
    Opened,
    Play,
    Talk,
)

WAIT_S_MAX = 20.0
WARM_S = 0.5
SOUND_S = 30
SENDING = 2000
BOTH = 500
BOTH_GOAL = 1000


def run(context: Context) -> list[Figure]:
    """Lateness in milliseconds, shares of the core, kilobytes a call."""
    return asyncio.run(_run(rounds=9 if context.long else 3, seconds=10.0 if context.long else 4.0))


async def _run(rounds: int, seconds: float) -> list[Figure]:
    far = FarEnd()
    figures: list[Figure] = []
    kilobytes: list[float] = []
    for count, speaks in ((SENDING, False), (BOTH, True), (BOTH_GOAL, True)):
        name = f"{count:,} both ways, listened to" if speaks else f"{count:,} sending"
        bare, turns = [_bare(far, count, seconds / 2, speaks=speaks)], list[_Turn]()
        for _ in range(rounds):
            turn = await _turn(far, count, seconds, speaks=speaks)
            turns.append(turn)
            if not speaks:
                kilobytes.append(turn.kilobytes)
            bare.append(_bare(far, count, seconds / 2, speaks=speaks))
        around = [(before + after) / 2 for before, after in pairwise(bare)]
        figures += [
            Figure(f"{name}: p99 late", "ms", [turn.measured.late_ms_p99 for turn in turns]),
            Figure(f"{name}: p99 late on arrival", "ms", [turn.arrived.p99_ms() for turn in turns]),
            Figure(
                f"{name}: bare loop / media",
                "x of the CPU",
                [share / turn.core for share, turn in zip(around, turns, strict=True)],
            ),
            Figure(f"{name}: CPU", "of the core", [turn.core for turn in turns]),
            Figure(f"{name}: p50 late", "ms", [turn.measured.late_ms_p50 for turn in turns]),
            Figure(f"{name}: latest", "ms", [turn.measured.late_ms_max for turn in turns]),
            Figure(f"{name}: far end busy", "of its core", [turn.arrived.busy for turn in turns]),
        ]
    far.close()
    return [*figures, Figure("memory a call", "kB", kilobytes)]


class _Turn(NamedTuple):
    measured: Measured
    arrived: Arrived
    core: float
    kilobytes: float


class _Stream:
    """A call's side of the pipe."""

    def __init__(self, media: MediaProcess, told: _Told) -> None:
        self.port = self.rtcp_port = 0
        self.closed: Closed | None = None
        self._told = told
        self.number = media.open(self)

    def on_media(self, event: Event) -> None:
        if isinstance(event, Opened):
            self.port, self.rtcp_port = event.port, event.rtcp_port
            self._told.count()
        elif isinstance(event, Closed):
            self.closed = event
            self._told.count()
        elif isinstance(event, Detected) and event.is_last:
            self._told.decided += 1

    def on_media_lost(self) -> None:
        raise Void("the media process has ended")


class _Told:
    """Waits for an event of each stream."""

    def __init__(self) -> None:
        self.decided = 0
        self._left = 0
        self._done = asyncio.Event()

    def expect(self, count: int) -> None:
        self._left = count
        self._done.clear()

    def count(self) -> None:
        self._left -= 1
        if not self._left:
            self._done.set()

    async def all(self) -> None:
        async with asyncio.timeout(WAIT_S_MAX):
            await self._done.wait()


async def _turn(far: FarEnd, count: int, seconds: float, *, speaks: bool) -> _Turn:
    """`count` calls in a media process of their own."""
    media = MediaProcess("127.0.0.1", detector=DETECTOR if speaks else "")
    await media.start()
    try:
        assert media.process is not None
        pid = media.process.pid
        os.sched_setaffinity(pid, {SERVER_CORE})
        sound = media.load({"PCMA": bytes(number * 7 % 251 for number in range(8000)) * SOUND_S})
        told = _Told()
        before_mb = resident_mb(pid)
        told.expect(count)
        streams = [_Stream(media, told) for _ in range(count)]
        await told.all()
        for number, stream in enumerate(streams):
            _begin(media, stream, far.port(number, count), sound, speaks=speaks)
        await media.measure(Measure())
        cpu_before_s, begin_s = cpu_s(pid), time.monotonic()
        # The loop stands still meanwhile: the far end needs this core.
        arrived = far.run(seconds, WARM_S, [stream.port for stream in streams] if speaks else ())
        core = (cpu_s(pid) - cpu_before_s) / (time.monotonic() - begin_s)
        measured = await media.measure(Measure())
        kilobytes = (resident_mb(pid) - before_mb) * 1000 / count
        told.expect(count)
        for stream in streams:
            media.close(stream.number)
        await told.all()
    finally:
        await media.stop()
        far.drain()
    if arrived.streams != count:
        raise Void(f"{arrived.streams} streams were heard, not {count}")
    received = sum(stream.closed.received for stream in streams if stream.closed)
    expected = count * int((seconds + WARM_S) * 50) if speaks else 0
    if received < 0.98 * expected:
        raise Void(f"the media process took {received} packets of {expected}")
    if told.decided:
        raise Void(f"{told.decided} calls were decided on: nobody listened to them to the end")
    return _Turn(measured, arrived, core, kilobytes)


def _begin(media: MediaProcess, stream: _Stream, far_port: int, sound: int, *, speaks: bool) -> None:
    number = stream.number
    media.tell(
        Connect(
            number,
            "127.0.0.1",
            far_port,
            stream.rtcp_port,
            "PCMA",
            8,
            {8: "PCMA"},
            events_send=None,
            events_receive=None,
            ptime_ms=20,
            may_send=True,
        )
    )
    media.tell(Talk(number))
    media.tell(Play(number, sound))
    if speaks:
        media.tell(Listen(number))


def _bare(far: FarEnd, count: int, seconds: float, *, speaks: bool) -> float:
    """The share of the core that the bare loop takes."""
    with _Bare([far.port(number, count) for number in range(count)]) as bare:
        cpu_before_s, begin_s = cpu_s(bare.pid), time.monotonic()
        heard = far.count(seconds, bare.ports if speaks else ())
        core = (cpu_s(bare.pid) - cpu_before_s) / (time.monotonic() - begin_s)
    far.drain()
    if heard < 0.98 * count * seconds * 50:
        raise Void(f"the bare loop sent {heard} packets")
    return core


class _Bare:
    """The bare loop's process."""

    def __init__(self, remotes: Sequence[int]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.rtp_bare"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            preexec_fn=pin_server,
        )
        self.pid = self._process.pid
        with contextlib.suppress(OSError):
            # As the media process does for itself.
            os.sched_setscheduler(self.pid, os.SCHED_RR, os.sched_param(1))
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(remotes).encode() + b"\n")
        self._process.stdin.flush()
        self.ports: list[int] = json.loads(self._process.stdout.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self._process.terminate()
        self._process.communicate()
