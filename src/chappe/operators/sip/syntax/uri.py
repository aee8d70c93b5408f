"""SIP, SIPS and tel URIs (RFC 3261, 19.1; RFC 3966), and any other scheme as it stands.

What came in is written as it came, to the octet: peers put things into their Contact that they want to see again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote

from chappe.operators.sip.errors import LocalError, RemoteError
from chappe.operators.sip.syntax.grammar import Parameters
from chappe.operators.sip.syntax.limits import PARAMETERS_MAX, REMEMBERED_CHARACTERS_MAX, REMEMBERED_MAX

# Beyond the RFC's user characters, "#" and brackets are written raw by exchanges ("#31#0123").
_USER: Final = r"(?:[A-Za-z0-9\-_.!~*'()&=+$,;?/#\[\]]|%[0-9A-Fa-f]{2}|[^\x00-\x7f])++"
_PASSWORD: Final = r"(?:[A-Za-z0-9\-_.!~*'()&=+$,]|%[0-9A-Fa-f]{2})*+"  # noqa: S105
_HOST: Final = r"[A-Za-z0-9\-._]++|\[[0-9A-Fa-f:.]++\]"
_PARAMETER_TEXT: Final = r"(?:[A-Za-z0-9\-_.!~*'()\[\]/:&+$%|]|[^\x00-\x7f])++"
_SIP: Final = re.compile(rf"(?:({_USER})(?::({_PASSWORD}))?@)?({_HOST})(?::([0-9]{{1,5}}))?")
_SIP_PARAMETER: Final = re.compile(rf";({_PARAMETER_TEXT})(?:=({_PARAMETER_TEXT})?)?")
_SIP_HEADERS: Final = re.compile(r"\?((?:[A-Za-z0-9\-_.!~*'()\[\]/?:+$&=%])*+)")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*+):")
_TEL: Final = re.compile(r"\+?[0-9A-Fa-f*#\-.()]++")
_OTHER: Final = re.compile(r"[!#-;=?-~]++")
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_VISUAL: Final = re.compile(r"[-.()]")

DEFAULT_PORTS: Final = {"udp": 5060, "tcp": 5060, "tls": 5061}
_USER_SAFE: Final = "-_.!~*'()&=+$,;?/"


@dataclass(frozen=True, slots=True)
class SipUri:
    """`user` and `password` as written (escaped), None where there is none; `host` without change, an IPv6 address
    in its brackets; `headers` what follows "?".
    """

    host: str
    user: str | None = None
    port: int | None = None
    parameters: Parameters = field(default_factory=dict[str, "str | None"])
    is_secure: bool = False
    password: str | None = None
    headers: str = ""
    written: str = field(default="", compare=False, repr=False)
    """As it came in; empty for one of ours."""

    @property
    def scheme(self) -> str:
        return "sips" if self.is_secure else "sip"

    @property
    def user_text(self) -> str:
        """The user without its escapes."""
        return unquote(self.user or "", errors="replace")

    @property
    def transport(self) -> str:
        """In lower case: what the parameter says, else UDP, and TLS for a sips URI (RFC 3263, 4.1)."""
        named = (self.parameters.get("transport") or "").lower()
        if self.is_secure:
            return "tls" if named in ("", "tcp", "tls") else named
        return named or "udp"

    @property
    def host_address(self) -> str:
        """The host as sockets take it: without brackets."""
        return self.host[1:-1] if self.host.startswith("[") else self.host

    @property
    def is_loose(self) -> bool:
        """A loose router's (RFC 3261, 16.12)."""
        return "lr" in self.parameters

    def bare(self) -> SipUri:
        """Without what may not stand in a Request-URI."""
        if not self.headers and "method" not in self.parameters:
            return self
        parameters = {name: value for name, value in self.parameters.items() if name != "method"}
        return replace(self, headers="", parameters=parameters, written="")

    def __str__(self) -> str:
        if self.written:
            return self.written
        parts = [self.scheme, ":"]
        if self.user is not None:
            parts.append(self.user)
            if self.password is not None:
                parts.append(f":{self.password}")
            parts.append("@")
        parts.append(self.host)
        if self.port is not None:
            parts.append(f":{self.port}")
        for name, value in self.parameters.items():
            parts.append(f";{name}" if value is None else f";{name}={value}")
        if self.headers:
            parts.append(f"?{self.headers}")
        return "".join(parts)


@dataclass(frozen=True, slots=True)
class TelUri:
    """`number` as written: with "+" where it is global."""

    number: str
    parameters: Parameters = field(default_factory=dict[str, "str | None"])

    @property
    def scheme(self) -> str:
        return "tel"

    @property
    def digits(self) -> str:
        """Without visual separators."""
        return _VISUAL.sub("", self.number)

    def __str__(self) -> str:
        tail = "".join(
            f";{name}" if value is None else f";{name}={value}" for name, value in self.parameters.items()
        )
        return f"tel:{self.number}{tail}"


@dataclass(frozen=True, slots=True)
class OtherUri:
    """A URI of a scheme that is not ours to understand."""

    scheme: str
    rest: str

    def __str__(self) -> str:
        return f"{self.scheme}:{self.rest}"


Uri = SipUri | TelUri | OtherUri


def parse_uri(text: str) -> Uri:
    """Raises RemoteError. The whole of `text` is the URI."""
    return _remembered(text) if len(text) <= REMEMBERED_CHARACTERS_MAX else _parse(text)


