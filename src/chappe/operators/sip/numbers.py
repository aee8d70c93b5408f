"""How an operator wants telephone numbers to be written."""

from __future__ import annotations

from typing import Literal

NumberFormat = Literal["+", "00", "digits", "national"]


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
