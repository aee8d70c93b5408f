"""What an account is, and the errors of acting on one."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Final, Literal

import msgspec

State = Literal["active", "disabled", "blocked", "api-denied"]
STATES: Final[tuple[State, ...]] = ("active", "disabled", "blocked", "api-denied")

EMAIL_CHARS_MAX = 254
NAME_CHARS_MAX = 100
REASON_CHARS_MAX = 200
NETWORKS_MAX = 100


class AccountRefused(Exception):
    """An act on an account that cannot be done; the text is for the person who asked."""


class Account(msgspec.Struct, frozen=True, gc=False):
    """A row of `accounts`, as read for one request. Money in micro-euros."""

    id: int
    email: str
    firstname: str
    lastname: str
    state: State
    is_marketing: int
    may_have_subaccounts: int
    parent_id: int | None
    allowed_networks: str
    balance_micro: int
    floor_micro: int
    waiting_count: int
    created_at_ms: int
    voice_retries: int
    voice_retry_delay_s: int


COLUMNS = (
    "a.id, a.email, a.firstname, a.lastname, a.state, a.is_marketing, a.may_have_subaccounts, a.parent_id,"
    " a.allowed_networks, a.balance_micro, a.floor_micro, a.waiting_count, a.created_at_ms,"
    " a.voice_retries, a.voice_retry_delay_s"
)


def clean_email(email: str) -> str:
    """The form an e-mail address is stored and compared in; raises `AccountRefused`."""
    cleaned = email.strip().lower()
    local, at, domain = cleaned.rpartition("@")
    if (
        not at
        or not local
        or not domain
        or len(cleaned) > EMAIL_CHARS_MAX
        or any(c.isspace() or not c.isprintable() for c in cleaned)
        or "@" in local
    ):
        raise AccountRefused(f"{email[:EMAIL_CHARS_MAX]!r} is not an e-mail address")
    return cleaned


def clean_name(name: str) -> str:
    """A first or last name as stored; raises `AccountRefused`."""
    cleaned = name.strip()
    if len(cleaned) > NAME_CHARS_MAX or not cleaned.isprintable():
        raise AccountRefused(f"a name is at most {NAME_CHARS_MAX} printable characters")
    return cleaned


def clean_reason(reason: str) -> str:
    """Why credit was moved, as the ledger keeps it; raises `AccountRefused`."""
    cleaned = reason.strip()
    if len(cleaned) > REASON_CHARS_MAX or not cleaned.isprintable():
        raise AccountRefused(f"a reason is at most {REASON_CHARS_MAX} printable characters")
    return cleaned


def clean_networks(text: str) -> str:
    """A comma list of addresses and CIDR networks as stored, "" for everywhere; raises `AccountRefused`."""
    networks: list[str] = []
    for item in text.replace(" ", "").split(","):
        if not item:
            continue
        try:
            networks.append(str(ipaddress.ip_network(item, strict=False)))
        except ValueError as error:
            raise AccountRefused(f"{item[:40]!r} is not an IP address or a CIDR network") from error
    if len(networks) > NETWORKS_MAX:
        raise AccountRefused(f"at most {NETWORKS_MAX} networks can be listed")
    return ",".join(networks)


def address_is_allowed(networks: str, address: str) -> bool:
    """Whether `address` lies in the stored list `networks`; an empty list allows every address."""
    return not networks or _is_in_networks(networks, address)


@lru_cache(maxsize=4096)
def _is_in_networks(networks: str, address: str) -> bool:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return any(ip in ipaddress.ip_network(network) for network in networks.split(","))
