"""Which event goes next: one lane for each customer's address, so that a dead or slow one holds up no other.

The queue in the database may be long; what is held here is bounded. An event that finds no room in its lane is
left where it is, and the lane remembers from which place on it must be looked for again.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

AT_ONCE_MAX: Final = 128
SLOW_AT_ONCE_MAX: Final = 64
"""Attempts at once by all lanes whose last attempt failed or took long."""
HOST_AT_ONCE_MAX: Final = 48
ACCOUNT_AT_ONCE_MAX: Final = 64
WIDTH_MIN: Final = 4
WIDTH_MAX: Final = 32
"""Attempts at once by one lane: few to begin with, twice as many after each success, half after a failure."""
HELD_MAX: Final = 2048
SLOW_WAITING_MAX: Final = 1024
WAITING_MAX: Final = 64
SLOW_LANE_WAITING_MAX: Final = 16
ACCOUNT_LANES_MAX: Final = 64
SLOW_KEYS_MAX: Final = 10_000

Place = tuple[int, int]
"""Where an event stands in the queue: (due_at_ms, id)."""
_LaneKey = tuple[int, str]


class Claimed(msgspec.Struct, frozen=True, gc=False):
    """A pending event as read from the queue; `attempts` were made before."""

    id: int
    account_id: int
    url: str
    payload: str
    attempts: int
    due_at_ms: int

    @property
    def place(self) -> Place:
        return (self.due_at_ms, self.id)


class Lane:
    """One customer's address. `skipped_from`: events at this place or after it may not have been taken."""

    __slots__ = ("host", "is_being_filled", "is_slow", "key", "skipped_from", "under_way", "waiting", "width")

    def __init__(self, key: _LaneKey, host: str, *, is_slow: bool) -> None:
        self.key = key
        self.host = host
        self.is_slow = is_slow
        self.waiting: deque[Claimed] = deque()
        self.under_way = 0
        self.width = WIDTH_MIN
        self.skipped_from: Place | None = None
        self.is_being_filled = False


