"""Under which address others reach us."""

from __future__ import annotations

import ipaddress
import socket
from typing import Final

from chappe.operators.sip.hop import Hop

REMEMBERED_MAX: Final = 1024
ANYWHERE: Final = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
"""Addresses that nobody has: the way there is the way to everywhere."""


class LocalAddresses:
    """For every place the address of ours that it sees: `public` where one is configured (behind a translator, where
    only this machine itself is not), else the one we are bound to, else that of the interface the system would use.
    """

    def __init__(self, bound: str, public: str = "") -> None:
        self._public = public
        self._bound = "" if _is_wildcard(bound) else bound
        self._remembered: dict[str, str] = {}
        self.port = 0

    def __call__(self, hop: Hop) -> tuple[str, int]:
        return self.host_for(hop.host), self.port

    def host_for(self, host: str) -> str:
        if self._public and not _is_loopback(host):
            return self._public
        if self._bound:
            return self._bound
        found = self._remembered.get(host)
        if found is None:
            if len(self._remembered) >= REMEMBERED_MAX:
                self._remembered.clear()
            found = self._remembered[host] = _way_to(host)
        return found


def _is_wildcard(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return host == ""


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _way_to(host: str) -> str:
    """Connecting a UDP socket sends nothing, and chooses the interface."""
    try:
        family = socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
    except ValueError:
        family, host = socket.AF_INET, ANYWHERE[socket.AF_INET]
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "::1" if family == socket.AF_INET6 else "127.0.0.1"
