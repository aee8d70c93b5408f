"""The built-in telephones: a way into a network where nobody is rung, each number behaves by its digits, and what was
heard is kept for the page.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from chappe.audio.sound import RATE_HZ
from chappe.calls.port import CallEnd, CallOrder, CallOutcomes, Party, Result
from chappe.numbers.parse import can_be_mobile
from chappe.simulator import calls_seen
from chappe.simulator.call_behaviours import CallBehaviour, call_behaviour
from chappe.storage.database import StorageUnavailable, Transaction
from chappe.storage.store import Store

CALLS_MAX: Final = 100
STORAGE_RETRY_S: Final = 0.5
STATUS: Final[dict[Result, tuple[int, int, str]]] = {
    # What a network would say: SIP status, Q.850 cause, how the telephone sees it.
    "busy": (486, 17, "busy"),
    "no answer": (480, 19, "no answer"),
    "unreachable": (404, 20, "unreachable"),
}

_log: structlog.stdlib.BoundLogger = structlog.get_logger("simulator")


@dataclass(slots=True)
class _Heard:
    """What was played so far."""

    party: Party = ""
    octets: bytes = b""
    is_complete: bool = False


class Telephones:
    """A `Trunk`. `on_change(phone)` is called when the page has something new to show."""

    name = "simulator"

    def __init__(
        self, store: Store, on_change: Callable[[int], None], on_unexpected: Callable[[], None]
    ) -> None:
        self._store = store
        self._on_change = on_change
        self._on_unexpected = on_unexpected
        self._calls: set[asyncio.Task[None]] = set()
        self._outcomes: CallOutcomes | None = None
        self._wake: Callable[[], None] = lambda: None
        self._ahead_s = 0.0
        self._moved = asyncio.Event()
        self._stopping = False

    @property
    def is_up(self) -> bool:
        """Until it is stopped."""
        return self._outcomes is not None and not self._stopping

    @property
    def free_calls(self) -> int:
        """See the port."""
        return max(0, CALLS_MAX - len(self._calls))

    async def start(self, outcomes: CallOutcomes, wake: Callable[[], None]) -> None:
        """See the port."""
        self._outcomes, self._wake = outcomes, wake
        now_ms = self._store.clock.now_ms()
        await self._store.database.write(lambda tx: calls_seen.cut_off(tx, now_ms), background=True)
        wake()

    async def stop(self) -> None:
        """Cuts the calls off; they end as what they were until then."""
        self._stopping = True
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    def call(self, order: CallOrder) -> None:
        """See the port."""
        call = asyncio.create_task(self._run(order))
        self._calls.add(call)
        call.add_done_callback(self._over)

    def advance(self, seconds: float) -> None:
        """Ringing and greetings are over so much earlier."""
        self._ahead_s += seconds
        self._moved.set()
        self._moved = asyncio.Event()

    def _over(self, call: asyncio.Task[None]) -> None:
        self._calls.discard(call)
        if not call.cancelled() and call.exception() is not None:
            self._on_unexpected()
            _log.error("an unexpected exception", exc_info=call.exception())
        self._wake()

    async def _run(self, order: CallOrder) -> None:
        assert self._outcomes is not None
        behaviour = call_behaviour(
            order.number,
            wants_a_mailbox=order.script.to_person is None,
            is_mobile=can_be_mobile(f"+{order.number}"),
        )
        call_id = await self._store.ids("sim_calls").take()
        caller = f"+{order.sender}" if order.sender else "anonymous"
        await self._note(
            order.number,
            lambda tx, now_ms: calls_seen.begin(tx, call_id, order.number, caller, behaviour.label, now_ms),
        )
        heard = _Heard()
        answered_at_ms: int | None = None
        result: Result = "answered"
        try:
            await self._wait(min(behaviour.ring_s, order.ring_s_max))
            if behaviour.what in ("busy", "no answer", "unreachable"):
                result = behaviour.what
            else:
                answered_at_ms = self._store.clock.now_ms()
                await self._outcomes.answered(self, order, answered_at_ms)
                await self._note(order.number, lambda tx, now_ms: calls_seen.answer(tx, call_id, now_ms))
                await self._listen(order, behaviour, heard)
        except StorageUnavailable:
            result = "failed"
        except asyncio.CancelledError:
            if answered_at_ms is None:
                result = "failed"
        status, cause, seen = STATUS.get(
            result, (200, 16, "hung up") if result == "answered" else (0, 0, "cut off")
        )
        end = CallEnd(
            result=result,
            status=status,
            cause=cause,
            party=heard.party,
            reason="by its number" if heard.party else "",
            answered_at_ms=answered_at_ms,
            ended_at_ms=self._store.clock.now_ms(),
            played_ms=len(heard.octets) * 1000 // RATE_HZ,
            is_complete=heard.is_complete,
            progress="100 180 200" if answered_at_ms is not None else f"100 180 {status}",
        )
        await asyncio.shield(self._bring(order, call_id, seen, heard.octets, end))

    async def _listen(self, order: CallOrder, behaviour: CallBehaviour, heard: _Heard) -> None:
        script = order.script
        is_machine = behaviour.what == "machine"
        if script.detects:
            heard.party = "machine" if is_machine else "person"
            await self._wait(behaviour.greeting_s)
        sound = script.to_machine if is_machine else script.to_person
        if sound is None:
            return
        seconds = sound.duration_ms / 1000
        if behaviour.hangs_up_after_s is not None:
            seconds = min(seconds, behaviour.hangs_up_after_s)
        # In its own time, as a real line would: only ringing and greetings can be shortened.
        began_s = self._store.clock.monotonic_s()
        try:
            await asyncio.sleep(seconds)
        finally:
            played_s = min(seconds, self._store.clock.monotonic_s() - began_s)
            heard.octets = sound.alaw[: round(played_s * RATE_HZ)]
        heard.octets = sound.alaw[: round(seconds * RATE_HZ)]
        heard.is_complete = seconds * 1000 >= sound.duration_ms

    async def _wait(self, seconds: float) -> None:
        until_s = self._now_s() + seconds
        while (left_s := until_s - self._now_s()) > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._moved.wait()

    def _now_s(self) -> float:
        return self._store.clock.monotonic_s() + self._ahead_s

    async def _note(self, phone: int, write: Callable[[Transaction, int], None]) -> None:
        now_ms = self._store.clock.now_ms()
        with contextlib.suppress(StorageUnavailable):
            await self._store.database.write(lambda tx: write(tx, now_ms), background=True)
        self._on_change(phone)

    async def _bring(self, order: CallOrder, call_id: int, seen: str, heard: bytes, end: CallEnd) -> None:
        assert self._outcomes is not None
        await self._note(order.number, lambda tx, now_ms: calls_seen.end(tx, call_id, seen, heard, now_ms))
        while True:
            try:
                await self._outcomes.ended(self, order, end)
            except StorageUnavailable:
                if self._stopping:
                    return  # the next start finds it on its way
                await asyncio.sleep(STORAGE_RETRY_S)
            else:
                return
