"""A SIP element on loopback: a user agent with its sockets, and a log of what it was told."""

from __future__ import annotations

import asyncio
import random
import secrets
import ssl
from typing import TypeVar

from chappe.operators.sip.addresses import LocalAddresses
from chappe.operators.sip.agent.agent import UserAgent
from chappe.operators.sip.agent.events import Event
from chappe.operators.sip.agent.outgoing import Order, OutgoingCall
from chappe.operators.sip.agent.settings import Settings
from chappe.operators.sip.hop import Hop, Transport
from chappe.operators.sip.sockets import SipSockets
from chappe.operators.sip.syntax.address import Address
from chappe.operators.sip.syntax.uri import SipUri

E = TypeVar("E")
WAIT_S_MAX = 20.0


class Element:
    """`events` in the order they were told; `on_event` may act at once."""

    def __init__(
        self, settings: Settings | None = None, *, tls: dict[tuple[str, int], ssl.SSLContext] | None = None
    ) -> None:
        self.addresses = LocalAddresses("127.0.0.1")
        self.agent = UserAgent(
            address_of=self.addresses,
            ids=lambda: secrets.token_hex(8),
            random=random.randint,
            settings=settings,
        )
        self.sockets = SipSockets(self.agent, self, tls=tls)
        self.events: list[Event] = []
        self.unexpected: list[Exception] = []
        self.on_event = lambda event: None
        self._changed = asyncio.Event()

    async def open(self, host: str = "127.0.0.1", port: int = 0) -> Element:
        await self.sockets.open(host, port)
        self.addresses.port = self.sockets.port
        return self

    async def close(self) -> None:
        await self.sockets.close()
        assert self.unexpected == []

    def on_events(self, events: list[Event]) -> None:
        for event in events:
            self.events.append(event)
            self.on_event(event)
        self._changed.set()

    def on_unexpected(self, error: Exception) -> None:
        self.unexpected.append(error)

    async def told(self, kind: type[E], number: int = 1) -> E:
        """The `number`-th event of its kind, waited for."""
        async with asyncio.timeout(WAIT_S_MAX):
            while len(found := [event for event in self.events if isinstance(event, kind)]) < number:
                self._changed.clear()
                await self._changed.wait()
        return found[number - 1]

    def call(self, port: int, transport: Transport = "udp", host: str = "127.0.0.1", **more) -> OutgoingCall:
        order = Order(
            SipUri(host, "+33612345678"),
            Address(SipUri("127.0.0.1", "+33123456789")),
            Hop(transport, host, port),
            b"v=0 offer",
            **more,
        )
        call = self.agent.call(order, self.sockets.now_ms())
        self.sockets.flush()
        return call

    def do(self, action, *arguments, **more) -> None:
        action(*arguments, now_ms=self.sockets.now_ms(), **more)
        self.sockets.flush()
