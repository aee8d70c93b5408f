"""Listens for HTTP on uvicorn's protocol, with the limits a server on the open internet needs.

What is added to uvicorn: a cap on the head of a request, a deadline for head and body, a cap on connections, a JSON answer to
what is not HTTP at all, and a stop that first ends what is under way.
"""

from __future__ import annotations

import asyncio
import email.utils
import ssl
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

HEAD_BYTES_MAX = 65_536
HEAD_S_MAX = 15.0
# The application itself answers a slow body with 408 after 15 s; this ends what it no longer reads.
BODY_S_MAX = 20.0
KEEP_ALIVE_S = 75
STOP_S_MAX = 8.0
BACKLOG = 2048


class ListenRefused(Exception):
    """The address cannot be listened on; the text is one clear line."""


class LimitedProtocol(HttpToolsProtocol):
    """One connection. `head_since` and `body_since` are loop times while a head or a body is incomplete."""

    head_since: float | None = None
    body_since: float | None = None
    head_bytes: int = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.head_since = self.loop.time()
        if self.config.limit_concurrency_connections < len(self.connections):  # type: ignore[attr-defined]
            self._refuse(503, "Trop de connexions ouvertes. / Too many open connections.")

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.head_since is not None and self.parser is not None:
            self.head_bytes += len(data)
            if self.head_bytes > HEAD_BYTES_MAX:
                self._refuse(
                    431, "Les en-têtes de la requête sont trop longs. / The request's headers are too long."
                )

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.head_since = self.loop.time()
        self.head_bytes = 0

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self.head_since = None
        self.body_since = self.loop.time()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self.body_since = None

    def send_400_response(self, msg: str) -> None:
        del msg
        self._refuse(400, "La requête HTTP est malformée. / The HTTP request is malformed.")

    def end_if_late(self, now: float) -> None:
        """Closes a connection whose head or body does not come."""
        if self.transport is None or self.transport.is_closing():  # pyright: ignore[reportUnnecessaryComparison]
            return
        head_is_late = self.head_since is not None and now - self.head_since > HEAD_S_MAX
        body_is_late = self.body_since is not None and now - self.body_since > BODY_S_MAX
        if (head_is_late and (self.cycle is None or self.cycle.response_complete)) or body_is_late:  # pyright: ignore[reportUnnecessaryComparison]
            self.transport.close()

    def _refuse(self, status: int, message: str) -> None:
        body = f'{{"success":false,"code":{status},"message":"{message}"}}'.encode()
        self.transport.write(
            STATUS_LINE[status]
            + b"content-type: application/json\r\nconnection: close\r\ncontent-length: "
            + str(len(body)).encode()
            + b"\r\n\r\n"
            + body
        )
        self.transport.close()


class Listener:
    """Sockets that serve one ASGI application."""

    def __init__(self, app: AsgiApp, *, connections_max: int) -> None:
        self._config = Config(
            app=app,  # type: ignore[arg-type]
            loop="none",
            http=LimitedProtocol,
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_S,
        )
        self._config.limit_concurrency_connections = connections_max  # type: ignore[attr-defined]
        self._config.load()
        self._state = ServerState()
        self._servers: list[asyncio.Server] = []
        self._ticker: asyncio.Task[None] | None = None

    async def listen(self, host: str, port: int, *, tls: ssl.SSLContext | None = None) -> int:
        """Listens on one more address; gives the port (the real one for port 0). Raises `ListenRefused`."""
        loop = asyncio.get_running_loop()
        try:
            server = await loop.create_server(self._protocol, host, port, ssl=tls, backlog=BACKLOG)
        except OSError as error:
            raise ListenRefused(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
        self._servers.append(server)
        if self._ticker is None:
            self._tick()
            self._ticker = asyncio.create_task(self._tick_forever())
        return int(server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Accepts nothing more, lets requests under way end, closes what is idle."""
        for server in self._servers:
            server.close()
        for connection in list(self._state.connections):
            connection.shutdown()
        deadline = asyncio.get_running_loop().time() + STOP_S_MAX
        while self._state.tasks and asyncio.get_running_loop().time() < deadline:
            await asyncio.wait(set(self._state.tasks), timeout=0.2)
            for connection in list(self._state.connections):
                connection.shutdown()
        for connection in list(self._state.connections):
            connection.transport.close()  # type: ignore[union-attr]
        if self._ticker is not None:
            self._ticker.cancel()

    def _protocol(self) -> asyncio.Protocol:
        return LimitedProtocol(config=self._config, server_state=self._state, app_state={})

    async def _tick_forever(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            self._tick()

    def _tick(self) -> None:
        date = email.utils.formatdate(usegmt=True).encode()
        self._state.default_headers = [(b"date", date)]
        now = asyncio.get_running_loop().time()
        for connection in list(self._state.connections):
            if isinstance(connection, LimitedProtocol):
                connection.end_if_late(now)


def tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """A server's TLS context, TLS 1.2 or newer; raises `ListenRefused`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise ListenRefused(
            f"cannot use the TLS certificate {certificate} with the key {key}: {error}"
        ) from error
    return context
