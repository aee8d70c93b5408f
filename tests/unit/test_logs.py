"""What is logged, and what is not."""

from __future__ import annotations

from chappe.logs import Sparing


def test_of_many_lines_of_one_kind_some_a_minute_are_logged_and_the_rest_is_counted() -> None:
    sparing = Sparing(lines_max=2, every_s=60)
    assert [sparing.kept_back(0), sparing.kept_back(1)] == [0, 0]
    assert [sparing.kept_back(2 + i) for i in range(10)] == [None] * 10
    assert [sparing.kept_back(60), sparing.kept_back(61), sparing.kept_back(62)] == [10, 0, None]
    assert sparing.kept_back(1000) == 1
