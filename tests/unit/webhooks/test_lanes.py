"""Lanes: whatever the answers, every event has its turn once, the bounds hold, and nothing is left in memory."""

from __future__ import annotations

import random

import pytest

from chappe.webhooks import lanes
from chappe.webhooks.lanes import Claimed, Lanes, Place
from chappe.webhooks.reading import PAGE_ROWS, offer_page


class Queue:
    """The table, as the reading sees it."""

    def __init__(self, events: list[Claimed]) -> None:
        self.pending = {event.place: event for event in sorted(events, key=lambda event: event.place)}

    def page(self, start: Place) -> list[Claimed]:
        return [event for place, event in self.pending.items() if place >= start][:PAGE_ROWS]


def event(id: int, *, account: int = 1, url: str = "http://a.example/", due_at_ms: int = 0) -> Claimed:
    return Claimed(id, account, url, "{}", 0, due_at_ms)


@pytest.mark.parametrize("seed", range(20))
def test_every_event_has_one_turn_whatever_the_answers(seed: int) -> None:
    choose = random.Random(seed)
    urls = [f"http://h{n % 7}.example/{n}" for n in range(choose.choice([1, 3, 40, 300]))]
    failing = set(choose.sample(urls, k=len(urls) // 3))
    events = [
        event(n, account=choose.randrange(1, 4), url=choose.choice(urls), due_at_ms=choose.randrange(1000))
        for n in range(3000)
    ]
    queue, held = Queue(events), Lanes()
    place: Place | None = (0, 0)
    under_way: list[Claimed] = []
    uncommitted: list[Claimed] = []
    begun: list[int] = []
    for _ in range(100_000):
        if place is not None and not held.is_full:
            place = offer_page(held, queue.page(place))
        gap = held.open_gap()
        if gap is not None:
            lane, start = gap
            held.close_gap(lane, offer_page(held, queue.page(start)))
        while (claimed := held.next()) is not None:
            under_way.append(claimed)
            begun.append(claimed.id)
        assert held.under_way == len(under_way) <= lanes.AT_ONCE_MAX
        assert len(held) <= lanes.HELD_MAX
        for account in (1, 2, 3):
            assert sum(e.account_id == account for e in under_way) <= lanes.ACCOUNT_AT_ONCE_MAX
        for _ in range(choose.randrange(1, 40)):
            if under_way:
                ended = under_way.pop(choose.randrange(len(under_way)))
                ok = ended.url not in failing
                held.finished(ended, ok=ok, long=choose.random() < 0.1)
                uncommitted.append(ended)
        if choose.random() < 0.5 or not under_way:
            for ended in uncommitted:
                del queue.pending[ended.place]
                held.forget(ended)
            uncommitted = []
        if not queue.pending:
            break
    while (gap := held.open_gap()) is not None:
        held.close_gap(gap[0], None)
    assert sorted(begun) == [e.id for e in events]
    assert len(held) == 0
    assert not held._lanes
    assert not held._lanes_of_account
    assert not held._under_way_by_host
    assert not held._under_way_by_account
    assert held._slow_waiting == held._slow_under_way == 0


def test_a_lane_begins_narrow_widens_with_success_and_narrows_with_failure() -> None:
    held = Lanes()
    for n in range(64):
        held.offer(event(n))

    def begin() -> list[Claimed]:
        begun = []
        while (claimed := held.next()) is not None:
            begun.append(claimed)
        return begun

    first = begin()
    assert [claimed.id for claimed in first] == [0, 1, 2, 3]
    held.finished(first[0], ok=True, long=False)
    assert len(begin()) == 5, "eight at once"
    for claimed in first[1:]:
        held.finished(claimed, ok=False, long=False)
    assert begin() == [], "four at once again, while five are under way"


def test_an_account_with_an_address_for_each_message_does_not_crowd_out_the_others() -> None:
    held = Lanes()
    for n in range(1000):
        held.offer(event(n, url=f"http://h{n}.example/"))
    assert len(held._lanes) == lanes.ACCOUNT_LANES_MAX + 1
    held.offer(event(2000, account=2, url="http://other.example/"))
    begun = [held.next() for _ in range(lanes.AT_ONCE_MAX)]
    assert sum(e is not None and e.account_id == 1 for e in begun) == lanes.ACCOUNT_AT_ONCE_MAX
    assert any(e is not None and e.account_id == 2 for e in begun)


def test_the_query_does_not_tell_receivers_apart_and_the_path_does() -> None:
    held = Lanes()
    held.offer(event(1, url="http://a.example/x?n=1"))
    held.offer(event(2, url="http://a.example/x?n=2"))
    held.offer(event(3, url="http://a.example/y"))
    assert len(held._lanes) == 2


def test_that_a_receiver_was_slow_is_remembered_when_its_lane_is_gone() -> None:
    held = Lanes()
    held.offer(event(1))
    claimed = held.next()
    assert claimed is not None
    held.finished(claimed, ok=False, long=True)
    held.forget(claimed)
    assert not held._lanes
    held.offer(event(2))
    assert [lane.is_slow for lane in held._lanes.values()] == [True]
    assert held._slow_waiting == 1
