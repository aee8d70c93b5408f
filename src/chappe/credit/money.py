"""Money is an integer of micro-euros; this reads it from text and prints it as text."""

from __future__ import annotations

import re

MICRO = 1_000_000
# A billion euros: far above any balance, far below what 64 bits hold, so that no sum can overflow.
AMOUNT_MICRO_MAX = 1_000_000_000 * MICRO
# What is given back was there before: it is never refused, and cannot overflow either.
REFUNDED_MICRO_MAX = 1000 * AMOUNT_MICRO_MAX

# Eighteen digits are more than AMOUNT_MICRO_MAX has; zeros after the sixth decimal change nothing.
_AMOUNT = re.compile(r"([+-]?)([0-9]{1,18})(?:[.,]([0-9]{0,6})(0{0,12}))?", re.ASCII)


class NotAnAmount(ValueError):
    """The text is no amount of money that can be kept exactly."""


def micro_from_text(text: str) -> int:
    """Micro-euros of "100", "12.5" or "12,5"; raises `NotAnAmount` (no number, over six decimals, too large)."""
    match = _AMOUNT.fullmatch(text.strip())
    if match is None:
        raise NotAnAmount(f"{text[:40]!r} is not an amount of euros with at most six decimals")
    micro = int(match[2]) * MICRO + int((match[3] or "").ljust(6, "0"))
    if micro > AMOUNT_MICRO_MAX:
        raise NotAnAmount(
            f"{text[:40]!r} is more than the {AMOUNT_MICRO_MAX // MICRO} euros that can be kept"
        )
    return -micro if match[1] == "-" else micro


def exact_text(micro: int) -> str:
    """All decimals and no more: 12_500_000 -> "12.5", 19_000_000 -> "19", -500 -> "-0.0005"."""
    whole, rest = divmod(abs(micro), MICRO)
    text = f"{whole}.{rest:06d}".rstrip("0").rstrip(".")
    return f"-{text}" if micro < 0 else text


def balance_text(micro: int) -> str:
    """Three decimals, truncated towards zero, as `balance` and `solde` are documented: "44.100"."""
    whole, rest = divmod(abs(micro), MICRO)
    text = f"{whole}.{rest // 1000:03d}"
    return f"-{text}" if micro < 0 and (whole or rest >= 1000) else text


def half_up_text(micro: int) -> str:
    """Three decimals, half away from zero, as `cost-resume` prints sums."""
    thousandths = (abs(micro) + 500) // 1000
    text = f"{thousandths // 1000}.{thousandths % 1000:03d}"
    return f"-{text}" if micro < 0 and thousandths else text
