"""How an operator writes telephone numbers, and how they are read."""

from __future__ import annotations

import re
from typing import Final, Literal

NumberFormat = Literal["+", "00", "digits", "national"]
CHARACTERS_MAX: Final = 40
_SEPARATORS: Final = re.compile(r"[-. ()]")
_E164: Final = re.compile("[1-9][0-9]{3,14}", re.ASCII)


def written(digits: str, form: NumberFormat, country_code: str) -> str:
    """E.164 digits as `+33612345678`, `0033612345678`, `33612345678`, or `0612345678` in the operator's country and
    with 00 elsewhere.
    """
    if form == "+":
        return f"+{digits}"
    if form == "digits":
        return digits
    if form == "national" and digits.startswith(country_code):
        return f"0{digits[len(country_code) :]}"
    return f"00{digits}"


def read(text: str, country_code: str) -> int | None:
    """E.164 digits of a number in any of these forms, for operators do not keep to one; None for what is none."""
    if len(text) > CHARACTERS_MAX:
        return None
    digits = _SEPARATORS.sub("", text)
    if digits.startswith("+"):
        digits = digits[1:]
    elif digits.startswith("00"):
        digits = digits[2:]
    elif digits.startswith("0"):
        digits = country_code + digits[1:]
    return int(digits) if _E164.fullmatch(digits) else None
