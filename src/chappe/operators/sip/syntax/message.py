"""SIP messages (RFC 3261, section 7): octets to a `Request` or a `Response`, and back.

What every message must have is read at once, so that nothing later meets a message without it: the start line, the
topmost Via, From, To, Call-ID, CSeq, Content-Length. Other fields are read, and complained about, where they are used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from chappe.operators.sip.errors import LocalError, MessageError, RemoteError
from chappe.operators.sip.syntax.address import Address, parse_address, parse_addresses, tagged
from chappe.operators.sip.syntax.credentials import Credentials, parse_credentials
from chappe.operators.sip.syntax.fields import (
    SINGLE,
    CSeq,
    canonical,
    parse_cseq,
    parse_media_type,
    parse_tokens,
)
from chappe.operators.sip.syntax.grammar import TOKEN, is_token, read_number
from chappe.operators.sip.syntax.limits import (
    BODY_OCTETS_MAX,
    FIELDS_MAX,
    HEAD_OCTETS_MAX,
    VALUES_MAX,
)
from chappe.operators.sip.syntax.statuses import phrase
from chappe.operators.sip.syntax.uri import Uri, parse_uri
from chappe.operators.sip.syntax.via import Via, parse_via

Header = tuple[str, str]
"""A canonical name (`fields.canonical`) and the value on one line."""

_REQUEST_LINE: Final = re.compile(r"([^ \t]++) ([^ \t]++) ([^ \t]++)")
_STATUS_LINE: Final = re.compile(r"SIP/2\.0 ([0-9]{3})(?: (.*))?", re.IGNORECASE | re.DOTALL)
_VERSION: Final = re.compile("SIP/[0-9]+[.][0-9]+", re.IGNORECASE | re.ASCII)
_NAME_AND_COLON: Final = re.compile(r"([A-Za-z0-9\-.!%*_+`'~]++)[ \t]*+:")
_LINE_END: Final = re.compile(r"[\r\n]")
PHRASE_CHARACTERS_MAX: Final = 200
_ANSWER_ECHOES: Final = ("Via", "From", "To", "Call-ID", "CSeq")


class Message:
    """What requests and responses share. Values are decoded as UTF-8, octets that are none survive (PEP 383).

    A message does not change once it is made; what is read of it is kept.
    """

    __slots__ = ("_read", "body", "headers")

    def __init__(self, headers: Iterable[Header], body: bytes = b"") -> None:
        self.headers: tuple[Header, ...] = tuple(headers)
        self.body = body
        self._read: dict[str, Any] = {}

    def first(self, name: str) -> str | None:
        """The value of the first field of this (canonical) name."""
        for field, value in self.headers:
            if field == name:
                return value
        return None

    def all(self, name: str) -> list[str]:
        return [value for field, value in self.headers if field == name]

    # Those that every message has

    @property
    def via(self) -> Via:
        """The topmost one."""
        via = self._read.get("Via")
        if via is None:
            via = self._read["Via"] = parse_via(self._needed("Via"))
        return via

    @property
    def cseq(self) -> CSeq:
        cseq = self._read.get("CSeq")
        if cseq is None:
            cseq = self._read["CSeq"] = parse_cseq(self._needed("CSeq"))
        return cseq

    @property
    def from_(self) -> Address:
        return self._address("From")

    @property
    def to(self) -> Address:
        return self._address("To")

    @property
    def call_id(self) -> str:
        return self._needed("Call-ID")

    def read_needed(self) -> None:
        """Raises RemoteError unless all of these are there and can be read."""
        self._read["Via"] = self.via
        self._read["CSeq"] = self.cseq
        self._address("From")
        self._address("To")
        if not self.call_id:
            raise RemoteError("Call-ID is empty")
        self.number("Max-Forwards")

    # Those that some have; RemoteError where one is there and cannot be read

    @property
    def contacts(self) -> list[Address]:
        return self._addresses("Contact")

    @property
    def record_routes(self) -> list[Address]:
        """From top to bottom."""
        return self._addresses("Record-Route")

    @property
    def supported(self) -> frozenset[str]:
        return parse_tokens(self.all("Supported"))

    @property
    def required(self) -> frozenset[str]:
        return parse_tokens(self.all("Require"))

    @property
    def allowed(self) -> frozenset[str]:
        """Methods, in lower case."""
        return parse_tokens(self.all("Allow"))

    @property
    def content_type(self) -> str:
        """Without parameters, in lower case; empty where there is none."""
        value = self.first("Content-Type")
        return "" if value is None else parse_media_type(value)

    def number(self, name: str) -> int | None:
        """Expires, RSeq, Min-SE and their like; parameters after ";" are left out."""
        value = self.first(name)
        if value is None:
            return None
        return read_number(value.partition(";")[0].strip(" \t"), name)

    def credentials(self, name: str) -> list[Credentials]:
        values = self.all(name)
        if len(values) > VALUES_MAX:
            raise RemoteError(f"more than {VALUES_MAX} {name}")
        return [parse_credentials(value) for value in values]

    # Inside

    def _needed(self, name: str) -> str:
        value = self.first(name)
        if value is None:
            raise RemoteError(f"{name} is missing")
        return value

    def _address(self, name: str) -> Address:
        address = self._read.get(name)
        if address is None:
            address = self._read[name] = parse_address(self._needed(name))
        return address

    def _addresses(self, name: str) -> list[Address]:
        addresses: list[Address] | None = self._read.get(name)
        if addresses is None:
            addresses = []
            for value in self.all(name):
                if value == "*":
                    continue  # REGISTER's "all of them" (section 10.2.2)
                addresses += parse_addresses(value)
                if len(addresses) > VALUES_MAX:
                    raise RemoteError(f"more than {VALUES_MAX} {name}")
            self._read[name] = addresses
        return addresses

    def _encode(self, start_line: str) -> bytes:
        lines = [start_line]
        lines += [f"{name}: {value}" for name, value in self.headers if name != "Content-Length"]
        lines.append(f"Content-Length: {len(self.body)}\r\n\r\n")
        text = "\r\n".join(lines)
        line_ends = len(lines) + 1
        if text.count("\n") != line_ends or text.count("\r") != line_ends:
            raise LocalError("a header value holds a line end")
        return text.encode("utf-8", "surrogateescape") + self.body


class Request(Message):
    """`uri` is the Request-URI. Content-Length is written by `encode`, from the body that is there."""

    __slots__ = ("method", "uri")

    def __init__(self, method: str, uri: Uri, headers: Iterable[Header], body: bytes = b"") -> None:
        super().__init__(headers, body)
        self.method = method
        self.uri = uri

    def encode(self) -> bytes:
        """Raises LocalError for a value with a line end, or a method that is none."""
        if not is_token(self.method):
            raise LocalError("a method is not a token")
        return self._encode(f"{self.method} {self.uri} SIP/2.0")

    def respond(
        self,
        status: int,
        *,
        tag: str = "",
        reason: str = "",
        headers: Sequence[Header] = (),
        body: bytes = b"",
        via: Via | None = None,
    ) -> Response:
        """A response with what it has to repeat (section 8.2.6). `tag` goes to To if that has none; `via` takes the
        place of the topmost Via, with where the request came from.
        """
        echoed: list[Header] = []
        for name, value in self.headers:
            if name not in _ANSWER_ECHOES:
                continue
            if name == "Via" and via is not None:
                _, comma, others = _after_first_value(value)
                echoed.append(("Via", f"{via}{comma}{others}"))
                via = None
            elif name == "To" and tag and not self.to.tag:
                echoed.append(("To", tagged(value, tag)))
            else:
                echoed.append((name, value))
        if self.method == "INVITE" and 100 < status < 300:
            # Where the dialog's way is to be (section 12.1.1).
            echoed += [("Record-Route", value) for value in self.all("Record-Route")]
        return Response(status, [*echoed, *headers], body, reason=reason)

    def __repr__(self) -> str:
        return f"<{self.method} {self.first('CSeq')}>"


class Response(Message):
    __slots__ = ("reason", "status")

    def __init__(
        self, status: int, headers: Iterable[Header], body: bytes = b"", *, reason: str = ""
    ) -> None:
        super().__init__(headers, body)
        self.status = status
        self.reason = reason or phrase(status)

    def encode(self) -> bytes:
        """Raises LocalError for a value with a line end."""
        return self._encode(f"SIP/2.0 {self.status} {self.reason}")

    def __repr__(self) -> str:
        return f"<{self.status} {self.first('CSeq')}>"


def parse_message(data: bytes) -> Request | Response:
    """A message in one piece: a datagram, or what `StreamReader` cut out. Raises MessageError.

    Without Content-Length the body is the rest (section 18.3); octets behind the body are left out.
    """
    start = 0
    while data.startswith(b"\r\n", start):  # section 7.5
        start += 2
    end = data.find(b"\r\n\r\n", start, start + HEAD_OCTETS_MAX + 4)
    if end >= 0:
        rest = data[end + 4 :]
    elif len(data) - start <= HEAD_OCTETS_MAX and data.endswith(b"\r\n"):
        end, rest = len(data) - 2, b""  # careless peers leave out the empty line where no body follows
    else:
        raise MessageError("the head is over the limit or does not end", 513)
    lines = data[start:end].decode("utf-8", "surrogateescape").split("\r\n")
    start_line = lines[0]
    method = start_line.partition(" ")[0]
    headers: list[Header] = []
    try:
        _read_fields(lines, headers)
        message = _read_start_line(start_line, headers)
        _verify(message)
        message.body = _body_of(message, rest)
    except MessageError:
        raise
    except RemoteError as error:
        raise MessageError(error.reason, error.status, method=method, headers=headers) from None
    return message


def refusal(error: MessageError, tag: str, via: Via | None = None) -> Response | None:
    """What to answer a request that could not be read, if it can be answered at all: an ACK cannot, nor can a
    response or a request without a readable Via.
    """
    if not error.headers or error.method == "ACK" or not is_token(error.method):
        return None
    values = dict(reversed(error.headers))
    if any(name not in values for name in _ANSWER_ECHOES):
        return None
    try:
        parse_via(values["Via"])
    except RemoteError:
        return None
    echoed: list[Header] = []
    for name, value in error.headers:
        if name == "Via":
            _, comma, others = _after_first_value(value)
            echoed.append(("Via", value if via is None else f"{via}{comma}{others}"))
            via = None
        elif name in _ANSWER_ECHOES and name not in (field for field, _ in echoed):
            has_tag = name != "To" or re.search(r";[ \t]*+tag[ \t]*+=", value, re.IGNORECASE)
            echoed.append((name, value if has_tag else tagged(value, tag)))
    return Response(error.status, echoed)


def _after_first_value(text: str) -> tuple[str, str, str]:
    """A list -> its first value, the comma (or nothing), the others. Via has quoted strings in extensions only."""
    position = 0
    for match in _COMMA_OR_QUOTED.finditer(text):
        if match.group() == ",":
            position = match.start()
            return text[:position], ", ", text[position + 1 :].lstrip(" \t")
    return text, "", ""


_COMMA_OR_QUOTED: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|,', re.DOTALL)


def _read_fields(lines: list[str], headers: list[Header]) -> None:
    """The fields after the start line, folds undone (section 7.3.1). On an error, `headers` holds all that are good:
    the refusal needs them.
    """
    error: RemoteError | None = None
    name = ""
    parts: list[str] = []
    for number in range(1, len(lines)):
        line = lines[number]
        if _LINE_END.search(line):
            error = error or RemoteError("a line ends with something else than CR LF")
        elif line[:1] in (" ", "\t"):
            if not name:
                error = error or RemoteError("a continuation without a header field before it")
            parts.append(line.strip(" \t"))
        else:
            if name:
                headers.append((name, _unfolded(parts)))
            match = _NAME_AND_COLON.match(line)
            if match is None:
                error = error or RemoteError("a header field has no name")
                name = ""
                continue
            if len(headers) >= FIELDS_MAX:
                raise RemoteError(f"more than {FIELDS_MAX} header fields", 513)
            name = canonical(match.group(1))
            parts = [line[match.end() :].strip(" \t")]
    if name:
        headers.append((name, _unfolded(parts)))
    if error is not None:
        raise error


def _unfolded(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else " ".join(parts).strip(" \t")


def _printable(text: str) -> str:
    """Text of the peer's that may go into a log or a database."""
    text = text[:PHRASE_CHARACTERS_MAX].encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(character if character.isprintable() else "?" for character in text)


