"""One TCP connection with its SMPP session: the adapter between the sans-IO core and asyncio.

What one read makes due leaves in one write. Where the peer does not read, what is to be written waits here, and once
that is much the peer is not read either.
"""

import asyncio
import socket
from typing import Final, Protocol, cast

from chappe.operators.smpp.events import Event
from chappe.operators.smpp.pdu import Response
from chappe.operators.smpp.session import Session
from chappe.operators.smpp.settings import Settings
from chappe.operators.smpp.states import Role

HELD_OCTETS_MAX: Final = 1 << 20
LINGER_S: Final = 1.0
"""A closed connection whose peer does not take the last octets is cut after so long."""


class Handler(Protocol):
    """Whoever acts on what happens. Nothing that it raises gets further than `on_unexpected`."""

    def on_connected(self, connection: "Connection") -> None: ...
    def on_events(self, connection: "Connection", events: list[Event]) -> None: ...
    def on_writable(self, connection: "Connection") -> None: ...
    def on_unexpected(self, connection: "Connection", error: Exception) -> None: ...


class Connection(asyncio.Protocol):
    """The owner sends through `session`, then calls `flush`. `closed` is done when the socket is."""

    def __init__(self, handler: Handler, role: Role, settings: Settings) -> None:
        self._loop = asyncio.get_running_loop()
        self._handler = handler
        self.session = Session(role, now_ms=self.now_ms(), settings=settings)
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self.heard_at_ms = self.now_ms()
        """When the last octet came."""
        self.is_paused = False
        """The peer does not read."""
        self._transport: asyncio.Transport | None = None
        self._held: list[bytes] = []
        self._held_octets = 0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ms = 0
        self._linger: asyncio.TimerHandle | None = None

    def now_ms(self) -> int:
        """The loop's clock, which never goes back."""
        return int(self._loop.time() * 1000)

    @property
    def room(self) -> int:
        """Requests that can be sent now."""
        return 0 if self.is_paused else self.session.window_free

    def flush(self) -> None:
        """Writes what the session has to say, in one piece, and sets its timer."""
        data = self.session.data_to_send()
        transport = self._transport
        if not data or transport is None:
            return
        if self.is_paused:
            self._held.append(data)
            self._held_octets += len(data)
            if self._held_octets > HELD_OCTETS_MAX and transport.is_reading():
                transport.pause_reading()
        elif not transport.is_closing():
            transport.write(data)
        self._arm()

    def settle(self, count: int) -> None:
        """The outcomes of `count` requests are committed."""
        self.session.settle(count)

    def respond(self, response: Response) -> bool:
        """Answers a request of the peer's, with the next `flush`; False if the connection is gone."""
        if self._transport is None or self.closed.done() or self._transport.is_closing():
            return False
        self.session.respond(response)
        return True

    def abort(self) -> None:
        """Cuts it."""
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """Ends the session, writes what is left, closes."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        events = self.session.close()
        self.flush()
        transport.close()
        self._linger = self._loop.call_later(LINGER_S, transport.abort)
        self._tell(events)

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            # asyncio's own loop does it, uvloop does too; others may not.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self._handler.on_connected(self)
            self.flush()
        except Exception as error:
            self._unexpected(error)
        self._arm()

    def data_received(self, data: bytes) -> None:
        now_ms = self.heard_at_ms = self.now_ms()
        try:
            events = self.session.receive_data(data, now_ms)
            if events:
                self._handler.on_events(self, events)
            self.flush()
        except Exception as error:
            self._unexpected(error)

    def eof_received(self) -> bool:
        # Nothing more will come, so nothing that was asked will be answered.
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        for handle in (self._timer, self._linger):
            if handle is not None:
                handle.cancel()
        self._timer = self._linger = None
        self._held.clear()
        self._tell(self.session.connection_lost("" if exc is None else type(exc).__name__))
        if not self.closed.done():
            self.closed.set_result(None)

    def pause_writing(self) -> None:
        self.is_paused = True

    def resume_writing(self) -> None:
        self.is_paused = False
        transport = self._transport
        assert transport is not None
        held, self._held, self._held_octets = self._held, [], 0
        if held and not transport.is_closing():
            transport.write(b"".join(held))
        if self.is_paused:
            return
        if not transport.is_closing() and not transport.is_reading():
            transport.resume_reading()
        try:
            self._handler.on_writable(self)
            self.flush()
        except Exception as error:
            self._unexpected(error)

    # Inside

    def _arm(self) -> None:
        """One timer for the session, moved only where it is due earlier than it is set."""
        due_ms = self.session.next_timer_ms()
        if due_ms is None or (self._timer is not None and self._timer_ms <= due_ms):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_ms = due_ms
        self._timer = self._loop.call_later(max(0, due_ms - self.now_ms()) / 1000, self._tick)

    def _tick(self) -> None:
        self._timer = None
        try:
            events = self.session.tick(self.now_ms())
            if events:
                self._handler.on_events(self, events)
            self.flush()
        except Exception as error:
            self._unexpected(error)
        if not self.closed.done():
            self._arm()

    def _tell(self, events: list[Event]) -> None:
        if events:
            try:
                self._handler.on_events(self, events)
            except Exception as error:
                self._handler.on_unexpected(self, error)

    def _unexpected(self, error: Exception) -> None:
        """A defect of ours: the session may be anything now, so it ends."""
        self._handler.on_unexpected(self, error)
        self.abort()