class Lanes:
    """Events between the queue and their attempts. Synchronous; belongs to the sender."""

    def __init__(self) -> None:
        self.under_way = 0
        self._lanes: dict[_LaneKey, Lane] = {}
        self._held: dict[int, Lane | None] = {}
        # Lanes with something waiting, in turn: those that work, and those that are slow or fail.
        self._rings: dict[bool, OrderedDict[_LaneKey, Lane]] = {False: OrderedDict(), True: OrderedDict()}
        self._is_slow_turn = False
        self._slow_under_way = 0
        self._slow_waiting = 0
        # Lanes that left events in the queue.
        self._gaps: OrderedDict[_LaneKey, Lane] = OrderedDict()
        # Lanes are forgotten when they are empty; that they were slow is remembered a little longer.
        self._slow_keys: OrderedDict[_LaneKey, None] = OrderedDict()
        self._lanes_of_account: dict[int, int] = {}
        self._under_way_by_host: dict[str, int] = {}
        self._under_way_by_account: dict[int, int] = {}

    def __len__(self) -> int:
        """Events held: waiting, under way, or with a result that is not committed."""
        return len(self._held)

    @property
    def is_full(self) -> bool:
        return len(self._held) >= HELD_MAX

    # --- from the queue -----------------------------------------------------------------------------------

    def offer(self, event: Claimed) -> None:
        """Takes an event that was read from the queue, unless it is held already or its lane has no room."""
        assert not self.is_full
        if event.id in self._held:
            return
        lane = self._lane(event)
        if lane.skipped_from is not None and event.place >= lane.skipped_from:
            return  # after others that are not here yet: oldest first
        if not self._has_room(lane):
            self._skip(lane, event.place)
            return
        lane.waiting.append(event)
        self._slow_waiting += lane.is_slow
        self._held[event.id] = lane
        self._rings[lane.is_slow][lane.key] = lane

    def open_gap(self) -> tuple[Lane, Place] | None:
        """A lane that has room again, and from where to read the queue for it; `close_gap` must follow."""
        if self.is_full:
            return None
        for lane in self._gaps.values():
            if self._has_room(lane, share=2):
                place = lane.skipped_from
                assert place is not None
                del self._gaps[lane.key]
                lane.skipped_from = None
                lane.is_being_filled = True
                return lane, place
        return None

    def close_gap(self, lane: Lane, rest: Place | None) -> None:
        """The queue was read for `lane`: up to `rest`, or to the end."""
        lane.is_being_filled = False
        if rest is not None:
            self._skip(lane, rest)
        self._drop_if_empty(lane)

    # --- attempts -----------------------------------------------------------------------------------------

    def next(self, at_once_max: int = AT_ONCE_MAX) -> Claimed | None:
        """The event whose attempt begins now; None when nothing may begin. Lanes take turns."""
        if self.under_way >= at_once_max:
            return None
        for is_slow in (self._is_slow_turn, not self._is_slow_turn):
            if is_slow and self._slow_under_way >= SLOW_AT_ONCE_MAX:
                continue
            lane = next(filter(self._may_begin, self._rings[is_slow].values()), None)
            if lane is not None:
                self._is_slow_turn = not is_slow
                return self._begin(lane)
        return None

    def finished(self, event: Claimed, *, ok: bool, long: bool) -> None:
        """An attempt ended. The event stays held until `forget`, when its result is committed."""
        lane = self._held[event.id]
        assert lane is not None, "an attempt ends once"
        self._held[event.id] = None
        lane.under_way -= 1
        self.under_way -= 1
        self._slow_under_way -= lane.is_slow
        _count(self._under_way_by_host, lane.host, -1)
        _count(self._under_way_by_account, event.account_id, -1)
        lane.width = min(WIDTH_MAX, lane.width * 2) if ok else max(WIDTH_MIN, lane.width // 2)
        self._set_slow(lane, long or not ok)
        self._drop_if_empty(lane)

    def forget(self, event: Claimed) -> None:
        """The event's result is committed."""
        assert self._held[event.id] is None, "its attempt is under way"
        del self._held[event.id]

    # --- within -------------------------------------------------------------------------------------------

    def _lane(self, event: Claimed) -> Lane:
        address, host = _address(event.url)
        key = (event.account_id, address)
        lane = self._lanes.get(key)
        if lane is None and self._lanes_of_account.get(event.account_id, 0) >= ACCOUNT_LANES_MAX:
            # Whoever has an address for each message shares one lane among all further ones.
            key, host = (event.account_id, ""), f"account {event.account_id}"
            lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(key, host, is_slow=key in self._slow_keys)
            _count(self._lanes_of_account, event.account_id, 1)
        return lane

    def _has_room(self, lane: Lane, share: int = 1) -> bool:
        if lane.is_slow:
            return (
                len(lane.waiting) < SLOW_LANE_WAITING_MAX // share and self._slow_waiting < SLOW_WAITING_MAX
            )
        return len(lane.waiting) < WAITING_MAX // share

    def _skip(self, lane: Lane, place: Place) -> None:
        if lane.skipped_from is None or place < lane.skipped_from:
            lane.skipped_from = place
        self._gaps[lane.key] = lane

    def _may_begin(self, lane: Lane) -> bool:
        return (
            lane.under_way < lane.width
            and self._under_way_by_host.get(lane.host, 0) < HOST_AT_ONCE_MAX
            and self._under_way_by_account.get(lane.key[0], 0) < ACCOUNT_AT_ONCE_MAX
        )

    def _begin(self, lane: Lane) -> Claimed:
        event = lane.waiting.popleft()
        ring = self._rings[lane.is_slow]
        if lane.waiting:
            ring.move_to_end(lane.key)
        else:
            del ring[lane.key]
        lane.under_way += 1
        self.under_way += 1
        self._slow_waiting -= lane.is_slow
        self._slow_under_way += lane.is_slow
        _count(self._under_way_by_host, lane.host, 1)
        _count(self._under_way_by_account, event.account_id, 1)
        return event

    def _set_slow(self, lane: Lane, is_slow: bool) -> None:
        if is_slow == lane.is_slow:
            return
        sign = 1 if is_slow else -1
        self._slow_waiting += sign * len(lane.waiting)
        self._slow_under_way += sign * lane.under_way
        if lane.waiting:
            del self._rings[lane.is_slow][lane.key]
            self._rings[is_slow][lane.key] = lane
        lane.is_slow = is_slow
        if is_slow:
            self._slow_keys[lane.key] = None
            if len(self._slow_keys) > SLOW_KEYS_MAX:
                self._slow_keys.popitem(last=False)
        else:
            self._slow_keys.pop(lane.key, None)

    def _drop_if_empty(self, lane: Lane) -> None:
        if lane.waiting or lane.under_way or lane.skipped_from is not None or lane.is_being_filled:
            return
        del self._lanes[lane.key]
        _count(self._lanes_of_account, lane.key[0], -1)


def _count(counts: dict[Any, int], key: str | int, change: int) -> None:
    count = counts.get(key, 0) + change
    if count:
        counts[key] = count
    else:
        del counts[key]


@lru_cache(maxsize=4096)
def _address(url: str) -> tuple[str, str]:
    """What tells one receiver from another (all before the query), and its host."""
    address = url.partition("?")[0]
    try:
        return address, urlsplit(address).netloc.rpartition("@")[2].lower()
    except ValueError:
        return address, ""
