"""The far end of a trunk: telephones that answer as they are told, and hear what is played to them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field

from chappe.operators.sip.agent.events import (
    Abandoned,
    Ended,
    Established,
    Event,
    Incoming,
    OfferAnswered,
    Offered,
    OtherRequest,
)
from chappe.operators.sip.agent.incoming import IncomingCall
from chappe.operators.sip.agent.settings import Settings
from chappe.operators.sip.rtp.packet import RtpPacket, RtpSender, parse_packet
from chappe.operators.sip.sdp.audio import CodecName, Endpoint
from chappe.operators.sip.sdp.description import parse_description
from chappe.operators.sip.syntax.message import Request
from tests.wire.sip.element import WAIT_S_MAX, Element


class Telephone(asyncio.DatagramProtocol):
    """One incoming call's audio."""

    def __init__(self, call: IncomingCall, request: Request, body: bytes) -> None:
        self.call = call
        self.request = request
        self.offer = parse_description(body)
        self.packets: list[RtpPacket] = []
        self.sources: set[tuple[str, int]] = set()
        self.ended: Ended | Abandoned | None = None
        self.offers: list[bytes] = []
        """Inside of the call; each is accepted."""
        self.is_established = False
        self.transport: asyncio.DatagramTransport | None = None
        self.endpoint: Endpoint | None = None
        self.on_packet: Callable[[], object] = lambda: None
        self._changed = asyncio.Event()
        self._sender: RtpSender | None = None

    async def open(self, codecs: tuple[CodecName, ...] = ("PCMA", "PCMU")) -> None:
        loop = asyncio.get_running_loop()
        self.transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        port = self.transport.get_extra_info("sockname")[1]
        self.endpoint = Endpoint("127.0.0.1", port, codecs)

    def answer(self, direction="sendrecv") -> bytes:
        assert self.endpoint is not None
        description, self.session = self.endpoint.answer(self.offer, 1, direction=direction)
        return description.encode()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        packet = parse_packet(data)
        if packet is not None:
            self.packets.append(packet)
            self.sources.add(addr)
            self.on_packet()
            self._changed.set()

    def say(self, payloads: list[bytes]) -> None:
        """Sends packets to wherever the caller listens."""
        assert self.transport is not None
        sender = RtpSender(77, 0, 0, 8)
        for payload in payloads:
            self.transport.sendto(sender.frame(payload), (self.session.host, self.session.port))

    def sender(self) -> RtpSender:
        """Of the one stream that it sends."""
        if self._sender is None:
            self._sender = RtpSender(77, 0, 0, 8)
        return self._sender

    @property
    def heard(self) -> bytes:
        return b"".join(packet.payload for packet in self.packets if packet.payload_type in (0, 8))

    def changed(self) -> None:
        self._changed.set()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(WAIT_S_MAX):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


@dataclass
class FarEnd:
    """`act(telephone)` is run for each call that comes in; the default answers it at once."""

    settings: Settings | None = None
    act: Callable[[Telephone], object] | None = None
    telephones: list[Telephone] = field(default_factory=list)
    requests: list[OtherRequest] = field(default_factory=list)

    async def open(self) -> FarEnd:
        self.element = Element(self.settings)
        self.element.on_event = self._on_event
        await self.element.open()
        self._tasks: set[asyncio.Task[object]] = set()
        self._arrived = asyncio.Event()
        return self

    @property
    def port(self) -> int:
        return self.element.sockets.port

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for telephone in self.telephones:
            if telephone.transport is not None:
                telephone.transport.close()
        await self.element.close()

    async def telephone(self, number: int = 1) -> Telephone:
        """The `number`-th call that came in, waited for."""
        async with asyncio.timeout(WAIT_S_MAX):
            while len(self.telephones) < number:
                self._arrived.clear()
                await self._arrived.wait()
        return self.telephones[number - 1]

    def do(self, action, *arguments, **more) -> None:
        self.element.do(action, *arguments, **more)

    async def answer(self, telephone: Telephone, **more) -> None:
        """Picks up."""
        await telephone.open(**more)
        self.do(telephone.call.accept, telephone.answer())

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Incoming):
            telephone = Telephone(event.call, event.request, event.body)
            event.call.context = telephone
            self.telephones.append(telephone)
            self._arrived.set()
            act = self.act or self.answer
            result = act(telephone)
            if asyncio.iscoroutine(result):
                task = asyncio.create_task(result)
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        elif isinstance(event, OtherRequest):
            self.requests.append(event)
        elif isinstance(event, Offered):
            telephone = event.call.context
            assert isinstance(telephone, Telephone)
            telephone.offers.append(event.body)
            telephone.offer = parse_description(event.body)
            self.do(event.call.answer, telephone.answer())
            telephone.changed()
        elif isinstance(event, (Established, Ended, Abandoned, OfferAnswered)):
            telephone = event.call.context
            assert isinstance(telephone, Telephone)
            if isinstance(event, Established):
                telephone.is_established = True
            elif not isinstance(event, OfferAnswered):
                telephone.ended = event
            telephone.changed()


async def settle(seconds: float) -> None:
    """Lets a time pass in which nothing may happen."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.Event().wait()
