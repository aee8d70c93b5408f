"""Addresses as From, To, Contact, Route and their like hold them (RFC 3261, 20.10): `"name" <uri>;parameters`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

from chappe.operators.sip.errors import RemoteError
from chappe.operators.sip.syntax.grammar import (
    QUOTED,
    Parameters,
    quote,
    read_parameters,
    skip_blank,
    unescape,
    write_parameters,
)
from chappe.operators.sip.syntax.limits import REMEMBERED_CHARACTERS_MAX, REMEMBERED_MAX, VALUES_MAX
from chappe.operators.sip.syntax.uri import Uri, parse_uri

# Without quotes only tokens are allowed, but names with accents and parentheses come without quotes too.
_PLAIN_NAME: Final = re.compile(r'[^"<>,;@\x00-\x08\x0a-\x1f\x7f]*+(?=<)')
_BRACKETED: Final = re.compile(r"<([^<>\x00-\x20\x7f]++)>")
# Without brackets a URI has neither comma, question mark nor semicolon (section 20): what follows is the header's.
_BARE: Final = re.compile(r'[^\s<>"?,;\x00-\x20\x7f]++')


@dataclass(frozen=True, slots=True)
class Address:
    """`display` is the name without quotes and escapes, empty where there is none. Shared, like URIs: never changed."""

    uri: Uri
    display: str = ""
    parameters: Parameters = field(default_factory=dict[str, "str | None"])

    @property
    def tag(self) -> str:
        """Empty where there is none (RFC 2543 peers)."""
        return self.parameters.get("tag") or ""

    def with_tag(self, tag: str) -> Address:
        return replace(self, parameters={**self.parameters, "tag": tag})

    def __str__(self) -> str:
        display = f"{quote(self.display)} " if self.display else ""
        return f"{display}<{self.uri}>{write_parameters(self.parameters)}"


def parse_address(text: str) -> Address:
    """One address, the whole of `text`. Raises RemoteError."""
    return _remembered(text) if len(text) <= REMEMBERED_CHARACTERS_MAX else _parse(text)


def _parse(text: str) -> Address:
    address, position = _read(text, 0)
    if position != len(text):
        raise RemoteError("an address has something behind it")
    return address


_remembered: Final = lru_cache(maxsize=REMEMBERED_MAX)(_parse)


def tagged(text: str, tag: str) -> str:
    """An address as its peer wrote it, with a tag behind it. A semicolon without a parameter is not repeated."""
    written = text.rstrip("; \t")
    return f"{written};tag={tag}"


def parse_addresses(text: str) -> list[Address]:
    """A comma-separated list of addresses; empty places in it are left out."""
    addresses: list[Address] = []
    position = 0
    while True:
        position = skip_blank(text, position)
        if position < len(text) and text[position] != ",":
            address, position = _read(text, position)
            addresses.append(address)
            if len(addresses) > VALUES_MAX:
                raise RemoteError(f"more than {VALUES_MAX} addresses")
        if position == len(text):
            return addresses
        if text[position] != ",":
            raise RemoteError("an address has something behind it")
        position += 1


def _read(text: str, position: int) -> tuple[Address, int]:
    """The address that begins at `position`, and where it and the blanks behind it end."""
    position = skip_blank(text, position)
    display = ""
    if text.startswith('"', position):
        quoted = QUOTED.match(text, position)
        if quoted is None:
            raise RemoteError("an address has a quote that does not end")
        display = unescape(quoted.group(1))
        position = skip_blank(text, quoted.end())
        if not text.startswith("<", position):
            raise RemoteError("an address has a name and no URI in angle brackets")
    elif plain := _PLAIN_NAME.match(text, position):
        display = plain.group().rstrip(" \t")
        position = plain.end()
    if text.startswith("<", position):
        bracketed = _BRACKETED.match(text, position)
        if bracketed is None:
            raise RemoteError("an address has angle brackets without a URI in them")
        uri = parse_uri(bracketed.group(1))
        position = bracketed.end()
    else:
        bare = _BARE.match(text, position)
        if bare is None:
            raise RemoteError("an address has no URI")
        uri = parse_uri(bare.group())
        position = bare.end()
    parameters, position = read_parameters(text, position)
    return Address(uri, display, parameters), skip_blank(text, position)
