"""HTTP by the octet: a connection that sends what it is told to, and reads whole answers."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

ANSWER_S_MAX = 20.0


@dataclass(frozen=True)
class Answer:
    """A whole answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        assert self.headers["content-type"] == "application/json", self
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


class Connection:
    """One connection to a server; `send` anything, `answer` reads the next answer."""

    def __init__(self, base_url: str, *, tls: ssl.SSLContext | None = None) -> None:
        place = urlsplit(base_url)
        assert place.hostname is not None
        self.authority = place.netloc
        self._socket = socket.create_connection((place.hostname, place.port), timeout=ANSWER_S_MAX)
        if tls is not None:
            self._socket = tls.wrap_socket(self._socket, server_hostname=place.hostname)
        self._unread = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def answer(self, *, to: str = "GET") -> Answer:
        """The next answer, which is one to the method `to`; AssertionError when the server closes instead."""
        while b"\r\n\r\n" not in self._unread:
            self._read()
        head, _, self._unread = self._unread.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        version, status, _ = first.split(" ", 2)
        assert version == "HTTP/1.1", first
        headers: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(":")
            assert name.lower() not in headers, f"{name} stands twice"
            headers[name.lower()] = value.strip()
        if status == "100":
            return Answer(100, headers, b"")
        length = 0 if to == "HEAD" or status == "204" else int(headers["content-length"])
        while len(self._unread) < length:
            self._read()
        body, self._unread = self._unread[:length], self._unread[length:]
        return Answer(int(status), headers, body)

    def end_sending(self) -> None:
        self._socket.shutdown(socket.SHUT_WR)

    def is_closed(self) -> bool:
        """Waits for the server to close; False when it sends something instead."""
        if self._unread:
            return False
        try:
            return self._socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def _read(self) -> None:
        data = self._socket.recv(65536)
        assert data, f"the server closed the connection after {self._unread[:200]!r}"
        self._unread += data


def head(
    method: str,
    target: str,
    headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
    host: str = "localhost",
) -> bytes:
    """A request's head; a Host is added unless `headers` name one."""
    pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
    if not any(name.lower() == "host" for name, _ in pairs):
        pairs.insert(0, ("Host", host))
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in pairs)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def call(
    base_url: str,
    target: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | str | None = None,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """One request on a connection of its own. A body gets its Content-Length and nothing else."""
    octets = body.encode() if isinstance(body, str) else body
    lines = dict(headers or {})
    if octets is not None:
        lines.setdefault("Content-Length", str(len(octets)))
    with Connection(base_url, tls=tls) as connection:
        connection.send(head(method, target, lines) + (octets or b""))
        return connection.answer(to=method)
