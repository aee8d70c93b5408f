"""What a phone does: the last two digits of +33 6 00 00 00 xx and +33 1 00 00 00 xx choose; every other number is
delivered at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from chappe.operators.smpp.constants import MessageState

_SPECIAL: Final = frozenset({336_000_000, 331_000_000})
"""The numbers without their last two digits."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What happens to a message for such a phone."""

    label: str
    """What it does, for people."""
    delay_ms: int = 0
    """From the submit to the final state."""
    state: int = MessageState.DELIVERED
    receipts: int = 1
    """How often the receipt is sent, where one was asked for."""
    is_receipt_first: bool = False
    """The receipt leaves before the answer to the submit."""
    reply: str = ""
    refuses: bool = False
    """The submit is answered ESME_RINVDSTADR."""
    fails_once: bool = False
    """The submit of a text is answered with an error the first time, and accepted when it comes again."""


ORDINARY: Final = Behaviour("delivered at once")
_BY_DIGITS: Final = {
    0: ORDINARY,
    1: Behaviour("delivered after 2 s", delay_ms=2_000),
    2: Behaviour("undeliverable", state=MessageState.UNDELIVERABLE),
    3: Behaviour("receipt EXPIRED", state=MessageState.EXPIRED),
    4: Behaviour("absent, delivered after 30 s", delay_ms=30_000),
    5: Behaviour("refused at submit", refuses=True),
    6: Behaviour("replies Oui", reply="Oui"),
    7: Behaviour("replies STOP", reply="STOP"),
    8: Behaviour("no receipt ever", receipts=0),
    9: Behaviour("receipt before the submit response", is_receipt_first=True),
    10: Behaviour("receipt twice", receipts=2),
    11: Behaviour("vendor error at submit, then accepted", fails_once=True),
}

TABLE: Final = tuple((f"{digits:02}", behaviour.label) for digits, behaviour in _BY_DIGITS.items())
"""(last two digits, label), for pages."""


def behaviour_of(phone: int) -> Behaviour:
    """`phone`: E.164 digits as an integer."""
    prefix, digits = divmod(phone, 100)
    return _BY_DIGITS.get(digits, ORDINARY) if prefix in _SPECIAL else ORDINARY


def phone_of(address: str) -> int | None:
    """The phone that an address means, as E.164 digits in an integer; None if it cannot be a phone.

    ESMEs write numbers in every way whatever the type of number says: with or without `+` or `00`, and French ones
    with their national zero.
    """
    digits = address.removeprefix("+")
    if not (digits.isascii() and digits.isdigit()):
        return None
    if address.startswith("0"):
        digits = digits[2:] if digits.startswith("00") else f"33{digits[1:]}" if len(digits) == 10 else ""
    if not 3 <= len(digits) <= 15 or digits.startswith("0"):
        return None
    return int(digits)
