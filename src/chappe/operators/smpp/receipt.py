"""Delivery receipts: what became of a message, from deliver_sm or data_sm (SMPP 3.4 appendix B, section 5.2.12).

Two places tell it: optional parameters (receipted_message_id, message_state, network_error_code) and a text that
appendix B only suggests ("id:... sub:001 dlvrd:001 submit date:... done date:... stat:DELIVRD err:000 text:..."),
so that every vendor writes it differently. Where both are there:
- ids: the parameter's first, then the text's;
- state: the parameter's, if it is one of the table's; else the text's;
- error: the text's, which is what the vendor's own table lists; else the parameter's as `type:code`.
"""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Final, NamedTuple

from chappe.operators.smpp.constants import DataCoding, EsmClass, MessageState, TlvTag
from chappe.operators.smpp.long_message import message_octets, split_header
from chappe.operators.smpp.message_ids import match_keys
from chappe.operators.smpp.messages import DataSm, Message
from chappe.operators.smpp.tlv import find_number, find_text, find_tlv

FINAL: Final = frozenset(
    {
        MessageState.DELIVERED,
        MessageState.EXPIRED,
        MessageState.DELETED,
        MessageState.UNDELIVERABLE,
        MessageState.REJECTED,
        MessageState.SKIPPED,
    }
)
"""After these nothing else comes. Not ACCEPTED, which most SMSCs send on the way and few mean as the end; not UNKNOWN:
the operator does not know, so a later receipt may.
"""

_STATES: Final = {
    "SCHEDULED": MessageState.SCHEDULED,
    "ENROUTE": MessageState.ENROUTE,
    "BUFFRED": MessageState.ENROUTE,
    "BUFFERED": MessageState.ENROUTE,
    "BUFFERD": MessageState.ENROUTE,
    "SUBMITD": MessageState.ENROUTE,
    "SUBMITTED": MessageState.ENROUTE,
    "PENDING": MessageState.ENROUTE,
    "QUEUED": MessageState.ENROUTE,
    "RETRY": MessageState.ENROUTE,
    "SENT": MessageState.ENROUTE,
    "DELIVRD": MessageState.DELIVERED,
    "DELIVERED": MessageState.DELIVERED,
    "DELIVERD": MessageState.DELIVERED,
    "DELIVERY": MessageState.DELIVERED,
    "DLVRD": MessageState.DELIVERED,
    "EXPIRED": MessageState.EXPIRED,
    "EXPIRD": MessageState.EXPIRED,
    "DELETED": MessageState.DELETED,
    "CANCELED": MessageState.DELETED,
    "CANCELLED": MessageState.DELETED,
    "UNDELIV": MessageState.UNDELIVERABLE,
    "UNDELIVERED": MessageState.UNDELIVERABLE,
    "UNDELIVERABLE": MessageState.UNDELIVERABLE,
    "UNDELIVRD": MessageState.UNDELIVERABLE,
    "UNDLVRD": MessageState.UNDELIVERABLE,
    "FAILED": MessageState.UNDELIVERABLE,
    "FAIL": MessageState.UNDELIVERABLE,
    "ERROR": MessageState.UNDELIVERABLE,
    "ACCEPTD": MessageState.ACCEPTED,
    "ACCEPTED": MessageState.ACCEPTED,
    "ACKED": MessageState.ACCEPTED,
    "UNKNOWN": MessageState.UNKNOWN,
    "UNKNOWM": MessageState.UNKNOWN,
    "REJECTD": MessageState.REJECTED,
    "REJECTED": MessageState.REJECTED,
    "REJECT": MessageState.REJECTED,
    "BLOCKED": MessageState.REJECTED,
    "BARRED": MessageState.REJECTED,
    "SKIPPED": MessageState.SKIPPED,
    **{str(int(state)): state for state in MessageState},
}

_TYPE_MASK: Final = int(EsmClass.TYPE_MASK)
_RECEIPT: Final = int(EsmClass.RECEIPT)
_INTERMEDIATE: Final = int(EsmClass.INTERMEDIATE)
_UDHI: Final = int(EsmClass.UDHI)
_UCS2: Final = int(DataCoding.UCS2)

