"""Dates as SMPP writes them (section 7.1.1): `YYMMDDhhmmsstnnp`, absolute or relative."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

_TIME: Final = re.compile(r"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d)(\d\d)([-+R])", re.ASCII)
_DAY_MS: Final = 86_400_000
_QUARTER_MS: Final = 900_000


class BadTime(Exception):
    """Not a date of SMPP's."""


def read_time(text: str, now_ms: int) -> int | None:
    """Milliseconds since the epoch; None for an empty text. Raises BadTime. A month of a relative time is 30 days,
    a year 365.
    """
    if not text:
        return None
    match = _TIME.fullmatch(text)
    if match is None:
        raise BadTime
    year, month, day, hour, minute, second, tenth, quarters = map(int, match.groups()[:8])
    if match[9] == "R":
        days = year * 365 + month * 30 + day
        return now_ms + days * _DAY_MS + ((hour * 60 + minute) * 60 + second) * 1000 + tenth * 100
    try:
        local = datetime(2000 + year, month, day, hour, minute, second, tenth * 100_000, UTC)
    except ValueError as error:
        raise BadTime from error
    offset_ms = quarters * _QUARTER_MS
    return int(local.timestamp() * 1000) - (offset_ms if match[9] == "+" else -offset_ms)


def write_time(at_ms: int) -> str:
    """An absolute time in UTC."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return f"{at:%y%m%d%H%M%S}{at_ms // 100 % 10}00+"


def write_receipt_date(at_ms: int) -> str:
    """`YYMMDDhhmm` as in receipts (appendix B), in UTC."""
    return _minute(at_ms // 60_000)


@lru_cache(64)
def _minute(minutes: int) -> str:
    return f"{datetime.fromtimestamp(minutes * 60, UTC):%y%m%d%H%M}"
