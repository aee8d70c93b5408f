"""The ways to a trunk: its host may be a name with several addresses, of which another is taken when one does not answer
(RFC 3263, 4.3).

Over TCP and TLS the hop is the name: which address a connection is made to is tried when it is made. Over UDP it is an
address, and everything that belongs to one call or registration goes to the same.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable
from typing import Final

import structlog

from chappe.operators.sip import lookup
from chappe.operators.sip.agent.causes import Cause
from chappe.operators.sip.hop import Hop
from chappe.settings import OperatorSettings

_log: structlog.stdlib.BoundLogger = structlog.get_logger("sip")

WAYS_MAX: Final = 8
BUSY: Final = 503
"""The answer that means: ask somewhere else."""


class Ways:
    """`version`: 4 or 6, of the Internet Protocol that our socket speaks; asked when names are looked up."""

    def __init__(self, settings: OperatorSettings, version: Callable[[], int]) -> None:
        self._settings = settings
        self._version = version
        self._named = Hop(settings.transport, settings.host, settings.port)
        self._hops: tuple[Hop, ...] = (self._named,)
        self._task: asyncio.Task[None] | None = None

    @property
    def hop(self) -> Hop:
        """Where the next call, registration or question goes."""
        return self._hops[0]

    @property
    def count(self) -> int:
        return len(self._hops)

    async def start(self) -> None:
        """Returns once the name was looked up, or could not be in a few seconds."""
        if self._settings.transport == "udp" and lookup.plain(self._settings.host) is None:
            await self._look_up()
            self._task = asyncio.create_task(self._keep_looking(), name="sip-ways")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def doubt(self, hop: Hop, cause: Cause) -> None:
        """Nobody answers there, or whoever does says 503: the next one is asked from now on. Others may have said so
        before.
        """
        is_worse = cause.origin in ("timeout", "unreachable") or cause.status == BUSY
        if is_worse and hop == self.hop and len(self._hops) > 1:
            self._hops = (*self._hops[1:], hop)
            _log.warning(
                "another address of the trunk is asked", operator=self._settings.name, host=self.hop.host
            )

    # Inside

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(lookup.LOOK_UP_S)
            await self._look_up()

    async def _look_up(self) -> None:
        found = await lookup.addresses_of(self._settings.host)
        version = self._version()
        hops = [
            Hop("udp", address, self._settings.port)
            for address in found or ()
            if ipaddress.ip_address(address).version == version
        ][:WAYS_MAX]
        if not hops:
            return  # those that it had are as good as any
        # Whoever answers is stayed with.
        current = [hop for hop in hops if hop == self.hop]
        self._hops = (*current, *(hop for hop in hops if hop not in current))
