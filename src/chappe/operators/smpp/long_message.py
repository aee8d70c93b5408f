"""Long messages: one text as several short messages or as one payload, and back to what a phone sent.

Three ways to send (chosen per operator): a user data header before the text of each part (3GPP TS 23.040 section
9.2.3.24), with an 8-bit or a 16-bit reference; the sar_* parameters, of which the SMSC makes that header (SMPP
sections 5.3.2.22 to 24); or the whole text in message_payload (5.3.2.32). The cutting is the caller's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from chappe.operators.smpp.constants import EsmClass, TlvTag
from chappe.operators.smpp.errors import LocalError
from chappe.operators.smpp.messages import DataSm, Message
from chappe.operators.smpp.text import Alphabet, Coding, decode_text, encode_text
from chappe.operators.smpp.tlv import Tlvs, find_number, find_tlv

_CONCAT_8: Final = 0x00
_CONCAT_16: Final = 0x08

PAYLOAD_OCTETS_MAX: Final = 65_535


class LongMode(Enum):
    """How a text of several parts leaves."""

    UDH8 = "udh8"
    UDH16 = "udh16"
    SAR = "sar"
    PAYLOAD = "payload"


SEPTETS_PART: Final = {LongMode.UDH8: 153, LongMode.UDH16: 152, LongMode.SAR: 153, LongMode.PAYLOAD: 153}
"""What one part of several holds in GSM 03.38. A 16-bit reference makes the header one octet longer: 7 of 140. Of
SAR and payload the SMSC makes the header, by custom with an 8-bit reference.
"""
UNITS_PART: Final = {LongMode.UDH8: 67, LongMode.UDH16: 66, LongMode.SAR: 67, LongMode.PAYLOAD: 67}
"""The same in UTF-16 code units."""


@dataclass(frozen=True, slots=True)
class ShortMessagePart:
    """The fields of submit_sm that carry one part. `esm_class` is to be joined (`|`) with the caller's."""

    short_message: bytes = field(repr=False)
    esm_class: int
    data_coding: int
    tlvs: Tlvs = field(repr=False)


def build_parts(
    parts: Sequence[str], coding: Coding, mode: LongMode, reference: int
) -> list[ShortMessagePart]:
    """The short messages of one text that was cut into `parts` (1 to 255), each as it will be read.

    `reference` is any non-negative integer; its lower 8 (UDH8) or 16 bits are used and must differ between texts
    that are under way to the same phone. Raises LocalError where a part does not fit a short message, so that
    nothing leaves that the network would cut or refuse.
    """
    if not 1 <= len(parts) <= 255:
        raise LocalError("a message has 1 to 255 parts")
    alphabet, data_coding = coding.alphabet, int(coding.data_coding)
    if len(parts) == 1:
        octets = encode_text(parts[0], alphabet)
        _check_fits(octets, alphabet, 160, 140)
        return [ShortMessagePart(octets, 0, data_coding, ())]
    if mode is LongMode.PAYLOAD:
        octets = encode_text("".join(parts), alphabet)
        if len(octets) > PAYLOAD_OCTETS_MAX:
            raise LocalError(f"message_payload is over {PAYLOAD_OCTETS_MAX} octets")
        return [ShortMessagePart(b"", 0, data_coding, ((int(TlvTag.MESSAGE_PAYLOAD), octets),))]
    total = len(parts)
    built: list[ShortMessagePart] = []
    for number, part in enumerate(parts, 1):
        octets = encode_text(part, alphabet)
        _check_fits(octets, alphabet, SEPTETS_PART[mode], UNITS_PART[mode] * 2)
        tlvs: Tlvs = ()
        header = b""
        esm_class = int(EsmClass.UDHI)
        if mode is LongMode.UDH8:
            header = bytes((5, _CONCAT_8, 3, reference & 0xFF, total, number))
        elif mode is LongMode.UDH16:
            header = bytes((6, _CONCAT_16, 4, reference >> 8 & 0xFF, reference & 0xFF, total, number))
        else:
            esm_class = 0
            tlvs = (
                (int(TlvTag.SAR_MSG_REF_NUM), (reference & 0xFFFF).to_bytes(2)),
                (int(TlvTag.SAR_TOTAL_SEGMENTS), bytes((total,))),
                (int(TlvTag.SAR_SEGMENT_SEQNUM), bytes((number,))),
            )
        built.append(ShortMessagePart(header + octets, esm_class, data_coding, tlvs))
    return built


