"""Who calls whom, as an INVITE says it: the called number, the caller's, those by whom it was passed on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from chappe.operators.sip.errors import RemoteError
from chappe.operators.sip.numbers import read
from chappe.operators.sip.syntax.address import Address, parse_addresses
from chappe.operators.sip.syntax.grammar import split_list
from chappe.operators.sip.syntax.message import Request
from chappe.operators.sip.syntax.uri import OtherUri, TelUri, Uri

DIVERSIONS_MAX: Final = 5
"""How often a call may have been passed on before us."""
MAX_FORWARDS: Final = 70


def called_numbers(request: Request, country_code: str) -> tuple[int, ...]:
    """The numbers that the call may be for, the likeliest first: P-Called-Party-ID (RFC 7315, 4.2), Request-URI, To.
    A trunk that knows us by a registration writes its user into the Request-URI and the number into one of the others.
    """
    uris: list[Uri] = [address.uri for address in _addresses(request, "P-Called-Party-ID")[:1]]
    uris += [request.uri, request.to.uri]
    return tuple(dict.fromkeys(_numbers(uris, country_code)))


def caller_digits(request: Request, country_code: str) -> str:
    """The caller's number as the trunk vouches for it (RFC 3325), else as From says; "" where it is withheld (RFC
    3323) or no number.
    """
    privacy = {word.strip().lower() for value in request.all("Privacy") for word in value.split(";")}
    if privacy & {"id", "user", "header"}:
        return ""
    asserted = _addresses(request, "P-Asserted-Identity")
    for number in _numbers((address.uri for address in asserted or [request.from_]), country_code):
        return str(number)
    return ""


def diverted_numbers(request: Request, country_code: str) -> tuple[int, ...]:
    """Those by whom the call was passed on, the last one first: Diversion (RFC 5806), and what History-Info (RFC 7044)
    has before its last entry, which is where the call goes now.
    """
    diverted = _numbers((address.uri for address in _addresses(request, "Diversion")), country_code)
    history = _numbers((address.uri for address in _addresses(request, "History-Info")), country_code)
    # Whoever asks for the same number at another place writes it once more.
    steps = [number for place, number in enumerate(history) if number != history[place - 1] or place == 0]
    return (*diverted, *reversed(steps[:-1]))


def is_circle(number: int, diverted: Iterable[int]) -> bool:
    """Whether a call to `number` that would be passed on was so before, or too often."""
    passed_on = list(diverted)
    return number in passed_on or len(passed_on) >= DIVERSIONS_MAX


def forwards_left(request: Request) -> int:
    """Max-Forwards for the same call passed on; below 0: it may not be (section 16.3)."""
    given = request.number("Max-Forwards")
    return min(MAX_FORWARDS if given is None else given, MAX_FORWARDS) - 1


def _addresses(request: Request, name: str) -> list[Address]:
    """Those that can be read: what else a peer puts there changes nothing."""
    found: list[Address] = []
    for value in request.all(name):
        for item in split_list(value):
            try:
                found += parse_addresses(item)
            except RemoteError:
                continue
    return found


def _numbers(uris: Iterable[Uri], country_code: str) -> list[int]:
    numbers: list[int] = []
    for uri in uris:
        if isinstance(uri, OtherUri):
            continue
        text = uri.number if isinstance(uri, TelUri) else uri.user_text.partition(";")[0]
        number = read(text, country_code)
        if number is not None:
            numbers.append(number)
    return numbers
