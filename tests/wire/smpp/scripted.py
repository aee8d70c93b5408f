"""Both neighbours of the link, in the test process: an SMSC that does what a test says, and a place for outcomes."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence

from chappe.messages.port import Departure, Operator, Outcome, Receipt, Reply, Submitted
from chappe.operators.smpp.binds import Bind, Unbind
from chappe.operators.smpp.connection import Connection
from chappe.operators.smpp.events import Ended, Event, RequestReceived, ResponseReceived
from chappe.operators.smpp.messages import DataSm, DeliverSm, SubmitSm
from chappe.operators.smpp.pdu import Request, Response
from chappe.operators.smpp.settings import Settings
from chappe.operators.smpp.states import Role
from chappe.settings import OperatorSettings
from chappe.storage.database import StorageUnavailable

NUMBER = 33600000001
Answer = Callable[["Peer", SubmitSm], Response | None]


def departure(
    message_id: int = 1,
    *parts: str,
    which: tuple[int, ...] | None = None,
    number: int = NUMBER,
    sender: str = "CHAPPE",
    is_unicode: bool = False,
) -> Departure:
    """One recipient's message."""
    parts = parts or ("hello",)
    which = tuple(range(len(parts))) if which is None else which
    return Departure(message_id, number, 1, sender, parts, which, is_unicode, 0)


def accept(peer: Peer, request: SubmitSm) -> Response | None:
    """What an ordinary SMSC answers: the next message id."""
    peer.smsc.count += 1
    return request.response(message_id=f"{peer.smsc.count:X}")


class Peer:
    """One bind as the SMSC sees it."""

    def __init__(self, smsc: ScriptedSmsc) -> None:
        self.smsc = smsc
        self.connection: Connection
        self.binds: list[Bind] = []
        self.submits: list[SubmitSm] = []
        self.answers: list[Response] = []
        """To our deliver_sm and data_sm."""
        self.unbinds: list[Unbind] = []
        self.reads = 0
        """How often something arrived."""
        self.ended = False

    def send(self, *requests: Request | Response) -> None:
        """All of them in one write."""
        for request in requests:
            if isinstance(request, Request):
                self.connection.session.send(request, self.connection.now_ms())
            else:
                self.connection.session.respond(request)
        self.connection.flush()

    def write(self, octets: bytes) -> None:
        """Octets beside the protocol."""
        transport = self.connection._transport
        assert transport is not None
        transport.write(octets)

    # The handler of its connection

    def on_connected(self, connection: Connection) -> None:
        self.connection = connection
        self.smsc.peers.append(self)
        if self.smsc.on_connected is not None:
            self.smsc.on_connected(self)

    def on_events(self, connection: Connection, events: list[Event]) -> None:
        self.reads += 1
        for event in events:
            if isinstance(event, RequestReceived):
                self._on_request(event.request)
            elif isinstance(event, ResponseReceived):
                self.answers.append(event.response)
            elif isinstance(event, Ended):
                self.ended = True

    def on_writable(self, connection: Connection) -> None:
        pass

    def on_unexpected(self, connection: Connection, error: Exception) -> None:
        self.smsc.errors.append(error)

    def _on_request(self, request: Request) -> None:
        session = self.connection.session
        if isinstance(request, Bind):
            self.binds.append(request)
            status = self.smsc.bind_status(request)
            if status is not None:
                session.respond(request.response(status, system_id="SMSC" if not status else ""))
        elif isinstance(request, Unbind):
            self.unbinds.append(request)
            if self.smsc.answers_unbind:
                session.respond(request.response())
        elif isinstance(request, SubmitSm):
            self.submits.append(request)
            self.smsc.submits.append(request)
            answer = self.smsc.answer(self, request)
            if answer is not None:
                session.respond(answer)