def _read_start_line(line: str, headers: list[Header]) -> Request | Response:
    if _LINE_END.search(line):
        raise RemoteError("a line ends with something else than CR LF")
    status = _STATUS_LINE.fullmatch(line)
    if status is not None:
        code = int(status.group(1))
        if not 100 <= code <= 699:
            raise RemoteError("a status code is not 100 to 699")
        return Response(code, headers, reason=_printable(status.group(2) or ""))
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise RemoteError("the start line is neither a request's nor a response's")
    method, uri_text, version = match.groups()
    if not TOKEN.fullmatch(method) or not _VERSION.fullmatch(version):
        raise RemoteError("the start line is neither a request's nor a response's")
    if version.upper() != "SIP/2.0":
        raise RemoteError("another version than SIP/2.0", 505)
    uri = parse_uri(uri_text)
    if getattr(uri, "headers", ""):
        raise RemoteError("the Request-URI has headers (section 19.1.1)")
    return Request(method, uri, headers)


def _verify(message: Request | Response) -> None:
    """What every message must have, once (section 8.1.1)."""
    seen: set[str] = set()
    for name, _ in message.headers:
        if name in SINGLE and name in seen:
            raise RemoteError(f"{name} stands more than once")
        seen.add(name)
    message.read_needed()
    if isinstance(message, Request) and message.cseq.method != message.method:
        raise RemoteError("CSeq names another method than the start line")


def _body_of(message: Message, rest: bytes) -> bytes:
    length_text = message.first("Content-Length")
    length = len(rest) if length_text is None else read_number(length_text, "Content-Length")
    if length > BODY_OCTETS_MAX:
        raise RemoteError("the body is over the limit", 413)
    if length > len(rest):
        raise RemoteError("the body is shorter than Content-Length")
    return rest[:length]
