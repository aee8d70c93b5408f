"""Answers the plainest requests before uvicorn makes a scope, a cycle and a task for them.

What is not plain, and what those who are asked leave alone, goes the ordinary way as if nobody had looked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from chappe.http.connection import LimitedConnection

Headers = Sequence[tuple[bytes, bytes]]
AtOnce = Callable[[bytes, Headers, str], tuple[Headers, bytes] | None]
"""Answers a GET without waiting for anything: gets the URL, the headers and the client's address, gives headers and
body of a 200; or None, to leave the request to the application."""


class Begun(Protocol):
    """A POST that is being carried out."""

    done: asyncio.Future[Any]
    """Done, well or not, when `answer` knows the answer."""

    def answer(self) -> tuple[int, Headers, bytes]:
        """Status, headers and body. Called once; never raises."""
        ...


Begin = Callable[[bytes, Headers, bytes, str], Begun | None]
"""Begins what a POST asks for: gets the URL, the headers, the body and the client's address; or None, with nothing
done, to leave the request to the application."""


class _UnderWay:
    """Stands where uvicorn keeps the cycle of a request, so that those behind it wait and a stop lets it end."""

    __slots__ = ("disconnected", "keep_alive", "response_complete")

    message_event = asyncio.Event()  # uvicorn sets it when the connection is gone; nobody waits for it

    def __init__(self) -> None:
        self.disconnected = False
        self.keep_alive = True
        self.response_complete = False


class EarlyConnection(LimitedConnection):
    """One connection. A POST is taken early when its head and its whole body came in one read."""

    def __init__(
        self, *arguments: Any, at_once: AtOnce | None = None, begin: Begin | None = None, **more: Any
    ) -> None:
        super().__init__(*arguments, **more)
        self._at_once = at_once
        self._begin = begin
        self._is_answered = False
        self._body: bytes | None = None
        """Of a POST that may be taken early, until this read ends."""

    def feed(self, data: bytes) -> None:
        super().feed(data)
        if self._body is not None:  # the rest is still to come
            self._start_with_body()

    def start_request(self) -> None:
        if self._is_plain():
            method = self.parser.get_method()
            if method == b"GET" and self._answer_at_once():
                return
            if method == b"POST" and self._begin is not None and not self._is_chunked():
                self._body = b""
                return
        super().start_request()

    def on_body(self, body: bytes) -> None:
        if self._body is None:
            super().on_body(body)
        else:
            self._body += body

    def end_request(self) -> None:
        if self._is_answered:
            self._is_answered = False
        elif self._body is None:
            super().end_request()
        elif not self._begin_early(self._body):
            self._start_with_body()
            super().end_request()

    def _is_plain(self) -> bool:
        return (
            not self.is_answering()
            and not self.flow.write_paused
            and self.parser.should_keep_alive()
            and self.parser.get_http_version() == "1.1"
        )

    def _is_chunked(self) -> bool:
        # A broken chunk is nobody's body: the ordinary way knows what to do then.
        return any(name == b"transfer-encoding" for name, _ in self.headers)

    def _start_with_body(self) -> None:
        body, self._body = self._body, None
        super().start_request()
        if body:
            super().on_body(body)

    def _answer_at_once(self) -> bool:
        if self._at_once is None:
            return False
        answer = self._at_once(self.url, self.headers, self.client[0] if self.client else "")
        if answer is None:
            return False
        self._write(200, *answer, keep_alive=True)
        self.head_since = None
        self._is_answered = True
        self.on_response_complete()
        return True

    def _begin_early(self, body: bytes) -> bool:
        assert self._begin is not None
        begun = self._begin(self.url, self.headers, body, self.client[0] if self.client else "")
        if begun is None:
            return False
        self._body = None
        self.head_since = None
        under_way: Any = _UnderWay()
        self.cycle = under_way
        self.server_state.tasks.add(begun.done)  # type: ignore[arg-type] - a stop waits for it
        begun.done.add_done_callback(partial(self._answer_begun, begun, under_way))
        return True

    def _answer_begun(self, begun: Begun, under_way: _UnderWay, done: asyncio.Future[Any]) -> None:
        self.server_state.tasks.discard(done)  # type: ignore[arg-type]
        status, headers, body = begun.answer()
        under_way.response_complete = True
        if self.transport.is_closing():
            return
        self._write(status, headers, body, keep_alive=under_way.keep_alive)
        if not under_way.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def _write(self, status: int, headers: Headers, body: bytes, *, keep_alive: bool) -> None:
        content = [STATUS_LINE[status]]
        for name, value in self.server_state.default_headers:
            content += (name, b": ", value, b"\r\n")
        for name, value in headers:
            content += (name, b": ", value, b"\r\n")
        if not keep_alive:
            content.append(b"connection: close\r\n")
        content += (b"\r\n", body)
        self.transport.write(b"".join(content))
