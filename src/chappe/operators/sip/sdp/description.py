"""A session description (RFC 8866, section 5): octets to values and back. Lines that are not of use are left out."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, Literal

from chappe.operators.sip.errors import LocalError, RemoteError

OCTETS_MAX: Final = 16 * 1024
LINES_MAX: Final = 1024
MEDIA_MAX: Final = 32
FORMATS_MAX: Final = 64
ATTRIBUTES_MAX: Final = 256
"""Of the session, or of one medium."""

Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]
DIRECTIONS: Final[tuple[Direction, ...]] = ("sendrecv", "sendonly", "recvonly", "inactive")

_LINE_END: Final = re.compile(r"\r\n|\n|\r")
_MEDIA: Final = re.compile(
    r"([A-Za-z0-9\-.!%*_+`'~]++) ++([0-9]{1,5})(?:/([0-9]{1,5}))?+ ++([A-Za-z0-9/\-]++) ++(\S.*+)"
)
_CONNECTION: Final = re.compile(r"IN ++IP([46]) ++([A-Za-z0-9\-.:]++)(?:/[0-9/]*+)?+ *+", re.IGNORECASE)
_ORIGIN: Final = re.compile(
    r"(\S++) ++([0-9]{1,20}) ++([0-9]{1,20}) ++IN ++IP[46] ++(\S++) *+", re.IGNORECASE
)
_WRITABLE: Final = re.compile(r"[^\x00-\x1f\x7f]*+")

Attribute = tuple[str, str]
"""Name in lower case, and value; the value of a property attribute is empty."""


@dataclass(frozen=True, slots=True)
class Origin:
    """o=: `version` goes up with each description of the same session."""

    username: str
    session_id: int
    version: int
    host: str


@dataclass(frozen=True, slots=True)
class Media:
    """m= and what follows it. Port 0 means that it is rejected or over. `host` is its own c=, None for the session's."""

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    host: str | None = None
    attributes: tuple[Attribute, ...] = ()

    def first(self, name: str) -> str | None:
        return _first(self.attributes, name)

    def all(self, name: str) -> list[str]:
        return [value for attribute, value in self.attributes if attribute == name]


@dataclass(frozen=True, slots=True)
class SessionDescription:
    origin: Origin | None = None
    host: str | None = None
    attributes: tuple[Attribute, ...] = ()
    media: tuple[Media, ...] = ()
    name: str = "-"

    def host_of(self, media: Media) -> str:
        """Where a medium is to be sent to. Raises RemoteError where nothing says so."""
        host = media.host or self.host
        if host is None:
            raise RemoteError("a session description has no c= line", 488)
        return host

    def direction_of(self, media: Media) -> Direction:
        """The medium's own direction, else the session's, else both ways (section 6.7)."""
        for attributes in (media.attributes, self.attributes):
            for name, _ in attributes:
                for direction in DIRECTIONS:
                    if name == direction:
                        return direction
        return "sendrecv"

    def encode(self) -> bytes:
        """Raises LocalError for a value with a line end."""
        origin = self.origin
        if origin is None:
            raise LocalError("a session description needs an origin")
        lines = [
            "v=0",
            f"o={origin.username} {origin.session_id} {origin.version} IN {_address(origin.host)}",
            f"s={self.name}",
        ]
        if self.host is not None:
            lines.append(f"c=IN {_address(self.host)}")
        lines.append("t=0 0")
        lines += map(_attribute, self.attributes)
        for media in self.media:
            lines.append(f"m={media.kind} {media.port} {media.protocol} {' '.join(media.formats)}")
            if media.host is not None:
                lines.append(f"c=IN {_address(media.host)}")
            lines += map(_attribute, media.attributes)
        for line in lines:
            if not _WRITABLE.fullmatch(line):
                raise LocalError("a session description holds control characters")
        return ("\r\n".join(lines) + "\r\n").encode("utf-8", "surrogateescape")


@dataclass(slots=True)
class _Part:
    """The session's, or a medium's, while it is read."""

    media: re.Match[str] | None = None
    host: str | None = None
    attributes: list[Attribute] = field(default_factory=list[Attribute])


def parse_description(data: bytes) -> SessionDescription:
    """Raises RemoteError(488) for what is no session description, or goes over a limit.

    Lines may end with LF alone, and stand in another order than the RFC's, as from some gateways.
    """
    if len(data) > OCTETS_MAX:
        raise RemoteError("a session description is over the limit", 488)
    lines = _LINE_END.split(data.decode("utf-8", "surrogateescape"), LINES_MAX)
    if len(lines) > LINES_MAX:
        raise RemoteError(f"a session description has more than {LINES_MAX} lines", 488)
    if lines[0].strip() != "v=0":
        raise RemoteError("a session description does not begin with v=0", 488)
    origin: Origin | None = None
    parts = [_Part()]
    for line in lines[1:]:
        kind, value = line[:2], line[2:]
        part = parts[-1]
        if kind == "m=":
            parts.append(_Part(_read_media(value)))
            if len(parts) - 1 > MEDIA_MAX:
                raise RemoteError(f"a session description has more than {MEDIA_MAX} media", 488)
        elif kind == "c=":
            part.host = _read_connection(value) or part.host
        elif kind == "a=":
            name, _, text = value.partition(":")
            part.attributes.append((name.strip().lower(), text.strip()))
            if len(part.attributes) > ATTRIBUTES_MAX:
                raise RemoteError(f"a session description has more than {ATTRIBUTES_MAX} attributes", 488)
        elif kind == "o=" and origin is None:
            origin = _read_origin(value)
    session, *media = parts
    return SessionDescription(
        origin, session.host, tuple(session.attributes), tuple(_finish(part) for part in media)
    )


def _read_media(value: str) -> re.Match[str]:
    match = _MEDIA.fullmatch(value)
    if match is None or int(match.group(2)) > 65535:
        raise RemoteError("an m= line cannot be read", 488)
    return match


def _finish(part: _Part) -> Media:
    match = part.media
    assert match is not None
    kind, port, _, protocol, formats = match.groups()
    items = formats.split()
    if len(items) > FORMATS_MAX:
        raise RemoteError(f"an m= line has more than {FORMATS_MAX} formats", 488)
    return Media(kind.lower(), int(port), protocol.upper(), tuple(items), part.host, tuple(part.attributes))


def _read_connection(value: str) -> str | None:
    """The host, None for a network that is not the Internet: then it is of no use here."""
    match = _CONNECTION.fullmatch(value.strip())
    return None if match is None else match.group(2)


def _read_origin(value: str) -> Origin | None:
    """Nothing here depends on the peer's; one that cannot be read counts as none."""
    match = _ORIGIN.fullmatch(value.strip())
    if match is None:
        return None
    username, session_id, version, host = match.groups()
    return Origin(username, int(session_id), int(version), host)


def _first(attributes: tuple[Attribute, ...], name: str) -> str | None:
    for attribute, value in attributes:
        if attribute == name:
            return value
    return None


def _address(host: str) -> str:
    return f"IP6 {host}" if ":" in host else f"IP4 {host}"


def _attribute(attribute: Attribute) -> str:
    name, value = attribute
    return f"a={name}:{value}" if value else f"a={name}"
