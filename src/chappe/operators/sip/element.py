"""Our SIP element: one user agent, its sockets and the media process, shared by all trunks."""

from __future__ import annotations

import random
import secrets
import ssl
from collections.abc import Callable, Mapping
from typing import Final, Protocol

import structlog

from chappe.operators.sip.addresses import LocalAddresses
from chappe.operators.sip.agent.agent import UserAgent
from chappe.operators.sip.agent.events import (
    Event,
    Incoming,
    Nuisance,
    OtherRequest,
    Pinged,
    Registered,
    RegistrationFailed,
)
from chappe.operators.sip.agent.settings import Settings
from chappe.operators.sip.errors import LocalError
from chappe.operators.sip.media.client import MediaProcess
from chappe.operators.sip.sockets import SipSockets

_log: structlog.stdlib.BoundLogger = structlog.get_logger("sip")

COMPLAINTS_MAX: Final = 100
"""Lines in the log about what peers do wrong: it may go on all day."""
NOBODY: Final = 404


class EventOwner(Protocol):
    """What a call, a registration or a ping has for `context`."""

    def on_sip(self, event: Event) -> None: ...


class SipElement:
    """`tls` has the contexts of the trunks that want it, by host and port. `media`: a process that somebody else starts
    and stops; `rtp_ports` and `detector` then are that one's. Nothing that a peer does is an exception; what is
    nevertheless one is counted by `on_unexpected`.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        public_host: str = "",
        rtp_ports: tuple[int, int] = (0, 0),
        detector: str = "",
        media: MediaProcess | None = None,
        tls: Mapping[tuple[str, int], ssl.SSLContext] | None = None,
        settings: Settings | None = None,
        on_unexpected: Callable[[], None] | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._tls = tls
        self._count_unexpected = on_unexpected
        self._complaints = 0
        self.addresses = LocalAddresses(host, public_host)
        self.agent = UserAgent(
            address_of=self.addresses,
            ids=lambda: secrets.token_hex(10),
            random=random.SystemRandom().randint,
            settings=settings,
        )
        self._has_media = media is None
        self.media = media or MediaProcess(host, rtp_ports, detector=detector)
        self.on_incoming: Callable[[Incoming], None] = self._refuse
        """Who answers calls that come in; at first nobody is there."""

    async def start(self) -> None:
        """Raises OSError where an address or a port cannot be had."""
        self.sockets = SipSockets(self.agent, self, tls=self._tls)
        if self._has_media:
            await self.media.start()
        try:
            await self.sockets.open(self._host, self._port)
        except BaseException:
            if self._has_media:
                await self.media.stop()
            raise
        self.addresses.port = self.sockets.port

    async def stop(self) -> None:
        await self.sockets.close()
        if self._has_media:
            await self.media.stop()

    def now_ms(self) -> int:
        """Of the clock that the agent lives by."""
        return self.sockets.now_ms()

    # The handler of the sockets

    def on_events(self, events: list[Event]) -> None:
        for event in events:
            try:
                self._on_event(event)
            except Exception as error:
                # The others of this turn must not be lost with it.
                self.on_unexpected(error)

    def on_unexpected(self, error: Exception) -> None:
        _log.error("an unexpected exception", exc_info=error)
        if self._count_unexpected is not None:
            self._count_unexpected()

    # Inside

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Nuisance):
            self._complaints += 1
            if self._complaints <= COMPLAINTS_MAX:
                _log.debug("a message that is of no use", reason=event.reason, host=event.hop.host)
        elif isinstance(event, Incoming):
            self.on_incoming(event)
        elif isinstance(event, Registered | RegistrationFailed):
            self._tell(event.registration.context, event)
        elif isinstance(event, Pinged):
            self._tell(event.ping.context, event)
        elif not isinstance(event, OtherRequest):
            self._tell(event.call.context, event)

    def _tell(self, owner: object, event: Event) -> None:
        if owner is not None:
            owner.on_sip(event)  # type: ignore[attr-defined] # all of ours are EventOwner

    def _refuse(self, event: Incoming) -> None:
        try:
            event.call.reject(NOBODY, self.now_ms())
        except LocalError:
            pass  # its caller has given up in the same turn
