"""Where a request really comes from: the connection, or what a trusted proxy says."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from chappe.partner.errors import Header

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class ClientAddress:
    """Reads `X-Forwarded-For` only when the connection itself comes from a configured proxy."""

    def __init__(self, trusted_proxies: Sequence[str]) -> None:
        self._trusted: list[_Network] = [ipaddress.ip_network(text, strict=False) for text in trusted_proxies]

    def of(self, peer: str, headers: Sequence[Header]) -> str:
        """The address nearest to us that is no trusted proxy, or the farthest known; `peer` is the connection's own."""
        if not self._trusted or not self._is_trusted(peer):
            return peer
        forwarded = ",".join(value.decode("latin-1") for name, value in headers if name == b"x-forwarded-for")
        nearest = peer
        for item in reversed(forwarded.split(",")):
            address = _without_port(item.strip())
            if not address:
                break
            nearest = address
            if not self._is_trusted(address):
                break
        return nearest

    def _is_trusted(self, address: str) -> bool:
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped  # a socket that listens on :: says ::ffff:192.0.2.1
        return any(ip in network for network in self._trusted)


def _without_port(address: str) -> str:
    # Some proxies write 192.0.2.1:4711 and [2001:db8::1]:4711.
    if address.startswith("["):
        return address[1:].partition("]")[0]
    host, _, port = address.rpartition(":")
    return host if host.count(".") == 3 and port.isdigit() else address
