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
        """The address nearest to us that is no trusted proxy; `peer` is the connection's own."""
        if not self._trusted or not self._is_trusted(peer):
            return peer
        forwarded = ",".join(value.decode("latin-1") for name, value in headers if name == b"x-forwarded-for")
        for address in reversed([item.strip() for item in forwarded.split(",")]):
            if not self._is_trusted(address):
                return address or peer
        return peer

    def _is_trusted(self, address: str) -> bool:
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(ip in network for network in self._trusted)
