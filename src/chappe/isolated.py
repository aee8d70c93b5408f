"""Runs a function of bytes in a process of its own: decoders and speech engines written in C, fed by strangers.

The process is started at the first call and kept. It may use so much memory and so many seconds; when it dies of what
it was given, or takes too long and is killed, that one call fails, and the next one gets a new process. It never
writes to the store, and ends when the server does.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import resource
import signal
import struct
import sys
from collections.abc import Callable
from typing import BinaryIO, Final

WAITING_MAX: Final = 32
ANSWER_BYTES_MAX: Final = 64 << 20
_HEAD: Final = struct.Struct("<Q")
_MEMORY_VARIABLE: Final = "ISOLATED_MEMORY_BYTES"


class IsolatedBusy(Exception):
    """More calls wait than are worth waiting for; nothing was done."""


class IsolatedDied(Exception):
    """The process died of this call, or was killed because it took too long."""


class IsolatedTooLong(IsolatedDied):
    """It was killed because it took too long."""


class Isolated:
    """`function` is "package.module:name" of a function from bytes to bytes; calls are run one after the other."""

    def __init__(self, function: str, *, seconds_max: float = 30.0, memory_bytes_max: int = 1 << 30) -> None:
        self._function = function
        self._seconds_max = seconds_max
        self._memory_bytes_max = memory_bytes_max
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._process: asyncio.subprocess.Process | None = None
        self._is_stopped = False

    async def run(self, data: bytes) -> bytes:
        """The function's value; raises `IsolatedBusy` or `IsolatedDied`."""
        if self._waiting >= WAITING_MAX:
            raise IsolatedBusy
        self._waiting += 1
        try:
            async with self._turn:
                if self._is_stopped:
                    raise IsolatedBusy
                return await self._call(data)
        finally:
            self._waiting -= 1

    async def stop(self) -> None:
        """Ends the process; no call begins any more."""
        self._is_stopped = True
        await self._end_process()

    async def _end_process(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _call(self, data: bytes) -> bytes:
        is_done = False
        try:
            async with asyncio.timeout(self._seconds_max):
                process = self._process
                if process is None or process.returncode is not None:  # it may have died since the last call
                    process = await self._start()
                assert process.stdin is not None
                assert process.stdout is not None
                try:
                    process.stdin.write(_HEAD.pack(len(data)))
                    process.stdin.write(data)
                except RuntimeError as error:  # uvloop's word for a pipe whose other end has gone
                    raise IsolatedDied from error
                await process.stdin.drain()
                (size,) = _HEAD.unpack(await process.stdout.readexactly(_HEAD.size))
                if size > ANSWER_BYTES_MAX:
                    raise IsolatedDied
                answer = await process.stdout.readexactly(size)
                is_done = True
                return answer
        except TimeoutError as error:
            raise IsolatedTooLong from error
        except (OSError, asyncio.IncompleteReadError) as error:
            raise IsolatedDied from error
        finally:
            if not is_done:  # cancelled, too: what it answers now would be taken for the next call's
                await self._end_process()

    async def _start(self) -> asyncio.subprocess.Process:
        # No more of our environment than Python needs: nothing there is the decoders' business.
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            __name__,
            self._function,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={
                **kept,
                "OPENBLAS_NUM_THREADS": "1",  # a thread's stack each, for nothing
                _MEMORY_VARIABLE: str(self._memory_bytes_max),
            },
        )
        return self._process


def _serve(function: Callable[[bytes], bytes], source: BinaryIO, sink: BinaryIO) -> None:
    while head := source.read(_HEAD.size):
        (size,) = _HEAD.unpack(head)
        answer = function(source.read(size))
        sink.write(_HEAD.pack(len(answer)))
        sink.write(answer)
        sink.flush()


def main(name: str) -> None:
    """The process's own life: until its input ends, which it does when the server is gone."""
    # Ctrl-C, and the SIGTERM to all processes of a service, are for the server, which then ends us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.nice(5)  # a call under way goes before a file that waits to be converted
    module, _, attribute = name.partition(":")
    function: Callable[[bytes], bytes] = getattr(importlib.import_module(module), attribute)
    memory_bytes = int(os.environ[_MEMORY_VARIABLE])
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # What a library prints must not pass for an answer.
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        _serve(function, sys.stdin.buffer, sink)
    except (MemoryError, BrokenPipeError):
        os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1])
