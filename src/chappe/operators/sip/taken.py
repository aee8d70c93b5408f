"""A call that we answer ourselves: the greeting is played, what the caller says is recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chappe.audio.sound import Converted
from chappe.calls.arriving import Answer, RecordingLimits, Result
from chappe.operators.sip.agent.causes import NORMAL, TEMPORARY_FAILURE
from chappe.operators.sip.agent.events import Abandoned, Ended, Established, Offered
from chappe.operators.sip.agent.states import CallState
from chappe.operators.sip.errors import RemoteError
from chappe.operators.sip.happenings import LegEvent, LegLost, Stopped
from chappe.operators.sip.media.messages import Closed, Digit, Play, Played, Record, StopPlaying, Talk
from chappe.operators.sip.media.messages import Event as MediaEvent
from chappe.operators.sip.media.messages import Heard as HeardAudio
from chappe.operators.sip.recorded import LAWS, Recorded
from chappe.operators.sip.rtp.laws import MAGNITUDES

if TYPE_CHECKING:
    from chappe.operators.sip.arrived import ArrivedCall

LINGER_S: Final = 0.4
"""From the last frame to the BYE: what is under way, and in the peer's buffer, is to be heard."""
PLAY_MARGIN_S: Final = 15.0
"""A caller who holds the call hears nothing, and the sound does not go on."""
CLOSE_S_MAX: Final = 5.0
SILENCE_MEAN: Final = 8
"""Mean magnitude (`MAGNITUDES`) of a second that nobody speaks in: some 48 dB under the loudest."""
END_DIGIT: Final = "#"
INCOMPATIBLE: Final = 88


class _Over(Exception):
    """The call ended while something else was waited for."""

    def __init__(self, result: Result, q850: int, *, is_cut: bool = False) -> None:
        super().__init__(result)
        self.result: Result = result
        self.q850 = q850
        self.is_cut = is_cut


