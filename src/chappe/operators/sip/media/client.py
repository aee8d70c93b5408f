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
    Measured,
    Open,
    Ready,
    Unload,
)
from chappe.operators.sip.media.pipe import PipeBroken, PipeReader, written
from chappe.operators.sip.sdp.audio import CodecName

_log: structlog.stdlib.BoundLogger = structlog.get_logger("media")

RESTART_S: Final = 1.0
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
        self._owners: dict[int, StreamOwner] = {}
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
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def is_up(self) -> bool:
        """It works, or will as soon as a stream is opened."""
        return self._ready.is_set() or self._waits

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
        if self._writer is not None:
            self._writer.close()
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

    # Inside

    async def _run(self) -> None:
        while not self._stopping:
            try:
                await self._serve()
            except PipeBroken as error:
                _log.error("the media process says what it cannot say", reason=str(error))
            except OSError as error:
                if not self._waits:
                    raise
                _log.error("the media process cannot be started", reason=str(error))
            finally:
                self._end()
            if not self._was_ready and not self._waits:
                return
            if not self._stopping:
                _log.error("the media process has ended", code=self.process and self.process.poll())
                await asyncio.sleep(RESTART_S)

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
            self._waits = False
            self._was_ready = True
            self._ready.set()
        elif isinstance(event, Measured):
            if self._measured:
                self._measured.pop(0).set_result(event)
        else:
            owner = self._owners.get(event.stream)
            if isinstance(event, Closed):
                self._owners.pop(event.stream, None)
            if owner is not None:
                owner.on_media(event)

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
        owners, self._owners = self._owners, {}
        for owner in owners.values():
            owner.on_media_lost()
        measured, self._measured = self._measured, []
        for future in measured:
            future.cancel()
