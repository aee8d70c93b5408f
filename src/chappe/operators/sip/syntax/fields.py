"""The smaller header fields: CSeq, RAck, Reason, Session-Expires, Content-Type, token lists, and the names of all."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from chappe.operators.sip.errors import RemoteError
from chappe.operators.sip.syntax.grammar import (
    TOKEN,
    TOKEN_CHARACTERS,
    Parameters,
    read_number,
    read_parameters,
    skip_blank,
    split_list,
)

_NAMES: Final = """
Accept Accept-Encoding Accept-Language Alert-Info Allow Allow-Events Authentication-Info Authorization Call-ID Call-Info
Contact Content-Disposition Content-Encoding Content-Language Content-Length Content-Type CSeq Date Diversion
Error-Info Event Expires From History-Info Identity In-Reply-To Max-Forwards MIME-Version Min-Expires Min-SE
Organization P-Access-Network-Info P-Asserted-Identity P-Called-Party-ID P-Charging-Vector P-Preferred-Identity Path
Priority Privacy Proxy-Authenticate Proxy-Authorization Proxy-Require RAck Reason Record-Route Refer-To Referred-By
Remote-Party-ID Replaces Reply-To Request-Disposition Require Retry-After Route RSeq Server Service-Route Session-Expires Subject
Subscription-State Supported Timestamp To Unsupported User-Agent Via Warning WWW-Authenticate
""".split()  # noqa: SIM905 - a list of seventy quoted names reads worse
_COMPACT: Final = {
    "a": "Accept-Contact",
    "b": "Referred-By",
    "c": "Content-Type",
    "d": "Request-Disposition",
    "e": "Content-Encoding",
    "f": "From",
    "i": "Call-ID",
    "j": "Reject-Contact",
    "k": "Supported",
    "l": "Content-Length",
    "m": "Contact",
    "n": "Identity-Info",
    "o": "Event",
    "r": "Refer-To",
    "s": "Subject",
    "t": "To",
    "u": "Allow-Events",
    "v": "Via",
    "x": "Session-Expires",
    "y": "Identity",
}
_CANONICAL: Final = {name.lower(): name for name in _NAMES} | _COMPACT
# Some of those above may stand once only; a second one could be read by one party, the first by another.
SINGLE: Final = frozenset(
    {
        "Call-ID",
        "Content-Length",
        "Content-Type",
        "CSeq",
        "Expires",
        "From",
        "Max-Forwards",
        "RAck",
        "RSeq",
        "Session-Expires",
        "To",
    }
)

_CSEQ: Final = re.compile(rf"([0-9]{{1,20}})[ \t]++([{TOKEN_CHARACTERS}]++)")
_RACK: Final = re.compile(rf"([0-9]{{1,20}})[ \t]++([0-9]{{1,20}})[ \t]++([{TOKEN_CHARACTERS}]++)")
_MEDIA_TYPE: Final = re.compile(rf"([{TOKEN_CHARACTERS}]++)[ \t]*+/[ \t]*+([{TOKEN_CHARACTERS}]++)")


def canonical(name: str) -> str:
    """A header's name as the RFC spells it, its compact form too; an unknown one in lower case."""
    return _CANONICAL.get(name) or _CANONICAL.get(lower := name.lower(), lower)


class CSeq(NamedTuple):
    number: int
    method: str

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


class RAck(NamedTuple):
    """RFC 3262, 7.2: the RSeq of the response, and the CSeq of the request it answers."""

    rseq: int
    number: int
    method: str

    def __str__(self) -> str:
        return f"{self.rseq} {self.number} {self.method}"


class Parametrised(NamedTuple):
    """A token or a number with parameters: Reason, Session-Expires, Content-Disposition, Retry-After."""

    value: str
    parameters: Parameters


def parse_cseq(text: str) -> CSeq:
    match = _CSEQ.fullmatch(text)
    if match is None:
        raise RemoteError("CSeq cannot be read")
    return CSeq(read_number(match.group(1), "CSeq"), match.group(2))


def parse_rack(text: str) -> RAck:
    match = _RACK.fullmatch(text)
    if match is None:
        raise RemoteError("RAck cannot be read")
    return RAck(read_number(match.group(1), "RAck"), read_number(match.group(2), "RAck"), match.group(3))


def parse_parametrised(text: str, what: str) -> Parametrised:
    """A token, then parameters. A comment in parentheses between them (Retry-After) is skipped."""
    match = TOKEN.match(text, skip_blank(text, 0))
    if match is None:
        raise RemoteError(f"{what} cannot be read")
    position = skip_blank(text, match.end())
    if text.startswith("(", position):
        end = text.find(")", position)
        position = skip_blank(text, end + 1) if end >= 0 else position
    parameters, position = read_parameters(text, position)
    if skip_blank(text, position) != len(text):
        raise RemoteError(f"{what} has something behind it")
    return Parametrised(match.group(), parameters)


def parse_tokens(values: list[str]) -> frozenset[str]:
    """Allow, Supported, Require and their like, in lower case; what is not a token is left out."""
    return frozenset(
        item.lower() for value in values for item in split_list(value) if TOKEN.fullmatch(item) is not None
    )


def parse_media_type(text: str) -> str:
    """Content-Type without its parameters, in lower case: `application/sdp`."""
    match = _MEDIA_TYPE.match(text)
    if match is None:
        raise RemoteError("Content-Type cannot be read", 415)
    return f"{match.group(1)}/{match.group(2)}".lower()
