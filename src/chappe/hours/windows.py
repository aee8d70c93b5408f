"""When marketing messages may leave: a window per channel, as data, and the next time it opens.

Sources: decisions "Marketing hours"; SMS Partner documentation (notes 1.9) for SMS; Code de la consommation
D223-9 for calls. A window opens and closes at minutes of the recipient's own clock: the first minute is
inside, the closing one is not (20:00:00 is too late for 08:00-20:00). Transactional accounts are not
subject to any of this.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from types import MappingProxyType
from typing import Final, Literal
from zoneinfo import ZoneInfo

from chappe.hours.holidays import holidays

Channel = Literal["sms", "sms-date", "mail", "voice"]
"""`sms`: sent at once, else held; `sms-date`: the customer named the date (refused 22 or 23, checked again
on leaving).
"""

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SEARCH_DAYS: Final = 400


def _parse_days(text: str) -> Iterable[int]:
    for part in text.lower().split(","):
        first, dash, last = (word.strip() for word in part.partition("-"))
        try:
            start = _DAYS.index(first)
            end = _DAYS.index(last) if dash else start
        except ValueError:
            raise ValueError(f"days are written mon-fri or mon,wed; {part.strip()!r} is not") from None
        if end < start:
            raise ValueError(f"days run from Monday to Sunday; {part.strip()!r} runs backwards")
        yield from range(start, end + 1)


def _parse_span(text: str) -> tuple[int, int]:
    opens, dash, closes = text.partition("-")
    minutes = [_parse_minute(part) for part in (opens, closes)]
    if not dash or None in minutes:
        raise ValueError(f"hours are written 08:00-20:00; {text.strip()!r} is not")
    return minutes[0] or 0, minutes[1] or 0


def _parse_minute(text: str) -> int | None:
    hour, colon, minute = text.strip().partition(":")
    if not (colon and hour.isdecimal() and minute.isdecimal() and len(hour) <= 2 and len(minute) == 2):
        return None
    at = int(hour) * 60 + int(minute)
    return at if int(minute) < 60 and at <= 24 * 60 else None


@dataclass(frozen=True, slots=True)
class Window:
    """`days`: weekdays, Monday 0. `spans`: (opens, closes) in minutes after midnight, ascending, closing
    time excluded. `on_holidays`: whether public holidays count as ordinary days.
    """

    days: frozenset[int]
    spans: tuple[tuple[int, int], ...]
    on_holidays: bool = False

    def __post_init__(self) -> None:
        if not self.days or not self.days <= set(range(7)) or not self.spans:
            raise ValueError("a window needs days and hours")
        edges = [minute for span in self.spans for minute in span]
        if edges != sorted(set(edges)) or edges[0] < 0 or edges[-1] > 24 * 60:
            raise ValueError("the hours of a window ascend between 00:00 and 24:00 and do not overlap")

    @classmethod
    def parse(cls, days: str, hours: str, *, on_holidays: bool = False) -> "Window":
        """From configuration: days "mon-sat" or "mon,wed,fri", hours "10:00-13:00,14:00-20:00". Raises
        ValueError with a sentence that names the fault.
        """
        return cls(frozenset(_parse_days(days)), tuple(map(_parse_span, hours.split(","))), on_holidays)


DEFAULTS: Final[Mapping[Channel, Window]] = MappingProxyType(
    {
        "sms": Window.parse("mon-sat", "08:00-20:00"),
        "sms-date": Window.parse("mon-sat", "08:00-22:00"),
        "mail": Window.parse("mon-sat", "08:00-20:00"),
        "voice": Window.parse("mon-fri", "10:00-13:00,14:00-20:00"),
    }
)


@dataclass(frozen=True, slots=True)
class Calendar:
    """The windows of every channel and the holidays added by the operator of the server (in every zone)."""

    windows: Mapping[Channel, Window] = field(default_factory=lambda: DEFAULTS)
    extra_holidays: frozenset[date] = frozenset()

    def is_holiday(self, day: date, zone: ZoneInfo) -> bool:
        """Whether this day is a public holiday where the recipient lives."""
        return day in self.extra_holidays or day in holidays(day.year, zone.key)

    def is_open_day(self, channel: Channel, at_ms: int, zone: ZoneInfo) -> bool:
        """Whether the day allows this channel at some hour: a marketing date on another day is refused with
        23, one at a wrong hour with 22.
        """
        return self._allows(self.windows[channel], _local(at_ms, zone).date(), zone)

    def is_open(self, channel: Channel, at_ms: int, zone: ZoneInfo) -> bool:
        """Whether a marketing message may leave at this instant (milliseconds since the epoch) for this
        zone.
        """
        window = self.windows[channel]
        local = _local(at_ms, zone)
        minute = local.hour * 60 + local.minute
        return any(opens <= minute < closes for opens, closes in window.spans) and self._allows(
            window, local.date(), zone
        )

    def next_opening(self, channel: Channel, at_ms: int, zone: ZoneInfo) -> int:
        """The first instant not before `at_ms` (milliseconds) at which the channel is open: itself if it
        is.
        """
        if self.is_open(channel, at_ms, zone):
            return at_ms
        window = self.windows[channel]
        day = _local(at_ms, zone).date()
        for _ in range(_SEARCH_DAYS):
            if self._allows(window, day, zone):
                openings = (
                    time(opens // 60, opens % 60, fold=fold) for opens, _ in window.spans for fold in (0, 1)
                )
                for opening in openings:
                    # Through UTC. In an hour that the clock shows twice there are two openings; in one that
                    # it leaves out the window opens as much later as the clock jumped.
                    local = datetime.combine(day, opening, zone)
                    opening_ms = int(local.astimezone(UTC).timestamp()) * 1000
                    if opening_ms >= at_ms and self.is_open(channel, opening_ms, zone):
                        return opening_ms
            day += timedelta(days=1)
        raise ValueError(
            f"the {channel} window does not open within {_SEARCH_DAYS} days: too many extra holidays"
        )

    def _allows(self, window: Window, day: date, zone: ZoneInfo) -> bool:
        return day.weekday() in window.days and (window.on_holidays or not self.is_holiday(day, zone))


FRANCE: Final = Calendar()


def is_open(channel: Channel, at_ms: int, zone: ZoneInfo) -> bool:
    """`Calendar.is_open` with the default windows."""
    return FRANCE.is_open(channel, at_ms, zone)


def next_opening(channel: Channel, at_ms: int, zone: ZoneInfo) -> int:
    """`Calendar.next_opening` with the default windows."""
    return FRANCE.next_opening(channel, at_ms, zone)


def _local(at_ms: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(at_ms // 1000, zone)
