"""Optional parameters: tag, length, value (section 5.3), all kept in the order they came, unknown ones too."""

import struct
from collections.abc import Iterable
from typing import Final

from chappe.operators.smpp.constants import CommandStatus
from chappe.operators.smpp.errors import LocalError

Tlvs = tuple[tuple[int, bytes], ...]
"""(tag, value) pairs. A tag may come twice; a value may be empty."""

_HEAD: Final = struct.Struct(">HH")


class TlvStreamError(Exception):
    """A length runs past the end of the PDU."""

    command_status = int(CommandStatus.ESME_RINVOPTPARSTREAM)


def read_tlvs(body: bytes, position: int, *, lenient: bool = False) -> Tlvs:
    """The parameters from `position` to the end.

    One to three octets that are left, too few for a tag and a length, are dropped: several SMSCs end their
    PDUs with a NUL too many. A length past the end raises TlvStreamError; `lenient` (responses, which
    nobody can refuse) keeps what was read before it.
    """
    end = len(body)
    tlvs: list[tuple[int, bytes]] = []
    while end - position >= 4:
        tag, length = _HEAD.unpack_from(body, position)
        start = position + 4
        position = start + length
        if position > end:
            if lenient:
                break
            raise TlvStreamError
        tlvs.append((tag, body[start:position]))
    return tuple(tlvs)


def write_tlvs(tlvs: Iterable[tuple[int, bytes]]) -> bytes:
    """Raises LocalError for a tag outside 0-0xFFFF or a value over 65,535 octets."""
    parts: list[bytes] = []
    try:
        for tag, value in tlvs:
            parts.append(_HEAD.pack(tag, len(value)))
            parts.append(value)
        return b"".join(parts)
    except (struct.error, TypeError, ValueError):
        raise LocalError(
            "optional parameters are (tag, bytes) pairs, 16 bits each for tag and length"
        ) from None


def find_tlv(tlvs: Tlvs, tag: int) -> bytes | None:
    """The first value of this tag."""
    for each, value in tlvs:
        if each == tag:
            return value
    return None


def find_number(tlvs: Tlvs, tag: int) -> int | None:
    """The value as a big-endian integer; None where it is absent, empty or over eight octets. The number of
    octets is not insisted on: peers send one where two are written, and two where one is.
    """
    value = find_tlv(tlvs, tag)
    return int.from_bytes(value) if value and len(value) <= 8 else None


def find_text(tlvs: Tlvs, tag: int) -> str | None:
    """The value as text up to its first NUL, with or without one (both are seen); None where nothing is left."""
    value = find_tlv(tlvs, tag)
    return value.split(b"\0", 1)[0].decode("latin-1").strip() or None if value else None
