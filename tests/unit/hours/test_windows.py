"""Marketing leaves inside the window of its channel, on the recipient's clock, and is held until it opens."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chappe.hours.windows import DEFAULTS, FRANCE, Calendar, Channel, Window, is_open, next_opening
from chappe.hours.zones import PARIS

REUNION = ZoneInfo("Indian/Reunion")
ZONES = st.sampled_from([PARIS, REUNION, ZoneInfo("America/Martinique"), ZoneInfo("America/Miquelon")])
CHANNELS: st.SearchStrategy[Channel] = st.sampled_from(["sms", "sms-date", "mail", "voice"])
INSTANTS = st.datetimes(datetime(2025, 1, 1), datetime(2035, 1, 1)).map(
    lambda at: int(at.replace(tzinfo=UTC).timestamp() * 1000)
)


def ms(text: str, zone: ZoneInfo = PARIS) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1000)


@pytest.mark.parametrize(
    ("channel", "at", "opens"),
    [
        # 2026: 24 Nov is a Tuesday, 28 Nov a Saturday, 25 Dec a Friday, 14 May Ascension Thursday.
        ("sms", "2026-11-24T07:59:59.999", "2026-11-24T08:00"),
        ("sms", "2026-11-24T08:00", "2026-11-24T08:00"),
        ("sms", "2026-11-24T19:59:59.999", "2026-11-24T19:59:59.999"),
        ("sms", "2026-11-24T20:00", "2026-11-25T08:00"),
        ("sms", "2026-11-28T20:00", "2026-11-30T08:00"),
        ("sms", "2026-11-29T12:00", "2026-11-30T08:00"),
        ("sms", "2026-12-24T21:00", "2026-12-26T08:00"),
        ("sms", "2026-05-14T10:00", "2026-05-15T08:00"),
        ("sms", "2026-12-31T23:00", "2027-01-02T08:00"),
        ("sms-date", "2026-11-24T21:55", "2026-11-24T21:55"),
        ("sms-date", "2026-11-24T22:00", "2026-11-25T08:00"),
        ("mail", "2026-11-28T12:00", "2026-11-28T12:00"),
        ("voice", "2026-11-24T09:59", "2026-11-24T10:00"),
        ("voice", "2026-11-24T13:00", "2026-11-24T14:00"),
        ("voice", "2026-11-24T19:59", "2026-11-24T19:59"),
        ("voice", "2026-11-27T20:00", "2026-11-30T10:00"),
        ("voice", "2026-11-28T11:00", "2026-11-30T10:00"),
        ("voice", "2026-12-24T20:30", "2026-12-28T10:00"),
        ("sms", "2026-03-28T21:00", "2026-03-30T08:00"),  # over the change to summer time
    ],
)
def test_a_message_leaves_at_once_or_at_the_next_opening(channel: Channel, at: str, opens: str) -> None:
    assert next_opening(channel, ms(at), PARIS) == ms(opens)
    assert is_open(channel, ms(at), PARIS) == (at == opens)


def test_the_clock_is_the_recipients() -> None:
    at = ms("2026-11-24T06:00")  # 09:00 in Réunion
    assert not is_open("sms", at, PARIS)
    assert is_open("sms", at, REUNION)
    assert next_opening("sms", ms("2026-12-20T06:00"), REUNION) == ms("2026-12-21T08:00", REUNION)


def test_a_wrong_day_and_a_wrong_hour_are_told_apart() -> None:
    for at, open_day in (
        ("2026-11-29T12:00", False),
        ("2026-12-25T12:00", False),
        ("2026-11-24T23:00", True),
    ):
        assert FRANCE.is_open_day("sms-date", ms(at), PARIS) is open_day
        assert not is_open("sms-date", ms(at), PARIS)


@given(CHANNELS, INSTANTS, ZONES)
def test_the_next_opening_is_open_and_nothing_before_it_is(
    channel: Channel, at_ms: int, zone: ZoneInfo
) -> None:
    opening_ms = next_opening(channel, at_ms, zone)
    assert opening_ms >= at_ms
    assert is_open(channel, opening_ms, zone)
    assert next_opening(channel, opening_ms, zone) == opening_ms
    if opening_ms > at_ms:
        assert not is_open(channel, opening_ms - 1, zone)
        assert not any(is_open(channel, probe, zone) for probe in range(at_ms, opening_ms, 1_800_000))


def test_windows_and_holidays_are_data() -> None:
    calendar = Calendar(
        {**DEFAULTS, "sms": Window.parse("tue,thu", "9:30-12:00")}, frozenset({date(2026, 11, 24)})
    )
    assert calendar.next_opening("sms", ms("2026-11-23T10:00"), PARIS) == ms("2026-11-26T09:30")
    always = Calendar({**DEFAULTS, "sms": Window.parse("mon-sun", "00:00-24:00", on_holidays=True)})
    assert always.is_open("sms", ms("2026-12-25T23:59:59"), PARIS)


def test_an_opening_at_the_clock_change_is_late_on_the_missing_hour_and_there_twice_on_the_doubled_one() -> (
    None
):
    calendar = Calendar({**DEFAULTS, "sms": Window.parse("mon-sun", "02:30-05:00")})
    assert calendar.next_opening("sms", ms("2026-03-29T01:00"), PARIS) == ms("2026-03-29T03:30")
    first_ms = ms("2026-10-25T02:30")
    assert calendar.next_opening("sms", ms("2026-10-25T02:15"), PARIS) == first_ms
    assert (
        calendar.next_opening("sms", first_ms + 45 * 60_000, PARIS) == first_ms + 60 * 60_000
    )  # 02:15 again


@pytest.mark.parametrize(
    ("days", "hours"),
    [("", "8:00-20:00"), ("monday", "8:00-20:00"), ("sat-mon", "8:00-20:00"), ("mon-sat", ""), ("mon", "8-20"),
     ("mon", "20:00-08:00"), ("mon", "08:00-25:00"), ("mon", "08:00-12:00,11:00-13:00"), ("mon", "08:60-09:00")],
)  # fmt: skip
def test_a_window_that_makes_no_sense_is_refused(days: str, hours: str) -> None:
    with pytest.raises(ValueError, match=r"days|hours"):
        Window.parse(days, hours)


def test_a_calendar_that_never_opens_says_so() -> None:
    days = frozenset(date.fromordinal(date(2026, 1, 1).toordinal() + n) for n in range(1000))
    with pytest.raises(ValueError, match="too many extra holidays"):
        Calendar(extra_holidays=days).next_opening("sms", ms("2026-01-01T10:00"), PARIS)
