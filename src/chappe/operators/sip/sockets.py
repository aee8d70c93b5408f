"""The sockets of one SIP element: the adapter between the sans-IO user agent and asyncio.

One UDP socket, and streams both ways on the same port. Names are looked up here; a stream to somewhere is made when
the first message goes there, and used for what follows.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final, Protocol

import structlog

from chappe.operators import names
from chappe.operators.sip import lookup
from chappe.operators.sip.agent.agent import UserAgent
from chappe.operators.sip.agent.events import Event
from chappe.operators.sip.hop import Hop, Outgoing, Transport
from chappe.operators.sip.stream import Stream

_log: structlog.stdlib.BoundLogger = structlog.get_logger("sip")

CONNECT_S_MAX: Final = 5.0
"""For a name to be looked up, and for each of its addresses."""
ADDRESSES_MAX: Final = 4
"""Of a name, that a connection is tried to."""
STREAMS_MAX: Final = 256
PORT_TRIES_MAX: Final = 32
BUFFER_OCTETS: Final = 4 << 20
"""Of datagrams that wait to be read; the system may give less (net.core.rmem_max)."""
NAME_S: Final = 60.0
"""How long an address that was looked up is used."""
NAMES_MAX: Final = 1024
NOWHERE: Final = ""


@lru_cache(maxsize=1024)
def _numeric(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address, of what is no name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


class Handler(Protocol):
    """Whoever acts on what happens. Nothing that it raises gets further than `on_unexpected`."""

    def on_events(self, events: list[Event]) -> None: ...
    def on_unexpected(self, error: Exception) -> None: ...


class SipSockets(asyncio.DatagramProtocol):
    """The owner acts through `agent`, then calls `flush`. `tls` has the contexts of streams that we open, by host and
    port; elsewhere the system's certificates count.
    """

    def __init__(
        self,
        agent: UserAgent,
        handler: Handler,
        *,
        tls: Mapping[tuple[str, int], ssl.SSLContext] | None = None,
    ) -> None:
        self.agent = agent
        self.port = 0
        self.is_kept: Callable[[str], bool] = lambda host: False
        """Whether connections from this address go last, when there are too many."""
        self._handler = handler
        self._tls = tls or {}
        self._loop = asyncio.get_running_loop()
        self._udp: asyncio.DatagramTransport | None = None
        self._udp_closed: asyncio.Future[None] = self._loop.create_future()
        self._server: asyncio.Server | None = None
        self._streams: dict[int, Stream] = {}
        self._by_place: dict[tuple[Transport, str, int], int] = {}
        self._count = 0
        self._waiting: dict[tuple[Transport, str, int], list[Outgoing]] = {}
        """For a name, or a stream, that is being asked for."""
        self._names: dict[str, tuple[float, str]] = {}
        self._unreached: set[tuple[Transport, str, int]] = set()
        """Places of which the log has said so, until they are reached."""
        self.version = 4
        """Of the Internet Protocol, that our UDP socket speaks."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ms = 0

    async def open(self, host: str, port: int) -> None:
        """Binds UDP and TCP to the same port (0: any free one). Raises OSError."""
        for left in range(PORT_TRIES_MAX, 0, -1):
            server = await self._loop.create_server(lambda: Stream(self, "tcp"), host, port)
            address = server.sockets[0].getsockname()
            chosen = address[1]
            datagrams = socket.socket(server.sockets[0].family, socket.SOCK_DGRAM)
            try:
                # Bound here and not by the loop, of which one kind does not say why it could not.
                datagrams.bind(address)
            except OSError:
                datagrams.close()
                # A free port of the one need not be a free port of the other.
                server.close()
                if port or left == 1:
                    raise
            else:
                datagrams.setblocking(False)
                udp, _ = await self._loop.create_datagram_endpoint(lambda: self, sock=datagrams)
                self._server, self._udp, self.port = server, udp, chosen
                self.version = 6 if udp.get_extra_info("socket").family == socket.AF_INET6 else 4
                # What a burst of answers needs: what the system gives by itself holds some three hundred datagrams,
                # and each that is lost costs its call half a second.
                udp.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_OCTETS)
                return

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._timer is not None:
            self._timer.cancel()
        if self._server is not None:
            self._server.close()
        for stream in list(self._streams.values()):
            stream.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._udp is not None:
            self._udp.close()
            await self._udp_closed

    def now_ms(self) -> int:
        """The loop's clock, which never goes back."""
        return int(self._loop.time() * 1000)

    def flush(self) -> None:
        """Sends what the agent has to say, tells what our own doing has brought about, sets the timer."""
        try:
            while events := self._send_all():
                self._handler.on_events(events)
        except Exception as error:
            self._handler.on_unexpected(error)
        self._arm()

    def receive(self, data: bytes, hop: Hop) -> None:
        try:
            events = self.agent.receive(data, hop, self.now_ms())
            if events:
                self._handler.on_events(events)
        except Exception as error:
            self._handler.on_unexpected(error)
        self.flush()

    # What asyncio calls for UDP

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.receive(data, Hop("udp", addr[0], addr[1]))

    def connection_lost(self, exc: Exception | None) -> None:
        self._udp_closed.set_result(None)

    def error_received(self, exc: Exception) -> None:
        """An ICMP message: whose request it was is not told, and its timer will tell."""

    # What streams tell

    def opened(self, stream: Stream) -> int:
        if len(self._streams) >= STREAMS_MAX:
            spared = self._spared()
            del self._streams[spared.number]  # at once: more may be opened before it is told to be lost
            spared.close()
        self._count += 1
        self._streams[self._count] = stream
        return self._count

    def lost(self, number: int, place: tuple[Transport, str, int]) -> None:
        self._streams.pop(number, None)
        if self._by_place.get(place) == number:
            del self._by_place[place]

    # Inside

    def _spared(self) -> Stream:
        """The connection that can be done without best: whoever opens many costs himself his own, and no stranger costs
        a trunk the one that its calls are on.
        """
        streams = self._streams.values()
        strangers = [stream for stream in streams if not stream.is_ours and not self.is_kept(stream.host)]
        counts = Counter(stream.host for stream in strangers)
        return min(strangers or streams, key=lambda stream: (-counts[stream.host], stream.heard_ms))

    def _send_all(self) -> list[Event]:
        failures: list[Event] = []
        for outgoing in self.agent.take():
            hop = outgoing.hop
            stream = self._streams.get(hop.connection) or self._streams.get(
                self._by_place.get((hop.transport, hop.host, hop.port), 0)
            )
            if hop.transport != "udp" and stream is not None:
                stream.write(outgoing.data)
            elif hop.transport == "udp" and (address := self._address_of(hop.host)) is not None:
                assert self._udp is not None
                if address == NOWHERE:
                    failures += self.agent.failed(outgoing, self.now_ms())
                else:
                    self._udp.sendto(outgoing.data, (address, hop.port))
            else:
                self._wait(outgoing)
        return [*failures, *self.agent.events()]

    def _address_of(self, host: str) -> str | None:
        """None for a name that has to be looked up (again), `NOWHERE` for an address that our socket does not reach."""
        known = self._names.get(host)
        if known is not None and known[0] > self._loop.time():
            return known[1]
        address = _numeric(host)
        if address is None:
            return None
        # A peer writes into its Contact what it likes. uvloop raises for the other family, and a group is many.
        is_reached = address.version == self.version and not (address.is_multicast or address.is_unspecified)
        return str(address) if is_reached else NOWHERE

    def _wait(self, outgoing: Outgoing) -> None:
        place = (outgoing.hop.transport, outgoing.hop.host, outgoing.hop.port)
        waiting = self._waiting.setdefault(place, [])
        waiting.append(outgoing)
        if len(waiting) == 1:
            task = self._loop.create_task(self._reach(place))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _reach(self, place: tuple[Transport, str, int]) -> None:
        """Looks a name up, or opens a stream; then what waits is sent, or told to have failed."""
        transport, host, port = place
        try:
            if transport == "udp":
                assert self._udp is not None
                family = self._udp.get_extra_info("socket").family
                async with asyncio.timeout(CONNECT_S_MAX):
                    found = await names.addresses_of(host, family)
                if len(self._names) >= NAMES_MAX:
                    self._names.clear()
                self._names[host] = (self._loop.time() + NAME_S, found[0])
            else:
                await self._connect(place)
        except (OSError, TimeoutError, ValueError) as error:
            if place not in self._unreached:
                if len(self._unreached) >= NAMES_MAX:
                    self._unreached.clear()
                self._unreached.add(place)
                _log.warning(
                    "nobody is reached",
                    transport=transport,
                    host=host,
                    port=port,
                    reason=str(error) or "time",
                )
            for outgoing in self._waiting.pop(place):
                self._handler.on_events(self.agent.failed(outgoing, self.now_ms()))
        else:
            waiting = self._waiting.pop(place)
            for outgoing in waiting:
                self.agent.layer.resend(outgoing.data, outgoing.hop)
        self.flush()

    async def _connect(self, place: tuple[Transport, str, int]) -> None:
        """A stream, to whichever address of the host answers first when they are asked in turn."""
        transport, host, port = place
        addresses = await lookup.addresses_of(host)
        if not addresses:
            raise OSError("the name has no address")
        name = None
        context = None
        if transport == "tls":
            # The name, not the address, is what the certificate has to be of.
            name, context = host, self._tls.get((host, port)) or ssl.create_default_context()
        for left in reversed(range(min(len(addresses), ADDRESSES_MAX))):
            address = addresses[min(len(addresses), ADDRESSES_MAX) - 1 - left]
            try:
                async with asyncio.timeout(CONNECT_S_MAX):
                    _, stream = await self._loop.create_connection(
                        lambda: Stream(self, transport, place),
                        address,
                        port,
                        ssl=context,
                        server_hostname=name,
                    )
            except (OSError, TimeoutError):
                if not left:
                    raise
            else:
                self._by_place[place] = stream.number
                self._unreached.discard(place)
                return

    def _arm(self) -> None:
        """One timer for everything, moved only where something is due earlier than it is set."""
        due_ms = self.agent.next_timer_ms()
        if due_ms is None or (self._timer is not None and self._timer_ms <= due_ms):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_ms = due_ms
        self._timer = self._loop.call_later(max(0, due_ms - self.now_ms()) / 1000, self._tick)

    def _tick(self) -> None:
        self._timer = None
        try:
            events = self.agent.tick(self.now_ms())
            if events:
                self._handler.on_events(events)
        except Exception as error:
            self._handler.on_unexpected(error)
        self.flush()
