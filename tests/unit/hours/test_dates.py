"""A date is read as the documentation says, or refused with its number."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chappe.hours.dates import ScheduleError, paris_text, read_schedule

NOW_MS = int(datetime(2026, 11, 24, 9, 0, tzinfo=UTC).timestamp() * 1000)  # 10:00 in Paris


def read(day: Any, time: Any = None, minute: Any = None) -> int | None:
    return read_schedule(day, time, minute, now_ms=NOW_MS)


def utc(*at: int) -> int:
    return int(datetime(*at, tzinfo=UTC).timestamp() * 1000)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("given_", "instant"),
    [
        (("25/11/2026", 8, 30), utc(2026, 11, 25, 7, 30)),
        (("25/11/2026", "08", "05"), utc(2026, 11, 25, 7, 5)),
        ((" 1/7/2027 ", " 8 ", 0.0), utc(2027, 7, 1, 6, 0)),
        (("24/11/2026", 10, 0), NOW_MS),
        (("25/11/2026", 0, 0), utc(2026, 11, 24, 23, 0)),
        (("25/11/2026", 24, 0), utc(2026, 11, 25, 23, 0)),
        (("31/12/2026", "24", None), utc(2026, 12, 31, 23, 0)),
        (("25/11/2026", 8, None), utc(2026, 11, 25, 7, 0)),
        (("25/11/2026", None, 30), utc(2026, 11, 24, 23, 30)),
        (("25/11/2026", "", "30"), utc(2026, 11, 24, 23, 30)),
        (("29/02/2028", 12, 55), utc(2028, 2, 29, 11, 55)),
        (("31/10/2027", 2, 30), utc(2027, 10, 31, 0, 30)),  # the doubled hour: the first
        (("31/10/2027", 3, 0), utc(2027, 10, 31, 2, 0)),
        (("28/03/2027", 1, 55), utc(2027, 3, 28, 0, 55)),
        (("28/03/2027", 3, 0), utc(2027, 3, 28, 1, 0)),
    ],
)
def test_dates_are_on_the_clock_of_paris(given_: tuple[Any, Any, Any], instant: int) -> None:
    assert read(*given_) == instant


def test_nothing_given_means_now() -> None:
    assert read(None) is None
    assert read("", " ", "") is None


@pytest.mark.parametrize(
    ("given_", "code", "fields"),
    [
        (("25/11/2026", None, None), 9, ("minute", "time")),
        (("25/11/2026", "", " "), 9, ("minute", "time")),
        (("21/11/2014", None, None), 9, ("scheduledDeliveryDate", "minute", "time")),
        (("32/11/2026", None, None), 9, ("minute", "time")),
        (("24/11/2026", 9, 55), 9, ("scheduledDeliveryDate",)),
        (("23/11/2026", 24, 0), 9, ("scheduledDeliveryDate",)),
        (("21/11/2014", 99, "x"), 9, ("scheduledDeliveryDate",)),
        (("", 8, 0), 45, ()),
        ((None, 0, 0), 45, ()),
        ((None, None, 5), 45, ()),
        (("25/11/2026", 25, 0), 46, ()),
        (("25/11/2026", -1, 0), 46, ()),
        (("25/11/2026", "8h", 0), 46, ()),
        (("25/11/2026", 8.5, 0), 46, ()),
        (("25/11/2026", True, 0), 46, ()),
        (("25/11/2026", [8], 0), 46, ()),
        (("25/11/2026", 10**400, 0), 46, ()),
        (("25/11/2026", 8, "x"), 47, ()),
        (("25/11/2026", 8, "٥"), 47, ()),
        (("25/11/2026", 8, {}), 47, ()),
        (("25/11/2026", 8, 7), 48, ()),
        (("25/11/2026", 8, 60), 48, ()),
        (("25/11/2026", 8, "-5"), 48, ()),
        (("25/11/2026", 8, 5.5), 48, ()),
        (("25/11/2026", 8, "5.5"), 48, ()),
        (("25/11/2026", 8, float("nan")), 48, ()),
        (("25/11/2026", 8, float("inf")), 48, ()),
        (("31/11/2026", 8, 0), 49, ()),
        (("29/02/2027", 8, 0), 49, ()),
        (("2026-11-25", 8, 0), 49, ()),
        (("25/11/26", 8, 0), 49, ()),
        (("00/00/0000", 8, 0), 49, ()),
        (("٢٥/١١/٢٠٢٦", 8, 0), 49, ()),
        ((20261125, 8, 0), 49, ()),
        (("31/12/9999", 24, 0), 49, ()),
        (("x" * 1_000_000, 8, 0), 49, ()),
        (("28/03/2027", 2, 0), 49, ()),  # the hour that does not exist
        (("28/03/2027", 2, 55), 49, ()),
        (("31/11/2026", 25, "x"), 46, ()),
        (("31/11/2026", 8, "x"), 47, ()),
    ],
)
def test_each_fault_has_its_number_in_the_documented_order(
    given_: tuple[Any, Any, Any], code: int, fields: tuple[str, ...]
) -> None:
    with pytest.raises(ScheduleError) as refused:
        read(*given_)
    assert (refused.value.code, refused.value.fields) == (code, fields)


def test_the_text_of_code_9_repeats_what_was_asked() -> None:
    for given_, asked in (
        (("21/11/2014", None, None), "21/11/2014 à :"),
        (("21/11/2014", 8, "05"), "21/11/2014 à 8:05"),
        (("21/11/2014", "9" * 1000, [1]), "21/11/2014 à " + "9" * 32 + ":"),
    ):
        with pytest.raises(ScheduleError) as refused:
            read(*given_)
        assert refused.value.asked == asked


JSON = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers(), max_size=2)
)
DAYS = st.dates().map(lambda day: f"{day.day:02d}/{day.month:02d}/{day.year:04d}")


@given(DAYS | JSON, st.integers(-1, 25) | JSON, st.integers(-1, 61) | JSON)
def test_any_values_give_an_instant_to_come_or_the_one_error(
    day: object, time: object, minute: object
) -> None:
    refused = None
    at_ms = None
    try:
        at_ms = read_schedule(day, time, minute, now_ms=NOW_MS)
    except ScheduleError as error:
        refused = error
    if refused is None:
        assert at_ms is None or (at_ms >= NOW_MS and at_ms % 300_000 == 0)
    else:
        assert refused.code in (9, 45, 46, 47, 48, 49)
        assert bool(refused.fields) == (refused.code == 9)


def test_instants_are_printed_on_the_clock_of_paris() -> None:
    assert paris_text(NOW_MS + 999) == "2026-11-24 10:00:00"
    assert paris_text(utc(2026, 7, 1, 22, 0)) == "2026-07-02 00:00:00"
