"""The sender: takes due events from the queue, posts them, puts the results on record. At least once, oldest first.

What it holds in memory is a bounded view of the queue (lanes.py). An event whose attempt is under way is an
ordinary pending row: after a crash it is found again and posted again. One sender works on a database.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog

from chappe.accounts.account import AccountRefused
from chappe.http.outgoing import AddressNotAllowed, NotAnswered, Outgoing
from chappe.storage.database import StorageUnavailable
from chappe.storage.store import Store
from chappe.webhooks.lanes import AT_ONCE_MAX, Claimed, Lanes, Place
from chappe.webhooks.outcome import Outcome, put_on_record
from chappe.webhooks.purge import KEPT_DAYS, PURGE_EVERY_S, PURGE_REST_S, Purge
from chappe.webhooks.reading import LATE_MS, SWEEP_S, SWEEP_SHARE, due_page, next_due_at_ms, offer_page
from chappe.webhooks.secret import webhook_secret
from chappe.webhooks.signature import signed_headers

LONG_S = 2.0
"""An attempt that takes longer makes its lane a slow one."""
YIELDING_AT_ONCE_MAX = 16
"""Attempts at once while requests wait: accepting goes before calling back."""
COMMIT_MAX = 500
TROUBLE_S = 1.0
STOP_S_MAX = 1.5

_log: structlog.stdlib.BoundLogger = structlog.get_logger("webhooks")


class Handle(Protocol):
    """A timer that may be cancelled."""

    def cancel(self) -> None: ...


CallLater = Callable[[float, Callable[[], object]], Handle]
"""Calls a function after some seconds, as `loop.call_later` does."""


class WebhookSender:
    """Delivers events in the background, from `start` to `stop`.

    `yields` says whether requests wait at this moment; `on_unexpected` counts faults of ours. `call_later` and the
    store's clock are the only time it knows.
    """

    def __init__(
        self,
        store: Store,
        outgoing: Outgoing,
        *,
        yields: Callable[[], bool] = lambda: False,
        on_unexpected: Callable[[], None] = lambda: None,
        call_later: CallLater | None = None,
        kept_days: int = KEPT_DAYS,
    ) -> None:
        self._store = store
        self._outgoing = outgoing
        self._yields = yields
        self._on_unexpected = on_unexpected
        self._call_later: CallLater = call_later or asyncio.get_running_loop().call_later
        self._purge = Purge(store, kept_days)
        self._lanes = Lanes()
        self._place: Place = (0, 0)
        self._is_at_end = False
        self._read_to_ms = 0
        self._sweep: Place | None = None
        self._sweep_after_s = 0.0
        self._sweep_began_s = 0.0
        self._woken = asyncio.Event()
        self._alarm: Handle | None = None
        self._attempts: set[asyncio.Task[None]] = set()
        self._outcomes: list[Outcome] = []
        self._has_outcomes = asyncio.Event()
        self._stopping = False
        self._all_ended = False
        self._reading_task: asyncio.Task[None] | None = None
        self._recording_task: asyncio.Task[None] | None = None
        self._purging_task: asyncio.Task[None] | None = None
        self.delivered_total = 0
        self.failed_total = 0
        self.exhausted_total = 0

    @property
    def under_way(self) -> int:
        """Attempts at this moment."""
        return self._lanes.under_way

    async def start(self) -> None:
        """Finds what an earlier process left, then works in the background."""
        assert self._reading_task is None, "started once"
        self._sweep_after_s = self._store.clock.monotonic_s() + SWEEP_S
        self._reading_task = asyncio.create_task(self._read_forever(), name="webhooks")
        self._recording_task = asyncio.create_task(self._record_forever(), name="webhook-results")
        self._purging_task = asyncio.create_task(self._purge_forever(), name="webhook-purge")

    def wake(self) -> None:
        """Events were queued and committed, or made due again."""
        self._is_at_end = False
        self._woken.set()

    async def stop(self) -> None:
        """Begins no attempt any more, gives those under way a moment, records what they came to.

        What did not end is cut off: it stays pending and is posted again after the next start.
        """
        if self._reading_task is None or self._recording_task is None or self._purging_task is None:
            return
        self._stopping = True
        self._woken.set()
        await self._reading_task
        if self._attempts:
            await asyncio.wait(self._attempts, timeout=STOP_S_MAX)
        for attempt in self._attempts:
            attempt.cancel()
        self._purging_task.cancel()
        await asyncio.gather(*self._attempts, self._purging_task, return_exceptions=True)
        self._all_ended = True
        self._has_outcomes.set()
        await self._recording_task
        if self._alarm is not None:
            self._alarm.cancel()
        await self._outgoing.close()

    # --- from the queue to attempts -----------------------------------------------------------------------

    async def _read_forever(self) -> None:
        while not self._stopping:
            self._woken.clear()
            try:
                has_more = await self._round()
                rest_s = 0.0 if has_more else await self._rest_s()
            except Exception as error:
                # Nothing is lost: what is pending is read again.
                self._trouble(error)
                rest_s = TROUBLE_S
            if rest_s <= 0:
                await asyncio.sleep(0)  # the others' turn between two reads
            else:
                self._set_alarm(rest_s)
                await self._woken.wait()

    async def _round(self) -> bool:
        """Begins what can begin, one page of reading each: new events, one lane's gap, the sweep. True: go on."""
        has_more = False
        now_ms = self._store.clock.now_ms()
        if not self._is_at_end and not self._lanes.is_full:
            has_more |= await self._read_ahead(now_ms)
        has_more |= await self._fill_gap(now_ms)
        has_more |= await self._sweep_on(now_ms)
        self._begin_attempts()
        return has_more and not self._lanes.is_full

    async def _read_ahead(self, now_ms: int) -> bool:
        self._is_at_end = True  # a wake-up from here on says otherwise
        try:
            rest = await self._read(self._place, now_ms)
        except BaseException:
            self._is_at_end = False
            raise
        if rest is None:
            self._place = max(self._place, (now_ms - LATE_MS, 0))
            self._read_to_ms = now_ms
            return False
        self._place = rest
        self._is_at_end = False
        return True

    async def _fill_gap(self, now_ms: int) -> bool:
        gap = self._lanes.open_gap()
        if gap is None:
            return False
        lane, rest = gap
        try:
            rest = await self._read(rest, now_ms)
        finally:
            self._lanes.close_gap(lane, rest)
        return True

    async def _sweep_on(self, now_ms: int) -> bool:
        now_s = self._store.clock.monotonic_s()
        if self._sweep is None:
            if now_s < self._sweep_after_s:
                return False
            self._sweep = (0, 0)
            self._sweep_began_s = now_s
        if self._lanes.is_full:
            return False
        rest = await self._read(self._sweep, now_ms)
        if rest is not None and rest < self._place:
            self._sweep = rest
            return True
        self._sweep = None
        self._sweep_after_s = now_s + max(SWEEP_S, SWEEP_SHARE * (now_s - self._sweep_began_s))
        return False

    async def _read(self, start: Place, now_ms: int) -> Place | None:
        page = await self._store.database.read(lambda reader: due_page(reader, start, now_ms))
        return offer_page(self._lanes, page)

    async def _rest_s(self) -> float:
        """Seconds until there may be something to do by itself; 0 when that is now."""
        # A sweep under way, and reading on, wait for room only, which wakes us.
        rest_s = SWEEP_S if self._sweep is not None else self._sweep_after_s - self._store.clock.monotonic_s()
        if self._is_at_end:
            # From where the reading ended, not from now: an event may have become due in between.
            due_at_ms = await self._store.database.read(lambda r: next_due_at_ms(r, self._read_to_ms))
            if due_at_ms is not None:
                rest_s = min(rest_s, (due_at_ms - self._store.clock.now_ms()) / 1000)
        if rest_s <= 0:
            self._is_at_end = False
        return rest_s

    def _set_alarm(self, seconds: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = self._call_later(seconds, self.wake)

    def _begin_attempts(self) -> None:
        at_once_max = YIELDING_AT_ONCE_MAX if self._yields() else AT_ONCE_MAX
        while not self._stopping and (event := self._lanes.next(at_once_max)) is not None:
            attempt = asyncio.create_task(self._attempt(event))
            self._attempts.add(attempt)
            attempt.add_done_callback(self._attempts.discard)

    # --- one attempt --------------------------------------------------------------------------------------

    async def _attempt(self, event: Claimed) -> None:
        began_s = self._store.clock.monotonic_s()
        is_delivered = False
        try:
            is_delivered, result = await self._post(event)
        except StorageUnavailable as error:
            # Nothing was posted, so no attempt was made: the sweep finds it again.
            self._trouble(error)
            self._lanes.finished(event, ok=False, long=False)
            self._lanes.forget(event)
            self._woken.set()
            return
        except Exception as error:
            self._on_unexpected()
            _log.error("an unexpected exception", event_id=event.id, exc_info=error)
            result = "an error of Chappe's own: see its log"
        outcome = Outcome(event, is_delivered, result, self._store.clock.now_ms())
        long = self._store.clock.monotonic_s() - began_s > LONG_S
        self._lanes.finished(event, ok=is_delivered, long=long)
        self._outcomes.append(outcome)
        self._has_outcomes.set()
        self._woken.set()

    async def _post(self, event: Claimed) -> tuple[bool, str]:
        body = event.payload.encode()
        try:
            secret = await webhook_secret(self._store, event.account_id)
            headers = signed_headers(secret, event.id, self._store.clock.now_ms(), body)
            if body:
                headers["Content-Type"] = "application/json"
            method = "POST" if body else "GET"
            status = await self._outgoing.send(method, event.url, headers=headers, body=body)
        except AddressNotAllowed as error:
            if event.attempts == 0:
                # The operator of the server decides about this, and nobody but the log tells them.
                _log.warning(
                    "a callback's address is not allowed: `callback_allow` opens it",
                    event_id=event.id,
                    account_id=event.account_id,
                    reason=str(error),
                )
            return False, str(error)
        except (NotAnswered, AccountRefused) as error:
            return False, str(error)
        if 300 <= status < 400:
            return False, f"HTTP {status} (redirects are not followed)"
        return 200 <= status < 300, f"HTTP {status}"

    # --- results ------------------------------------------------------------------------------------------

    async def _record_forever(self) -> None:
        while True:
            await self._has_outcomes.wait()
            outcomes = self._outcomes[:COMMIT_MAX]
            if not outcomes:
                if self._all_ended:
                    return
                self._has_outcomes.clear()
                continue
            try:
                await self._store.database.write(lambda tx, o=outcomes: put_on_record(tx, o), background=True)
            except Exception as error:
                self._trouble(error)
                if self._all_ended:
                    return  # they are posted once more after the next start
                await self._pause(TROUBLE_S)
                continue
            del self._outcomes[: len(outcomes)]
            self._recorded(outcomes)

    def _recorded(self, outcomes: list[Outcome]) -> None:
        for outcome in outcomes:
            self._lanes.forget(outcome.event)
            if outcome.is_delivered:
                self.delivered_total += 1
                continue
            self.failed_total += 1
            if outcome.again_at_ms is None:
                self.exhausted_total += 1
                _log.warning(
                    "an event is exhausted: `chappe webhook replay` tries it again",
                    event_id=outcome.event.id,
                    account_id=outcome.event.account_id,
                    result=outcome.result,
                )
        self._woken.set()  # there is room again, and a retry may be the next thing that is due

    async def _purge_forever(self) -> None:
        rest_s = PURGE_REST_S
        while True:
            await self._pause(rest_s)
            try:
                has_more = await self._purge.go_on()
            except Exception as error:
                self._trouble(error)
                has_more = False
            rest_s = PURGE_REST_S if has_more else PURGE_EVERY_S

    def _trouble(self, error: Exception) -> None:
        if isinstance(error, StorageUnavailable):
            _log.error("the storage is not available", reason=str(error))
        else:
            self._on_unexpected()
            _log.error("an unexpected exception", exc_info=error)

    async def _pause(self, seconds: float) -> None:
        passed = asyncio.Event()
        timer = self._call_later(seconds, passed.set)
        try:
            await passed.wait()
        finally:
            timer.cancel()
