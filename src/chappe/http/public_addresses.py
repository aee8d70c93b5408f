"""Which addresses a customer's URL may lead to: public ones, and what the configuration allows beside them.

From the IANA special-purpose registries (RFC 6890 and what was registered since), spelled out here because
the standard library's `is_global` differs between Python versions.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

_NOT_PUBLIC_4 = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network; Linux connects 0.0.0.0 to itself
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT; some clouds have their metadata there
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local; the metadata services of clouds
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
# Everything outside is loopback, mapped or translated IPv4 (::ffff:0:0/96, 64:ff9b::/96), unique-local,
# link-local, multicast or not assigned.
_GLOBAL_UNICAST_6 = ipaddress.IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "2001::/23",  # Teredo (which carries an IPv4 address), ORCHID, benchmarks
        "2001:db8::/32",
        "2002::/16",  # 6to4, which carries an IPv4 address
        "3fff::/20",  # documentation
    )
)


class AllowedAddresses:
    """The rule of one server; `allow` is a list of CIDR networks (`callback_allow`), which must parse."""

    def __init__(self, allow: Iterable[str] = ()) -> None:
        self._allow = tuple(ipaddress.ip_network(network, strict=False) for network in allow)
        self._is_allowed = lru_cache(maxsize=4096)(self._is_allowed_uncached)

    def __contains__(self, address: str) -> bool:
        """Whether a connection may be made to `address`; text that is no IP address is not."""
        return self._is_allowed(address)

    def _is_allowed_uncached(self, address: str) -> bool:
        if "%" in address:
            return False  # a zone: link-local by its nature
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        return is_public(ip) or any(ip in network for network in self._allow)


def is_public(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an address is somebody's on the internet, and not a way around to one that is not."""
    if isinstance(ip, ipaddress.IPv4Address):
        return not any(ip in network for network in _NOT_PUBLIC_4)
    return ip in _GLOBAL_UNICAST_6 and not any(ip in network for network in _NOT_PUBLIC_6)
