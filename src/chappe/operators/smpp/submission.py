"""A departure -> the submit_sm requests that carry it.

Addresses: section 5.2.5 and 5.2.6. The concatenation reference follows from message and number, so that a part that is
sent again after a lost answer joins the parts that the phone has.
"""

from dataclasses import dataclass
from typing import Final

from chappe.messages.port import Departure
from chappe.operators.smpp.connection import Connection
from chappe.operators.smpp.constants import Npi, Ton
from chappe.operators.smpp.errors import LocalError
from chappe.operators.smpp.long_message import LongMode, ShortMessagePart, build_parts
from chappe.operators.smpp.messages import SubmitSm
from chappe.operators.smpp.text import GSM0338, LATIN1, UCS2, Coding
from chappe.settings import OperatorSettings

SHORT_CODE_DIGITS_MAX: Final = 8
_UNITS_SINGLE: Final = 70
_UNITS_PART: Final = 66
RECEIPT_ALWAYS: Final = 1
"""registered_delivery: a receipt for success and failure (section 5.2.17)."""


class Submission:
    """One submit_sm, from when the dispatcher hands it over until its outcome is given to be committed."""

    __slots__ = (
        "connection",
        "departure",
        "failures",
        "parts",
        "request",
        "sent_at_ms",
        "throttled_ms",
        "throttles",
    )

    def __init__(self, departure: Departure, parts: tuple[int, ...], request: SubmitSm) -> None:
        self.departure = departure
        self.parts = parts
        """The indexes of the parts it carries: one, or all of them in message_payload."""
        self.request = request
        self.connection: Connection | None = None
        """Where it is in flight, or where it keeps its slot while it waits to be sent again."""
        self.sent_at_ms = 0
        self.throttles = 0
        self.throttled_ms = 0.0
        """When it was throttled first."""
        self.failures = 0


@dataclass(frozen=True, slots=True)
class Address:
    """source_addr with its type and plan."""

    ton: int
    npi: int
    address: str


def source_address(sender: str, settings: OperatorSettings) -> Address:
    """How a sender is written; an empty one is the operator's short number. Configured TON and NPI come first."""
    sender = sender or settings.short_number
    digits = sender.removeprefix("+")
    if not (digits.isascii() and digits.isdigit()):
        ton, npi, address = Ton.ALPHANUMERIC, Npi.UNKNOWN, sender
    elif sender[0] == "+":
        ton, npi, address = Ton.INTERNATIONAL, Npi.ISDN, digits
    elif digits.startswith("00"):
        ton, npi, address = Ton.INTERNATIONAL, Npi.ISDN, digits[2:]
    elif len(digits) <= SHORT_CODE_DIGITS_MAX:
        # Short codes mean something in one network only.
        ton, npi, address = Ton.NETWORK_SPECIFIC, Npi.UNKNOWN, digits
    elif digits[0] == "0":
        ton, npi, address = Ton.NATIONAL, Npi.ISDN, digits
    else:
        ton, npi, address = Ton.INTERNATIONAL, Npi.ISDN, digits
    return Address(
        int(ton) if settings.source_ton is None else settings.source_ton,
        int(npi) if settings.source_npi is None else settings.source_npi,
        address,
    )


class Writer:
    """Makes the requests of one operator."""

    def __init__(self, settings: OperatorSettings) -> None:
        self._settings = settings
        self._mode = LongMode(settings.long_messages)
        self._plain = LATIN1 if settings.charset == "latin1" else GSM0338
        self._sender: str | None = None
        self._source = Address(0, 0, "")
        self._text: tuple[str, ...] | None = None
        self._single: ShortMessagePart | None = None

    def submissions(self, departure: Departure) -> list[Submission]:
        """One for each part that is to go now; a single one where the whole text goes as message_payload.

        Raises LocalError where a part does not fit: then nothing of the departure can leave.
        """
        if departure.sender != self._sender:
            self._source = source_address(departure.sender, self._settings)
            self._sender = departure.sender
        if len(departure.parts) == 1:
            # Recipients of one request come one after the other, with the very same text object.
            if departure.parts is not self._text or self._single is None:
                coding = self._coding(departure)
                self._single = build_parts(departure.parts, coding, self._mode, 0)[0]
                self._text = departure.parts
            return [Submission(departure, (0,), self._request(departure, self._single))]
        built = self._build(departure)
        if len(built) == 1:
            return [Submission(departure, departure.which, self._request(departure, built[0]))]
        return [
            Submission(departure, (part,), self._request(departure, built[part])) for part in departure.which
        ]

    def _build(self, departure: Departure) -> list[ShortMessagePart]:
        coding = self._coding(departure)
        # Neighbouring messages to one phone never have the same reference, not even in its lower 8 bits.
        reference = departure.message_id + departure.number
        mode = self._mode
        if mode is LongMode.PAYLOAD and len(departure.which) < len(departure.parts):
            mode = LongMode.UDH8  # the others left by parts, with another operator: these must join them
        if mode is LongMode.UDH16:
            try:
                return build_parts(departure.parts, coding, mode, reference)
            except LocalError:
                # Cut for the shorter header: parts are counted and priced before an operator is known.
                mode = LongMode.UDH8
        return build_parts(departure.parts, coding, mode, reference)

    def _coding(self, departure: Departure) -> Coding:
        if departure.is_unicode:
            return UCS2
        if self._plain is LATIN1 and not _is_latin_1(departure.parts):
            # The euro sign above all. Where Unicode takes as many parts, nothing needs to be lost.
            units = _UNITS_SINGLE if len(departure.parts) == 1 else _UNITS_PART
            if all(len(part) <= units for part in departure.parts):
                return UCS2
        return self._plain

    def _request(self, departure: Departure, part: ShortMessagePart) -> SubmitSm:
        source = self._source
        request = SubmitSm(
            self._settings.service_type,
            source.ton,
            source.npi,
            source.address,
            1,  # international
            1,  # E.164
            str(departure.number),
            part.esm_class,
            0,
            0,
            "",
            self._settings.validity_period,
            RECEIPT_ALWAYS,
            0,
            part.data_coding,
            0,
            part.short_message,
        )
        if part.tlvs:
            request.tlvs = part.tlvs
        return request


def _is_latin_1(parts: tuple[str, ...]) -> bool:
    try:
        "".join(parts).encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True