class ScriptedSmsc:
    """Listens on loopback. Replace `answer`, `bind_status` and `on_connected` to make it misbehave."""

    def __init__(self) -> None:
        self.answer: Answer = accept
        self.bind_status: Callable[[Bind], int | None] = lambda bind: 0
        self.on_connected: Callable[[Peer], None] | None = None
        self.answers_unbind = True
        self.count = 0
        self.peers: list[Peer] = []
        self.submits: list[SubmitSm] = []
        self.errors: list[Exception] = []
        self.settings = Settings(window=1000, enquire_link_ms=0, response_ms=0, bind_ms=0)
        self.port = 0
        self._server: asyncio.Server | None = None

    @property
    def peer(self) -> Peer:
        """The latest."""
        return self.peers[-1]

    @property
    def live(self) -> list[Peer]:
        return [peer for peer in self.peers if not peer.ended]

    async def listen(self, tls: ssl.SSLContext | None = None) -> None:
        def connection() -> Connection:
            return Connection(Peer(self), Role.SMSC, self.settings)

        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(connection, "127.0.0.1", self.port, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for peer in self.peers:
            peer.connection.abort()
        await asyncio.gather(*(peer.connection.closed for peer in self.peers))
        self._server = None
        assert not self.errors

    def operator_settings(self, **changes: object) -> OperatorSettings:
        values: dict[str, object] = {
            "name": "op1",
            "kind": "smpp",
            "host": "127.0.0.1",
            "port": self.port,
            "system_id": "esme",
            "password": "a-secret",
            **changes,
        }
        return OperatorSettings(**values)  # type: ignore[arg-type]


class RecordedOutcomes:
    """The `Outcomes` port. While `is_open` is not set commits wait; `unavailable` commits fail first."""

    def __init__(self) -> None:
        self.all: list[Outcome] = []
        self.batches: list[list[Outcome]] = []
        self.unavailable = 0
        self.raises: Callable[[Sequence[Outcome]], None] = lambda outcomes: None
        self.is_open = asyncio.Event()
        self.is_open.set()

    async def commit(self, operator: Operator, outcomes: Sequence[Outcome]) -> None:
        assert outcomes
        await self.is_open.wait()
        if self.unavailable:
            self.unavailable -= 1
            raise StorageUnavailable("the disk is full")
        self.raises(outcomes)
        self.batches.append(list(outcomes))
        self.all += outcomes

    @property
    def submitted(self) -> list[Submitted]:
        return [outcome for outcome in self.all if isinstance(outcome, Submitted)]

    @property
    def receipts(self) -> list[Receipt]:
        return [outcome for outcome in self.all if isinstance(outcome, Receipt)]

    @property
    def replies(self) -> list[Reply]:
        return [outcome for outcome in self.all if isinstance(outcome, Reply)]

    def words(self) -> list[tuple[int, int, str]]:
        """(message, part, outcome) of every answer."""
        return [(each.departure.message_id, each.part, each.outcome) for each in self.submitted]


def receipt_pdu(message_id: str, stat: str = "DELIVRD", **fields: object) -> DeliverSm:
    """A delivery receipt as appendix B has it."""
    text = f"id:{message_id} sub:001 dlvrd:001 submit date:2611240000 done date:2611240001 stat:{stat} err:000 text:"
    values: dict[str, object] = {
        "source_addr_ton": 1,
        "source_addr_npi": 1,
        "source_addr": str(NUMBER),
        "destination_addr": "CHAPPE",
        "esm_class": 4,
        "short_message": text.encode(),
        **fields,
    }
    return DeliverSm(**values)  # type: ignore[arg-type]


def reply_pdu(text: bytes, **fields: object) -> DeliverSm:
    """A message from a phone."""
    values: dict[str, object] = {
        "source_addr_ton": 1,
        "source_addr_npi": 1,
        "source_addr": str(NUMBER),
        "destination_addr": "36000",
        "short_message": text,
        **fields,
    }
    return DeliverSm(**values)  # type: ignore[arg-type]


__all__ = [
    "NUMBER",
    "DataSm",
    "Peer",
    "RecordedOutcomes",
    "ScriptedSmsc",
    "accept",
    "departure",
    "receipt_pdu",
    "reply_pdu",
]
