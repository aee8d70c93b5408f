"""Calls that come in, on the store: what a number does, who called it, what was heard, how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from chappe.calls.arriving import (
    Answer,
    ArrivedEnd,
    Arriving,
    Bridge,
    Decision,
    Heard,
    RecordingLimits,
    Redirect,
    Refuse,
    Result,
)
from chappe.calls.greetings import Greetings
from chappe.calls.numbers import NumberRule, Numbers
from chappe.calls.recordings import OCTETS_PER_MS, Retention, purge, stored_octets
from chappe.storage.database import OutcomeUnknown, StorageUnavailable, Transaction
from chappe.storage.store import Store

_log: structlog.stdlib.BoundLogger = structlog.get_logger("calls")

LOOK_S: Final = 5.0
"""Between two looks for what a process that died has left, where there are several."""
PURGE_EVERY_S: Final = 3600.0
NOT_ALLOCATED: Final = Refuse(404, 1)
FULL: Final = Refuse(480, 42)

_INSERT: Final = (
    "INSERT INTO incoming_calls (id, account_id, trunk, number, caller, action, target, onward, owner, began_at_ms,"
    " answered_at_ms, ended_at_ms, result, status, cause) VALUES (?, ?, ?, ?, ?, ?, ?, '', ?, ?, NULL, ?, ?, ?, ?)"
    " ON CONFLICT (id) DO NOTHING"
)
_ANSWERED: Final = "UPDATE incoming_calls SET answered_at_ms = ? WHERE id = ? AND result = ''"
_ENDED: Final = (
    "UPDATE incoming_calls SET result = ?, status = ?, cause = ?, answered_at_ms = ?, ended_at_ms = ?, onward = ?"
    " WHERE id = ? AND result = ''"
)
_IS_UNDER_WAY: Final = "SELECT 1 FROM incoming_calls WHERE id = ? AND result = ''"
_PIECE: Final = (
    "INSERT INTO recording_pieces (recording_id, piece, law, octets) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (recording_id, piece) DO NOTHING"
)
_BEGIN: Final = "INSERT INTO recordings (id, state, began_at_ms, octets) VALUES (?, 'open', ?, 0) ON CONFLICT (id) DO NOTHING"
_GROW: Final = "UPDATE recordings SET octets = octets + ? WHERE id = ? AND state = 'open'"
_CLOSE: Final = "UPDATE recordings SET state = ? WHERE id = ? AND state = 'open'"
_LOST: Final = (
    "UPDATE incoming_calls SET result = 'lost', ended_at_ms = ? WHERE result = ''"
    " AND owner NOT IN (SELECT id FROM processes) RETURNING id"
)


class ArrivalsStored:
    """The `Arrivals` port."""

    def __init__(
        self,
        store: Store,
        numbers: Numbers,
        greetings: Greetings,
        retention: Retention,
        *,
        forward_s_max: int,
        on_unexpected: Callable[[], None],
    ) -> None:
        self._store = store
        self._numbers = numbers
        self._greetings = greetings
        self._retention = retention
        self._forward_s_max = forward_s_max
        self._on_unexpected = on_unexpected
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Settles what an earlier process left, then keeps house in the background."""
        if not self._store.database.is_shared:
            await self._recover()
        self._task = asyncio.create_task(self._keep_house(), name="arrivals")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    # The port

    async def next_id(self) -> int:
        """See the port."""
        return await self._store.ids("incoming_calls").take()

    async def decide(self, call: Arriving) -> Decision:
        """See the port."""
        rule = None
        number = call.numbers[0]
        for candidate in call.numbers:
            rule = await self._numbers.rule(candidate)
            if rule is not None:
                number = candidate
                break
        act = NOT_ALLOCATED if rule is None else await self._act(rule)
        result: Result | None = None
        status = cause = 0
        if isinstance(act, Refuse):
            result, status, cause = "refused", act.status, act.cause
        elif isinstance(act, Redirect):
            result, status = "redirected", 302
        row = (
            call.id,
            None if rule is None else rule.account_id,
            call.trunk,
            number,
            call.caller,
            "refuse" if rule is None else rule.action,
            act.to if isinstance(act, Redirect | Bridge) else 0,
            self._store.database.presence.id,
            call.at_ms,
            call.at_ms if result else None,
            result or "",
            status,
            cause,
        )
        await self._store.database.write(lambda tx: tx.run(_INSERT, row), background=True)
        return Decision(number, act)

    async def answered(self, call: Arriving, at_ms: int) -> None:
        """See the port."""
        await self._store.database.write(lambda tx: tx.run(_ANSWERED, (at_ms, call.id)), background=True)

    async def heard(self, call: Arriving, piece: Heard) -> None:
        """See the port."""
        # The first piece comes when it is whole, or at the end.
        began_at_ms = self._store.clock.now_ms() - len(piece.octets) // OCTETS_PER_MS

        def unit(tx: Transaction) -> None:
            if tx.one(_IS_UNDER_WAY, (call.id,)) is None:
                return  # others took us for dead, and settled it
            tx.run(_BEGIN, (call.id, began_at_ms))
            if tx.run(_PIECE, (call.id, piece.number, piece.law, piece.octets)):
                tx.run(_GROW, (len(piece.octets), call.id))

        await self._store.database.write(unit, background=True)

    async def ended(self, call: Arriving, end: ArrivedEnd) -> None:
        """See the port."""

        def unit(tx: Transaction) -> None:
            tx.run(
                _ENDED,
                (
                    end.result,
                    end.status,
                    end.cause,
                    end.answered_at_ms,
                    end.ended_at_ms,
                    end.onward,
                    call.id,
                ),
            )
            tx.run(_CLOSE, ("cut" if end.is_cut else "complete", call.id))

        await self._store.database.write(unit, background=True)

    # Inside

    async def _act(self, rule: NumberRule) -> Refuse | Answer | Redirect | Bridge:
        if rule.action == "refuse":
            return Refuse(rule.status, _CAUSES[rule.status])
        if rule.action == "forward":
            if rule.via == "302":
                return Redirect(rule.to)
            records = rule.records and await self._has_room("passed on without a recording", rule)
            return Bridge(rule.to, rule.ring_s_max, self._forward_s_max, records)
        if rule.action == "answer":
            return Answer(await self._greetings.of(rule), None)
        if not await self._has_room("refused", rule):
            return FULL
        return Answer(await self._greetings.of(rule), RecordingLimits(rule.record_s_max, rule.silence_s))

    async def _has_room(self, otherwise: str, rule: NumberRule) -> bool:
        octets = await self._store.database.read(stored_octets)
        if octets < self._retention.octets_max:
            return True
        _log.error(f"no room for recordings: a call is {otherwise}", number=rule.number, octets=octets)
        return False

    async def _recover(self) -> None:
        """Calls of a process that died are lost; what was recorded of them is cut."""
        now_ms = self._store.clock.now_ms()

        def unit(tx: Transaction) -> int:
            lost = [row[0] for row in tx.all(_LOST, (now_ms,))]
            tx.run_many(_CLOSE, [("cut", call_id) for call_id in lost])
            return len(lost)

        database = self._store.database
        await database.write(database.presence.take_dead, background=True)
        count = await database.write(unit, background=True)
        if count:
            _log.warning("calls that came in were under way when the server ended", calls=count)

    async def _keep_house(self) -> None:
        clock = self._store.clock
        purged_s = float("-inf")
        while True:
            try:
                if self._store.database.is_shared:
                    await self._recover()
                if clock.monotonic_s() - purged_s >= PURGE_EVERY_S:
                    await purge(self._store, self._retention)
                    purged_s = clock.monotonic_s()
            except (StorageUnavailable, OutcomeUnknown) as error:
                _log.warning("the storage is not available", reason=str(error))
            except Exception as error:
                # What was not done is done at the next look. But it must be seen.
                self._on_unexpected()
                _log.error("an unexpected exception", exc_info=error)
            await asyncio.sleep(LOOK_S)


_CAUSES: Final = {404: 1, 480: 18, 486: 17, 603: 21}
"""Q.850 of the statuses that a number may be refused with."""
