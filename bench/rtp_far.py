"""The far end of thousands of calls: hears when each packet came, and speaks in the same measure, at little cost.

It is in this process, on the load's core, beside the one that is measured. All streams share a few ports, which are
told apart by what they send: the media process does not know, and its sockets are one for each call all the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.datagrams import AT_ONCE, Inbox, Outbox, stamped_socket
from bench.figures import Void
from chappe.audio.g711 import FRAME_SAMPLES, encode

SOCKETS: Final = 4
FRAME_MS: Final = 20
GROUPS: Final = 20
"""One for each millisecond of a frame's time: `GROUPS / SOCKETS` of them share a socket."""
BUSY_MAX: Final = 0.95
LOST_MAX: Final = 0.001
_GREETING_S: Final = 4
_PACKET: Final = np.dtype(
    [
        ("first", "u1"),
        ("type", "u1"),
        ("sequence", ">u2"),
        ("timestamp", ">u4"),
        ("source", ">u4"),
        ("payload", "u1", FRAME_SAMPLES),
    ]
)


_Take = Callable[[NDArray[np.void], NDArray[np.int64]], None]
"""Packets of one read, and when they came."""


class Arrived(NamedTuple):
    """What came in one run. `late_ms`: of each packet, behind its stream's measure of 20 ms as the earliest of its
    packets gives it.
    """

    streams: int
    late_ms: NDArray[np.float64]
    lost: int
    busy: float
    """This process's time over the time of the run."""

    def p99_ms(self) -> float:
        return float(np.percentile(self.late_ms, 99))


