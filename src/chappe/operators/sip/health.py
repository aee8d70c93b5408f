"""Whether a trunk can be called by: registered, or answering OPTIONS, and not in trouble."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import structlog

from chappe.operators.sip.agent.causes import Cause
from chappe.operators.sip.agent.digest import Authenticator
from chappe.operators.sip.agent.events import Event, Pinged, Registered, RegistrationFailed
from chappe.operators.sip.agent.ping import Ping
from chappe.operators.sip.agent.registration import Registration
from chappe.operators.sip.errors import LocalError
from chappe.operators.sip.syntax.address import Address
from chappe.operators.sip.syntax.uri import SipUri
from chappe.operators.sip.ways import Ways
from chappe.settings import OperatorSettings

if TYPE_CHECKING:
    from chappe.operators.sip.element import SipElement

_log: structlog.stdlib.BoundLogger = structlog.get_logger("sip")

PING_AGAIN_S: Final = 3.0
"""After one without an answer."""
MISSES_MAX: Final = 2
"""Pings without an answer that a trunk which answered before may have: a datagram may be lost."""
NO_ANSWER: Final = Cause("timeout", 408, 102)
REST_S: Final = 30.0
"""How long a trunk that is full or broken is left alone, if it does not say how long."""
REST_S_MAX: Final = 300.0
TROUBLES_MAX: Final = 3
"""Calls in a row that the trunk could not take; one alone may be the number's."""


class Health:
    """`changed` is called when it became usable. `address` is whom we register as, or ping from."""

    def __init__(
        self,
        element: SipElement,
        settings: OperatorSettings,
        ways: Ways,
        address: SipUri,
        authenticator: Authenticator | None,
        changed: Callable[[], None],
    ) -> None:
        self._element = element
        self._settings = settings
        self._ways = ways
        self._asked = ways.hop
        """Where the last registration or question went."""
        self._address = address
        self._authenticator = authenticator
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self._registration: Registration | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._rest: asyncio.TimerHandle | None = None
        self._is_there = not (self._registers or settings.options_s)
        self._misses = 0
        self._troubles = 0
        self._rest_until_s = -math.inf
        self._stopped: asyncio.Event = asyncio.Event()
        self._stopping = False

    @property
    def is_up(self) -> bool:
        return self._is_there and not self._stopping and self._loop.time() >= self._rest_until_s

    def start(self) -> None:
        if self._registers:
            self._registration = Registration(
                self._element.agent,
                self._address,
                self._asked,
                self._element.now_ms(),
                authenticator=self._authenticator,
                expires_s=self._settings.register_s,
                context=self,
            )
            self._element.sockets.flush()
        elif self._settings.options_s:
            self._ping()

    async def stop(self, within_s: float) -> None:
        """Takes a registration back."""
        self._stopping = True
        for timer in (self._timer, self._rest):
            if timer is not None:
                timer.cancel()
        registration = self._registration
        if registration is not None and registration.is_registered:
            registration.stop(self._element.now_ms())
            self._element.sockets.flush()
            try:
                async with asyncio.timeout(within_s):
                    await self._stopped.wait()
            except TimeoutError:
                pass

    def note(self, trouble: Cause | None) -> None:
        """How a call went: `trouble` says more about the trunk than about the number."""
        if trouble is None:
            self._troubles = 0
            return
        self._troubles += 1
        if trouble.retry_after_s is None and self._troubles < TROUBLES_MAX:
            return
        rest_s = min(trouble.retry_after_s or REST_S, REST_S_MAX)
        self._rest_until_s = max(self._rest_until_s, self._loop.time() + rest_s)
        self._troubles = 0
        _log.warning(
            "the trunk takes no calls", operator=self._settings.name, status=trouble.status, rests_s=rest_s
        )
        if self._rest is not None:
            self._rest.cancel()
        self._rest = self._loop.call_at(self._rest_until_s, self._changed)

    # What the user agent tells

    def on_sip(self, event: Event) -> None:
        if isinstance(event, Registered):
            if self._stopping:
                self._stopped.set()
                return
            if not self._is_there:
                _log.info("registered", operator=self._settings.name, expires_s=event.expires_s)
            self._found()
        elif isinstance(event, RegistrationFailed):
            if self._stopping:
                self._stopped.set()
                return
            self._is_there = False
            self._ways.doubt(self._asked, event.cause)
            if self._registration is not None:
                self._asked = self._ways.hop
                self._registration.move(self._asked)
            _log.warning(
                "the registration failed",
                operator=self._settings.name,
                status=event.cause.status,
                reason=event.cause.text,
                again_s=event.retry_ms / 1000,
            )
        elif isinstance(event, Pinged):
            self._on_pinged(event.status)

    # Inside

    @property
    def _registers(self) -> bool:
        return bool(self._settings.username) and self._settings.register_s > 0

    def _ping(self) -> None:
        element = self._element
        self._asked = self._ways.hop
        target = SipUri(self._address.host, port=self._address.port)
        try:
            Ping(
                element.agent,
                target,
                Address(self._address),
                self._asked,
                element.now_ms(),
                authenticator=self._authenticator,
                context=self,
            )
        except LocalError as error:
            element.on_unexpected(error)
            return
        element.sockets.flush()

    def _on_pinged(self, status: int | None) -> None:
        if self._stopping:
            return
        if status is not None:
            self._misses = 0
            if not self._is_there:
                _log.info("the trunk answers", operator=self._settings.name, status=status)
            self._found()
        else:
            self._misses += 1
            self._ways.doubt(self._asked, NO_ANSWER)
            if self._is_there and self._misses >= MISSES_MAX:
                self._is_there = False
                _log.warning("the trunk does not answer", operator=self._settings.name)
            elif not self._is_there and self._misses == 1:
                _log.warning(
                    "the trunk does not answer",
                    operator=self._settings.name,
                    host=self._settings.host,
                    port=self._settings.port,
                )
        wait_s = self._settings.options_s if status is not None else PING_AGAIN_S
        self._timer = self._loop.call_later(wait_s, self._ping)

    def _found(self) -> None:
        was_up = self.is_up
        self._is_there = True
        if not was_up:
            self._changed()
