"""The unix socket `DIR/chappe.sock`: the command line's way into the server that holds the folder.

One JSON line in, one JSON line out, one command a connection. The socket is mode 0600: whoever may open it
may read the database anyway.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog

from chappe.administration.ask import address_of
from chappe.administration.commands import Administration, Command, CommandRefused, Result
from chappe.storage.database import StorageRefused

COMMAND_BYTES_MAX = 1024 * 1024
BACKLOG = 1024
REQUEST_S_MAX = 30.0
STOP_S_MAX = 1.0

_log: structlog.stdlib.BoundLogger = structlog.get_logger("administration")
_encode = msgspec.json.Encoder().encode
_decode_command = msgspec.json.Decoder(Command).decode


class AdministrationSocket:
    """Serves an `Administration` on a unix socket. `on_unexpected` is told of every fault of ours."""

    def __init__(
        self, administration: Administration, path: Path, on_unexpected: Callable[[], None] = lambda: None
    ) -> None:
        self._administration = administration
        self._path = path
        self._on_unexpected = on_unexpected
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Listens; a socket file that a killed server left is replaced (the caller holds the folder's lock).

        Raises `StorageRefused` on a file system that has no sockets.
        """
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        mask = os.umask(0o177)
        try:
            self._path.unlink(missing_ok=True)
            with address_of(self._path) as address:
                listening.bind(address)
            listening.listen(BACKLOG)
        except OSError as error:
            listening.close()
            raise StorageRefused(f"cannot listen on {self._path}: {error.strerror}") from error
        finally:
            os.umask(mask)
        listening.setblocking(False)
        self._server = await asyncio.start_unix_server(self._serve, sock=listening, limit=COMMAND_BYTES_MAX)

    async def close(self) -> None:
        """Accepts nothing more; lets the commands under way answer, so that nobody has to guess."""
        if self._server is None:
            return
        self._server.close()
        self._path.unlink(missing_ok=True)
        if self._serving:
            await asyncio.wait(self._serving, timeout=STOP_S_MAX)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        try:
            async with asyncio.timeout(REQUEST_S_MAX):
                line = await reader.readline()
            if line:
                writer.write(_encode(await self._answer(line)) + b"\n")
                await writer.drain()
        except (OSError, ValueError, TimeoutError):
            _log.debug("a command line went away before its answer")
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> Result:
        try:
            return {"ok": True, "result": await self._administration.carry_out(_decode_command(line))}
        except msgspec.DecodeError as error:
            return {"ok": False, "message": f"the server does not know this command: {error}"}
        except CommandRefused as refused:
            return {"ok": False, "message": str(refused)}
        except Exception:
            self._on_unexpected()
            _log.exception("an administration command failed")
            return {"ok": False, "message": "the server failed to carry this out; its log says why"}
