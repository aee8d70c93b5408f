"""The loop of the media process: one thread, a turn for each millisecond, sockets in between.

A frame of every stream leaves in the millisecond that is its own; what came in is read until the next one begins. No
memory is collected and no file is touched meanwhile.
"""

from __future__ import annotations

import secrets
import select
import socket
import time
from collections import deque
from collections.abc import Sequence
from typing import Final

import msgspec

from chappe.operators.sip.media.detector import Detector, Piece
from chappe.operators.sip.media.ear import Ear, ear_for_one_more
from chappe.operators.sip.media.lateness import Lateness
from chappe.operators.sip.media.library import Library
from chappe.operators.sip.media.messages import (
    Bridge,
    Close,
    Closed,
    Command,
    Connect,
    Detected,
    Event,
    Listen,
    Load,
    Measure,
    Measured,
    Open,
    Opened,
    Play,
    Ready,
    Record,
    Refused,
    SendDigits,
    StopPlaying,
    Talk,
    Unload,
)
from chappe.operators.sip.media.pipe import PipeBroken, PipeReader, written
from chappe.operators.sip.media.ports import Ports
from chappe.operators.sip.media.stream import Stream
from chappe.operators.sip.media.wheel import Wheel
from chappe.operators.sip.rtp.rtcp import Report, parse_compound

TICK_NS: Final = 1_000_000
DETECT_TICKS: Final = 20
REPORT_MS: Final = 5_000
READ_OCTETS: Final = 2048
COMMAND_OCTETS: Final = 8192
"""Of commands, read at a time: some 1 ms of work; a thousand calls that begin at once wait for one another."""
READY_MAX: Final = 64
"""Sockets that are read between two looks at the clock: some 0.3 ms."""
BEHIND_TICKS_MAX: Final = 200
"""Whoever is later has been stopped: the rest is let go, not sent in one burst."""
OUT_OCTETS_MAX: Final = 32 << 20
"""Events that the server does not read. Beyond, it is gone or hangs: the process ends."""


class ServerGone(Exception):
    """The server does not read or has closed the pipe."""


