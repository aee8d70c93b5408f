"""The media process itself: streams over loopback, told and telling through its pipe."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from typing import TypeVar

import pytest

from chappe.operators.sip.media.client import MediaProcess
from chappe.operators.sip.media.messages import (
    Bridge,
    Closed,
    Connect,
    Detected,
    Digit,
    DigitsSent,
    Event,
    FirstAudio,
    Heard,
    Listen,
    Measure,
    Opened,
    Play,
    Played,
    Record,
    Refused,
    SendDigits,
    StopPlaying,
    Talk,
)
from chappe.operators.sip.rtp.laws import TO_OTHER
from chappe.operators.sip.rtp.packet import RtpSender

E = TypeVar("E")
WAIT_S_MAX = 20.0
SOUND = bytes(number * 7 % 251 for number in range(4800))


class Side:
    """One stream, and what it was told."""

    def __init__(self, media: MediaProcess) -> None:
        self.media = media
        self.events: list[Event] = []
        self.is_lost = False
        self._changed = asyncio.Event()
        self.number = media.open(self)

    def on_media(self, event: Event) -> None:
        self.events.append(event)
        self._changed.set()

    def on_media_lost(self) -> None:
        self.is_lost = True
        self._changed.set()

    async def told(self, kind: type[E], number: int = 1) -> E:
        async with asyncio.timeout(WAIT_S_MAX):
            while len(found := [event for event in self.events if isinstance(event, kind)]) < number:
                self._changed.clear()
                await self._changed.wait()
        return found[number - 1]

    async def lost(self) -> None:
        async with asyncio.timeout(WAIT_S_MAX):
            while not self.is_lost:
                self._changed.clear()
                await self._changed.wait()

    def connect(self, opened: Opened, **changes) -> None:
        self.media.tell(
            Connect(
                **{
                    "stream": self.number,
                    "host": "127.0.0.1",
                    "port": opened.port,
                    "rtcp_port": opened.rtcp_port,
                    "codec": "PCMA",
                    "payload_type": 8,
                    "receives": {8: "PCMA", 0: "PCMU"},
                    "events_send": 101,
                    "events_receive": 101,
                    "ptime_ms": 20,
                    "may_send": True,
                    **changes,
                }
            )
        )


async def joined(media: MediaProcess) -> tuple[Side, Side]:
    one, other = Side(media), Side(media)
    one.connect(await other.told(Opened))
    other.connect(await one.told(Opened))
    return one, other


@pytest.fixture
async def media() -> AsyncIterator[MediaProcess]:
    process = MediaProcess("127.0.0.1")
    await process.start()
    yield process
    await process.stop()


async def recorded(side: Side) -> bytes:
    """Everything that was heard, once it is over."""
    number = 1
    octets = b""
    while True:
        heard = await side.told(Heard, number)
        octets += heard.octets
        if heard.is_last:
            return octets
        number += 1


async def test_what_is_played_at_one_end_is_heard_at_the_other(media):
    one, other = await joined(media)
    sound = media.load({"PCMA": SOUND, "PCMU": b"no"})
    media.tell(Record(other.number, 1200))
    media.tell(Talk(one.number))
    await other.told(FirstAudio)
    media.tell(Play(one.number, sound))
    played = await one.told(Played)
    assert (played.ms, played.is_complete) == (600, True)
    heard = await recorded(other)
    assert len(heard) == 9600
    assert SOUND in heard
    assert set(heard.replace(SOUND, b"")) == {0xD5}
    media.close(one.number)
    media.close(other.number)
    closed = await one.told(Closed)
    assert closed.sent >= 60
    assert closed.received == 0
    counts = await other.told(Closed)
    assert (counts.sent, counts.lost) == (0, 0)
    assert counts.received >= 60


async def test_a_stream_that_may_not_talk_is_silent(media):
    one, other = await joined(media)
    sound = media.load({"PCMA": SOUND})
    media.tell(Play(one.number, sound))
    media.tell(Talk(other.number))
    await one.told(FirstAudio)
    media.close(one.number)
    assert (await one.told(Closed)).sent == 0
    assert other.events == [event for event in other.events if isinstance(event, Opened)]


async def test_digits_go_from_one_end_to_the_other(media):
    one, other = await joined(media)
    media.tell(Talk(one.number))
    media.tell(SendDigits(one.number, "42#"))
    await one.told(DigitsSent)
    await other.told(Digit, 3)
    assert [event.digit for event in other.events if isinstance(event, Digit)] == ["4", "2", "#"]


async def test_a_sound_is_stopped(media):
    one, _ = await joined(media)
    sound = media.load({"PCMA": b"x" * 800_000})
    media.tell(Talk(one.number))
    media.tell(Play(one.number, sound))
    media.tell(StopPlaying(one.number))
    played = await one.told(Played)
    assert not played.is_complete
    media.unload(sound)
    media.tell(Play(one.number, sound))
    assert (await one.told(Played, 2)).ms == 0


async def test_a_thousand_streams_are_opened_and_closed(media):
    sides = [Side(media) for _ in range(1000)]
    ports = {(await side.told(Opened)).port for side in sides}
    assert len(ports) == 1000
    measured = await media.measure(Measure())
    assert measured.streams == 1000
    for side in sides:
        media.close(side.number)
    for side in sides:
        await side.told(Closed)
    assert (await media.measure(Measure())).streams == 0


async def test_a_range_of_ports_is_kept_and_its_end_is_told():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    media = MediaProcess("127.0.0.1", (free, free))
    await media.start()
    # The one port is taken by the reports.
    side = Side(media)
    assert (await side.told(Refused)).reason
    await media.stop()


async def test_when_the_process_dies_its_streams_are_lost_and_it_comes_back(media):
    one, other = await joined(media)
    sound = media.load({"PCMA": SOUND})
    assert media.process is not None
    os.kill(media.process.pid, signal.SIGKILL)
    await one.lost()
    await other.lost()
    assert not media.is_up
    async with asyncio.timeout(WAIT_S_MAX):
        await media._ready.wait()
    one, other = await joined(media)
    media.tell(Talk(one.number))
    media.tell(Play(one.number, sound))
    assert (await one.told(Played)).is_complete


async def test_a_signal_to_stop_that_reaches_the_process_too_leaves_its_streams_to_the_server(media):
    one, _other = await joined(media)
    sound = media.load({"PCMA": SOUND})
    assert media.process is not None
    for name in (signal.SIGTERM, signal.SIGINT):
        os.kill(media.process.pid, name)
    media.tell(Talk(one.number))
    media.tell(Play(one.number, sound))
    assert (await one.told(Played)).is_complete
    assert media.process.poll() is None


async def test_a_process_that_cannot_start_is_told():
    media = MediaProcess("192.0.2.1")
    async with asyncio.timeout(WAIT_S_MAX):
        with pytest.raises(OSError, match="not started"):
            await media.start()
    await media.stop()


class LoudDetector:
    """Finds the first loud octet of a stream; stands in for a real one."""

    def __init__(self) -> None:
        self.streams: set[int] = set()

    def begin(self, stream: int) -> None:
        self.streams.add(stream)

    def end(self, stream: int) -> None:
        self.streams.discard(stream)

    def feed(self, pieces):
        from chappe.operators.sip.media.detector import Finding

        if any(b"\x00" in piece.octets for piece in pieces):
            raise ValueError("zero")
        return [
            Finding(piece.stream, "loud", str(len(piece.octets)), True)
            for piece in pieces
            if set(piece.octets) != {0xD5}
        ]


async def test_a_detector_hears_what_comes_in_and_may_fail():
    media = MediaProcess("127.0.0.1", detector="tests.wire.sip.test_media:LoudDetector")
    await media.start()
    try:
        one, other = await joined(media)
        loud, bad = media.load({"PCMA": b"\x2a" * 1600}), media.load({"PCMA": b"\x00" * 1600})
        media.tell(Listen(other.number))
        media.tell(Talk(one.number))
        await other.told(FirstAudio)
        media.tell(Play(one.number, loud))
        found = await other.told(Detected)
        assert (found.what, found.is_last) == ("loud", True)
        await one.told(Played)
        media.tell(Listen(other.number))
        media.tell(Play(one.number, bad))
        failed = await other.told(Detected, 2)
        assert (failed.what, failed.reason, failed.is_last) == ("", "ValueError", True)
        await one.told(Played, 2)  # the streams go on
    finally:
        await media.stop()


async def bridged(media: MediaProcess, **changes) -> tuple[Side, Side, Side, Side]:
    """A caller and a callee, and our legs to them, joined: caller - leg - leg - callee."""
    caller, leg = Side(media), Side(media)
    other_leg, callee = Side(media), Side(media)
    caller.connect(await leg.told(Opened))
    leg.connect(await caller.told(Opened))
    other_leg.connect(await callee.told(Opened), **changes)
    callee.connect(await other_leg.told(Opened))
    media.tell(Bridge(leg.number, other_leg.number))
    return caller, leg, other_leg, callee


async def test_what_comes_in_on_one_leg_of_a_bridge_goes_out_on_the_other_both_ways(media):
    caller, _, _, callee = await bridged(media)
    sound = media.load({"PCMA": SOUND})
    back = media.load({"PCMA": SOUND[::-1]})
    for side in (caller, callee):
        media.tell(Record(side.number, 1200))
        media.tell(Talk(side.number))
    await asyncio.gather(caller.told(FirstAudio), callee.told(FirstAudio))
    media.tell(Play(caller.number, sound))
    media.tell(Play(callee.number, back))
    heard, heard_back = await asyncio.gather(recorded(callee), recorded(caller))
    assert SOUND in heard
    assert SOUND[::-1] in heard_back
    media.close(callee.number)
    counts = await callee.told(Closed)
    assert counts.lost == 0


async def test_a_bridge_translates_between_the_laws(media):
    caller, _, _, callee = await bridged(media, codec="PCMU", payload_type=0)
    sound = media.load({"PCMA": SOUND})
    media.tell(Record(callee.number, 1200))
    media.tell(Talk(caller.number))
    await callee.told(FirstAudio)
    media.tell(Play(caller.number, sound))
    heard = await recorded(callee)
    assert (await callee.told(Heard)).codec == "PCMU"
    assert SOUND.translate(TO_OTHER["PCMA"]) in heard


async def test_digits_cross_a_bridge_and_stay_on_a_leg_that_takes_none(media):
    caller, leg, other_leg, callee = await bridged(media)
    media.tell(Talk(caller.number))
    media.tell(SendDigits(caller.number, "17#"))
    await callee.told(Digit, 3)
    assert [event.digit for event in callee.events if isinstance(event, Digit)] == ["1", "7", "#"]
    await caller.told(DigitsSent)
    other_leg.connect(await callee.told(Opened), events_send=None)
    media.tell(SendDigits(caller.number, "5"))
    await leg.told(Digit, 4)
    await caller.told(DigitsSent, 2)
    assert len([event for event in callee.events if isinstance(event, Digit)]) == 3


async def test_a_leg_whose_other_end_is_silent_keeps_its_way_open_once_it_talks(media):
    caller, leg, other_leg, callee = await bridged(media)
    media.tell(Talk(leg.number))
    media.tell(Talk(other_leg.number))
    await asyncio.gather(caller.told(FirstAudio), callee.told(FirstAudio))
    sound = media.load({"PCMA": SOUND})
    media.tell(Record(callee.number, 1600))
    media.tell(Talk(caller.number))
    media.tell(Play(caller.number, sound))
    assert SOUND in await recorded(callee)


async def test_a_held_leg_hears_nothing_of_the_bridge(media):
    caller, leg, other_leg, callee = await bridged(media)
    other_leg.connect(await callee.told(Opened), may_send=False)
    media.tell(Talk(caller.number))
    await leg.told(FirstAudio)
    media.close(other_leg.number)
    assert (await other_leg.told(Closed)).sent == 0


async def test_a_bridge_ends_with_either_leg_and_a_new_one_takes_its_place(media):
    caller, leg, other_leg, callee = await bridged(media)
    media.tell(Talk(caller.number))
    await callee.told(FirstAudio)
    media.close(other_leg.number)
    await other_leg.told(Closed)
    third, new_callee = Side(media), Side(media)
    third.connect(await new_callee.told(Opened))
    new_callee.connect(await third.told(Opened))
    media.tell(Bridge(leg.number, third.number))
    await new_callee.told(FirstAudio)
    media.tell(Bridge(leg.number, leg.number))
    media.tell(Bridge(leg.number, 4711))
    media.close(leg.number)
    assert (await leg.told(Closed)).received > 0


async def test_a_process_that_is_started_when_needed_is_there_for_the_first_stream():
    media = MediaProcess("127.0.0.1")
    media.start_when_needed()
    sound = media.load({"PCMA": SOUND})
    assert media.is_up
    assert media.process is None
    one, other = await joined(media)
    media.tell(Record(other.number, 600))
    media.tell(Talk(one.number))
    media.tell(Play(one.number, sound))
    assert (await one.told(Played)).is_complete
    assert SOUND in await recorded(other)
    await media.stop()
    assert one.is_lost
    assert media.process.poll() is not None


async def test_a_process_that_cannot_be_started_when_needed_loses_its_streams_and_is_tried_again(monkeypatch):
    media = MediaProcess("127.0.0.1")
    media.start_when_needed()
    with monkeypatch.context() as patched:
        patched.setattr("sys.executable", "/nowhere/python")
        await Side(media).lost()
    side = Side(media)
    await side.told(Opened)
    await media.stop()


async def test_a_process_that_was_not_needed_is_not_started():
    media = MediaProcess("127.0.0.1")
    media.start_when_needed()
    await media.stop()
    assert media.process is None


async def test_what_had_come_before_the_stream_is_closed_is_heard(media):
    side = Side(media)
    opened = await side.told(Opened)
    sender = RtpSender(77, 0, 0, 8)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        side.connect(opened, port=sock.getsockname()[1])
        media.tell(Record(side.number, 60_000))
        await media.measure(Measure())  # it has read what it was told before
        for start in range(0, len(SOUND), 160):
            sock.sendto(sender.frame(SOUND[start : start + 160]), ("127.0.0.1", opened.port))
        media.close(side.number)
    assert await recorded(side) == SOUND