# The fields in the order of appendix B, any of them without value and most of them absent: nearly all receipts.
# Nothing is tried twice (possessive quantifiers), so that no text takes long.
_STANDARD: Final = re.compile(
    r"\s*+id:\s*+([^\s:,;]++)[\s,;]++"
    r"(?:sub:\s*+(?:\d++[\s,;]++)?)?"
    r"(?:dlvrd:\s*+(?:\d++[\s,;]++)?)?"
    r"(?:submit[ _]?date:\s*+(?:\d++[\s,;]++)?)?"
    r"(?:done[ _]?date:\s*+(?:(\d++)[\s,;]++)?)?"
    r"stat:\s*+([a-z]++)"
    r"(?:[\s,;]++err:\s*+([^\s:,;]++)?)?"
    r"[\s,;]*+(?:\Z|text:)",
    re.IGNORECASE,
)
# Anything else: one or two words before a colon, of which `_NAMES` knows what they mean.
_KEY: Final = re.compile(r"(?<![A-Za-z_])([A-Za-z]++)(?:[ _]([A-Za-z]++))?\s*+[:=]")
_NAMES: Final = {
    "id": "id",
    "messageid": "id",
    "msgid": "id",
    "sub": "sub",
    "dlvrd": "dlvrd",
    "submitdate": "submit date",
    "donedate": "done date",
    "stat": "stat",
    "status": "stat",
    "state": "stat",
    "err": "err",
    "error": "err",
    "errcode": "err",
    "errorcode": "err",
    "text": "text",
}
_DATE: Final = re.compile(r"\d[\d\-/:. T]*[-+]?")
_AROUND: Final = " \t\r\n\0\"',;"
_RECEIPT_OCTETS_MAX: Final = 1024
"""Of a longer text only the beginning is read; receipts have 100 to 250 octets."""


class Receipt(NamedTuple):
    """What a receipt says."""

    given_ids: tuple[str, ...]
    """The ids as they stand there: one, two that differ, or none."""
    state: MessageState
    """UNKNOWN also where the receipt tells no state, or one in words that nobody knows."""
    is_final: bool
    """Whether the message's fate is sealed; never for intermediate notifications, unless they say DELIVERED."""
    error_code: str
    """The vendor's, `000` or the like where all went well, empty where none is told."""
    done_at_ms: int | None
    """Milliseconds since the epoch; None where there is no date, or one that does not exist."""
    stat: str
    """The word of the text (`DELIVRD`), for the history; may be empty."""

    @property
    def message_ids(self) -> tuple[str, ...]:
        """The keys to look for among stored `match_key(message_id)`, in this order."""
        return match_keys(self.given_ids)


def read_receipt(pdu: Message | DataSm, *, zone: tzinfo = UTC, tolerant: bool = True) -> Receipt | None:
    """The receipt in a deliver_sm or data_sm, or None if it is a message. Never raises.

    esm_class decides: 0x04 is a receipt and 0x20 an intermediate notification, even if nothing in them can be read
    (then without ids). With another class, `tolerant` takes a PDU with receipted_message_id for a receipt, and one
    whose text has id, a known stat and a date or count: some SMSCs send receipts with esm_class 0.

    `zone` is that of the SMSC's clock; the dates in texts do not tell.
    """
    kind = pdu.esm_class & _TYPE_MASK
    declared = kind in (_RECEIPT, _INTERMEDIATE)
    if not declared and not tolerant:
        return None
    tlvs = pdu.tlvs
    tlv_id = find_text(tlvs, TlvTag.RECEIPTED_MESSAGE_ID) if tlvs else None
    text = _text(pdu)
    if not declared and tlv_id is None and "id" not in text[:64].lower():
        return None
    standard = _STANDARD.match(text)
    if standard is not None and (declared or standard[2]):
        text_id, done, stat, error = standard.groups("")
        text_id, stat, error = text_id.strip(_AROUND), stat.upper(), error.strip(_AROUND)
        complete = True
    else:
        text_id, done, stat, error, complete = _fields(text)
    state = _STATES.get(stat)
    if not declared and tlv_id is None and not (complete and text_id and state is not None):
        return None
    if tlvs:
        number = find_number(tlvs, TlvTag.MESSAGE_STATE)
        state = _STATES.get(str(number), state)
        error = error or _network_error(find_tlv(tlvs, TlvTag.NETWORK_ERROR_CODE))
    if state is None:
        state = MessageState.UNKNOWN
    if tlv_id is None or tlv_id == text_id:
        given_ids = (text_id,) if text_id else ()
    else:
        given_ids = (tlv_id, text_id) if text_id else (tlv_id,)
    is_final = state is MessageState.DELIVERED or (kind != _INTERMEDIATE and state in FINAL)
    return Receipt(given_ids, state, is_final, error, parse_date(done, zone) if done else None, stat)


