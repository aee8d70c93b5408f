"""The eleven public holidays of the Code du travail, and the overseas day."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chappe.hours.holidays import easter, holidays


@pytest.mark.parametrize(
    "sunday",
    # Almanac dates, with the earliest and the latest Easter that can be.
    ["1818-03-22", "1943-04-25", "2000-04-23", "2008-03-23", "2011-04-24", "2024-03-31", "2025-04-20", "2026-04-05",
     "2027-03-28", "2028-04-16", "2029-04-01", "2030-04-21", "2038-04-25", "2285-03-22"],
)  # fmt: skip
def test_easter_falls_where_the_almanac_says(sunday: str) -> None:
    assert easter(int(sunday[:4])).isoformat() == sunday


@given(st.integers(1583, 9999))
def test_easter_is_a_sunday_between_22_march_and_25_april(year: int) -> None:
    assert easter(year).weekday() == 6
    assert date(year, 3, 22) <= easter(year) <= date(year, 4, 25)


def test_the_holidays_of_2026() -> None:
    assert sorted(day.isoformat()[5:] for day in holidays(2026)) == [
        "01-01", "04-06", "05-01", "05-08", "05-14", "05-25", "07-14", "08-15", "11-01", "11-11", "12-25",
    ]  # fmt: skip


@given(st.integers(1583, 9998))
def test_there_are_eleven_unless_two_fall_together(year: int) -> None:
    days = holidays(year)
    assert 10 <= len(days) <= 11  # Ascension on 1 or 8 May, Whit Monday never
    assert easter(year) + timedelta(days=1) in days


def test_overseas_departments_have_one_day_more() -> None:
    assert holidays(2026, "Indian/Reunion") - holidays(2026) == {date(2026, 12, 20)}
    assert holidays(2026, "America/Martinique") - holidays(2026) == {date(2026, 5, 22)}
    assert holidays(2026, "Pacific/Noumea") == holidays(2026)
