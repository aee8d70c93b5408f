"""An ESME for tests: the client's role of the SMPP core on a socket, with a word for everything that a test asks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Self

from chappe.operators.smpp.binds import BindReceiver, BindTransceiver, BindTransmitter
from chappe.operators.smpp.events import Ended, RequestReceived, ResponseReceived
from chappe.operators.smpp.messages import DeliverSm, SubmitSm
from chappe.operators.smpp.pdu import Request, Response
from chappe.operators.smpp.receipt import read_receipt
from chappe.operators.smpp.session import Session
from chappe.operators.smpp.states import Role

PATIENCE_S = 10.0
BINDS = {"transceiver": BindTransceiver, "receiver": BindReceiver, "transmitter": BindTransmitter}


class Esme:
    """Acknowledges what it is delivered unless `answers` is off or `status` says otherwise."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.session = Session(Role.ESME, now_ms=0)
        self.answers = True
        self.status = 0
        self.log: list[Request | Response] = []
        """What came, in order, but for enquire_link."""
        self.delivered: list[DeliverSm] = []
        self.is_ended = False
        self._reader, self._writer = reader, writer
        self._responses: dict[int, asyncio.Future[Response]] = {}
        self._news = asyncio.Condition()
        self._task = asyncio.create_task(self._read())

    @classmethod
    async def connect(cls, port: int) -> Self:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    @classmethod
    async def bound(
        cls,
        port: int,
        bind: str = "transceiver",
        *,
        system_id: str = "sim",
        password: str = "sim",
        answers: bool = True,
    ) -> Self:
        esme = await cls.connect(port)
        esme.answers = answers
        response = await esme.ask(BINDS[bind](system_id=system_id, password=password))
        assert response.command_status == 0, f"bind refused: {response.command_status:#x}"
        return esme

    async def ask(self, request: Request) -> Response:
        """Sends a request, gives its response."""
        return await self.send(request)

    def send(self, request: Request) -> asyncio.Future[Response]:
        """The same without waiting."""
        number = self.session.send(request, 0)
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._responses[number] = future
        self._writer.write(self.session.data_to_send())
        return future

    async def submit(self, to: str, text: str | bytes = b"Bonjour", **fields: Any) -> str:
        """Submits with a receipt asked for; gives the message id. AssertionError where it is refused."""
        response = await self.ask(message(to, text, **fields))
        assert response.command_status == 0, f"refused: {response.command_status:#x}"
        return response.message_id  # type: ignore[attr-defined]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Waits until something that comes makes `condition` true."""
        async with asyncio.timeout(PATIENCE_S):
            async with self._news:
                await self._news.wait_for(condition)

    async def receipts(self, count: int) -> list[tuple[str, str]]:
        """Waits for so many receipts; (message id, state) of all that came."""
        await self.until(lambda: len(self._receipts()) >= count)
        return [(each.given_ids[0], each.state.name) for each in self._receipts()]

    async def replies(self, count: int) -> list[DeliverSm]:
        """Waits for so many texts from phones; all that came."""
        await self.until(lambda: len(self._replies()) >= count)
        return self._replies()

    async def close(self) -> None:
        """Cuts the connection without a word."""
        self._writer.transport.abort()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def _receipts(self) -> list[Any]:
        found = [read_receipt(each) for each in self.delivered]
        return [each for each in found if each is not None]

    def _replies(self) -> list[DeliverSm]:
        return [each for each in self.delivered if read_receipt(each) is None]

    async def _read(self) -> None:
        while True:
            try:
                data = await self._reader.read(65536)
            except ConnectionError:
                data = b""
            events = self.session.receive_data(data, 0) if data else self.session.connection_lost()
            async with self._news:
                for event in events:
                    self._event(event)
                if octets := self.session.data_to_send():
                    self._writer.write(octets)
                self.is_ended = self.is_ended or not data
                self._news.notify_all()
            if not data:
                self._writer.close()
                return

    def _event(self, event: object) -> None:
        if isinstance(event, ResponseReceived):
            self.log.append(event.response)
            future = self._responses.pop(event.sent.request.sequence_number)
            if not future.done():
                future.set_result(event.response)
        elif isinstance(event, RequestReceived):
            self.log.append(event.request)
            if isinstance(event.request, DeliverSm):
                self.delivered.append(event.request)
            if self.answers and event.request.response_type is not None:
                self.session.respond(event.request.response(self.status))
        elif isinstance(event, Ended):
            self.is_ended = True


def message(to: str, text: str | bytes = b"Bonjour", **fields: Any) -> SubmitSm:
    """A submit_sm that asks for a receipt; a `str` goes as UCS-2."""
    octets, coding = (text.encode("utf-16-be"), 8) if isinstance(text, str) else (text, 0)
    values: dict[str, Any] = {
        "source_addr": "CHAPPE",
        "source_addr_ton": 5,
        "dest_addr_ton": 1,
        "dest_addr_npi": 1,
        "destination_addr": to,
        "registered_delivery": 1,
        "data_coding": coding,
        "short_message": octets,
    }
    return SubmitSm(**(values | fields))
