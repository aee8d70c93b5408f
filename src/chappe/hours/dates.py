"""The date a customer asks for -> an instant, or the documented error.

`scheduledDeliveryDate` dd/mm/YYYY, `time` 0-24, `minute` 0-55 by 5, all on the clock of Paris (SMS Partner
documentation, notes 3.1; Mail Partner has the same three). Decisions "Dates" and "Order of checks": code 9
comes first (a date in the past; time and minute both missing), then 45, 46, 47, 48, 49. One of time and
minute missing is 0, because a client written in Go leaves zeros out; `time` 24 is the next midnight. An
hour that the clock change leaves out does not exist (49), of an hour that comes twice the first is meant.
"""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final

from chappe.hours.zones import PARIS

DATE: Final = "scheduledDeliveryDate"
MINUTE: Final = "minute"
TIME: Final = "time"

_DATE: Final = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})")
_NUMBER: Final = re.compile(r"([+-]?[0-9]{1,32})(?:\.([0-9]{1,32}))?")
_NEVER: Final = -1
_LABEL_CHARS_MAX: Final = 32


class ScheduleError(Exception):
    """`code`: 9, 45, 46, 47, 48 or 49. `fields`: for code 9 the parameters at fault, in documented order (of
    `scheduledDeliveryDate`, `minute`, `time`). `asked`: the date as the documented text of code 9 prints it,
    "21/11/2014 à 8:05" (nothing around the colon where time and minute are missing)."""

    def __init__(self, code: int, fields: tuple[str, ...] = (), asked: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.fields = fields
        self.asked = asked


def read_schedule(day: object, time: object, minute: object, *, now_ms: int) -> int | None:
    """The instant asked for in milliseconds since the epoch, None for "now" (no date, time or minute given).

    The arguments are the values of the request: text, numbers, None or blank text when absent. Raises
    `ScheduleError` and nothing else, whatever they are.
    """
    day, time, minute = _given(day), _given(time), _given(minute)
    if day is None:
        if time is None and minute is None:
            return None
        raise ScheduleError(45)
    asked_day = _read_day(day)
    asked = f"{_label(day)} à {_label(time)}:{_label(minute)}"
    if time is None and minute is None:
        past = asked_day is not None and _day_is_over(asked_day, now_ms)
        raise ScheduleError(9, (DATE, MINUTE, TIME) if past else (MINUTE, TIME), asked)
    if asked_day is not None and _day_is_over(asked_day, now_ms):
        # Past whatever the hour: said first even when the hour is wrong too, for code 9 comes before the
        # others.
        raise ScheduleError(9, (DATE,), asked)
    hour = 0 if time is None else _number(time)
    if hour is None or not 0 <= hour <= 24:
        raise ScheduleError(46)
    minutes = 0 if minute is None else _number(minute)
    if minutes is None:
        raise ScheduleError(47)
    if not 0 <= minutes <= 55 or minutes % 5:
        raise ScheduleError(48)
    at_ms = None if asked_day is None else paris_ms(asked_day, hour, minutes)
    if at_ms is None:
        raise ScheduleError(49)
    if at_ms < now_ms:
        raise ScheduleError(9, (DATE,), asked)
    return at_ms


def paris_ms(day: date, hour: int, minute: int) -> int | None:
    """Milliseconds since the epoch of an instant on the clock of Paris, hours 0 to 24. None if the clock
    never shows it; the first instant if it shows it twice.
    """
    try:
        if hour == 24:
            day, hour = day + timedelta(days=1), 0
        local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=PARIS)
        instant = local.astimezone(UTC)
    except OverflowError:
        # The midnight after the last day that a date can hold.
        return None
    if instant.astimezone(PARIS).replace(tzinfo=None) != local.replace(tzinfo=None):
        return None
    return int(instant.timestamp()) * 1000


def paris_text(at_ms: int) -> str:
    """`YYYY-MM-DD HH:MM:SS` on the clock of Paris, as answers print an instant."""
    return datetime.fromtimestamp(at_ms // 1000, PARIS).strftime("%Y-%m-%d %H:%M:%S")


def _given(value: object) -> object:
    return None if value is None or (isinstance(value, str) and not value.strip()) else value


def _label(value: object) -> str:
    """What the customer wrote, short; other JSON values than text and numbers are not repeated."""
    if isinstance(value, str):
        return value.strip()[:_LABEL_CHARS_MAX]
    return str(value) if isinstance(value, int) and abs(value) < 10**9 else ""


def _read_day(value: object) -> date | None:
    match = _DATE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        return None
    try:
        return date(int(match[3]), int(match[2]), int(match[1]))
    except ValueError:
        return None


def _number(value: object) -> int | None:
    """The integer that a number or its text means, `_NEVER` for a number that is no integer, None for
    anything else.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else _NEVER
    match = _NUMBER.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        return None
    return _NEVER if match[2] is not None and match[2].strip("0") else int(match[1])


def _day_is_over(day: date, now_ms: int) -> bool:
    return day < datetime.fromtimestamp(now_ms // 1000, PARIS).date()
