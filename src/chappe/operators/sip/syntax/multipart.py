"""Bodies of several parts (RFC 2046, 5.1): the one part that is wanted."""

from __future__ import annotations

from typing import Final

from chappe.operators.sip.errors import RemoteError
from chappe.operators.sip.syntax.fields import parse_media_type
from chappe.operators.sip.syntax.grammar import read_parameters, skip_blank

PARTS_MAX: Final = 16
_BOUNDARY_CHARACTERS_MAX: Final = 70


def part_of(content_type: str, body: bytes, wanted: str) -> bytes:
    """The content of the first part of the type `wanted` (in lower case), empty if there is none. RemoteError(415)
    where the parts cannot be told apart.
    """
    parameters, position = read_parameters(content_type, _end_of_type(content_type))
    boundary = parameters.get("boundary") or ""
    if (
        skip_blank(content_type, position) != len(content_type)
        or not 1 <= len(boundary) <= _BOUNDARY_CHARACTERS_MAX
    ):
        raise RemoteError("a body of several parts has no boundary", 415)
    parts = (b"\r\n" + body).split(b"\r\n--" + boundary.encode("utf-8", "surrogateescape"), PARTS_MAX + 2)
    if len(parts) > PARTS_MAX + 1:
        raise RemoteError(f"a body of more than {PARTS_MAX} parts", 413)
    for part in parts[1:]:
        if part.startswith(b"--"):
            break
        head, separator, content = part.partition(b"\r\n\r\n")
        if separator and _type_of(head) == wanted:
            return content
    return b""


def _end_of_type(content_type: str) -> int:
    end = content_type.find(";")
    return len(content_type) if end < 0 else end


def _type_of(head: bytes) -> str:
    for line in head.decode("utf-8", "surrogateescape").split("\r\n"):
        name, colon, value = line.partition(":")
        if colon and name.strip(" \t").lower() in ("content-type", "c"):
            return parse_media_type(value.strip(" \t"))
    return "text/plain"
