"""Recipients as customers write them -> E.164, quickly.

Accepted: a comma list with or without blanks, or an array; spaces, dots, dashes, parentheses; `+33`,
`0033`, `33`, or national `0`; international numbers with `+`, `00`, nothing, or a blank where a `+` was
lost in a query. Foreign numbers have no national form. One regular expression reads a whole list of French
numbers; whatever it does not know is read alone, and only what is not French reaches libphonenumber.

French means +33: any mobile shape (06, 07, and the mobile ranges of the overseas departments) is accepted
without asking further, because blocks are opened faster than libraries learn of them. Numbers of the
overseas territories are written with their own calling code; 0692... is read as +33 692..., for the
documentation knows `06` as France. On SMS a French or overseas number must be a mobile. A foreign number
must be valid, of whatever type: in many plans the number does not tell, and its operator answers for the
rest.
"""

import re
from collections.abc import Sequence
from enum import Enum
from functools import lru_cache
from typing import Final

import msgspec

from chappe.numbers.country import FRENCH_CODES, calling_code

COUNT_MAX: Final = 500
TOKEN_CHARS_MAX: Final = 64

_BLANKS: Final = "\\s\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff"
# Numbers copied from pages and address books bring their hyphens, no-break spaces and direction marks along.
_SEPARATORS: Final = re.compile(f"[{_BLANKS}.()\u2010-\u2015\u2212-]+")

_LEAD: Final = r"(?:0|\+33|33|0033)"
_ALL_MOBILE: Final = re.compile(rf"(?:{_LEAD}[67][0-9]{{8}},)*+{_LEAD}[67][0-9]{{8}}")
_ALL_FRENCH: Final = re.compile(rf"(?:{_LEAD}[1-79][0-9]{{8}},)*+{_LEAD}[1-79][0-9]{{8}}")

_MOBILE: Final = re.compile(rf"{_LEAD}([67][0-9]{{8}})")
_FRENCH: Final = re.compile(r"(?:(?:\+|00)?330?|0)([1-9][0-9]{8})")
_OVERSEAS_MOBILE: Final = re.compile(
    r"(?:\+|00)?((?:262(?:69[23]|639)|590(?:690|691)|594694|596(?:696|697))[0-9]{6})"
)
_INTERNATIONAL: Final = re.compile(r"(?:\+|00)?([1-9][0-9]{5,14})")

_JSON_NAMES: Final[dict[type, str]] = {bool: "boolean", float: "number", dict: "object", list: "array"}


class Refusal(Enum):
    """Why a number is not written to."""

    INVALID = "invalid"
    NOT_MOBILE = "not a mobile"
    DUPLICATE = "duplicate"


class Refused(msgspec.Struct, frozen=True, gc=False):
    """`raw`: what was given, without outer blanks, at most `TOKEN_CHARS_MAX` characters."""

    raw: str
    why: Refusal


class Recipients(msgspec.Struct, frozen=True, gc=False):
    """`e164`: distinct numbers such as "+33612345678", in the order given (`int()` gives the integer form).
    `refused`: the others in the order given; of a number given twice the first is kept.
    """

    e164: list[str]
    refused: list[Refused]


class TooManyNumbers(Exception):
    """More numbers than one request may have (50)."""


def read_list(
    value: str | int | Sequence[object], *, mobile_only: bool, count_max: int = COUNT_MAX
) -> Recipients:
    """All recipients of a request. `mobile_only` for SMS. Blank items are no items: both lists may be empty.

    Raises `TooManyNumbers` before reading any number.
    """
    joined = value if isinstance(value, str) else _join(value, count_max)
    items = joined.count(",") + 1
    # A list that ends in a comma, as many programs write it, may still be short enough; one that is far too
    # long is not worth a closer look.
    if items > count_max and (
        items > 2 * count_max or sum(map(bool, map(str.strip, joined.split(",")))) > count_max
    ):
        raise TooManyNumbers
    pattern = _ALL_MOBILE if mobile_only else _ALL_FRENCH
    if len(joined) > TOKEN_CHARS_MAX * (count_max + 1):
        return _one_by_one(joined, mobile_only)
    compact = joined.replace(" ", "")
    if pattern.fullmatch(compact) is None:
        compact = _SEPARATORS.sub("", compact).strip(",")
        if pattern.fullmatch(compact) is None:
            return _one_by_one(joined, mobile_only)
    numbers = _all_french(compact)
    if len(set(numbers)) == len(numbers):
        return Recipients(numbers, [])
    return _one_by_one(joined, mobile_only)


