"""Listens for HTTP: sockets, TLS, the clock of the connections, and a stop that first ends what is under way."""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import errno
import os
import ssl
from collections.abc import Awaitable, Callable, Generator, Iterator, MutableMapping
from pathlib import Path
from typing import Any

from uvicorn.config import Config
from uvicorn.server import ServerState

from chappe.http.connection import HEAD_S_MAX
from chappe.http.early import AtOnce, Begin, EarlyConnection

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

KEEP_ALIVE_S = 75
STOP_S_MAX = 6.0
BACKLOG = 2048


class ListenRefused(Exception):
    """The address cannot be listened on; the text is one clear line."""


class Listener:
    """Sockets that serve one ASGI application; `at_once` and `begin` are asked before it (http/early.py)."""

    def __init__(
        self,
        app: AsgiApp,
        *,
        connections_max: int,
        at_once: AtOnce | None = None,
        begin: Begin | None = None,
    ) -> None:
        self._config = Config(
            app=app,  # type: ignore[arg-type]
            loop="none",
            http=EarlyConnection,
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_S,
        )
        self._config.load()
        self._connections_max = connections_max
        self._at_once = at_once
        self._begin = begin
        self._state = ServerState()
        self._servers: list[asyncio.Server] = []
        self._ticker: asyncio.Task[None] | None = None
        self._stop_until_s: float | None = None

    async def listen(self, host: str, port: int, *, tls: ssl.SSLContext | None = None) -> int:
        """Listens on one more address; gives the port (the real one for port 0). Raises `ListenRefused`."""
        loop = asyncio.get_running_loop()
        with _clearly_refused(host, port):
            server = await loop.create_server(
                self._connection,
                host,
                port,
                ssl=tls,
                backlog=BACKLOG,
                # A connection is counted when its handshake is done: until then it may not last.
                ssl_handshake_timeout=HEAD_S_MAX if tls else None,
            )
        self._servers.append(server)
        if self._ticker is None:
            self._tick()
            self._ticker = asyncio.create_task(self._tick_forever())
        return int(server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Accepts nothing more, lets requests under way end, closes what is idle. Asked again it waits no longer."""
        for server in self._servers:
            server.close()
        for connection in self._connections():
            connection.shutdown()
        loop = asyncio.get_running_loop()
        if self._stop_until_s is None:
            self._stop_until_s = loop.time() + STOP_S_MAX
        while self._state.tasks and loop.time() < self._stop_until_s:
            await asyncio.wait(set(self._state.tasks), timeout=0.2)
            for connection in self._connections():
                connection.shutdown()
        for connection in self._connections():
            connection.transport.close()
        if self._ticker is not None:
            self._ticker.cancel()

    def _connections(self) -> Iterator[EarlyConnection]:
        for connection in tuple(self._state.connections):
            assert isinstance(connection, EarlyConnection)
            yield connection

    def _connection(self) -> asyncio.Protocol:
        return EarlyConnection(
            self._config,
            self._state,
            {},
            connections_max=self._connections_max,
            at_once=self._at_once,
            begin=self._begin,
        )

    async def _tick_forever(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            self._tick()

    def _tick(self) -> None:
        date = email.utils.formatdate(usegmt=True).encode()
        self._state.default_headers = [(b"date", date)]
        now = asyncio.get_running_loop().time()
        for connection in self._connections():
            connection.end_if_late(now)


async def check_free(host: str, port: int) -> None:
    """Raises `ListenRefused` where `Listener.listen` would now: asked before anything is opened or begun."""
    with _clearly_refused(host, port):
        server = await asyncio.get_running_loop().create_server(
            asyncio.Protocol, host, port, start_serving=False
        )
        server.close()


@contextlib.contextmanager
def _clearly_refused(host: str, port: int) -> Generator[None, None, None]:
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        hint = ": --port or CHAPPE_PORT chooses another one" if error.errno == errno.EADDRINUSE else ""
        raise ListenRefused(f"cannot listen on {host}:{port}: {reason}{hint}") from error
    except UnicodeError as error:  # a name that no resolver can be asked for
        raise ListenRefused(f"cannot listen on {host!r}: it is not a host name") from error


def tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """A server's TLS context, TLS 1.2 or newer; raises `ListenRefused`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # Without a password of ours OpenSSL would ask the terminal for one, and a service has none.
        context.load_cert_chain(certificate, key, password=lambda: "")
    except (OSError, ssl.SSLError) as error:
        raise ListenRefused(
            f"cannot use the TLS certificate {certificate} with the key {key}: {error}"
        ) from error
    return context
