"""A call that is passed on: a second one to whom it is for, and the audio of both joined (a back-to-back user agent).

Each leg has its own dialog, offers and audio socket: what one peer changes (address, codec) is settled with it, and the
other hears what there is to hear; a hold is said to the other too. What ends one ends the other, with its cause.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import structlog

from chappe.calls.arriving import Bridge as BridgeAct
from chappe.calls.arriving import Result
from chappe.operators.sip.agent.call import Call
from chappe.operators.sip.agent.causes import NO_ANSWER, NORMAL, TEMPORARY_FAILURE, Cause
from chappe.operators.sip.agent.events import (
    Abandoned,
    Answered,
    Ended,
    Established,
    Failed,
    InfoReceived,
    OfferAnswered,
    Offered,
    Progress,
)
from chappe.operators.sip.agent.outgoing import OutgoingCall
from chappe.operators.sip.agent.states import CallState
from chappe.operators.sip.called import diverted_numbers, forwards_left, is_circle
from chappe.operators.sip.errors import LocalError, RemoteError
from chappe.operators.sip.happenings import Item, LegEvent, LegLost, Stopped
from chappe.operators.sip.leg import Leg
from chappe.operators.sip.media.messages import Bridge, Closed, Heard, SendDigits, Talk
from chappe.operators.sip.results import is_trunk_trouble, result_of
from chappe.operators.sip.sdp.description import Direction

if TYPE_CHECKING:
    from chappe.operators.sip.arrived import ArrivedCall
    from chappe.operators.sip.both_ends import BothEnds
    from chappe.operators.sip.trunk import SipTrunk

_log: structlog.stdlib.BoundLogger = structlog.get_logger("sip")

LAST_EVENT_S_MAX: Final = 40.0
"""From a CANCEL to the end of its call: 64 T1, and some."""
CLOSE_S_MAX: Final = 5.0
HOLD_AGAIN_S: Final = 1.0
"""After a hold could not be said to the other end, because something else is not settled there."""
SAME_CALLER_MAX: Final = 3
"""Calls of one caller to one number that ring elsewhere at the same time: more are a circle."""
LOOP: Final = (482, 25)
"""Loop detected; exchange routing error."""
TOO_MANY_HOPS: Final = (483, 25)
INCOMPATIBLE: Final = (488, 88)
BAD_GATEWAY: Final = (502, 38)
NO_CIRCUIT: Final = (503, 34)
NOT_ANSWERED: Final[tuple[Result, int, int]] = ("no answer", 480, NO_ANSWER)
TOO_LONG: Final[tuple[Result, int, int]] = ("forwarded", 200, NORMAL)
_SIGNAL: Final = re.compile(rb"\s*Signal\s*=\s*([0-9*#A-D])\s*(?:[\r\n]|$)", re.IGNORECASE)


class BridgedCall:
    """`number` is ours, which was called."""

    def __init__(self, arrived: ArrivedCall, number: int, act: BridgeAct) -> None:
        self._arrived = arrived
        self._number = number
        self._act = act
        self._call = arrived.call
        self._element = arrived.element
        self._leg = arrived.leg(self._call.hop.host, arrived.trunk)
        self._far = self._leg
        self._onward: OutgoingCall | None = None
        self._trunk: SipTrunk | None = None
        self._trunks: list[SipTrunk] = []
        self._diverted: tuple[int, ...] = ()
        self._forwards = 0
        self._body = b""
        """Our answer to the caller's offer, said early or with the 200."""
        self._is_early = False
        self._is_ringing = False
        """The caller was told that it rings."""
        self._answered_at_ms: int | None = None
        self._end: tuple[Result, int, int] | None = None
        """Result, the status that the caller was answered, cause."""
        self._recording: BothEnds | None = None
        self._said: dict[Leg, Direction] = {}
        """What the other end was told last of each leg's direction."""

    async def run(self) -> None:
        """From here to the end of both calls."""
        arrived = self._arrived
        key = (self._number, arrived.caller)
        ringing = arrived.side.ringing_onward
        ringing[key] += 1
        try:
            await self._begin()
            await self._until_over(arrived.now_s() + self._act.ring_s_max, NOT_ANSWERED)
        finally:
            ringing[key] -= 1
            if not ringing[key]:
                del ringing[key]
        await self._until_over(arrived.now_s() + self._act.call_s_max, TOO_LONG)
        assert self._end is not None
        result, status, q850 = self._end
        if status < 300 and self._call.state is CallState.RINGING:
            # Our 200 waits for the acknowledgement of a reliable answer before it, and will not be sent any more.
            status = NOT_ANSWERED[1]
        onward = "" if self._trunk is None else self._trunk.name
        arrived.reject(status, q850)
        arrived.hang_up(q850)
        self._part(q850)
        is_cut = self._recording is not None and not await self._is_recorded(self._recording)
        arrived.conclude(
            arrived.ended(result, status, q850, self._answered_at_ms, onward=onward, is_cut=is_cut)
        )
        await self._until_parted()

    async def _until_over(self, until_s: float, end: tuple[Result, int, int]) -> None:
        """Until the end; without an answer yet until that, or the time is over, which is the end too."""
        was_answered = self._answered_at_ms is not None
        while self._end is None and (self._answered_at_ms is not None) is was_answered:
            now_s = self._arrived.now_s()
            if now_s >= until_s:
                self._over(*end)
                return
            look_s = until_s if self._pass_on_holds() else min(until_s, now_s + HOLD_AGAIN_S)
            item = await self._arrived.next(look_s)
            if item is not None:
                await self._on_item(item)

    # Before the answer

    async def _begin(self) -> None:
        """Everything that may be wrong is found before anybody is called."""
        arrived = self._arrived
        request, country_code = arrived.request, arrived.trunk.settings.country_code
        try:
            self._diverted = diverted_numbers(request, country_code)
            self._forwards = forwards_left(request)
        except RemoteError as error:
            self._over("refused", error.status, TEMPORARY_FAILURE)
            return
        if self._forwards < 0:
            self._over("refused", *TOO_MANY_HOPS)
            return
        same_caller = arrived.side.ringing_onward[self._number, arrived.caller]
        if is_circle(self._number, self._diverted) or (arrived.caller and same_caller > SAME_CALLER_MAX):
            _log.warning("a call that goes round in a circle", number=self._number, trunk=arrived.trunk.name)
            self._over("refused", *LOOP)
            return
        self._trunks = [
            trunk for trunk in arrived.side.onward(self._act.to) if trunk.is_up and trunk.free_calls > 0
        ]
        if not self._trunks:
            self._over("failed", *NO_CIRCUIT)
            return
        if not await arrived.open([self._leg]):
            self._over("failed", 503, TEMPORARY_FAILURE)
            return
        if arrived.offer:
            try:
                self._body = self._leg.answer(arrived.offer)
            except RemoteError:
                self._over("failed", *INCOMPATIBLE)
                return
        await self._call_onward()

    async def _call_onward(self) -> None:
        """By the next trunk; raises nothing."""
        arrived = self._arrived
        while self._trunks:
            trunk = self._trunks.pop(0)
            if not trunk.is_up or trunk.free_calls < 1:
                continue
            session = self._leg.session
            self._far = arrived.leg(trunk.way, trunk, "" if session is None else session.codec)
            if not await arrived.open([self._far]):
                self._over("failed", 503, TEMPORARY_FAILURE)
                return
            if self._call.state is not CallState.RINGING:
                return  # given up meanwhile: that is the next thing to be told
            try:
                order = trunk.passed_on(
                    self._number,
                    self._act.to,
                    arrived.caller,
                    self._diverted,
                    self._forwards,
                    self._far.offer(),
                    arrived,
                )
                trunk.take_place(arrived)
                self._trunk = trunk
                self._onward = self._element.agent.call(order, self._element.now_ms())
            except LocalError as error:
                _log.error("a call cannot be passed on", trunk=trunk.name, reason=str(error))
                trunk.leave_place(arrived)
                self._over("failed", *NO_CIRCUIT)
            return
        self._over("failed", *NO_CIRCUIT)

    # What happens

    async def _on_item(self, item: Item) -> None:
        match item:
            case Progress() if item.call is self._onward:
                self._on_progress(item)
            case Answered() if item.call is self._onward:
                self._on_answered(item.body)
            case Failed() if item.call is self._onward:
                await self._on_failed(item.cause)
            case Established():
                self._on_established(item.body)
            case Offered():
                self._leg_of(item.call).settle(item.call, item.body)
            case OfferAnswered():
                self._on_offer_answered(item)
            case InfoReceived():
                self._on_info(item)
            case Abandoned():
                self._over("abandoned", 487, item.cause.q850)
            case Ended():
                if item.call is self._onward:
                    self._leave()
                self._over("forwarded", 200, item.cause.q850)
            case LegEvent(leg, Heard() as heard):
                if self._recording is not None:
                    self._recording.take(leg, heard)
            case LegLost() | Stopped():
                if self._recording is not None and isinstance(item, LegLost):
                    self._recording.is_cut = True
                is_answered = self._answered_at_ms is not None
                self._over(
                    "forwarded" if is_answered else "failed", 200 if is_answered else 503, TEMPORARY_FAILURE
                )
            case _:
                pass

    def _on_progress(self, event: Progress) -> None:
        if self._call.state is not CallState.RINGING:
            return
        now_ms = self._element.now_ms()
        if event.body:
            try:
                self._far.accept(event.body)
            except RemoteError as error:
                _log.info("an early answer that does not fit", trunk=self._name, reason=error.reason)
            else:
                # Announcements and ringing tones of theirs; a caller who wants our offer hears them from the answer on.
                if self._body and not self._is_early:
                    self._is_early = self._is_ringing = True
                    self._join()
                    self._call.ring(now_ms, status=183, body=self._body)
        if not self._is_ringing:
            self._is_ringing = True
            self._call.ring(now_ms)

    def _on_answered(self, body: bytes) -> None:
        arrived = self._arrived
        if self._trunk is not None:
            self._trunk.note(None)
        try:
            if body:
                self._far.accept(body)
            if self._far.session is None:
                raise RemoteError("an answer without a session description", 488)
        except RemoteError as error:
            _log.warning("an answer that does not fit", trunk=self._name, reason=error.reason)
            self._over("failed", *BAD_GATEWAY)
            return
        if self._call.state is not CallState.RINGING:
            return  # given up meanwhile: that is the next thing to be told
        self._call.accept(self._body or self._leg.offer(), self._element.now_ms())
        at_ms = self._answered_at_ms = arrived.now_ms()
        arriving, arrivals = arrived.arriving, arrived.side.arrivals
        arrived.journal.add(lambda: arrivals.answered(arriving, at_ms))
        self._join()
        for leg in (self._leg, self._far):
            if leg.stream is not None:
                leg.tell(Talk(leg.stream))
            self._said[leg] = "sendrecv"
        if self._act.records:
            from chappe.operators.sip.both_ends import BothEnds

            self._recording = BothEnds(arrived, (self._leg, self._far))
            self._recording.begin(self._act.call_s_max * 1000)

    def _on_established(self, body: bytes) -> None:
        try:
            if body:
                self._leg.accept(body)
            if self._leg.session is None:
                raise RemoteError("an acknowledgement without a session description", 488)
        except RemoteError:
            self._over("forwarded", 200, INCOMPATIBLE[1])

    async def _on_failed(self, cause: Cause) -> None:
        trunk, onward = self._trunk, self._onward
        assert trunk is not None
        assert onward is not None
        self._leave()
        is_trouble = is_trunk_trouble(cause, has_rung=onward.may_have_rung)
        trunk.note(cause if is_trouble else None, onward.hop)
        if is_trouble and self._trunks:
            self._far.close()
            await self._call_onward()
            return
        found = result_of(cause, has_rung=onward.may_have_rung)
        result = found if found in ("busy", "no answer", "unreachable", "rejected") else "failed"
        self._over(result, status_for_caller(cause), cause.q850)

    def _on_info(self, event: InfoReceived) -> None:
        """Digits of a peer that has no events in its audio (as exchanges do, without an RFC)."""
        digit = digit_of(event.content_type, event.body)
        other = self._far if event.call is self._call else self._leg
        if digit and other.stream is not None and self._answered_at_ms is not None:
            other.tell(SendDigits(other.stream, digit))

    def _on_offer_answered(self, event: OfferAnswered) -> None:
        """To a hold that we passed on, or to our offer where a peer wanted one."""
        if event.body:
            leg = self._leg_of(event.call)
            try:
                leg.accept(event.body)
            except RemoteError as error:
                _log.info("an answer that does not fit", trunk=self._name, reason=error.reason)
            self._said[leg] = leg.direction  # it answers what the other end said: that one need not be told

    # Inside

    def _leg_of(self, call: Call) -> Leg:
        return self._leg if call is self._call else self._far

    def _pass_on_holds(self) -> bool:
        """Says to each end whether the other listens and speaks; True when nothing is left to be said."""
        is_all_said = True
        for leg, other, call in ((self._leg, self._far, self._onward), (self._far, self._leg, self._call)):
            direction = leg.direction
            if call is None or self._said.get(leg, direction) == direction:
                continue
            try:
                call.offer(other.offer(direction), self._element.now_ms())
            except LocalError:
                is_all_said = False
            else:
                self._said[leg] = direction
        return is_all_said

    @property
    def _name(self) -> str:
        return "" if self._trunk is None else self._trunk.name

    def _join(self) -> None:
        if self._leg.stream is not None and self._far.stream is not None:
            self._leg.tell(Bridge(self._leg.stream, self._far.stream))

    def _over(self, result: Result, status: int, q850: int) -> None:
        self._end = self._end or (result, status, q850)

    def _leave(self) -> None:
        """The call onward is over, and its place free."""
        if self._onward is not None and self._trunk is not None:
            self._onward = None
            self._trunk.leave_place(self._arrived)

    def _part(self, q850: int) -> None:
        """Ends what is left: the call onward, and the audio."""
        onward = self._onward
        if onward is not None:
            now_ms = self._element.now_ms()
            if onward.state in (CallState.CALLING, CallState.EARLY):
                onward.cancel(now_ms, q850=q850)
            elif onward.state is CallState.CONFIRMED:
                onward.hang_up(now_ms, q850=q850)
            self._element.sockets.flush()
        self._leg.close()
        self._far.close()

    async def _is_recorded(self, recording: BothEnds) -> bool:
        """Takes what the legs still have to tell; whether all of the call is there."""
        arrived = self._arrived
        until_s = arrived.now_s() + CLOSE_S_MAX
        closing = {leg for leg in (self._leg, self._far) if leg.stream is not None}
        while closing and not recording.is_cut:
            item = await arrived.next(until_s)
            match item:
                case LegEvent(leg, Heard() as heard):
                    recording.take(leg, heard)
                case LegEvent(leg, Closed()):
                    closing.discard(leg)
                case Ended() if item.call is self._onward:
                    self._leave()
                case None | LegLost():
                    recording.is_cut = True
                case _:
                    pass
        recording.finish()
        return not recording.is_cut

    async def _until_parted(self) -> None:
        """Until the call onward has ended, and its place with it."""
        arrived, onward = self._arrived, self._onward
        if onward is None:
            return
        try:
            until_s = arrived.now_s() + LAST_EVENT_S_MAX
            while onward.state is not CallState.ENDED:
                item = await arrived.next(until_s)
                if item is None or isinstance(item, Stopped):
                    break
        finally:
            self._element.sockets.flush()
            self._leave()


def status_for_caller(cause: Cause) -> int:
    """What the caller is answered where the call onward failed so: whose number it is says it, or we do."""
    if cause.origin == "timeout":
        return 504
    if cause.origin == "unreachable":
        return 503
    if cause.origin == "local" or cause.status in (401, 402, 407):
        return 500  # our trunk does not take our word: nothing that the caller could mend
    if cause.status < 400 or cause.status == 487:
        return 480
    return cause.status


def digit_of(content_type: str, body: bytes) -> str:
    """The digit that an INFO says; "" for anything else."""
    if content_type == "application/dtmf-relay":
        match = _SIGNAL.search(body[:256])
        return "" if match is None else match.group(1).decode().upper()
    if content_type == "application/dtmf" and re.fullmatch(rb"[0-9*#A-Da-d]", body.strip()):
        return body.strip().decode().upper()
    return ""