class FarEnd:
    def __init__(self) -> None:
        self._sockets = [stamped_socket() for _ in range(SOCKETS)]
        self.ports: list[int] = [sock.getsockname()[1] for sock in self._sockets]
        self._inboxes = [Inbox(sock, _PACKET.itemsize) for sock in self._sockets]
        self._greeting = _greeting()

    def port(self, stream: int, count: int) -> int:
        """Where stream number `stream` of `count` sends to, and hears from."""
        return self.ports[_group(stream, count) % SOCKETS]

    def close(self) -> None:
        for sock in self._sockets:
            sock.close()

    def run(self, seconds: float, warm_s: float, speaks_to: Sequence[int] = ()) -> Arrived:
        """Hears for `seconds` after `warm_s`; speaks to these ports all the time. Raises `Void` when it could not."""
        stamps: list[NDArray[np.int64]] = []
        sources: list[NDArray[np.int64]] = []
        sequences: list[NDArray[np.int64]] = []
        warm_until_s = time.monotonic() + warm_s

        def take(packets: NDArray[np.void], times: NDArray[np.int64]) -> None:
            if time.monotonic() >= warm_until_s:
                stamps.append(times)
                sources.append(packets["source"].astype(np.int64))
                sequences.append(packets["sequence"].astype(np.int64))

        busy = self._hear(seconds + warm_s, speaks_to, take)
        if not stamps:
            raise Void("nothing was heard")
        return _arrived(np.concatenate(stamps), np.concatenate(sources), np.concatenate(sequences), busy)

    def count(self, seconds: float, speaks_to: Sequence[int] = ()) -> int:
        """How many packets come; otherwise as `run`."""
        counts: list[int] = []
        self._hear(seconds, speaks_to, lambda packets, times: counts.append(len(packets)))
        return sum(counts)

    def drain(self) -> None:
        """Throws away what still came."""
        for inbox in self._inboxes:
            while inbox.read()[0]:
                pass

    def _hear(self, seconds: float, speaks_to: Sequence[int], take: _Take) -> float:
        """How busy it was."""
        groups = self._groups(speaks_to)
        cpu_before_s = time.process_time()
        begin_ns = time.monotonic_ns()
        end_ns = begin_ns + int(seconds * 1e9)
        tick = 0
        while (now_ns := time.monotonic_ns()) < end_ns:
            due_ns = begin_ns + tick * 1_000_000
            if now_ns < due_ns:
                time.sleep((due_ns - now_ns) / 1e9)
            if groups:
                groups[tick % GROUPS].say(tick // GROUPS)
            tick += 1
            for inbox in self._inboxes:
                count = AT_ONCE
                while count == AT_ONCE:
                    count, times = inbox.read()
                    if count:
                        take(inbox.room[:count].view(_PACKET)[:, 0], times)
        busy = (time.process_time() - cpu_before_s) / seconds
        if busy > BUSY_MAX:
            raise Void(f"the far end was busy {busy:.0%} of the time")
        return busy

    def _groups(self, ports: Sequence[int]) -> list[_Group]:
        if not ports:
            return []
        bounds = [_first(group, len(ports)) for group in range(GROUPS + 1)]
        return [
            _Group(self._greeting, start, ports[start:end], self._sockets[group % SOCKETS])
            for group, (start, end) in enumerate(pairwise(bounds))
        ]


class _Group:
    """Streams that speak in the same millisecond."""

    def __init__(self, greeting: NDArray[np.uint8], first: int, ports: Sequence[int], sock: object) -> None:
        self._greeting = greeting
        room = np.zeros((len(ports), _PACKET.itemsize), np.uint8)
        self._packets = room.view(_PACKET)[:, 0]
        self._packets["first"] = 0x80
        self._packets["type"] = 8
        self._packets["source"] = np.arange(first, first + len(ports)) + 1
        # Nobody says the same at the same time.
        self._phases = (np.arange(first, first + len(ports)) * 7919) % len(greeting)
        self._outbox = Outbox(sock, room, ports)  # type: ignore[arg-type]

    def say(self, frame: int) -> None:
        packets = self._packets
        packets["sequence"] = frame & 0xFFFF
        packets["timestamp"] = frame * FRAME_SAMPLES & 0xFFFFFFFF
        packets["payload"] = self._greeting[(self._phases + frame) % len(self._greeting)]
        self._outbox.send()


def _group(stream: int, count: int) -> int:
    return next(group for group in range(GROUPS) if stream < _first(group + 1, count))


def _first(group: int, count: int) -> int:
    return group * count // GROUPS


def _arrived(
    stamps: NDArray[np.int64], sources: NDArray[np.int64], sequences: NDArray[np.int64], busy: float
) -> Arrived:
    known, stream, counts = np.unique(sources, return_inverse=True, return_counts=True)
    # Stamps of one socket are in order; those of one stream are of one socket.
    firsts = np.full(len(known), -1)
    seen, at = np.unique(stream, return_index=True)
    firsts[seen] = sequences[at]
    steps = (sequences - firsts[stream]) & 0xFFFF
    offsets = stamps - steps * (FRAME_MS * 1_000_000)
    earliest = np.full(len(known), np.iinfo(np.int64).max)
    np.minimum.at(earliest, stream, offsets)
    last = np.zeros(len(known), np.int64)
    np.maximum.at(last, stream, steps)
    lost = int((last + 1 - counts).sum())
    if lost > LOST_MAX * len(stamps):
        raise Void(f"{lost} of {len(stamps)} packets did not come: the far end was too slow")
    return Arrived(len(known), (offsets - earliest[stream]) / 1e6, lost, busy)


def _greeting() -> NDArray[np.uint8]:
    """Somebody who speaks on and on: syllables of a voice with pauses too short to be the end, A-law, a row a frame."""
    rate = 8000
    t = np.arange(_GREETING_S * rate) / rate
    pitch = 120 + 15 * np.sin(2 * np.pi * 0.7 * t)
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    voice = sum(np.sin(harmonic * phase) / harmonic for harmonic in range(1, 12))
    syllables = np.clip(3 * np.sin(2 * np.pi * 4 * t), 0, 1) * (0.7 + 0.3 * np.sin(2 * np.pi * 0.5 * t))
    noise = np.random.default_rng(1).normal(0, 40, len(t))
    samples = np.clip(voice * syllables * 4000 + noise, -32768, 32767).astype(np.int16)
    return np.frombuffer(encode(samples, "alaw"), np.uint8).reshape(-1, FRAME_SAMPLES)
