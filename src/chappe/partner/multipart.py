"""Reads `multipart/form-data` (RFC 7578), which only the pages that take a file accept."""

import re
from dataclasses import dataclass

from chappe.partner.bodies import Malformed, TooMany, Values

PARTS_MAX = 100
PART_HEADERS_MAX_BYTES = 8192

_BOUNDARY = re.compile(rb';\s*boundary=(?:"([^"\r\n]{1,70})"|([^\s";,]{1,70}))', re.IGNORECASE)
_NAME = re.compile(rb';\s*name=(?:"((?:[^"\\\r\n]|\\.)*)"|([^\s";]+))', re.IGNORECASE)
_FILENAME = re.compile(rb';\s*filename=(?:"((?:[^"\\\r\n]|\\.)*)"|([^\s";]*))', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class File:
    """A part that came with a file name. `content_type` is what the client claims, lower case, or blank."""

    filename: str
    content_type: str
    content: bytes

    def __repr__(self) -> str:
        return f"<File of {len(self.content)} bytes>"


def read_multipart(content_type: bytes, body: bytes) -> Values:
    """Fields as text (UTF-8, what is not replaced by U+FFFD), files as File; the last of one name counts.

    Raises Malformed if the boundary is missing or the body does not end with it (an upload cut short).
    """
    match = _BOUNDARY.search(content_type)
    if match is None:
        raise Malformed("multipart")
    delimiter = b"\r\n--" + (match[1] or match[2])
    if body.count(delimiter) > PARTS_MAX:
        raise TooMany(PARTS_MAX)
    preamble, *parts = (b"\r\n" + body).split(delimiter)
    if preamble.strip() or not parts or not parts[-1].startswith(b"--"):
        raise Malformed("multipart")
    values: Values = {}
    for part in parts[:-1]:
        # Blanks may follow a boundary on its line (RFC 2046, 5.1.1).
        head, found, content = part.lstrip(b" \t").removeprefix(b"\r\n").partition(b"\r\n\r\n")
        if not found or len(head) > PART_HEADERS_MAX_BYTES:
            raise Malformed("multipart")
        disposition = kind = b""
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.strip().lower() == b"content-disposition":
                disposition = value.strip()
            elif name.strip().lower() == b"content-type":
                kind = value.strip().lower()
        named = _NAME.search(disposition)
        if named is None:
            raise Malformed("multipart")
        filename = _FILENAME.search(disposition)
        values[_text(named)] = (
            content.decode("utf-8", "replace").replace("\0", "")
            if filename is None
            else File(_text(filename), kind.decode("latin-1"), content)
        )
    return values


def _text(match: re.Match[bytes]) -> str:
    value = match[1] if match[1] is not None else match[2]
    text = re.sub(rb"\\(.)", rb"\1", value).decode("utf-8", "replace").replace("\0", "")
    return text.replace("%22", '"')  # how browsers write a quotation mark