def _text(pdu: Message | DataSm) -> str:
    octets = message_octets(pdu)[:_RECEIPT_OCTETS_MAX]
    if pdu.esm_class & _UDHI:
        octets = split_header(octets)[1]
    is_ucs2 = pdu.data_coding == _UCS2 and b"\0" in octets
    text = octets.decode("utf-16-be", "replace") if is_ucs2 else octets.decode("latin-1")
    # A NUL within is no part of an id: databases cannot hold it.
    return text.replace("\0", " ") if "\0" in text else text


def _fields(text: str) -> tuple[str, str, str, str, bool]:
    """id, done date, stat, err, and whether a date or a count makes it look like a receipt."""
    values: dict[str, str] = {}
    name, start = "", 0
    for key in _KEY.finditer(text):
        first, second = key.groups("")
        following, at = _NAMES.get((first + second).lower()), key.start()
        if following is None and second:
            # The first word belongs to the value before: `stat:DELIVRD err:000`.
            following, at = _NAMES.get(second.lower()), key.start(2)
        if following is None:
            continue
        if name:
            values.setdefault(name, text[start:at].strip(_AROUND))
        name, start = following, key.end()
        if name == "text":
            # What follows is the customer's, who may write `stat:` there.
            break
    if name and name != "text":
        values.setdefault(name, text[start:].strip(_AROUND))
    done = _DATE.match(values.get("done date", ""))
    complete = bool(values.keys() & {"sub", "dlvrd", "submit date", "done date"})
    return (
        _first_word(values.get("id", "")),
        done[0] if done else "",
        _first_word(values.get("stat", "")).upper(),
        _first_word(values.get("err", "")),
        complete,
    )


def _first_word(value: str) -> str:
    words = value.split(None, 1)
    return words[0].strip(_AROUND) if words else ""


def _network_error(value: bytes | None) -> str:
    """network_error_code (section 5.3.2.31): the network's type, then its code."""
    if not value:
        return ""
    return f"{value[0]}:{int.from_bytes(value[1:3])}" if len(value) >= 3 else str(int.from_bytes(value))


@lru_cache(maxsize=256)  # receipts come in crowds, and a minute is the finest that most dates tell
def parse_date(value: str, zone: tzinfo = UTC) -> int | None:
    """YYMMDDhhmm, YYMMDDhhmmss, YYYYMMDDhhmm, YYYYMMDDhhmmss, with or without separators, or the absolute time of
    section 7.1.1 (YYMMDDhhmmsstnnp, which brings its own zone) -> milliseconds since the epoch; None for anything
    else.
    """
    digits = "".join(character for character in value if character in "0123456789")
    tenths = 0
    if len(digits) == 15 and value[-1:] in ("+", "-"):
        tenths = int(digits[12])
        offset = timedelta(minutes=15 * int(digits[13:]))
        zone = timezone(offset if value[-1] == "+" else -offset) if offset < timedelta(hours=24) else zone
        digits = digits[:12]
    if len(digits) == 14 or (len(digits) == 12 and digits[:2] == "20" and digits[2:4] > "12"):
        if digits[:2] != "20":
            return None
        digits = digits[2:]
    if len(digits) not in (10, 12):
        return None
    pairs = [int(digits[index : index + 2]) for index in range(0, len(digits), 2)]
    year, month, day, hour, minute, second = (*pairs, 0)[:6]
    try:
        moment = datetime(2000 + year, month, day, hour, minute, second, tzinfo=zone)
        return int(moment.timestamp()) * 1000 + tenths * 100
    except (ValueError, OverflowError):
        return None
