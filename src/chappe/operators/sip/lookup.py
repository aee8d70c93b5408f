"""The addresses of a host: one that is none already is asked of the system's resolver."""

from __future__ import annotations

import asyncio
import ipaddress
from typing import Final

from chappe.operators import names

LOOK_UP_S: Final = 60.0
"""How long what was found is used."""
LOOK_UP_S_MAX: Final = 5.0


async def addresses_of(host: str) -> tuple[str, ...] | None:
    """In the resolver's order, each once; None where it has no answer in time."""
    address = plain(host)
    if address is not None:
        return (str(address),)
    try:
        async with asyncio.timeout(LOOK_UP_S_MAX):
            found = await names.addresses_of(host)
    except (OSError, TimeoutError):
        return None
    addresses = (str(address) for item in found if (address := plain(item)) is not None)
    return tuple(dict.fromkeys(addresses))


def plain(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """As an address; one of version 4 that a socket of version 6 shows is itself."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
