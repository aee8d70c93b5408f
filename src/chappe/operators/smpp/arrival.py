"""A deliver_sm or data_sm -> the receipt or the reply that it is.

Operators write both as they like: whatever makes no sense gives None, and is acknowledged all the same, for it would
only come again.
"""

from dataclasses import dataclass, field
from typing import Final

from chappe.messages.port import Receipt, ReceiptState, Reply
from chappe.operators.smpp.constants import EsmClass, MessageState, Npi, TlvTag, Ton
from chappe.operators.smpp.long_message import Concatenation, read_text
from chappe.operators.smpp.messages import DataSm, DeliverSm
from chappe.operators.smpp.receipt import Receipt as ReceiptRead
from chappe.operators.smpp.receipt import read_receipt
from chappe.operators.smpp.text import Alphabet
from chappe.operators.smpp.tlv import find_number

CANDIDATE_CHARACTERS_MAX: Final = 64
ERROR_CHARACTERS_MAX: Final = 32
NUMBER_DIGITS_MAX: Final = 15
PHONE_MIN: Final = 10_000_000
"""Shorter numbers are short codes: senders, not phones."""
_NATIONAL_DIGITS: Final = 9
"""Of a French number, without its 0."""

_STATES: Final[dict[MessageState, ReceiptState]] = {
    MessageState.SCHEDULED: "enroute",
    MessageState.ENROUTE: "enroute",
    MessageState.DELIVERED: "delivered",
    MessageState.EXPIRED: "expired",
    MessageState.DELETED: "deleted",
    MessageState.UNDELIVERABLE: "undelivered",
    MessageState.ACCEPTED: "accepted",
    MessageState.UNKNOWN: "unknown",
    MessageState.REJECTED: "rejected",
    MessageState.SKIPPED: "rejected",
}


@dataclass(frozen=True, slots=True)
class ReplyPart:
    """One part of a longer reply. Parts of one text have the same `key`."""

    key: tuple[object, ...]
    place: Concatenation
    octets: bytes = field(repr=False)
    data_coding: int
    reply: Reply = field(repr=False)
    """What it is alone."""


def read_arrival(
    pdu: DeliverSm | DataSm, default_alphabet: Alphabet, country_code: str
) -> Receipt | Reply | ReplyPart | None:
    """What came, or None where it means nothing to us. Never raises."""
    receipt = read_receipt(pdu)
    if receipt is not None:
        return _receipt(pdu, receipt, country_code)
    number = phone_number(pdu.source_addr, pdu.source_addr_ton, pdu.source_addr_npi, country_code)
    if number is None or pdu.esm_class & EsmClass.TYPE_MASK:
        return None  # an alphanumeric sender, or an acknowledgement between telephones (section 5.2.12)
    incoming = read_text(pdu, default_alphabet)
    reply = Reply(number, pdu.destination_addr, incoming.text.replace("\0", ""))
    place = incoming.concatenation
    if place is None:
        return reply
    key = (number, pdu.destination_addr, place.reference, place.reference_bits, place.parts_total)
    return ReplyPart(key, place, incoming.octets, incoming.data_coding, reply)


def _receipt(pdu: DeliverSm | DataSm, receipt: ReceiptRead, country_code: str) -> Receipt | None:
    candidates = tuple(key for key in receipt.message_ids if len(key) <= CANDIDATE_CHARACTERS_MAX)
    if not candidates:
        return None
    state = _STATES[receipt.state]
    if receipt.state is MessageState.UNKNOWN:
        # "Unknown" is a word of the operator's that ends a message; no word, or one that nobody knows, is not.
        told = receipt.stat.startswith("UNKNOW") or find_number(pdu.tlvs, TlvTag.MESSAGE_STATE) == int(
            MessageState.UNKNOWN
        )
        if not told:
            state = "enroute"
    if pdu.esm_class & EsmClass.TYPE_MASK == EsmClass.INTERMEDIATE and not receipt.is_final:
        state = "enroute"
    number = _phone_of_receipt(pdu, country_code)
    return Receipt(candidates, state, receipt.error_code[:ERROR_CHARACTERS_MAX], number)


def _phone_of_receipt(pdu: DeliverSm | DataSm, country_code: str) -> int | None:
    """Its source; of an SMSC that leaves the addresses as they were submitted, its destination."""
    for address, ton, npi in (
        (pdu.source_addr, pdu.source_addr_ton, pdu.source_addr_npi),
        (pdu.destination_addr, pdu.dest_addr_ton, pdu.dest_addr_npi),
    ):
        number = phone_number(address, ton, npi, country_code)
        if number is not None and number >= PHONE_MIN:
            return number
    return None


def phone_number(address: str, ton: int, npi: int, country_code: str) -> int | None:
    """The E.164 digits of a received address; None where it is no number.

    `country_code` is what a national number lacks: TON 2, or a single 0 in front whatever the TON says.
    """
    if ton == Ton.ALPHANUMERIC or npi == Npi.INTERNET:
        return None
    digits = address.strip().translate(_DROPPED)
    if digits.startswith("+"):
        digits = digits[1:]
    elif digits.startswith("00"):
        digits = digits[2:]
    elif digits.startswith("0"):
        digits = country_code + digits[1:]
    elif ton == Ton.NATIONAL and len(digits) == _NATIONAL_DIGITS:
        digits = country_code + digits
    if not (digits.isascii() and digits.isdigit() and len(digits) <= NUMBER_DIGITS_MAX):
        return None
    return int(digits) or None


_DROPPED: Final = dict.fromkeys(map(ord, " .-()/"))