def _parse(text: str) -> Uri:
    scheme = _SCHEME.match(text)
    if scheme is None:
        raise RemoteError("a URI has no scheme")
    name = scheme.group(1).lower()
    rest = text[scheme.end() :]
    if name in ("sip", "sips"):
        return _parse_sip(text, rest, is_secure=name == "sips")
    if name == "tel":
        return _parse_tel(rest)
    if not _OTHER.fullmatch(rest):
        raise RemoteError("a URI holds characters that no URI has")
    return OtherUri(name, rest)


_remembered: Final = lru_cache(maxsize=REMEMBERED_MAX)(_parse)


def _parse_sip(text: str, rest: str, *, is_secure: bool) -> SipUri:
    match = _SIP.match(rest)
    if match is None:
        raise RemoteError("a SIP URI has no host")
    user, password, host, port = match.groups()
    parameters, position = _parameters(rest, match.end())
    headers = ""
    if position < len(rest) and (found := _SIP_HEADERS.match(rest, position)):
        headers, position = found.group(1), found.end()
    if position != len(rest):
        raise RemoteError("a SIP URI holds characters that are not allowed there")
    if _BAD_ESCAPE.search(headers):
        raise RemoteError("a SIP URI's escape is not two hexadecimal digits")
    return SipUri(host, user, _port(port), parameters, is_secure, password, headers, text)


def _parse_tel(rest: str) -> TelUri:
    match = _TEL.match(rest)
    if match is None:
        raise RemoteError("a tel URI has no number")
    parameters, position = _parameters(rest, match.end())
    if position != len(rest):
        raise RemoteError("a tel URI holds characters that are not allowed there")
    return TelUri(match.group(), parameters)


def _parameters(rest: str, position: int) -> tuple[Parameters, int]:
    parameters: Parameters = {}
    count = 0
    while match := _SIP_PARAMETER.match(rest, position):
        position = match.end()
        count += 1
        if count > PARAMETERS_MAX:
            raise RemoteError(f"more than {PARAMETERS_MAX} parameters of a URI")
        name, value = match.groups()
        if _BAD_ESCAPE.search(name) or (value and _BAD_ESCAPE.search(value)):
            raise RemoteError("a URI's escape is not two hexadecimal digits")
        parameters.setdefault(name.lower(), value)
    return parameters, position


def _port(text: str | None) -> int | None:
    if text is None:
        return None
    port = int(text)
    if not 0 < port < 65536:
        raise RemoteError("a URI's port is no port number")
    return port


def sip_uri(
    user: str | None,
    host: str,
    port: int | None = None,
    parameters: Parameters | None = None,
    *,
    is_secure: bool = False,
) -> SipUri:
    """A URI of ours: the user is escaped, an IPv6 address is put in brackets. Raises LocalError."""
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    try:
        uri = SipUri(
            host,
            None if user is None else quote(user, safe=_USER_SAFE),
            port,
            dict(parameters or {}),
            is_secure,
        )
        parse_uri(str(uri))
    except RemoteError as error:
        raise LocalError(f"not a SIP URI: {error.reason}") from None
    return uri


def is_same(ours: Uri, other: Uri) -> bool:
    """Equivalence as RFC 3261, 19.1.4 defines it (for tel URIs: the same digits and parameters)."""
    if isinstance(ours, SipUri) and isinstance(other, SipUri):
        return (
            ours.is_secure == other.is_secure
            and _unescaped(ours.user) == _unescaped(other.user)
            and _unescaped(ours.password) == _unescaped(other.password)
            and ours.host.lower() == other.host.lower()
            and ours.port == other.port
            and _parameters_match(ours.parameters, other.parameters)
            and _headers(ours.headers) == _headers(other.headers)
        )
    if isinstance(ours, TelUri) and isinstance(other, TelUri):
        return ours.digits.lower() == other.digits.lower() and _lower(ours.parameters) == _lower(
            other.parameters
        )
    return str(ours) == str(other)


def _unescaped(text: str | None) -> str | None:
    """With the escapes undone of characters that mean the same either way: all but the reserved ones."""
    if text is None or "%" not in text:
        return text
    return _ESCAPE.sub(_undo, text)


_ESCAPE: Final = re.compile("%([0-9A-Fa-f]{2})")
_RESERVED: Final = frozenset(";/?:@&=+$,")


def _undo(match: re.Match[str]) -> str:
    character = chr(int(match.group(1), 16))
    return match.group().upper() if character in _RESERVED else character


def _parameters_match(ours: Parameters, other: Parameters) -> bool:
    for name in ours.keys() | other.keys():
        mine, theirs = ours.get(name, _ABSENT), other.get(name, _ABSENT)
        if mine is not _ABSENT and theirs is not _ABSENT:
            if (mine or "").lower() != (theirs or "").lower():
                return False
        elif name in ("user", "ttl", "method", "maddr", "transport"):
            return False
    return True


_ABSENT: Final = "\0"


def _lower(parameters: Parameters) -> dict[str, str]:
    return {name: (value or "").lower() for name, value in parameters.items()}


def _headers(text: str) -> dict[str, str | None]:
    fields: dict[str, str | None] = {}
    for item in text.split("&") if text else ():
        name, _, value = item.partition("=")
        fields[name.lower()] = _unescaped(value)
    return fields
