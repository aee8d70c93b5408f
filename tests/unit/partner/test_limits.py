"""Limits per account: exact windows up to 60 a minute, GCRA above, bounded memory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chappe.partner.limits import Decision, Gcra, Limit, SlidingWindow, decide, headers, limiter

FIVE = Limit(5, 60)
UNIX_MS = 1_767_596_400_000


def window_allowed(window: SlidingWindow | Gcra, account: int, times_ms: list[int]) -> list[bool]:
    return [window.check(account, now_ms, UNIX_MS + now_ms).allowed for now_ms in times_ms]


@pytest.mark.parametrize(
    ("limit", "exact"),
    [(Limit(5, 60), True), (Limit(60, 60), True), (Limit(2000, 3600), True), (Limit(61, 60), False)],
)
def test_up_to_60_a_minute_is_counted_exactly_and_more_by_gcra(limit: Limit, exact: bool) -> None:
    assert isinstance(limiter(limit), SlidingWindow if exact else Gcra)


def test_five_a_minute_are_five_in_any_minute() -> None:
    window = SlidingWindow(FIVE)
    assert window_allowed(window, 1, [0, 0, 10_000, 20_000, 30_000]) == [True] * 5
    assert window_allowed(window, 1, [30_001, 59_999]) == [False] * 2
    assert window_allowed(window, 1, [60_000, 60_000, 60_000]) == [True, True, False]
    assert window_allowed(window, 1, [69_999, 70_000, 70_000]) == [False, True, False]


def test_refused_requests_do_not_count() -> None:
    window = SlidingWindow(Limit(1, 60))
    assert window_allowed(window, 1, [0, 59_999, 60_000]) == [True, False, True]


@pytest.mark.parametrize("limit", [FIVE, Limit(300, 60)])
def test_accounts_are_counted_apart(limit: Limit) -> None:
    counter = limiter(limit)
    assert all(window_allowed(counter, 1, [0] * limit.requests))
    assert not counter.check(1, 0, UNIX_MS).allowed
    assert counter.check(2, 0, UNIX_MS).allowed


def test_a_window_tells_what_is_left_and_when_it_opens_again() -> None:
    window = SlidingWindow(FIVE)
    first = window.check(1, 1_000, UNIX_MS + 1_000)
    assert first == Decision(True, 5, 4, UNIX_MS // 1000 + 61, 0)
    for now_ms in (2_000, 3_000, 4_000, 5_000):
        window.check(1, now_ms, UNIX_MS + now_ms)
    assert window.check(1, 11_500, UNIX_MS + 11_500) == Decision(False, 5, 0, UNIX_MS // 1000 + 61, 50)
    assert window.check(1, 60_999, UNIX_MS + 60_999).retry_after_s == 1
    assert window.check(1, 61_000, UNIX_MS + 61_000) == Decision(True, 5, 0, UNIX_MS // 1000 + 62, 0)


@given(st.integers(1, 8), st.lists(st.integers(0, 5_000), max_size=120))
def test_a_window_never_gives_more_and_never_less_than_its_limit(requests: int, gaps_ms: list[int]) -> None:
    window = SlidingWindow(Limit(requests, 10))
    allowed_ms: list[int] = []
    now_ms = 0
    for gap_ms in gaps_ms:
        now_ms += gap_ms
        counted = sum(1 for then_ms in allowed_ms if then_ms > now_ms - 10_000)
        decision = window.check(1, now_ms, UNIX_MS + now_ms)
        assert decision.allowed is (counted < requests)
        assert decision.remaining == max(0, requests - counted - 1)
        if decision.allowed:
            allowed_ms.append(now_ms)
        else:
            # Coming back when told is early enough, and a second before would not have been.
            oldest_ms = allowed_ms[-requests]
            free_ms = oldest_ms + 10_000 - now_ms
            assert 0 < free_ms <= decision.retry_after_s * 1000 < free_ms + 1000


def test_a_window_shared_through_storage_gives_the_same_decisions() -> None:
    window = SlidingWindow(FIVE)
    stored: list[int] = []
    for now_ms in range(0, 300_000, 7_919):
        decision = decide(stored, FIVE, now_ms, UNIX_MS + now_ms)
        assert decision == window.check(1, now_ms, UNIX_MS + now_ms)
        if decision.allowed:
            stored.append(now_ms)


def test_a_lowered_limit_waits_for_enough_to_leave() -> None:
    assert decide([0, 10_000, 20_000], Limit(1, 60), 30_000, UNIX_MS) == Decision(
        False, 1, 0, UNIX_MS // 1000 + 50, 50
    )


def test_gcra_gives_its_burst_at_once_and_then_its_rate() -> None:
    counter = Gcra(Limit(100, 10))
    assert all(window_allowed(counter, 1, [0] * 100))
    assert window_allowed(counter, 1, [0, 99, 100, 100, 199, 200]) == [False, False, True, False, False, True]
    assert all(window_allowed(counter, 1, [60_000] * 100))
    assert window_allowed(counter, 1, [60_000]) == [False]


def test_gcra_tells_what_is_left_and_when() -> None:
    counter = Gcra(Limit(100, 10))
    assert counter.check(1, 500, UNIX_MS) == Decision(True, 100, 99, UNIX_MS // 1000 + 1, 0)
    for _ in range(99):
        last = counter.check(1, 500, UNIX_MS)
    assert last.remaining == 0
    assert counter.check(1, 500, UNIX_MS) == Decision(False, 100, 0, UNIX_MS // 1000 + 11, 1)


@given(st.integers(1, 50), st.lists(st.integers(0, 3_000), max_size=200))
def test_gcra_gives_at_most_its_burst_and_its_rate(requests: int, gaps_ms: list[int]) -> None:
    counter = Gcra(Limit(requests, 5))
    now_ms = allowed = 0
    for gap_ms in gaps_ms:
        now_ms += gap_ms
        decision = counter.check(1, now_ms, UNIX_MS + now_ms)
        assert 0 <= decision.remaining < requests
        assert decision.allowed is (decision.retry_after_s == 0)
        allowed += decision.allowed
        assert allowed <= requests + requests * now_ms // 5_000 + 1
        if not decision.allowed:
            later_ms = now_ms + decision.retry_after_s * 1000
            assert later_ms <= now_ms + 6_000


@pytest.mark.parametrize("processes", [1, 2, 4, 7])
def test_processes_share_gcra_between_them(processes: int) -> None:
    counters = [Gcra(Limit(1000, 60), processes) for _ in range(processes)]
    allowed = sum(counter.check(1, 0, UNIX_MS).allowed for _ in range(1500) for counter in counters)
    assert 1000 - processes < allowed <= 1000
    assert all(counter.check(2, 0, UNIX_MS).limit == 1000 for counter in counters)


def test_more_processes_than_requests_leave_one_request_to_each() -> None:
    assert Gcra(Limit(61, 1), 100).check(1, 0, UNIX_MS).allowed


@pytest.mark.parametrize("limit", [FIVE, Limit(300, 60)])
def test_idle_accounts_are_forgotten(limit: Limit) -> None:
    counter = limiter(limit)
    for account in range(10_000):
        counter.check(account, 0, UNIX_MS)
    assert len(counter) == 10_000
    for now_ms in range(0, 200_000, 30_000):
        counter.check(1, now_ms, UNIX_MS)
    assert len(counter) == 1


@pytest.mark.parametrize("limit", [FIVE, Limit(300, 60)])
@pytest.mark.parametrize("start_ms", [0, 59_999, 10**12])
def test_forgetting_never_gives_a_request_too_many(limit: Limit, start_ms: int) -> None:
    counter = limiter(limit)
    counter.check(2, start_ms - start_ms % 60_000, UNIX_MS)
    times_ms = [start_ms + n * 60_000 // limit.requests for n in range(limit.requests)]
    assert all(window_allowed(counter, 1, times_ms))
    if isinstance(counter, SlidingWindow):
        assert window_allowed(counter, 1, [start_ms + 59_999]) == [False]


def test_the_headers_of_a_limit() -> None:
    assert headers(Decision(True, 5, 3, UNIX_MS // 1000, 0)) == [
        (b"x-ratelimit-limit", b"5"),
        (b"x-ratelimit-remaining", b"3"),
        (b"x-ratelimit-reset", b"1767596400"),
    ]
    assert headers(Decision(False, 5, 0, 7, 12))[-1] == (b"retry-after", b"12")