def _check_fits(octets: bytes, alphabet: Alphabet, septets_max: int, octets_max: int) -> None:
    # Latin-1 is what the SMSC turns into septets: one each, for texts that were made to fit GSM 03.38.
    fits = len(octets) <= (octets_max if alphabet is Alphabet.UCS2 else septets_max)
    if not fits:
        raise LocalError(f"a part of {len(octets)} octets does not fit a short message")


Header = tuple[tuple[int, bytes], ...]
"""The information elements of a user data header: (identifier, data), in order."""


def split_header(octets: bytes) -> tuple[Header, bytes]:
    """User data header and what follows it (esm_class has UDHI). A header that is none (its length or an element's
    runs past the end) is text: shown strangely, but not lost.
    """
    if not octets or octets[0] + 1 > len(octets):
        return (), octets
    end = octets[0] + 1
    elements: list[tuple[int, bytes]] = []
    position = 1
    while position < end:
        start = position + 2
        if start > end or start + octets[position + 1] > end:
            return (), octets
        element_end = start + octets[position + 1]
        elements.append((octets[position], octets[start:element_end]))
        position = element_end
    return tuple(elements), octets[end:]


@dataclass(frozen=True, slots=True)
class Concatenation:
    """This part's place in a longer text. Parts of one text share both addresses, `reference`, `reference_bits` and
    `parts_total`; `part_number` runs from 1.
    """

    reference: int
    reference_bits: int
    parts_total: int
    part_number: int


@dataclass(frozen=True, slots=True)
class IncomingText:
    """What a phone sent. Where parts are joined, join `octets` and decode them once: a sender may have cut a
    character in two.
    """

    text: str = field(repr=False)
    octets: bytes = field(repr=False)
    """Without the header."""
    data_coding: int
    header: Header = field(repr=False)
    concatenation: Concatenation | None


def message_octets(pdu: Message | DataSm) -> bytes:
    """short_message, or message_payload where that is empty (both at once is forbidden, and seen: then the longer)."""
    short_message = b"" if isinstance(pdu, DataSm) else pdu.short_message
    if pdu.tlvs:
        # The longer one, should a peer send both: the specification forbids it.
        payload = find_tlv(pdu.tlvs, TlvTag.MESSAGE_PAYLOAD)
        if payload is not None and len(payload) > len(short_message):
            return payload
    return short_message


def read_text(pdu: Message | DataSm, default_alphabet: Alphabet = Alphabet.GSM0338) -> IncomingText:
    """The text of a received message, wherever it is. Never raises."""
    octets = message_octets(pdu)
    header: Header = ()
    if pdu.esm_class & EsmClass.UDHI:
        header, octets = split_header(octets)
    text = decode_text(octets, pdu.data_coding, default_alphabet)
    return IncomingText(text, octets, pdu.data_coding, header, _concatenation(header, pdu.tlvs))


def _concatenation(header: Header, tlvs: Tlvs) -> Concatenation | None:
    found: Concatenation | None = None
    for identifier, data in header:
        # The last one counts where there are several (TS 23.040 section 9.2.3.24).
        if identifier == _CONCAT_8 and len(data) == 3:
            found = Concatenation(data[0], 8, data[1], data[2])
        elif identifier == _CONCAT_16 and len(data) == 4:
            found = Concatenation(data[0] << 8 | data[1], 16, data[2], data[3])
    if found is None and tlvs:
        reference = find_number(tlvs, TlvTag.SAR_MSG_REF_NUM)
        total = find_number(tlvs, TlvTag.SAR_TOTAL_SEGMENTS)
        number = find_number(tlvs, TlvTag.SAR_SEGMENT_SEQNUM)
        if reference is not None and total is not None and number is not None:
            found = Concatenation(reference & 0xFFFF, 16, total, number)
    # A number outside the total, or a total of one, joins nothing.
    if found is None or found.parts_total < 2 or not 1 <= found.part_number <= found.parts_total:
        return None
    return found
