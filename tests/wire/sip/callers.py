"""Those who call us: a telephone of the trunk's with audio, and arrivals in memory that say what is to be done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from chappe.calls.arriving import ArrivedEnd, Arriving, Decision, Heard, Refuse
from chappe.operators.sip.agent.events import (
    Answered,
    Ended,
    Event,
    Failed,
    InfoReceived,
    OfferAnswered,
    Offered,
    Progress,
)
from chappe.operators.sip.agent.outgoing import Order, OutgoingCall
from chappe.operators.sip.hop import Hop
from chappe.operators.sip.rtp.digits import EVENT
from chappe.operators.sip.rtp.packet import RtpPacket, RtpSender, parse_packet
from chappe.operators.sip.sdp.audio import AudioSession, CodecName, Endpoint
from chappe.operators.sip.sdp.description import parse_description
from chappe.operators.sip.syntax.address import Address
from chappe.operators.sip.syntax.uri import SipUri
from chappe.storage.database import StorageUnavailable
from tests.wire.sip.element import WAIT_S_MAX, Element


class Caller(asyncio.DatagramProtocol):
    """One call to us, and its audio."""

    def __init__(self, element: Element) -> None:
        self.element = element
        self.packets: list[RtpPacket] = []
        self.events: list[Event] = []
        self._changed = asyncio.Event()
        self.call: OutgoingCall | None = None
        self.session: AudioSession | None = None
        self._sender = RtpSender(4711, 0, 0, 8)

    async def open(
        self, codecs: tuple[CodecName, ...] = ("PCMA", "PCMU"), *, has_events: bool = True
    ) -> None:
        loop = asyncio.get_running_loop()
        self.transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        port = self.transport.get_extra_info("sockname")[1]
        self.endpoint = Endpoint("127.0.0.1", port, codecs, has_events=has_events)
        self.offer = self.endpoint.offer(7)

    def dial(
        self,
        port: int,
        number: str,
        *,
        caller: str = "+33612000000",
        body: bytes | None = None,
        host: str = "127.0.0.1",
        **more,
    ):
        order = Order(
            SipUri(host, number, port),
            Address(SipUri("127.0.0.1", caller)),
            Hop("udp", host, port),
            self.offer.encode() if body is None else body,
            context=self,
            **more,
        )
        self.call = self.element.agent.call(order, self.element.sockets.now_ms())
        self.element.sockets.flush()

    def do(self, action, *arguments, **more) -> None:
        self.element.do(action, *arguments, **more)

    def on_event(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, Answered | Progress) and event.body:
            self.session = self.endpoint.accept_answer(self.offer, parse_description(event.body))
        self._changed.set()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        packet = parse_packet(data)
        if packet is not None:
            self.packets.append(packet)
            self._changed.set()

    @property
    def heard(self) -> bytes:
        return b"".join(packet.payload for packet in self.packets if packet.payload_type in (0, 8))

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(WAIT_S_MAX):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def told(self, kind, number: int = 1):
        await self.until(lambda: len([e for e in self.events if isinstance(e, kind)]) >= number)
        return [event for event in self.events if isinstance(event, kind)][number - 1]

    async def answered(self) -> Answered:
        await self.until(lambda: any(isinstance(e, Answered | Failed) for e in self.events))
        return await self.told(Answered)

    async def failed(self) -> Failed:
        return await self.told(Failed)

    async def ended(self) -> Ended:
        return await self.told(Ended)

    def say(self, payloads: list[bytes]) -> None:
        """Sends packets to wherever we listen, all at once."""
        assert self.session is not None
        self._sender.payload_type = self.session.payload_type
        for payload in payloads:
            self.transport.sendto(self._sender.frame(payload), (self.session.host, self.session.port))

    def press(self, code: int) -> None:
        """One packet of a digit is enough."""
        assert self.session is not None
        assert self.session.events_send is not None
        sender = self._sender
        data = sender.event(
            EVENT.pack(code, 10, 160), self.session.events_send, sender.timestamp, marker=True
        )
        self.transport.sendto(data, (self.session.host, self.session.port))


class Callers:
    """An element that calls, as a trunk's."""

    def __init__(self, settings=None) -> None:
        self.element = Element(settings)
        self.element.on_event = self._on_event
        self._made: list[Caller] = []

    async def open(self) -> Callers:
        await self.element.open()
        return self

    async def close(self) -> None:
        for caller in self._made:
            caller.transport.close()
        await self.element.close()

    async def caller(self, **more) -> Caller:
        made = Caller(self.element)
        await made.open(**more)
        self._made.append(made)
        return made

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Progress | Answered | Failed | Ended | Offered | OfferAnswered | InfoReceived):
            caller = event.call.context
            assert isinstance(caller, Caller)
            caller.on_event(event)


@dataclass
class MemoryArrivals:
    """Says what the test wants; keeps what it is told."""

    acts: dict[int, object] = field(default_factory=dict)
    is_down: bool = False
    asked: list[Arriving] = field(default_factory=list)
    answered_ids: list[int] = field(default_factory=list)
    pieces: list[Heard] = field(default_factory=list)
    ends: list[ArrivedEnd] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    may_decide: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.may_decide.set()

    async def next_id(self) -> int:
        return len(self.asked) + 1

    async def decide(self, call: Arriving) -> Decision:
        self.asked.append(call)
        self.changed.set()
        await self.may_decide.wait()
        self._look()
        for number in call.numbers:
            if number in self.acts:
                return Decision(number, self.acts[number])
        return Decision(call.numbers[0], Refuse(404, 1))

    async def answered(self, call: Arriving, at_ms: int) -> None:
        self._look()
        self.answered_ids.append(call.id)

    async def heard(self, call: Arriving, piece: Heard) -> None:
        self._look()
        self.pieces.append(piece)
        self.changed.set()

    async def ended(self, call: Arriving, end: ArrivedEnd) -> None:
        self._look()
        self.ends.append(end)
        self.changed.set()

    def _look(self) -> None:
        if self.is_down:
            raise StorageUnavailable("no")

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(WAIT_S_MAX):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    async def end(self, number: int = 1) -> ArrivedEnd:
        await self.until(lambda: len(self.ends) >= number)
        return self.ends[number - 1]

    @property
    def recorded(self) -> bytes:
        assert [piece.number for piece in self.pieces] == list(range(len(self.pieces)))
        return b"".join(piece.octets for piece in self.pieces)
