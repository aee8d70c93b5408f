"""One TCP or TLS connection with SIP messages on it."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, Protocol, cast

from chappe.operators.sip.hop import Hop, Transport
from chappe.operators.sip.syntax.framing import PONG, StreamReader

HELD_OCTETS_MAX: Final = 1 << 20
"""What the peer does not read; a connection beyond is cut."""
TURN_MESSAGES: Final = 32

Place = tuple[Transport, str, int]


class Streams(Protocol):
    """Whoever keeps them."""

    def now_ms(self) -> int: ...
    def receive(self, data: bytes, hop: Hop) -> None: ...
    def opened(self, stream: Stream) -> int: ...
    def lost(self, number: int, place: Place) -> None: ...


class Stream(asyncio.Protocol):
    """One TCP or TLS connection. `place` is where we opened it to; those that come from outside have their own."""

    def __init__(
        self, sockets: Streams, transport: Transport, place: tuple[Transport, str, int] | None = None
    ) -> None:
        self._sockets = sockets
        self._kind: Transport = transport
        self._place = place
        self._reader = StreamReader()
        self._waiting: deque[bytes] = deque()
        """Messages that came and were not looked at yet; no more are read meanwhile."""
        self._is_paused = False
        self._transport: asyncio.Transport | None = None
        self.is_ours = place is not None
        """We opened it."""
        self.host = ""
        """The peer's address."""
        self.number = 0
        self.heard_ms = sockets.now_ms()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername") or ("", 0)
        self.host = peer[0]
        self.number = self._sockets.opened(self)
        self._hop = Hop(self._kind, peer[0], peer[1], self.number)
        if self._place is None:
            self._place = (self._kind, peer[0], peer[1])

    def data_received(self, data: bytes) -> None:
        self.heard_ms = self._sockets.now_ms()
        reader = self._reader
        self._waiting.extend(reader.feed(data))
        if reader.pings:
            reader.pings = 0
            self.write(PONG)
        if not self._is_paused:
            self._work()

    def connection_lost(self, exc: Exception | None) -> None:
        assert self._place is not None
        self._sockets.lost(self.number, self._place)

    def write(self, data: bytes) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        transport.write(data)
        if transport.get_write_buffer_size() > HELD_OCTETS_MAX:
            transport.abort()

    def close(self) -> None:
        self._waiting.clear()
        if self._transport is not None:
            self._transport.abort()

    # Inside

    def _work(self) -> None:
        """A few messages, then it is the others' turn: thousands may come in one piece."""
        waiting = self._waiting
        for _ in range(min(len(waiting), TURN_MESSAGES)):
            self._sockets.receive(waiting.popleft(), self._hop)
        if waiting:
            self._pause(is_paused=True)
            asyncio.get_running_loop().call_soon(self._work)
        elif self._reader.failure is not None:
            self.close()
        else:
            self._pause(is_paused=False)

    def _pause(self, *, is_paused: bool) -> None:
        transport = self._transport
        if is_paused is self._is_paused or transport is None:
            return
        self._is_paused = is_paused
        if transport.is_closing():
            return
        if is_paused:
            transport.pause_reading()
        else:
            transport.resume_reading()
