"""The server's end of the pipe to the media process: starts it, starts it again, tells and is told."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
from typing import Final, Protocol

import msgspec
import structlog

from chappe.operators.sip.media.messages import (
    CHUNK_OCTETS_MAX,
    Close,
    Closed,
    Command,
    Event,
    Load,
    Measure,
    Measured,
    Open,
    Opened,
    Ready,
    Refused,
    Unload,
)
from chappe.operators.sip.media.pipe import PipeBroken, PipeReader, written
from chappe.operators.sip.sdp.audio import CodecName

_log: structlog.stdlib.BoundLogger = structlog.get_logger("media")

RESTART_S: Final = 1.0
"""From its end to the next start, and twice as long after each that did not last."""
RESTART_S_MAX: Final = 30.0
STEADY_S: Final = 60.0
"""Whoever worked for so long begins anew with `RESTART_S`."""
FULL_S: Final = 1.0
"""How long no stream is asked for after one was refused, and twice as long after the next."""
FULL_S_MAX: Final = 30.0
SUSPECT_S_MAX: Final = 5.0
"""For whoever is asked for a sign of life."""
STOP_S_MAX: Final = 2.0
STREAM_MAX: Final = 2**31


class StreamOwner(Protocol):
    """Whoever has a stream's call."""

    def on_media(self, event: Event) -> None: ...

    def on_media_lost(self) -> None:
        """The media process has died, and the stream with it: no event will follow."""
        ...


