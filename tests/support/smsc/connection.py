"""One ESME's connection: our own sans-IO core in the role of the SMSC, joined to asyncio."""

from __future__ import annotations

import asyncio
from typing import cast

from chappe.operators.smpp import (
    Bind,
    DataSm,
    DeliverSm,
    Ended,
    Event,
    LocalError,
    RequestReceived,
    RequestTimedOut,
    Response,
    ResponseReceived,
    Role,
    Session,
    Settings,
    State,
    SubmitSm,
    Unbind,
)
from tests.support.smsc.smsc import Owed, Smsc

RECEIVES = frozenset({State.BOUND_RX, State.BOUND_TRX})


class Connection(asyncio.Protocol):
    """`number` and `system_id` are set by the bind."""

    def __init__(self, smsc: Smsc, loop: asyncio.AbstractEventLoop) -> None:
        self.number = 0
        self.system_id = ""
        self._smsc = smsc
        self._loop = loop
        settings = Settings(window=smsc.options.window, enquire_link_ms=0, unanswered_max=1 << 20)
        self._session = Session(Role.SMSC, now_ms=self._now_ms(), settings=settings)
        self._transport: asyncio.Transport | None = None
        self._is_paused = False

    @property
    def can_deliver(self) -> bool:
        session = self._session
        return not self._is_paused and session.state in RECEIVES and session.window_free > 0

    def send(self, request: DeliverSm, owed: Owed) -> int:
        return self._session.send(request, self._now_ms(), owed)

    def respond(self, response: Response) -> bool:
        """False when the connection is gone, or about to."""
        if self._transport is None or self._transport.is_closing():
            return False
        try:
            self._session.respond(response)
        except LocalError:
            return False
        return True

    def write(self) -> None:
        data = self._session.data_to_send()
        if data and self._transport is not None:
            self._transport.write(data)

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._happened(self._session.receive_data(data, self._now_ms()))

    def connection_lost(self, exc: Exception | None) -> None:
        self._happened(self._session.connection_lost())

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        self._smsc.deliver(self.system_id)
        self._smsc.write()

    # Inside

    def _happened(self, events: list[Event]) -> None:
        smsc = self._smsc
        acknowledged = False
        for event in events:
            kind = type(event)
            if kind is RequestReceived:
                request = event.request
                if type(request) is SubmitSm:
                    smsc.submitted(self, request)
                else:
                    self._asked(request)
            elif kind is ResponseReceived:
                if isinstance(event.sent.context, Owed):
                    smsc.acknowledged(self, event.sent, event.response.command_status)
                    acknowledged = True
            elif kind is RequestTimedOut:
                smsc.not_acknowledged(self, event.sent)
            elif kind is Ended:
                smsc.ended(
                    self, [sent.context for sent in event.unanswered if isinstance(sent.context, Owed)]
                )
                if self._transport is not None:
                    self._transport.close()
        if acknowledged:
            smsc.deliver(self.system_id)
        smsc.write()
        self.write()

    def _asked(self, request: object) -> None:
        if isinstance(request, Bind):
            response = request.response(self._smsc.bind(self, request))
            self._session.respond(response)
            if self._session.is_bound:
                self._smsc.deliver(self.system_id)
        elif isinstance(request, Unbind):
            self._session.respond(request.response())
            self._smsc.write()
            self.write()
            assert self._transport is not None
            self._transport.close()
        elif isinstance(request, DataSm):
            self._session.respond(request.response())

    def _now_ms(self) -> int:
        return int(self._loop.time() * 1000)