class TakenCall:
    def __init__(self, arrived: ArrivedCall, act: Answer) -> None:
        self._arrived = arrived
        self._act = act
        self._call = arrived.call
        self._leg = arrived.leg(self._call.hop.host, arrived.trunk)
        self._answered_at_ms: int | None = None
        self._is_established = False
        self._is_recording = False
        self._recorded = Recorded(arrived)
        self._loud_s = 0.0

    async def run(self) -> None:
        """From here to the end of the call."""
        arrived = self._arrived
        over = _Over("answered", NORMAL)
        try:
            await self._converse()
        except _Over as happened:
            over = happened
        status = 487 if over.result == "abandoned" else 200
        if self._answered_at_ms is None and over.result == "failed":
            status = 488 if over.q850 == INCOMPATIBLE else 503
            arrived.reject(status, over.q850)
        arrived.hang_up(over.q850)
        is_whole = await self._close()
        arrived.conclude(
            arrived.ended(
                "answered" if self._answered_at_ms is not None else over.result,
                status,
                over.q850,
                self._answered_at_ms,
                is_cut=over.is_cut or not is_whole,
            )
        )

    # Inside

    async def _converse(self) -> None:
        arrived, act = self._arrived, self._act
        if not await arrived.open([self._leg]):
            raise _Over("failed", TEMPORARY_FAILURE)
        self._answer()
        until_s = arrived.now_s() + PLAY_MARGIN_S * 3
        while not self._is_established:
            if await self._next(until_s) is None:
                raise _Over("answered", TEMPORARY_FAILURE)
        assert self._leg.stream is not None
        self._leg.tell(Talk(self._leg.stream))
        if act.greeting is not None:
            await self._play(act.greeting)
        if act.recording is not None:
            await self._record(act.recording)
        else:
            await self._wait(LINGER_S)

    def _answer(self) -> None:
        arrived, leg = self._arrived, self._leg
        try:
            body = leg.answer(arrived.offer) if arrived.offer else leg.offer()
        except RemoteError as error:
            raise _Over("failed", INCOMPATIBLE) from error
        if self._call.state is not CallState.RINGING:
            return  # its caller has given up: that is the next thing to be told
        self._call.accept(body, arrived.element.now_ms())
        at_ms = self._answered_at_ms = arrived.now_ms()
        arriving, arrivals = arrived.arriving, arrived.side.arrivals
        arrived.journal.add(lambda: arrivals.answered(arriving, at_ms))

    async def _play(self, sound: Converted) -> None:
        leg, arrived = self._leg, self._arrived
        assert leg.session is not None
        codec = leg.session.codec
        sounds = arrived.trunk.sounds
        number = sounds.hold(sound, codec)
        try:
            if leg.stream is not None:
                leg.tell(Play(leg.stream, number))
            until_s = arrived.now_s() + sound.duration_ms / 1000 + PLAY_MARGIN_S
            while (event := await self._next(until_s)) is not None:
                if isinstance(event, Played):
                    break
                if isinstance(event, Digit) and event.digit == END_DIGIT and leg.stream is not None:
                    leg.tell(StopPlaying(leg.stream))
        finally:
            sounds.release(sound, codec)

    async def _record(self, limits: RecordingLimits) -> None:
        arrived, leg = self._arrived, self._leg
        if leg.stream is None:
            return
        leg.tell(Record(leg.stream, limits.s_max * 1000))
        self._is_recording = True
        self._loud_s = began_s = arrived.now_s()
        while not arrived.journal.is_full:
            until_s = began_s + limits.s_max + 1
            if limits.silence_s:
                until_s = min(until_s, self._loud_s + limits.silence_s)
            event = await self._next(until_s)
            is_end = isinstance(event, Digit) and event.digit == END_DIGIT
            is_all = isinstance(event, HeardAudio) and event.is_last
            if is_end or is_all or arrived.now_s() >= until_s:
                return
        raise _Over("answered", TEMPORARY_FAILURE, is_cut=True)

    async def _wait(self, seconds: float) -> None:
        until_s = self._arrived.now_s() + seconds
        while self._arrived.now_s() < until_s:
            await self._next(until_s)

    async def _next(self, until_s: float) -> object | None:
        """What happens next to the audio, or to the call; what every moment has in common is done. Raises `_Over`."""
        item = await self._arrived.next(until_s)
        match item:
            case LegEvent():
                self._on_audio(item.event)
                return item.event
            case Established():
                self._is_established = True
                if item.body:
                    try:
                        self._leg.accept(item.body)
                    except RemoteError as error:
                        raise _Over("answered", INCOMPATIBLE) from error
                if self._leg.session is None:
                    raise _Over("answered", INCOMPATIBLE)
            case Offered():
                self._leg.settle(self._call, item.body)
            case Abandoned():
                raise _Over("abandoned", item.cause.q850)
            case Ended():
                raise _Over("answered", item.cause.q850)
            case LegLost() | Stopped():
                result: Result = "answered" if self._answered_at_ms is not None else "failed"
                raise _Over(result, TEMPORARY_FAILURE, is_cut=self._is_recording)
            case _:
                pass
        return item

    def _on_audio(self, event: MediaEvent) -> None:
        if not isinstance(event, HeardAudio):
            return
        octets = event.octets
        if octets and sum(octets.translate(MAGNITUDES[event.codec])) > SILENCE_MEAN * len(octets):
            self._loud_s = self._arrived.now_s()
        self._recorded.add(LAWS[event.codec], octets)
        if event.is_last:
            self._recorded.flush()

    async def _close(self) -> bool:
        """Closes the leg, and takes what it still has to tell; False where that did not come."""
        leg, arrived = self._leg, self._arrived
        is_whole = True
        if leg.stream is not None:
            leg.close()
            is_whole = await self._drained(arrived.now_s() + CLOSE_S_MAX)
        self._recorded.flush()
        return is_whole

    async def _drained(self, until_s: float) -> bool:
        while (item := await self._arrived.next(until_s)) is not None:
            if isinstance(item, LegLost):
                return False
            if isinstance(item, LegEvent):
                self._on_audio(item.event)
                if isinstance(item.event, Closed):
                    return True
        self._arrived.element.media.suspect()
        return False
