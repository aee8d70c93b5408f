"""How often those are answered whom nobody knows: scanners ask all day, and forged addresses ask for others."""

from __future__ import annotations

import ipaddress
from typing import Final

from chappe.calls.rate import CallRate

ANSWERS_PER_S: Final = 100.0
"""To all of them together: what a forged address has others told is no flood."""
HOST_ANSWERS_PER_S: Final = 10.0
"""So that one scanner does not use up what is for those who come to prove who they are."""
HOSTS_MAX: Final = 1024


class Strangers:
    """Times are seconds of any clock that does not go back."""

    def __init__(self, now_s: float) -> None:
        self._all = CallRate(ANSWERS_PER_S, now_s)
        self._hosts: dict[str, CallRate] = {}

    def is_answered(self, host: str, now_s: float) -> bool:
        """Asked once for each answer."""
        if not self._all.allowance(now_s):
            return False
        rate = self._rate(_network(host), now_s)
        if not rate.allowance(now_s):
            return False
        rate.took()
        self._all.took()
        return True

    def _rate(self, network: str, now_s: float) -> CallRate:
        rate = self._hosts.get(network)
        if rate is None:
            if len(self._hosts) >= HOSTS_MAX:
                self._hosts = {key: kept for key, kept in self._hosts.items() if not kept.is_full(now_s)}
            if len(self._hosts) >= HOSTS_MAX:
                self._hosts.clear()
            rate = self._hosts[network] = CallRate(HOST_ANSWERS_PER_S, now_s)
        return rate


def _network(host: str) -> str:
    """One who has an address of version 6 has 2^64 of them."""
    if ":" not in host:
        return host
    try:
        return str(ipaddress.ip_network((host.partition("%")[0], 64), strict=False))
    except ValueError:
        return host
