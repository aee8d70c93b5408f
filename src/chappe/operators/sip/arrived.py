"""One call that comes in, from its INVITE to its committed end: what is to be done is asked, then done."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from chappe.calls.arriving import Answer, ArrivedEnd, Arriving, Redirect, Refuse, Result
from chappe.operators.sip.agent.causes import NORMAL, TEMPORARY_FAILURE
from chappe.operators.sip.agent.events import Event, Incoming
from chappe.operators.sip.agent.states import CallState
from chappe.operators.sip.bridged import BridgedCall
from chappe.operators.sip.errors import LocalError
from chappe.operators.sip.happenings import Item, LegEvent, LegLost, Stopped
from chappe.operators.sip.journal import Journal
from chappe.operators.sip.leg import Leg
from chappe.operators.sip.media.messages import Event as MediaEvent
from chappe.operators.sip.media.messages import Opened, Refused
from chappe.operators.sip.syntax.message import Header
from chappe.operators.sip.taken import TakenCall
from chappe.storage.database import OutcomeUnknown, StorageUnavailable

if TYPE_CHECKING:
    from chappe.operators.sip.incoming import IncomingCalls
    from chappe.operators.sip.trunk import SipTrunk

MEDIA_S_MAX: Final = 5.0
"""For the media process to open or close a stream."""
DECIDE_S_MAX: Final = 20.0
"""A caller waits no longer to hear what becomes of the call."""


class ArrivedCall:
    """`context` of its SIP call, and of the one that it is passed on as. What happens is queued, and taken in order by
    one task: nothing of it waits for the storage but the decision.
    """

    def __init__(
        self,
        side: IncomingCalls,
        trunk: SipTrunk,
        event: Incoming,
        numbers: tuple[int, ...],
        caller: str,
    ) -> None:
        self.side = side
        self.trunk = trunk
        self.element = side.element
        self.call = event.call
        self.call.context = self
        self.request = event.request
        self.offer = event.body
        self.caller = caller
        self.journal = Journal(self.element.on_unexpected)
        self._numbers = numbers
        self._arriving: Arriving | None = None
        self._is_concluded = False
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[Item] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    # What the owner of all does

    def begin(self) -> None:
        self._task = self._loop.create_task(self._run())

    def stop(self) -> None:
        """The server stops: whatever it is, it ends now."""
        self._queue.put_nowait(Stopped())

    async def cancel(self) -> None:
        """It did not end in time."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    # What happens to it

    def on_sip(self, event: Event) -> None:
        self._queue.put_nowait(event)

    def on_leg(self, leg: Leg, event: MediaEvent) -> None:
        self._queue.put_nowait(LegEvent(leg, event))

    def on_leg_lost(self, leg: Leg) -> None:
        self._queue.put_nowait(LegLost(leg))

    # What those who act on it need

    @property
    def arriving(self) -> Arriving:
        assert self._arriving is not None
        return self._arriving

    def now_s(self) -> float:
        return self._loop.time()

    def now_ms(self) -> int:
        """Of the wall clock."""
        return self.side.clock.now_ms()

    def leg(self, peer: str, trunk: SipTrunk, first: str = "") -> Leg:
        """One for a call by `trunk`; `first` is the codec that is preferred to the trunk's own order."""
        codecs = sorted(trunk.settings.codecs, key=lambda codec: codec != first)
        return Leg(self.element, self, peer, tuple(codecs), trunk.settings.rtp_from)

    async def next(self, until_s: float | None = None) -> Item | None:
        """What happens next; None: nothing until then."""
        self.element.sockets.flush()
        try:
            async with asyncio.timeout_at(until_s):
                return await self._queue.get()
        except TimeoutError:
            return None

    async def open(self, legs: Sequence[Leg]) -> bool:
        """Whether all have their sockets. What else happens meanwhile is not lost."""
        until_s = self.now_s() + MEDIA_S_MAX
        others: list[Item] = []
        waiting = list(legs)
        is_open = all(leg.open() for leg in legs)
        while waiting and is_open:
            item = await self.next(until_s)
            if isinstance(item, LegEvent) and isinstance(item.event, Opened):
                waiting.remove(item.leg)
            elif item is None:
                self.element.media.suspect()
                is_open = False
            elif isinstance(item, LegLost) or (
                isinstance(item, LegEvent) and isinstance(item.event, Refused)
            ):
                is_open = False
            else:
                others.append(item)
        for item in others:
            self._queue.put_nowait(item)
        return is_open

    def reject(self, status: int, q850: int | None = None, headers: Sequence[Header] = ()) -> None:
        """Unless its caller has given up, or it is answered."""
        if self.call.state is CallState.RINGING:
            try:
                self.call.reject(status, self.element.now_ms(), q850=q850, headers=headers)
            except LocalError as error:
                self.element.on_unexpected(error)
        self.element.sockets.flush()

    def hang_up(self, q850: int = NORMAL, text: str = "") -> None:
        """Once it is answered, and not over."""
        if self.call.state in (CallState.ACCEPTED, CallState.CONFIRMED):
            self.call.hang_up(self.element.now_ms(), q850=q850, text=text)
        self.element.sockets.flush()

    def ended(
        self,
        result: Result,
        status: int,
        q850: int,
        answered_at_ms: int | None = None,
        *,
        onward: str = "",
        is_cut: bool = False,
    ) -> ArrivedEnd:
        return ArrivedEnd(result, status, q850, answered_at_ms, self.now_ms(), onward, is_cut)

    def conclude(self, end: ArrivedEnd) -> None:
        """How it ended, once: it is committed after everything else of this call."""
        if not self._is_concluded:
            self._is_concluded = True
            arriving, arrivals = self.arriving, self.side.arrivals
            self.journal.add(lambda: arrivals.ended(arriving, end))

    # Inside

    async def _run(self) -> None:
        try:
            await self._act_or_fail()
            await self.journal.finish()
        finally:
            self.side.over(self)

    async def _act_or_fail(self) -> None:
        try:
            await self._act()
        except (StorageUnavailable, OutcomeUnknown, TimeoutError):
            self.reject(503, TEMPORARY_FAILURE)
        except Exception as error:
            self.element.on_unexpected(error)
        finally:
            self.reject(500, TEMPORARY_FAILURE)
            self.hang_up(TEMPORARY_FAILURE)
            if self._arriving is not None:
                self.conclude(self.ended("failed", 503, TEMPORARY_FAILURE))

    async def _act(self) -> None:
        arrivals = self.side.arrivals
        async with asyncio.timeout(DECIDE_S_MAX):
            call_id = await arrivals.next_id()
            arriving = Arriving(call_id, self.trunk.name, self._numbers, self.caller, self.now_ms())
            self._arriving = arriving
            decision = await arrivals.decide(arriving)
        act = decision.act
        if isinstance(act, Refuse | Redirect):
            self._is_concluded = True  # with the decision
            if isinstance(act, Refuse):
                self.reject(act.status, act.cause)
            else:
                self.reject(302, headers=[("Contact", f"<{self.trunk.uri(str(act.to))}>")])
        elif isinstance(act, Answer):
            await TakenCall(self, act).run()
        else:
            await BridgedCall(self, decision.number, act).run()
