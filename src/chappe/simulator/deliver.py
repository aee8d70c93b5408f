"""The deliver_sm that the simulator sends: receipts (appendix B, and the same in parameters) and texts from phones."""

from __future__ import annotations

from typing import Final

from chappe.messages.segments import segments
from chappe.operators.smpp.constants import EsmClass, MessageState, Npi, TlvTag, Ton
from chappe.operators.smpp.long_message import LongMode, build_parts
from chappe.operators.smpp.messages import DataSm, DeliverSm, SubmitSm
from chappe.operators.smpp.text import GSM0338, UCS2, encode_gsm0338
from chappe.simulator.times import write_receipt_date

Envelope = SubmitSm | DataSm
"""What a message came in: its addresses and what it asked for."""

_WORDS: Final = {
    int(MessageState.ENROUTE): "ENROUTE",
    int(MessageState.DELIVERED): "DELIVRD",
    int(MessageState.EXPIRED): "EXPIRED",
    int(MessageState.DELETED): "DELETED",
    int(MessageState.UNDELIVERABLE): "UNDELIV",
}
# Errors as GSM networks number them (3GPP TS 29.002): unknown subscriber, absent subscriber.
_NETWORK_ERRORS: Final = {int(MessageState.UNDELIVERABLE): 1, int(MessageState.EXPIRED): 27}
_NETWORK_GSM: Final = 3
TEXT_CHARACTERS: Final = 20

_RECEIPTED_MESSAGE_ID: Final = int(TlvTag.RECEIPTED_MESSAGE_ID)
_MESSAGE_STATE: Final = int(TlvTag.MESSAGE_STATE)
_NETWORK_ERROR_CODE: Final = int(TlvTag.NETWORK_ERROR_CODE)


def wants_receipt(registered_delivery: int, state: int) -> bool:
    """Section 5.2.17: always, on failure only, on success only (3, as SMPP 5 has it); the final states only."""
    wanted = registered_delivery & 0x03
    return wanted == 1 or (wanted > 1 and (wanted == 3) == (state == MessageState.DELIVERED))


def wants_notification(registered_delivery: int) -> bool:
    """Section 5.2.17: word from the way to the phone too."""
    return bool(registered_delivery & 0x10)


def receipt(
    envelope: Envelope, message_id: int, state: int, *, text: str, submitted_at_ms: int, done_at_ms: int
) -> DeliverSm:
    """The receipt of a message; an intermediate notification where the state is not final. `sequence_number` is 0."""
    code = _NETWORK_ERRORS.get(state, 0)
    is_delivered = state == MessageState.DELIVERED
    body = (
        f"id:{message_id} sub:001 dlvrd:{'001' if is_delivered else '000'}"
        f" submit date:{write_receipt_date(submitted_at_ms)} done date:{write_receipt_date(done_at_ms)}"
        f" stat:{_WORDS[state]} err:{code:03} text:"
    )
    tlvs = ((_RECEIPTED_MESSAGE_ID, b"%d\0" % message_id), (_MESSAGE_STATE, bytes((state,))))
    if code:
        tlvs = (*tlvs, (_NETWORK_ERROR_CODE, bytes((_NETWORK_GSM, 0, code))))
    return DeliverSm(
        envelope.service_type,
        envelope.dest_addr_ton,
        envelope.dest_addr_npi,
        envelope.destination_addr,
        envelope.source_addr_ton,
        envelope.source_addr_npi,
        envelope.source_addr,
        int(EsmClass.INTERMEDIATE if state == MessageState.ENROUTE else EsmClass.RECEIPT),
        short_message=body.encode("ascii") + encode_gsm0338(text[:TEXT_CHARACTERS]),
        tlvs=tlvs,
    )


def from_phone(phone: int, to: str, text: str, reference: int) -> list[DeliverSm]:
    """A text typed on a phone, as the short messages that a phone makes of it: GSM 03.38 where it fits, else UCS-2;
    a long one in parts with a header. `text` holds no unpaired surrogate; the caller limits its length.
    """
    is_unicode = encode_gsm0338(text).count(b"?") != text.count("?")
    coding = UCS2 if is_unicode else GSM0338
    parts = segments(text, unicode=is_unicode)
    ton, npi = _type_of(to)
    return [
        DeliverSm(
            source_addr_ton=int(Ton.INTERNATIONAL),
            source_addr_npi=int(Npi.ISDN),
            source_addr=str(phone),
            dest_addr_ton=ton,
            dest_addr_npi=npi,
            destination_addr=to,
            esm_class=part.esm_class,
            data_coding=part.data_coding,
            short_message=part.short_message,
            tlvs=part.tlvs,
        )
        for part in build_parts(parts, coding, LongMode.UDH8, reference)
    ]


def _type_of(address: str) -> tuple[int, int]:
    digits = address.removeprefix("+")
    if not (digits.isascii() and digits.isdigit()):
        return int(Ton.ALPHANUMERIC), int(Npi.UNKNOWN)
    if len(digits) <= 8:
        return int(Ton.ABBREVIATED), int(Npi.ISDN)
    return int(Ton.INTERNATIONAL), int(Npi.ISDN)