def read(raw: str, *, mobile_only: bool) -> str | Refusal:
    """One number -> E.164 with `+`, or why not (never `DUPLICATE`). Never raises."""
    if len(raw) > TOKEN_CHARS_MAX:
        raw = raw.strip()
        if len(raw) > TOKEN_CHARS_MAX:
            return Refusal.INVALID
    compact = _SEPARATORS.sub("", raw)
    french = _FRENCH.fullmatch(compact)
    if french is not None:
        significant = french[1]
        if significant[0] in "67":
            return "+33" + significant
        if mobile_only:
            return Refusal.NOT_MOBILE
        if significant[0] != "8":
            return "+33" + significant
        compact = "+33" + significant
    overseas = _OVERSEAS_MOBILE.fullmatch(compact)
    if overseas is not None:
        return "+" + overseas[1]
    international = _INTERNATIONAL.fullmatch(compact)
    if international is None:
        return Refusal.INVALID
    known = _ask_library(international[1])
    if known is None:
        return Refusal.INVALID
    e164, can_be_mobile = known
    if mobile_only and not can_be_mobile and calling_code(e164) in FRENCH_CODES:
        return Refusal.NOT_MOBILE
    return e164


def can_be_mobile(e164: str) -> bool:
    """Whether a valid E.164 number (with its `+`) is a mobile, as far as the number tells."""
    if e164.startswith("+33"):
        return e164[3] in "67"
    if _OVERSEAS_MOBILE.fullmatch(e164) is not None:
        return True
    known = _ask_library(e164[1:])
    return known is not None and known[1]


@lru_cache(maxsize=16_384)
def is_premium_rate(e164: str) -> bool:
    """Whether whoever calls this valid number (with its `+`) pays for more than the call: no automatic call goes there."""
    if e164.startswith("+33") and e164[3] != "8":
        return False
    from phonenumbers import PhoneNumberType, number_type, parse

    return number_type(parse(e164)) == PhoneNumberType.PREMIUM_RATE


def split(value: str | int | Sequence[object], *, count_max: int = COUNT_MAX) -> list[str]:
    """The items as they were written, blank ones too, for answers that repeat them (`lookup`). Raises
    `TooManyNumbers`.
    """
    joined = value if isinstance(value, str) else _join(value, count_max)
    if joined.count(",") >= count_max:
        raise TooManyNumbers
    return joined.split(",")


def _join(value: int | Sequence[object], count_max: int) -> str:
    if isinstance(value, int):
        return _item(value)
    if len(value) > 2 * count_max:
        raise TooManyNumbers
    try:
        return ",".join(value)  # type: ignore[arg-type]
    except TypeError:
        return ",".join([item if isinstance(item, str) else _item(item) for item in value])


def _item(item: object) -> str:
    """A JSON value in the place of a number: integers are read, null is nothing, the rest is invalid by its
    name.
    """
    if item is None:
        return ""
    if isinstance(item, int) and not isinstance(item, bool):
        # Longer integers are no numbers, and Python refuses to print the longest.
        return str(item) if 0 <= item < 10**20 else "integer"
    return _JSON_NAMES.get(type(item), "value")


def _all_french(compact: str) -> list[str]:
    """Of a list that holds French numbers only; the two usual spellings are rewritten as a whole."""
    count = compact.count(",") + 1
    if compact.count("+") == count:
        return compact.split(",")
    if len(compact) == 11 * count - 1:
        # `0612345678` is the shortest spelling, so every number has it.
        return ("+33" + compact[1:].replace(",0", ",+33")).split(",")
    return ["+33" + number[-9:] for number in compact.split(",")]


def _one_by_one(joined: str, mobile_only: bool) -> Recipients:
    numbers: dict[str, None] = {}
    refused: list[Refused] = []
    for raw in joined.split(","):
        mobile = _MOBILE.fullmatch(raw)
        if mobile is not None:
            number = "+33" + mobile[1]
        elif not raw or raw.isspace():
            continue
        else:
            number = read(raw, mobile_only=mobile_only)
        if isinstance(number, Refusal):
            refused.append(Refused(raw.strip()[:TOKEN_CHARS_MAX], number))
        elif number in numbers:
            refused.append(Refused(raw.strip()[:TOKEN_CHARS_MAX], Refusal.DUPLICATE))
        else:
            numbers[number] = None
    return Recipients(list(numbers), refused)


@lru_cache(maxsize=16_384)
def _ask_library(digits: str) -> tuple[str, bool] | None:
    """International digits -> (E.164, whether it can be a mobile), None if no such number exists."""
    from phonenumbers import (
        NumberParseException,
        PhoneNumber,
        PhoneNumberFormat,
        PhoneNumberType,
        format_number,
        number_type,
        parse,
    )

    code = str(calling_code("+" + digits))
    rest = digits[len(code) :]
    kind = PhoneNumberType.UNKNOWN
    e164 = "+" + digits
    if rest and rest[0] != "0":
        # Most numbers are written as they are dialled from abroad: a third of the cost of parsing them.
        kind = number_type(PhoneNumber(country_code=int(code), national_number=int(rest)))
    if kind == PhoneNumberType.UNKNOWN:
        try:
            number = parse(e164)
        except NumberParseException:
            return None
        kind = number_type(number)
        if kind == PhoneNumberType.UNKNOWN:
            return None
        e164 = format_number(number, PhoneNumberFormat.E164)
    return e164, kind in (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)
