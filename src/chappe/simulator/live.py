"""Tells open pages which phones have something new, as server-sent events: gathered, so that a page never costs more
than a few events a second however much goes through.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Final

import msgspec

from chappe.simulator.screen import e164

CLIENTS_MAX: Final = 32
PHONES_MAX: Final = 100
"""In one event; with more the page is told that anything may have changed."""
GATHER_S: Final = 0.2
HEARTBEAT_S: Final = 15.0

_encode = msgspec.json.Encoder().encode


class TooManyClients(Exception):
    """`CLIENTS_MAX` pages listen already."""


class _Client:
    def __init__(self) -> None:
        self.phones: set[int] = set()
        self.changed = asyncio.Event()


class Live:
    """The pages that listen."""

    def __init__(self) -> None:
        self._clients: set[_Client] = set()
        self._is_closed = False

    def changed(self, phones: Iterable[int]) -> None:
        """These phones have something new."""
        for client in self._clients:
            if len(client.phones) <= PHONES_MAX:
                client.phones.update(phones)
            client.changed.set()

    def close(self) -> None:
        """Ends every stream."""
        self._is_closed = True
        for client in self._clients:
            client.changed.set()

    def listen(self) -> AsyncIterator[bytes]:
        """A stream of events; raises TooManyClients at once."""
        if len(self._clients) >= CLIENTS_MAX:
            raise TooManyClients
        client = _Client()
        self._clients.add(client)
        return self._events(client)

    async def _events(self, client: _Client) -> AsyncIterator[bytes]:
        try:
            yield b"retry: 2000\nevent: hello\ndata: {}\n\n"
            while not self._is_closed:
                try:
                    await asyncio.wait_for(client.changed.wait(), HEARTBEAT_S)
                except TimeoutError:
                    yield b": still here\n\n"
                    continue
                await asyncio.sleep(GATHER_S)
                client.changed.clear()
                phones = sorted(client.phones)
                client.phones.clear()
                if not self._is_closed:
                    data = (
                        {"phones": [e164(phone) for phone in phones]}
                        if len(phones) <= PHONES_MAX
                        else {"phones": None}
                    )
                    yield b"event: phones\ndata: " + _encode(data) + b"\n\n"
        finally:
            self._clients.discard(client)
