"""Whose address a request comes from: the hosts of the trunks, looked up again and again, and what else they name."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Mapping, Sequence
from typing import Final

import structlog

from chappe.settings import OperatorSettings

_log: structlog.stdlib.BoundLogger = structlog.get_logger("sip")

LOOK_UP_S: Final = 60.0
LOOK_UP_S_MAX: Final = 5.0
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
        plain = _plain(host)
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
            await asyncio.sleep(LOOK_UP_S)
            await self._look_up()

    async def _look_up(self) -> None:
        found = await asyncio.gather(*(_addresses_of(host) for host in self._hosts.values()))
        known: Mapping[str, frozenset[str] | None] = dict(zip(self._hosts, found, strict=True))
        for name, addresses in known.items():
            if addresses is None:
                _log.warning("the host of a trunk cannot be looked up", trunk=name, host=self._hosts[name])
            elif addresses != self._addresses.get(name):
                self._addresses[name] = addresses
                self._remembered.clear()


async def _addresses_of(host: str) -> frozenset[str] | None:
    address = _plain(host)
    if address is not None:
        return frozenset({str(address)})
    try:
        async with asyncio.timeout(LOOK_UP_S_MAX):
            found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    except (OSError, TimeoutError, UnicodeError):
        return None
    return frozenset(str(plain) for item in found if (plain := _plain(str(item[4][0]))) is not None)


def _plain(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """As an address; one of version 4 that a socket of version 6 shows is itself."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
