"""A SIP telephone that calls the built-in ones: says what it is told to, and keeps what it hears."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chappe.operators.sip.agent.events import Answered, Ended, Failed, Progress
from chappe.operators.sip.agent.outgoing import Order, OutgoingCall
from chappe.operators.sip.hop import Hop
from chappe.operators.sip.rtp.packet import RtpSender, parse_packet
from chappe.operators.sip.sdp.audio import Endpoint
from chappe.operators.sip.sdp.description import parse_description
from chappe.operators.sip.syntax.address import Address
from chappe.operators.sip.syntax.uri import SipUri
from tests.wire.sip.element import WAIT_S_MAX, Element

FRAME = 160


class Caller(asyncio.DatagramProtocol):
    """`port` is where the telephones take calls."""

    def __init__(self, port: int) -> None:
        self.element = Element()
        self.heard = b""
        self._port = port
        self._came = asyncio.Event()

    async def open(self) -> None:
        await self.element.open()
        loop = asyncio.get_running_loop()
        self._audio, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        self.endpoint = Endpoint("127.0.0.1", self._audio.get_extra_info("sockname")[1])
        self.offer = self.endpoint.offer(1)

    async def close(self) -> None:
        self._audio.close()
        await self.element.close()

    def call(self, user: str, *, body: bytes | None = None, caller: str = "+33162001122") -> OutgoingCall:
        order = Order(
            SipUri("127.0.0.1", user or None),
            Address(SipUri("127.0.0.1", caller or None)),
            Hop("udp", "127.0.0.1", self._port),
            self.offer.encode() if body is None else body,
        )
        call = self.element.agent.call(order, self.element.sockets.now_ms())
        self.element.sockets.flush()
        return call

    async def answered(self, number: int = 1) -> Answered:
        """The answer, once it has come; audio goes to where it says."""
        answered = await self.element.told(Answered, number)
        self.session = self.endpoint.accept_answer(self.offer, parse_description(answered.body))
        return answered

    async def refused(self, number: int = 1) -> tuple[int, int]:
        """SIP status and Q.850 cause."""
        cause = (await self.element.told(Failed, number)).cause
        return cause.status, cause.q850

    async def rings(self) -> int:
        return (await self.element.told(Progress)).status

    def say(self, octets: bytes) -> None:
        sender = RtpSender(77, 0, 0, self.session.payload_type)
        for start in range(0, len(octets), FRAME):
            packet = sender.frame(octets[start : start + FRAME])
            self._audio.sendto(packet, (self.session.host, self.session.port))

    async def hears(self, octets: bytes) -> None:
        """Waits until that was in what is heard."""
        async with asyncio.timeout(WAIT_S_MAX):
            while octets not in self.heard:
                self._came.clear()
                await self._came.wait()

    def hang_up(self, call: OutgoingCall) -> None:
        self.element.do(call.hang_up)

    async def over(self, number: int = 1) -> Ended:
        return await self.element.told(Ended, number)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        packet = parse_packet(data)
        if packet is not None:
            self.heard += packet.payload
            self._came.set()


@asynccontextmanager
async def caller(port: int) -> AsyncIterator[Caller]:
    made = Caller(port)
    await made.open()
    try:
        yield made
    finally:
        await made.close()