class MediaProcess:
    """While it is down (`is_up`), nothing can be opened; what was open is told to be lost.

    `start` has it work at once; after `start_when_needed` it is started by the first stream that is opened.
    """

    def __init__(
        self,
        host: str = "0.0.0.0",  # noqa: S104 - the peers are outside
        ports: tuple[int, int] = (0, 0),
        *,
        detector: str = "",
    ) -> None:
        self._arguments = [host, str(ports[0]), str(ports[1]), *([detector] if detector else [])]
        self.has_detector = bool(detector)
        self._streams_max = max(0, ports[1] - ports[0]) if ports[0] else STREAM_MAX
        """One port of the range is for all reports."""
        self._owners: dict[int, StreamOwner] = {}
        self._opening: set[int] = set()
        """Streams that were asked for, and neither opened nor refused yet."""
        self._refusals = 0
        """In a row."""
        self._full_until_s = 0.0
        self._next_stream = 1
        self._next_sound = 1
        self._sounds: dict[int, dict[CodecName, bytes]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._measured: list[asyncio.Future[Measured]] = []
        self._task: asyncio.Task[None] | None = None
        self._waits = False
        """Whether the first stream starts it."""
        self._untold: list[Command] = []
        """Told before there was a pipe."""
        self._ready = asyncio.Event()
        self._stopping = False
        self._was_ready = False
        self._failures = 0
        """Processes in a row that did not last."""
        self._suspecting: asyncio.Task[None] | None = None
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def is_up(self) -> bool:
        """It works, or will as soon as a stream is opened."""
        return self._ready.is_set() or self._waits

    @property
    def free_streams(self) -> int:
        """How many streams can be opened now, as far as is known: after one was refused, one is tried after a while."""
        if not self.is_up:
            return 0
        if self._refusals:
            is_full = bool(self._opening) or asyncio.get_running_loop().time() < self._full_until_s
            return 0 if is_full else 1
        return max(0, self._streams_max - len(self._owners))

    def start_when_needed(self) -> None:
        """Costs nothing until there is a call."""
        self._waits = True

    async def start(self) -> None:
        """Returns when the process works. Raises OSError where it cannot (no such address, no port)."""
        self._task = asyncio.create_task(self._run(), name="media")
        ready = asyncio.create_task(self._ready.wait())
        await asyncio.wait({self._task, ready}, return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            ready.cancel()
            await self._task
            raise OSError("the media process has not started")

    async def stop(self) -> None:
        self._stopping = True
        if self._suspecting is not None:
            self._suspecting.cancel()
        if self._writer is not None:
            self._writer.close()
        elif self._task is not None:
            self._task.cancel()  # it waits for its next start
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=STOP_S_MAX)
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    # What the owners of streams do

    def open(self, owner: StreamOwner) -> int:
        """A stream's number; its events go to `owner` from now on. Only while `is_up`."""
        assert self.is_up
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="media")
        number = self._next_stream
        self._next_stream = number % STREAM_MAX + 1
        self._owners[number] = owner
        self._opening.add(number)
        self.tell(Open(number))
        return number

    def close(self, stream: int) -> None:
        """`Closed` follows, the last event."""
        self.tell(Close(stream))

    def tell(self, command: Command) -> None:
        """Lost while the process is down: so is the stream that it is about."""
        if self._writer is not None:
            self._writer.write(written(command))
        elif self._waits:
            self._untold.append(command)

    def load(self, octets: dict[CodecName, bytes]) -> int:
        """A sound in every codec it may be played in; its number. It is loaded again if the process starts again."""
        number = self._next_sound
        self._next_sound = number % STREAM_MAX + 1
        self._sounds[number] = octets
        self._load(number)
        return number

    def unload(self, sound: int) -> None:
        if self._sounds.pop(sound, None) is not None:
            self.tell(Unload(sound))

    async def measure(self, command: Command) -> Measured:
        """Sends `Measure`, waits for what it answers."""
        future: asyncio.Future[Measured] = asyncio.get_running_loop().create_future()
        self._measured.append(future)
        self.tell(command)
        return await future

    def suspect(self) -> None:
        """It does not answer. If it gives no sign of life now, it is ended, and started again."""
        if self._suspecting is None and self._ready.is_set():
            self._suspecting = asyncio.create_task(self._examine(), name="media-examine")

    # Inside

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._stopping:
            began_s = loop.time()
            reason = ""
            try:
                await self._serve()
            except PipeBroken as error:
                reason = str(error)
            except OSError as error:
                if not self._waits and not self._was_ready:
                    raise
                reason = str(error)
            finally:
                self._end()
            if not self._was_ready and not self._waits:
                return
            if self._stopping:
                return
            self._failures = 0 if loop.time() - began_s >= STEADY_S else self._failures
            again_s = min(RESTART_S * 2**self._failures, RESTART_S_MAX)
            self._failures = min(self._failures + 1, 30)
            code = None if self.process is None else self.process.poll()
            _log.error("the media process has ended", code=code, reason=reason, again_s=again_s)
            await asyncio.sleep(again_s)

    async def _examine(self) -> None:
        process = self.process
        try:
            async with asyncio.timeout(SUSPECT_S_MAX):
                await self.measure(Measure())
        except TimeoutError:
            _log.error("the media process gives no sign of life")
            if process is not None:
                process.kill()
        finally:
            self._suspecting = None

    async def _serve(self) -> None:
        """One process from beginning to end."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self.process = process = subprocess.Popen(  # noqa: ASYNC220, S603 - it only starts
                    [
                        sys.executable,
                        "-m",
                        "chappe.operators.sip.media",
                        str(theirs.fileno()),
                        *self._arguments,
                    ],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                )
        except OSError:
            ours.close()
            raise
        try:
            reader, self._writer = await asyncio.open_connection(sock=ours)
            for sound in self._sounds:
                self._load(sound)
            untold, self._untold = self._untold, []
            for command in untold:
                self.tell(command)
            pipe = PipeReader(msgspec.msgpack.Decoder(Event))
            while data := await reader.read(1 << 16):
                for event in pipe.feed(data):
                    self._on_event(event)
        except ConnectionError:
            pass
        finally:
            if self._writer is not None:
                self._writer.close()
            await self._wait_for(process)

    async def _wait_for(self, process: subprocess.Popen[bytes]) -> None:
        """It ends when its pipe closes."""
        loop = asyncio.get_running_loop()
        until = loop.time() + STOP_S_MAX
        while process.poll() is None:
            if loop.time() > until:
                process.kill()
            await asyncio.sleep(0.01)

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Ready):
            if self._was_ready:
                _log.info("the media process works again")
            self._waits = False
            self._was_ready = True
            self._ready.set()
        elif isinstance(event, Measured):
            if self._measured:
                asked = self._measured.pop(0)
                if not asked.done():
                    asked.set_result(event)
        else:
            owner = self._owners.get(event.stream)
            if isinstance(event, Closed | Opened | Refused):
                self._on_place(event)
            if owner is not None:
                owner.on_media(event)

    def _on_place(self, event: Closed | Opened | Refused) -> None:
        """How many streams there may be is told by those that were refused, and that have ended."""
        self._opening.discard(event.stream)
        if isinstance(event, Refused):
            now_s = asyncio.get_running_loop().time()
            if not self._refusals:
                _log.error("no port for a call's audio: calls wait", reason=event.reason)
            if now_s >= self._full_until_s:  # several that were asked for together count once
                self._full_until_s = now_s + min(FULL_S * 2**self._refusals, FULL_S_MAX)
                self._refusals = min(self._refusals + 1, 30)
        elif isinstance(event, Opened):
            if self._refusals:
                _log.info("there are ports for audio again")
            self._refusals = 0
        else:
            self._full_until_s = 0.0
        if not isinstance(event, Opened):
            self._owners.pop(event.stream, None)

    def _load(self, sound: int) -> None:
        if self._writer is None:
            return  # all sounds are loaded once there is a pipe
        for codec, octets in self._sounds[sound].items():
            for start in range(0, max(1, len(octets)), CHUNK_OCTETS_MAX):
                piece = octets[start : start + CHUNK_OCTETS_MAX]
                self.tell(Load(sound, codec, piece, is_last=start + CHUNK_OCTETS_MAX >= len(octets)))

    def _end(self) -> None:
        self._ready.clear()
        self._writer = None
        self._untold.clear()
        self._opening.clear()
        self._refusals = 0
        owners, self._owners = self._owners, {}
        for owner in owners.values():
            owner.on_media_lost()
        measured, self._measured = self._measured, []
        for future in measured:
            future.cancel()
