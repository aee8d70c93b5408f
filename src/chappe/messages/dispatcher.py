"""The dispatcher: takes what is due from the outbox, and lets it leave as fast as the operators take it.

One task. What it holds in memory is a view of the database: after a crash the outbox says what waits, the
recipients that are `leaving` say what was on its way, and nothing else is needed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

import structlog

from chappe.messages.lane import (
    Found,
    Lane,
    Loaded,
    free_ownerless,
    give_back_all,
    give_back_one,
    leased_to,
)
from chappe.messages.leave import Ids, Left, is_to_be_sent, let_leave
from chappe.messages.lost import Recovered, goes_again, put_on_record, release, take_ownerless
from chappe.messages.meta import MessageCache
from chappe.messages.outcomes import dlr_event
from chappe.messages.port import Departure, Operator
from chappe.messages.request import OUTBOX_DUE, SANDBOX_ROUTE
from chappe.messages.reroute import move_on
from chappe.messages.routes import Routes
from chappe.messages.states import State
from chappe.storage.database import OutcomeUnknown, Reader, StorageUnavailable, Transaction
from chappe.storage.store import Store
from chappe.webhooks.queue import Event, enqueue_many

_log: structlog.stdlib.BoundLogger = structlog.get_logger("dispatcher")

LEAVE_MAX = 256
"""Recipients in one transaction."""
POLL_S = 0.5
"""The slow poll beside the wake-ups: due dates, and whatever a lost wake-up would strand."""
TROUBLE_S = 1.0
ATTEMPTS_MAX = 5
"""Answers that may be lost before a message is held instead of sent once more."""

LOOK_S = 5.0
"""Between two looks for what a process that died has left, where there are several."""
DOWN_S_MAX = 5.0
"""How long what was taken waits for an operator that is down before other processes may have it."""

_SANDBOX = (
    f"UPDATE recipients SET state = {State.DELIVERED:d}, changed_at_ms = ?"
    f" WHERE message_id = ? AND number = ? AND state = {State.WAITING:d} RETURNING message_id, number, cost_micro"
)
_DONE = "DELETE FROM outbox WHERE message_id = ? AND route = ?"


class Dispatcher:
    """Moves recipients from `waiting` to `leaving` and hands them to their operator.

    `holds_lost` names the operators whose lost answers are held for a person to look at instead of sent again.
    """

    def __init__(
        self,
        store: Store,
        routes: Routes,
        messages: MessageCache,
        *,
        holds_lost: Iterable[str] = (),
        on_events: Callable[[], None],
        on_unexpected: Callable[[], None],
    ) -> None:
        self._on_unexpected = on_unexpected
        self._store = store
        self._presence = store.database.presence
        self._is_shared = store.database.is_shared
        self._owner = self._presence.id
        self._look_at_s = 0.0
        self._routes = routes
        self._messages = messages
        self._holds_lost = frozenset(holds_lost)
        self._on_events = on_events
        self._lanes = [Lane(route.prefix, route.operators) for route in routes.all]
        self._sandbox = Lane(SANDBOX_ROUTE, ())
        self._wake = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None
        self._recovered: list[Recovered] = []
        self._without_route = 0
        self._has_news = True
        """Whether something was accepted, or put into the outbox otherwise, since the last look."""
        self._poll_at_s = 0.0

    async def start(self) -> None:
        """Finds what an earlier process left behind, then works in the background."""
        self._owner = self._presence.id
        self._presence.send_by("sms", [lane.route for lane in self._lanes])
        if not self._is_shared:
            await self._look_for_ownerless()
        self._store.database.listen(OUTBOX_DUE, self.wake)
        self._task = asyncio.create_task(self._run(), name="dispatcher")

    async def stop(self) -> None:
        """Ends after the transaction under way; nothing leaves any more."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            await self._task
        if self._is_shared:
            try:
                await self._store.database.write_light(lambda tx: give_back_all(tx, self._owner))
            except StorageUnavailable:
                pass  # the others find that this process is gone

    def wake(self) -> None:
        """Something new may be due."""
        self._has_news = True
        self._wake.set()

    def has_slots(self) -> None:
        """An operator takes more, or is up."""
        self._wake.set()

    def lost(self, operator: Operator, departures: Sequence[Departure]) -> None:
        """Answers of `operator` that will not come; they are on record as lost already."""
        self._recovered += [
            Recovered(d.message_id, d.number, d.attempt, operator.name, d.left_at_ms) for d in departures
        ]
        self._wake.set()

    async def _run(self) -> None:
        while not self._stopping:
            self._wake.clear()
            try:
                progress = await self._round()
            except StorageUnavailable as error:
                _log.error("the storage is not available", reason=str(error))
                await self._rest(TROUBLE_S)
            except Exception as error:
                # Nothing is lost: what was not committed is loaded again. But it must be seen.
                self._on_unexpected()
                _log.error("an unexpected exception", exc_info=error)
                await self._rest(TROUBLE_S)
            else:
                if not progress:
                    await self._rest(POLL_S)

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            self._has_news = True  # something may have become due

    async def _round(self) -> bool:
        """One look at everything; True when something moved."""
        if self._is_shared:
            await self._mind_the_others()
        if self._recovered:
            await self._take_up_lost()
        await self._load()
        moved = await self._leave()
        moved |= await self._deliver_sandbox()
        return moved

    async def _load(self) -> None:
        """Takes more from the outbox, where there is room for it."""
        now_ms = self._store.clock.now_ms()
        now_s = self._store.clock.monotonic_s()
        if now_s >= self._poll_at_s:
            self._has_news = True
        has_news, self._has_news = self._has_news, False
        if has_news:
            self._poll_at_s = now_s + POLL_S
        lanes = [
            lane
            for lane in (*self._lanes, self._sandbox)
            if (has_news or lane.wants_more()) and self._may_load(lane)
        ]
        if not lanes:
            return
        routes = {lane.route: None if lane is self._sandbox else self._routes for lane in lanes}

        def look(reader: Reader) -> list[tuple[Lane, list[int], list[Found]]]:
            result: list[tuple[Lane, list[int], list[Found]]] = []
            for lane in lanes:
                accounts = lane.look(reader, now_ms, is_shared=self._is_shared)
                found: list[Found] = []
                if accounts and not self._is_shared:
                    found = lane.find(reader, accounts, self._messages, routes[lane.route], now_ms)
                result.append((lane, accounts, found))
            return result

        def lease(tx: Transaction) -> list[tuple[Lane, list[int], list[Found]]]:
            return [
                (
                    lane,
                    accounts,
                    lane.lease(tx, self._owner, accounts, self._messages, routes[lane.route], now_ms),
                )
                for lane, accounts, _ in seen
                if accounts
            ]

        try:
            seen = await self._store.database.read(look)
            if self._is_shared and any(accounts for _, accounts, _ in seen):
                seen = await self._store.database.write_light(lease)
        except BaseException:
            self._has_news = True
            raise
        for lane, _, found in seen:
            lane.take_in(found)

    def _may_load(self, lane: Lane) -> bool:
        # Where there are several processes, one whose operators are down leaves it to the others.
        return not self._is_shared or lane is self._sandbox or lane.operator() is not None

    # --- other processes ----------------------------------------------------------------------------------

    async def _mind_the_others(self) -> None:
        if self._presence.id != self._owner:
            # We were taken for dead: what we held is others' now.
            self._owner = self._presence.id
            for lane in (*self._lanes, self._sandbox):
                lane.forget()
                lane.again.clear()
            self._recovered.clear()
        now_s = self._store.clock.monotonic_s()
        for lane in self._lanes:
            if lane.operator() is not None:
                lane.down_since_s = None
            elif lane.down_since_s is None:
                lane.down_since_s = now_s
            elif now_s - lane.down_since_s > DOWN_S_MAX and (lane.counts or lane.empty or lane.again):
                again = list(lane.again)
                await self._store.database.write_light(lambda tx, lane=lane: lane.give_back(tx, self._owner))
                await self._store.database.write(
                    lambda tx, again=again: release(tx, self._owner, again), background=True
                )
                lane.forget()
                lane.again.clear()
        if now_s >= self._look_at_s:
            self._look_at_s = now_s + LOOK_S
            await self._look_for_ownerless()
            await self._store.database.write_light(self._give_back_forgotten)

    async def _look_for_ownerless(self) -> None:
        owner = self._owner

        def unit(tx: Transaction) -> tuple[list[Recovered], int]:
            if not self._presence.take_dead(tx):
                return [], 0
            free_ownerless(tx)
            return take_ownerless(tx, owner, lambda number: self._routes.find(number) is not None)

        taken, without_route = await self._store.database.write(unit, background=True)
        if without_route > self._without_route:
            _log.error(
                "messages were leaving when their process ended, by a route that this one does not have",
                recipients=without_route,
            )
        self._without_route = without_route
        if taken:
            _log.warning("messages were leaving when their process ended", recipients=len(taken))
            self._recovered += taken

    def _give_back_forgotten(self, tx: Transaction) -> None:
        """Rows that are leased to us and not in memory: a commit that we were told had failed."""
        lanes = {lane.route: lane for lane in (*self._lanes, self._sandbox)}
        for message_id, route in leased_to(tx, self._owner):
            lane = lanes.get(route)
            if lane is None or not lane.holds(message_id):
                give_back_one(tx, self._owner, message_id, route)

    # --- leaving ------------------------------------------------------------------------------------------

    async def _leave(self) -> bool:
        plan: list[tuple[Lane, Operator, list[Loaded]]] = []
        free: dict[Operator, int] = {}
        for lane in self._lanes:
            operator = lane.operator()
            if operator is None:
                continue
            slots = free.setdefault(operator, operator.free_slots)
            taken = lane.take(slots, LEAVE_MAX) if slots > 0 else []
            if taken or lane.empty:
                free[operator] = slots - sum(len(loaded.which) for loaded in taken)
                plan.append((lane, operator, taken))
        if not plan:
            return False
        count = sum(len(taken) for _, _, taken in plan)
        posting_id = await self._store.ids("postings").take(count + 1)
        event_id = await self._store.ids("events").take(count + 1)
        now_ms = self._store.clock.now_ms()

        def unit(tx: Transaction) -> list[tuple[Operator, Left]]:
            result: list[tuple[Operator, Left]] = []
            ids = Ids(posting_id, event_id)  # anew: a unit may be run again
            for lane, operator, taken in plan:
                result.append((operator, self._leave_lane(tx, lane, operator, taken, ids, now_ms)))
            return result

        try:
            results = await self._store.database.write(unit, background=True)
        except OutcomeUnknown as error:
            # What was committed is ours to send: nobody else will, and at the next look nobody waits.
            _log.error("the storage does not say what was committed", reason=str(error))
            results = await self._committed(plan, now_ms)
            if not any(left.departures for _, left in results):
                for lane, _, taken in plan:
                    lane.put_back(taken)
                return True
        except BaseException:
            for lane, _, taken in plan:
                lane.put_back(taken)
            raise
        for lane, _, taken in plan:
            lane.elsewhere.difference_update(lane.empty)
            lane.empty.clear()
            for loaded in taken:
                if not loaded.is_again and lane.gone(loaded.message.id):
                    lane.elsewhere.discard(loaded.message.id)
        for operator, left in results:
            if left.departures:
                operator.submit(left.departures)
        if any(left.has_events for _, left in results):
            self._on_events()
        return True

    async def _committed(
        self, plan: Sequence[tuple[Lane, Operator, list[Loaded]]], now_ms: int
    ) -> list[tuple[Operator, Left]]:
        """What of `plan` leaves, as soon as the storage says so; nothing when the process ends first."""

        def query(reader: Reader) -> list[tuple[Operator, Left]]:
            result: list[tuple[Operator, Left]] = []
            for _, operator, taken in plan:
                all_of_it = [loaded.departure(now_ms) for loaded in taken]
                left = [d for d in all_of_it if is_to_be_sent(reader, d, operator.name, self._owner, now_ms)]
                result.append((operator, Left(left, has_events=True)))
            return result

        while not self._stopping:
            try:
                return await self._store.database.read(query)
            except StorageUnavailable as error:
                _log.error("the storage is not available", reason=str(error))
                await self._rest(TROUBLE_S)
        return []

    def _leave_lane(
        self, tx: Transaction, lane: Lane, operator: Operator, taken: list[Loaded], ids: Ids, now_ms: int
    ) -> Left:
        new = [loaded.departure(now_ms) for loaded in taken if not loaded.is_again]
        left = let_leave(tx, self._messages, operator.name, self._owner, new, ids, now_ms)
        for loaded in taken:
            if loaded.is_again and goes_again(tx, loaded, operator.name, self._owner, now_ms):
                left.departures.append(loaded.departure(now_ms))
        remaining: dict[int, int] = {}
        for departure in new:
            remaining[departure.message_id] = remaining.get(departure.message_id, 0) + 1
        done = [message_id for message_id, gone in remaining.items() if lane.counts.get(message_id) == gone]
        for message_id in lane.elsewhere.intersection((*done, *lane.empty)):
            move_on(tx, self._routes, message_id, lane.route)
        tx.run_many(_DONE, [(message_id, lane.route) for message_id in (*done, *lane.empty)])
        return left

    async def _deliver_sandbox(self) -> bool:
        """Sandbox messages leave nothing: they are delivered where they stand, with their report."""
        lane = self._sandbox
        taken = lane.take(LEAVE_MAX, LEAVE_MAX)
        if not taken and not lane.empty:
            return False
        first_event = await self._store.ids("events").take(len(taken) + 1)
        now_ms = self._store.clock.now_ms()

        def unit(tx: Transaction) -> bool:
            costs = {
                (message_id, number): cost_micro
                for message_id, number, cost_micro in tx.all_many(
                    _SANDBOX, [(now_ms, loaded.message.id, loaded.number) for loaded in taken]
                )
            }
            events: list[Event] = []
            for offset, loaded in enumerate(taken):
                message, number = loaded.message, loaded.number
                cost_micro = costs.get((message.id, number))
                if cost_micro is not None and message.url_dlr:
                    event_id = first_event + offset
                    events.append(dlr_event(event_id, message, number, State.DELIVERED, cost_micro, now_ms))
            enqueue_many(tx, events)
            gone: dict[int, int] = {}
            for loaded in taken:
                gone[loaded.message.id] = gone.get(loaded.message.id, 0) + 1
            done = [message_id for message_id, count in gone.items() if lane.counts.get(message_id) == count]
            tx.run_many(_DONE, [(message_id, lane.route) for message_id in (*done, *lane.empty)])
            return bool(events)

        try:
            has_events = await self._store.database.write(unit, background=True)
        except BaseException:
            lane.put_back(taken)
            raise
        lane.empty.clear()
        for loaded in taken:
            lane.gone(loaded.message.id)
        if has_events:
            self._on_events()
        return True

    # --- what was lost ------------------------------------------------------------------------------------

    async def _take_up_lost(self) -> None:
        """Puts lost answers on record, and their recipients in front of their lane, or holds them."""
        recovered, self._recovered = self._recovered, []
        now_ms = self._store.clock.now_ms()

        def unit(tx: Transaction) -> list[Loaded]:
            again: list[Loaded] = []
            for item in recovered:
                hold = item.operator in self._holds_lost or item.attempt >= ATTEMPTS_MAX
                loaded = put_on_record(tx, self._messages, item, owner=self._owner, hold=hold, now_ms=now_ms)
                if loaded is not None:
                    again.append(loaded)
            return again

        try:
            again = await self._store.database.write(unit, background=True)
        except BaseException:
            self._recovered = recovered + self._recovered
            raise
        lanes = {lane.route: lane for lane in self._lanes}
        for loaded in again:
            route = self._routes.find(loaded.number)
            assert route is not None, "only what has a route here was taken up"
            lanes[route.prefix].again.append(loaded)
