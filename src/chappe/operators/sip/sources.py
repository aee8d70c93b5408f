"""Whose address a request comes from: the hosts of the trunks, looked up again and again, and what else they name."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Sequence
from typing import Final

import structlog

from chappe.operators.sip import lookup
from chappe.settings import OperatorSettings

_log: structlog.stdlib.BoundLogger = structlog.get_logger("sip")

REMEMBERED_MAX: Final = 4096

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Sources:
    """Trunks by the addresses that they send from. A name that cannot be looked up keeps the addresses it had."""

    def __init__(self, trunks: Sequence[OperatorSettings]) -> None:
        self._networks: dict[str, list[Network]] = {
            trunk.name: [ipaddress.ip_network(network, strict=False) for network in trunk.incoming_from]
            for trunk in trunks
        }
        self._hosts = {trunk.name: trunk.host for trunk in trunks}
        self._addresses: dict[str, frozenset[str]] = {}
        self._remembered: dict[str, tuple[str, ...]] = {}
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns once every name was looked up, or could not be in a few seconds."""
        await self._look_up()
        self._task = asyncio.create_task(self._keep_looking(), name="sip-sources")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def trunks_at(self, host: str) -> tuple[str, ...]:
        """Names of the trunks that this address belongs to; none: nobody's."""
        found = self._remembered.get(host)
        if found is None:
            if len(self._remembered) >= REMEMBERED_MAX:
                self._remembered.clear()
            found = self._remembered[host] = self._find(host)
        return found

    def _find(self, host: str) -> tuple[str, ...]:
        plain = lookup.plain(host)
        if plain is None:
            return ()
        return tuple(
            name
            for name, networks in self._networks.items()
            if str(plain) in self._addresses.get(name, ())
            or any(plain.version == network.version and plain in network for network in networks)
        )

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(lookup.LOOK_UP_S)
            await self._look_up()

    async def _look_up(self) -> None:
        found = await asyncio.gather(*(lookup.addresses_of(host) for host in self._hosts.values()))
        for name, those in zip(self._hosts, found, strict=True):
            addresses = frozenset(those or ())
            if those is None:
                _log.warning("the host of a trunk cannot be looked up", trunk=name, host=self._hosts[name])
            elif addresses != self._addresses.get(name):
                self._addresses[name] = addresses
                self._remembered.clear()
