"""One HTTP connection: uvicorn's protocol, with the limits that a server on the open internet needs.

Added here: a cap on the head of a request, deadlines for head and body, a JSON answer to what is not HTTP at
all, an end that lets the client read its answer although it is still sending, and two things that clients in
use do: they offer HTTP/2 with every request, and they write UTF-8 into an address as it is.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

HEAD_BYTES_MAX = 65_536
HEAD_S_MAX = 15.0
# The application itself answers a slow body with 408 after 15 s; this ends what it no longer reads.
BODY_S_MAX = 20.0
# Above every body the application takes, chunk headers included; what it refused is read and thrown away.
BODY_BYTES_MAX = 64 * 1024 * 1024

_NOT_ASCII = re.compile(rb"[\x80-\xff]")
# What asks for another protocol on this connection (RFC 9110, section 7.8).
_UPGRADE = frozenset((b"upgrade", b"connection", b"http2-settings"))


class _HeadTooLong(Exception):
    """Stops the parser: uvicorn takes it for an error in the request."""


class _CodingUnknown(Exception):
    """Stops the parser: where the body of this request ends cannot be told."""


class _NoMore(list[tuple[bytes, bytes]]):
    """Takes the trailers of a chunked body, which nobody reads, and keeps none of them."""

    def append(self, item: tuple[bytes, bytes], /) -> None:
        pass


_NO_MORE = _NoMore()


class _Ending:
    """The transport as an answer to a request with a body sees it: closing waits until the body was read.

    A socket that is closed with octets unread is reset, and the reset may destroy the answer on its way:
    a client that sends 9 MB would see a broken connection where it should read 413.
    """

    __slots__ = ("_connection", "write")

    def __init__(self, connection: LimitedConnection) -> None:
        self._connection = connection
        self.write = connection.transport.write

    def is_closing(self) -> bool:
        return self._connection.transport.is_closing()

    def close(self) -> None:
        self._connection.close_after_body()


class LimitedConnection(HttpToolsProtocol):
    """One connection.

    `head_since` and `body_since` are loop times, set while a head or a body is incomplete, `idle_since` while
    another request is waited for; `connections_max` of the configuration (set by the listener) is the number of
    connections that are served.
    """

    connections_max: int
    head_since: float | None = None
    body_since: float | None = None
    idle_since: float | None = None

    def __init__(self, *arguments: Any, connections_max: int, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.connections_max = connections_max
        self._heads = 0
        self._head_bytes = 0
        self._body_bytes = 0
        self._measure_head = False
        self._head_is_too_long = False
        self._coding_is_unknown = False
        self._close_after_body = False
        self._is_in_message = False
        self._offers_upgrade = False
        self._is_broken = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.head_since = self.loop.time()
        if len(self.connections) > self.connections_max:
            self._refuse(503, "Trop de connexions ouvertes. / Too many open connections.")

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing() or self._is_broken:
            return
        # An incomplete head is measured by the reads it came in. Only when these are large can a complete one
        # be too long, and is looked at.
        if self.head_since is None:
            self._head_bytes = 0
        self._measure_head = self._head_bytes + len(data) > HEAD_BYTES_MAX
        heads = self._heads + (not self._is_in_message)  # when nothing but one head is in these octets
        self._unset_keepalive_if_required()
        try:
            self.feed(data)
        except httptools.HttpParserError:
            self.send_400_response("")
            return
        if self.head_since is not None and self._heads <= heads:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MAX:
                self._head_is_too_long = True
                self.send_400_response("")
        elif self.body_since is not None:
            self._body_bytes += len(data)
            if self._body_bytes > BODY_BYTES_MAX:
                self.transport.close()

    def feed(self, data: bytes) -> None:
        """Gives the octets of one read to the parser; raises its errors."""
        rest: bytes | memoryview = data
        if not self._is_in_message:
            rest = _with_ascii_address(data)
        while True:
            try:
                self.parser.feed_data(rest)
            except httptools.HttpParserUpgrade as upgrade:
                # The parser takes what follows for another protocol: it would lose the body of every POST of
                # Java's HttpClient, which offers h2c. The offer is declined by reading the request without it.
                if not self._offers_upgrade:
                    raise httptools.HttpParserError("CONNECT") from None
                rest = memoryview(rest)[upgrade.args[0] :]
                self._read_again_without_upgrade()
            else:
                return

    def _read_again_without_upgrade(self) -> None:
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        lines = [b"%s %s HTTP/%s" % (method, self.url, version)]
        lines += [b"%s: %s" % (name, value) for name, value in self.headers if name not in _UPGRADE]
        if not self.parser.should_keep_alive():
            lines.append(b"connection: close")
        self._offers_upgrade = False
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
        self.parser.feed_data(b"\r\n".join(lines) + b"\r\n\r\n")

    def on_message_begin(self) -> None:
        if self.transport.is_closing():
            raise ConnectionAbortedError  # a pipelined request after the last one that is answered
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        if self.head_since is None:  # else it is the connection's first, whose time runs since it was made
            self.head_since = self.loop.time()
        self.idle_since = None
        self._heads += 1
        self._is_in_message = True

    def on_headers_complete(self) -> None:
        if self._measure_head:
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if size > HEAD_BYTES_MAX:
                self._head_is_too_long = True
                raise _HeadTooLong
        if any(name == b"transfer-encoding" and value.lower() != b"chunked" for name, value in self.headers):
            self._coding_is_unknown = True
            raise _CodingUnknown
        if self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT":
            self._offers_upgrade = True
            return
        self.start_request()

    def start_request(self) -> None:
        """The head is complete: hands the request to the application."""
        # What uvicorn does when a request begins, which is no use to requests that never come here.
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.headers, self.expect_100_continue = url, headers, expects
        self.scope["headers"] = headers
        super().on_headers_complete()
        self.head_since = None
        self.body_since = self.loop.time()
        self._body_bytes = 0
        for name, _ in self.headers:
            if name == b"content-length" or name == b"transfer-encoding":
                self.cycle.transport = _Ending(self)  # type: ignore[assignment]
                self.headers = _NO_MORE
                break

    def on_message_complete(self) -> None:
        if self._offers_upgrade:
            return  # only the head was read, and is read again
        self.end_request()
        self._is_in_message = False
        self.body_since = None
        if self._close_after_body:
            self.transport.close()

    def end_request(self) -> None:
        """The body is complete too."""
        super().on_message_complete()

    def on_response_complete(self) -> None:
        # As uvicorn does, without its timer for every request: `end_if_late` looks after idle connections.
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self.idle_since = self.loop.time()

    def close_after_body(self) -> None:
        """Closes the connection, when the rest of the request's body was read; or when it is late."""
        if self.body_since is None:
            self.transport.close()
        else:
            self._close_after_body = True

    def send_400_response(self, msg: str) -> None:
        """Called by uvicorn for what its parser refuses."""
        del msg
        if self._head_is_too_long:
            self._refuse(
                431, "Les en-têtes de la requête sont trop longs. / The request's headers are too long."
            )
        elif self._coding_is_unknown:  # RFC 9112, section 6.1
            self._refuse(
                501,
                "Ce Transfer-Encoding n'est pas pris en charge. / This Transfer-Encoding is not supported.",
            )
        else:
            self._refuse(400, "La requête HTTP est malformée. / The HTTP request is malformed.")

    def end_if_late(self, now: float) -> None:
        """Closes a connection whose head, body or next request does not come; called about once a second."""
        if self.transport.is_closing():
            return
        head_is_late = self.head_since is not None and now - self.head_since > HEAD_S_MAX
        body_is_late = self.body_since is not None and now - self.body_since > BODY_S_MAX
        is_idle = self.idle_since is not None and now - self.idle_since > self.timeout_keep_alive
        if (head_is_late and not self.is_answering()) or body_is_late or is_idle:
            self.transport.close()

    def is_answering(self) -> bool:
        """Whether an earlier request of this connection has no whole answer yet."""
        cycle: Any = self.cycle  # None before the first request, whatever uvicorn declares
        return cycle is not None and not cycle.response_complete

    def _refuse(self, status: int, message: str) -> None:
        if self.transport.is_closing():
            return
        if self.is_answering():
            # These octets would stand in the middle of another answer. Whole requests before the broken one are
            # answered; a broken body has nobody to answer.
            if self.body_since is not None:
                self.transport.close()
            else:
                self.cycle.keep_alive = False
                self._is_broken = True
            return
        body = f'{{"success":false,"code":{status},"message":"{message}"}}'.encode()
        self.transport.write(
            STATUS_LINE[status]
            + b"content-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
            + body
        )
        self.transport.close()


def _with_ascii_address(data: bytes) -> bytes:
    """A request whose first line has octets that belong percent-encoded, percent-encoded: `curl '...?tag=été'`."""
    end = data.find(b"\r\n")
    line = data[: end if end >= 0 else len(data)]
    if line.isascii():
        return data
    return _NOT_ASCII.sub(lambda octet: b"%%%02X" % octet[0][0], line) + data[len(line) :]