class Engine:
    """`control` is the pipe to the server. `run` returns when it closes; it raises OSError where no port can be had."""

    def __init__(self, control: socket.socket, ports: Ports, detectors: Sequence[Detector] = ()) -> None:
        self.library = Library()
        self._control = control
        self._ports = ports
        self._reader = PipeReader(msgspec.msgpack.Decoder(Command))
        self._out = bytearray()
        self._is_writing = False
        self._streams: dict[int, Stream] = {}
        self._by_fd: dict[int, Stream] = {}
        self._by_ssrc: dict[int, Stream] = {}
        self._wheel: Wheel[Stream] = Wheel()
        self._ears = [Ear(detector) for detector in detectors]
        self._ear_at = {
            number * DETECT_TICKS // len(self._ears): ear for number, ear in enumerate(self._ears)
        }
        """By the tick of each `DETECT_TICKS` in which it is its turn."""
        self._ear_of: dict[int, Ear] = {}
        """By stream that is listened to."""
        self._reports: deque[tuple[float, int]] = deque()
        """When a stream's next report is due; in order, for the time between is the same for all."""
        self._lateness = Lateness()
        self._idle_ns = 0
        self._measured_ns = time.monotonic_ns()
        self._poll = select.epoll()

    def run(self) -> None:
        control, poll = self._control, self._poll
        control.setblocking(False)
        self._rtcp = self._ports.open_rtcp()
        poll.register(control.fileno(), select.EPOLLIN)
        poll.register(self._rtcp.fileno(), select.EPOLLIN)
        self.tell(Ready())
        start_ns = time.monotonic_ns()
        tick = 0
        try:
            while True:
                self._write()
                if not self._streams:
                    self._wait_for_work()
                    start_ns = time.monotonic_ns() - tick * TICK_NS
                due_ns = start_ns + tick * TICK_NS
                late_ns = time.monotonic_ns() - due_ns
                if late_ns < 0:
                    # An exact sleep: epoll knows whole milliseconds only. What comes meanwhile is read together.
                    time.sleep(-late_ns / 1e9)
                    self._idle_ns += time.monotonic_ns() - due_ns - late_ns
                elif late_ns > BEHIND_TICKS_MAX * TICK_NS:
                    start_ns += late_ns
                    due_ns += late_ns
                self._turn(tick, due_ns)
                tick += 1
                # One millisecond after the other, but never one without a look at the sockets.
                self._read(due_ns + TICK_NS)
        except (ServerGone, PipeBroken):
            return
        finally:
            for stream in self._streams.values():
                stream.socket.close()
            self._rtcp.close()
            poll.close()

    # What streams ask of it

    def tell(self, event: Event) -> None:
        self._out += written(event)

    def unix_s(self) -> float:
        return time.time()

    def listened(self, piece: Piece) -> None:
        self._ear_of[piece.stream].pieces.append(piece)

    # Inside: time

    def _turn(self, tick: int, due_ns: int) -> None:
        turns = self._wheel.at(tick)
        for stream in turns:
            stream.turn()
        if turns:
            self._lateness.add((time.monotonic_ns() - due_ns) / 1000, len(turns))
        ear = self._ear_at.get(tick % DETECT_TICKS)
        if ear is not None and ear.streams:
            self._detect(ear)
        reports = self._reports
        if reports:
            now_ms = time.monotonic() * 1000
            if reports[0][0] <= now_ms:
                self._report(now_ms)

    def _report(self, now_ms: float) -> None:
        """One at a time: the others' millisecond comes."""
        _, number = self._reports.popleft()
        stream = self._streams.get(number)
        if stream is None:
            return
        self._reports.append((now_ms + REPORT_MS, number))
        stream.watch(now_ms)
        if stream.rtcp_remote is not None:
            try:
                self._rtcp.sendto(stream.report(now_ms), stream.rtcp_remote)
            except OSError:
                pass  # nobody needs this one

    def _detect(self, ear: Ear) -> None:
        try:
            findings = ear.feed()
        except Exception as error:
            # The detector is not ours: it may fail, the streams go on.
            for number in list(ear.streams):
                self._end_listening(number)
                self.tell(Detected(number, "", type(error).__name__, is_last=True))
            return
        for finding in findings:
            if finding.stream in ear.streams:
                self.tell(Detected(finding.stream, finding.what, finding.reason, finding.is_last))
                if finding.is_last:
                    self._end_listening(finding.stream)

    # Inside: sockets

    def _wait_for_work(self) -> None:
        """Until the server says something, or takes what it was told: no stream is there that has a millisecond."""
        before_ns = time.monotonic_ns()
        self._poll.poll()
        self._idle_ns += time.monotonic_ns() - before_ns

    def _read(self, until_ns: int) -> None:
        """What is there, once at least, and for as long as there is time."""
        by_fd = self._by_fd
        while True:
            ready = self._poll.poll(0, READY_MAX)
            now_ms = time.monotonic() * 1000
            for fd, mask in ready:
                stream = by_fd.get(fd)
                if stream is not None:
                    try:
                        data, source = stream.socket.recvfrom(READ_OCTETS)
                    except OSError:
                        continue
                    stream.receive(data, source[:2], now_ms)
                elif fd == self._rtcp.fileno():
                    self._read_rtcp(now_ms)
                elif fd == self._control.fileno() and mask & ~select.EPOLLOUT:
                    self._read_control(now_ms)
            if len(ready) < READY_MAX or time.monotonic_ns() >= until_ns:
                return

    def _read_rtcp(self, now_ms: float) -> None:
        try:
            data, _ = self._rtcp.recvfrom(READ_OCTETS)
        except OSError:
            return
        for report in parse_compound(data):
            if isinstance(report, Report):
                for block in report.blocks:
                    stream = self._by_ssrc.get(block.ssrc)
                    if stream is not None:
                        stream.take_report(report, now_ms)

    def _read_control(self, now_ms: float) -> None:
        try:
            data = self._control.recv(COMMAND_OCTETS)
        except BlockingIOError:
            return
        except OSError as error:
            raise ServerGone from error
        if not data:
            raise ServerGone
        for command in self._reader.feed(data):
            self._obey(command, now_ms)

    def _write(self) -> None:
        out = self._out
        if out:
            try:
                del out[: self._control.send(out)]
            except BlockingIOError:
                pass
            except OSError as error:
                raise ServerGone from error
            if len(out) > OUT_OCTETS_MAX:
                raise ServerGone
        if bool(out) != self._is_writing:
            self._is_writing = bool(out)
            wanted = select.EPOLLIN | (select.EPOLLOUT if out else 0)
            self._poll.modify(self._control.fileno(), wanted)

    # Inside: commands

    def _obey(self, command: Command, now_ms: float) -> None:
        if isinstance(command, Load):
            self.library.load(command.sound, command.codec, command.octets, is_last=command.is_last)
            return
        if isinstance(command, Unload):
            self.library.unload(command.sound)
            return
        if isinstance(command, Measure):
            self._measure()
            return
        if isinstance(command, Open):
            self._open(command.stream, now_ms)
            return
        stream = self._streams.get(command.stream)
        if stream is None:
            return  # closed, or refused: the server will read that soon
        match command:
            case Connect():
                self._connect(stream, command)
            case Talk():
                stream.is_talking = True
            case Play():
                stream.play(command.sound)
            case StopPlaying():
                stream.stop_playing()
            case SendDigits():
                stream.send_digits(command.digits)
            case Record():
                stream.record(command.ms_max, now_ms if command.is_paced else None)
            case Listen():
                if self._ears and not stream.is_listening:
                    self._listen(stream)
            case Bridge():
                other = self._streams.get(command.other)
                if other is not None and other is not stream:
                    stream.bridge(other)
            case Close():
                self._drain(stream, now_ms)
                self._close(stream, now_ms)

    def _open(self, number: int, now_ms: float) -> None:
        if number in self._streams:
            return
        try:
            sock = self._ports.open_rtp()
        except OSError as error:
            self.tell(Refused(number, error.strerror or "no port is free"))
            return
        stream = Stream(self, number, sock, secrets.randbits, now_ms)
        self._streams[number] = stream
        self._by_fd[sock.fileno()] = stream
        self._by_ssrc[stream.ssrc] = stream
        self._poll.register(sock.fileno(), select.EPOLLIN)
        self.tell(Opened(number, sock.getsockname()[1], self._rtcp.getsockname()[1]))

    def _connect(self, stream: Stream, connect: Connect) -> None:
        before = stream.connected
        stream.connect(connect)
        if before is None or before.ptime_ms != connect.ptime_ms:
            self._wheel.remove(stream.number)
            self._wheel.add(stream.number, stream, connect.ptime_ms)
        if before is None:
            self._reports.append((time.monotonic() * 1000 + REPORT_MS, stream.number))

    def _close(self, stream: Stream, now_ms: float) -> None:
        number = stream.number
        counts = stream.finish(now_ms)
        if number in self._ear_of:
            self._end_listening(number)
        self._wheel.remove(number)
        self._poll.unregister(stream.socket.fileno())
        del self._streams[number], self._by_fd[stream.socket.fileno()]
        if self._by_ssrc.get(stream.ssrc) is stream:
            del self._by_ssrc[stream.ssrc]
        stream.socket.close()
        self.tell(Closed(number, *counts))

    def _drain(self, stream: Stream, now_ms: float) -> None:
        """What had come before the call was over was heard."""
        for _ in range(READY_MAX):
            try:
                data, source = stream.socket.recvfrom(READ_OCTETS)
            except OSError:
                return
            stream.receive(data, source[:2], now_ms)

    def _listen(self, stream: Stream) -> None:
        ear = self._ear_of[stream.number] = ear_for_one_more(self._ears)
        ear.streams.add(stream.number)
        stream.is_listening = True
        ear.detector.begin(stream.number)

    def _end_listening(self, number: int) -> None:
        ear = self._ear_of.pop(number)
        ear.streams.discard(number)
        stream = self._streams.get(number)
        if stream is not None:
            stream.is_listening = False
        try:
            ear.detector.end(number)
        except Exception as error:
            self.tell(Detected(number, "", type(error).__name__, is_last=True))

    def _measure(self) -> None:
        now_ns = time.monotonic_ns()
        lateness = self._lateness
        elapsed_ns = max(1, now_ns - self._measured_ns)
        self.tell(
            Measured(
                len(self._streams),
                lateness.count,
                lateness.quantile_ms(0.5),
                lateness.quantile_ms(0.99),
                lateness.max_us / 1000,
                1 - self._idle_ns / elapsed_ns,
            )
        )
        self._lateness = Lateness()
        self._idle_ns = 0
        self._measured_ns = now_ns
