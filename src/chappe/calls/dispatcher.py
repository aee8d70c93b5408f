"""The dispatcher of calls: takes callees that are due, looks at the rules once more, and hands them to a trunk.

One task. What it holds in memory is a view of the database: after a crash the callees that wait say what is to be
called, those that are `calling` or `answered` what was on its way, and nothing else is needed.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import Final

import structlog

from chappe.calls.campaign import CampaignCache, Scripts
from chappe.calls.due import Due, DueCallees
from chappe.calls.expire import expire
from chappe.calls.failover import in_order
from chappe.calls.finish import Ids
from chappe.calls.leave import is_to_be_made, let_call
from chappe.calls.lost import recover
from chappe.calls.port import CallOrder, Script, Trunk
from chappe.calls.prepared import PreparedScripts
from chappe.calls.rate import CallRate
from chappe.calls.routes import CallRoutes
from chappe.storage.database import OutcomeUnknown, Reader, StorageUnavailable, Transaction
from chappe.storage.store import Store

_log: structlog.stdlib.BoundLogger = structlog.get_logger("calls")

LEAVE_MAX: Final = 64
"""Calls that begin in one transaction."""
LOOK_S: Final = 5.0
"""Between two looks for what a process that died has left, where there are several."""
POLL_S: Final = 0.5
"""The slow poll beside the wake-ups: due dates, and whatever a lost wake-up would strand."""
TROUBLE_S: Final = 1.0
EXPIRE_EVERY_S: Final = 60.0


class CallDispatcher:
    """Moves callees from `waiting` to `calling` and hands them to a trunk.

    `resends_lost` names the trunks whose calls are made again when the server died while they rang.
    """

    def __init__(
        self,
        store: Store,
        routes: CallRoutes,
        campaigns: CampaignCache,
        scripts: Scripts,
        *,
        ring_s_max: int,
        account_calls_max: int,
        account_calls_per_second: float,
        resends_lost: Collection[str],
        on_events: Callable[[], None],
        on_unexpected: Callable[[], None],
    ) -> None:
        self._store = store
        self._routes = routes
        self._campaigns = campaigns
        self._scripts = PreparedScripts(scripts, store.clock, self.wake, on_unexpected)
        self._ring_s_max = ring_s_max
        self._account_calls_max = account_calls_max
        self._account_calls_per_second = account_calls_per_second
        self._due = DueCallees(campaigns)
        self._rates: dict[int, CallRate] = {}
        """By account; only while somebody of it waits or was called a moment ago."""
        self._resends_lost = frozenset(resends_lost)
        self._on_events = on_events
        self._on_unexpected = on_unexpected
        self._of_account: Counter[int] = Counter()
        self._account_of: dict[tuple[int, int, int], int] = {}
        """By call that is on its way."""
        self._look_at_s = 0.0
        self._expire_at_s = 0.0
        self._wake = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Settles what an earlier process left on its way, then works in the background."""
        if not self._store.database.is_shared:
            await self._recover()
        self._task = asyncio.create_task(self._run(), name="call-dispatcher")

    async def stop(self) -> None:
        """Ends after the transaction under way; no call begins any more."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            await self._task
        await self._scripts.stop()

    def wake(self) -> None:
        """Somebody is due, or a trunk has room."""
        self._wake.set()

    def ended(self, order: CallOrder) -> None:
        """A call is over, and its outcome committed."""
        account_id = self._account_of.pop((order.campaign_id, order.number, order.attempt), None)
        if account_id is not None:
            self._of_account[account_id] -= 1
            if not self._of_account[account_id]:
                del self._of_account[account_id]
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
                    await self._rest(self._pace_s())

    async def _recover(self) -> None:
        await self._store.database.write(self._store.database.presence.take_dead, background=True)
        if await recover(self._store, self._campaigns, self._resends_lost):
            self._on_events()

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _round(self) -> bool:
        """One look at who is due; True when somebody was called or ruled out, or there is more to look at."""
        if self._store.database.is_shared and self._store.clock.monotonic_s() >= self._look_at_s:
            self._look_at_s = self._store.clock.monotonic_s() + LOOK_S
            await self._recover()
        if self._store.clock.monotonic_s() >= self._expire_at_s:
            self._expire_at_s = self._store.clock.monotonic_s() + EXPIRE_EVERY_S
            if await expire(self._store, self._campaigns):
                self._on_events()
        plan, has_begun = await self._plan()
        if not plan:
            return has_begun or not self._due.is_at_start
        ids = Ids(
            await self._store.ids("postings").take(len(plan)),
            await self._store.ids("events").take(2 * len(plan)),
        )
        now_ms = self._store.clock.now_ms()
        owner = self._store.database.presence.id

        def unit(tx: Transaction) -> list[bool]:
            ids.anew()
            return [let_call(tx, due, trunk.name, owner, ids, now_ms) for due, trunk, _ in plan]

        try:
            leaves = await self._store.database.write(unit, background=True)
            has_events = ids.events > 0
        except OutcomeUnknown as error:
            # What was committed is ours to call: nobody else will, and at the next look nobody waits.
            _log.error("the storage does not say what was committed", reason=str(error))
            leaves = await self._read(
                lambda reader: [
                    is_to_be_made(reader, due, trunk.name, owner, now_ms) for due, trunk, _ in plan
                ]
            )
            has_events = True
        for (due, trunk, script), is_called in zip(plan, leaves, strict=False):
            if not is_called:
                continue
            self._of_account[due.campaign.account_id] += 1
            if self._account_calls_per_second:
                self._rate(due.campaign.account_id).took()
            attempt = due.attempts + 1
            self._account_of[due.campaign.id, due.number, attempt] = due.campaign.account_id
            trunk.call(
                CallOrder(
                    campaign_id=due.campaign.id,
                    number=due.number,
                    attempt=attempt,
                    sender=due.campaign.sender,
                    script=script,
                    ring_s_max=self._ring_s_max,
                    left_at_ms=now_ms,
                )
            )
        if has_events:
            self._on_events()
        return True

    async def _read(self, query: Callable[[Reader], list[bool]]) -> list[bool]:
        """As soon as the storage is there; nothing when the process ends first."""
        while not self._stopping:
            try:
                return await self._store.database.read(query)
            except StorageUnavailable as error:
                _log.error("the storage is not available", reason=str(error))
                await self._rest(TROUBLE_S)
        return []

    async def _plan(self) -> tuple[list[tuple[Due, Trunk, Script]], bool]:
        """Who is called next, by which trunk, and what is played: as many as there are places for. And whether
        what others will play is being made ready, so that the next look goes past them.
        """
        free = {trunk: trunk.free_calls for trunk in self._routes.trunks if trunk.is_up}
        if not any(free.values()):
            return [], False
        now_ms = self._store.clock.now_ms()

        def can_call(due: Due) -> bool:
            return self._trunk_for(due, free) is not None

        dues = await self._store.database.read(
            lambda reader: self._due.look(reader, now_ms, self._room, self._scripts.can_have, can_call)
        )
        has_begun = await self._scripts.prepare(due.campaign for due in dues)
        plan: list[tuple[Due, Trunk, Script]] = []
        for due in dues:
            if len(plan) == LEAVE_MAX:
                break
            trunk, script = self._trunk_for(due, free), self._scripts.get(due.campaign)
            if trunk is None or script is None:
                continue
            free[trunk] -= 1
            plan.append((due, trunk, script))
        return plan, has_begun

    def _room(self, account_id: int) -> int:
        """How many calls of an account may begin now."""
        room = self._account_calls_max - self._of_account[account_id]
        if self._account_calls_per_second:
            room = min(room, self._rate(account_id).allowance(self._store.clock.monotonic_s()))
        return min(room, LEAVE_MAX)

    def _rate(self, account_id: int) -> CallRate:
        rate = self._rates.get(account_id)
        if rate is None:
            now_s = self._store.clock.monotonic_s()
            rate = self._rates[account_id] = CallRate(self._account_calls_per_second, now_s)
        return rate

    def _pace_s(self) -> float:
        """How long to rest: until an account that waits for its pace may call again, or the next poll."""
        now_s = self._store.clock.monotonic_s()
        rest_s = POLL_S
        for account_id, rate in list(self._rates.items()):
            if rate.is_full(now_s):
                del self._rates[account_id]
            elif wait_s := rate.next_s(now_s):
                rest_s = min(rest_s, wait_s)
        return rest_s

    def _trunk_for(self, due: Due, free: Mapping[Trunk, int]) -> Trunk | None:
        trunks = self._routes.find(due.number)
        for trunk in in_order(trunks, due.refused_by) if due.refused_by else trunks:
            if free.get(trunk, 0) > 0:
                return trunk
        return None
