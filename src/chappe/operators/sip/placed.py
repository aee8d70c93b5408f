"""One call of a campaign: from its order to how it ended, and both of them committed.

A socket for its audio is opened, the INVITE leaves, it rings; when it is answered, that is committed before the first
RTP frame; then the script is played, to a person or to a machine, and the call is hung up.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import structlog

from chappe.calls.port import NO_AUDIO, NOT_TAKEN, STOPPED, CallEnd, CallOrder, Result
from chappe.operators.sip.agent.causes import NO_ANSWER, NORMAL, Cause
from chappe.operators.sip.agent.events import Answered, Ended, Event, Failed, Offered, Progress
from chappe.operators.sip.agent.outgoing import OutgoingCall
from chappe.operators.sip.agent.states import CallState
from chappe.operators.sip.conversation import Conversation
from chappe.operators.sip.errors import LocalError, RemoteError
from chappe.operators.sip.media.messages import Closed, Detected, Opened, Played, Refused, connect_of
from chappe.operators.sip.media.messages import Event as MediaEvent
from chappe.operators.sip.results import is_trunk_trouble, result_of
from chappe.operators.sip.sdp.audio import AudioSession, CodecName, Endpoint
from chappe.operators.sip.sdp.description import SessionDescription, parse_description
from chappe.storage.database import OutcomeUnknown, StorageUnavailable

if TYPE_CHECKING:
    from chappe.operators.sip.trunk import SipTrunk

_log: structlog.stdlib.BoundLogger = structlog.get_logger("sip")

MEDIA_S_MAX: Final = 10.0
"""For the media process to open or close a stream; the first one may have to wait for its start."""
INCOMPATIBLE: Final = 88
PROGRESS_MAX: Final = 12


class PlacedCall:
    """`context` of its SIP call, owner of its stream."""

    def __init__(self, trunk: SipTrunk, order: CallOrder) -> None:
        self.order = order
        self._trunk = trunk
        self._element = trunk.element
        self._loop = asyncio.get_running_loop()
        self._stream: int | None = None
        self._endpoint: Endpoint | None = None
        self._offer: SessionDescription | None = None
        self._session: AudioSession | None = None
        self._version = 1
        self._call: OutgoingCall | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._commit: asyncio.Task[None] | None = None
        self._progress: list[str] = []
        self._ring_is_over = False
        self._answered_at_ms: int | None = None
        self._conversation: Conversation | None = None
        """From the committed answer on."""
        self._reason = ""
        self._end: tuple[Result, int, int] | None = None
        """Result, SIP status, Q.850 cause, once they are known."""
        self._ended_at_ms = 0
        self._is_brought = False

    # What the trunk does

    def begin(self) -> None:
        media = self._element.media
        if not media.is_up:
            self._not_begun(NO_AUDIO)
            return
        self._stream = media.open(self)
        self._set_timer(MEDIA_S_MAX, self._on_no_media)

    def stop(self) -> None:
        """The server stops: whatever it is, it ends now. What has not left is left to the next start."""
        if self._call is None and not self._ended_at_ms:
            self._not_begun(STOPPED)
        self._part(NORMAL)

    # What the media process tells

    def on_media(self, event: MediaEvent) -> None:
        match event:
            case Opened():
                if self._end is None:
                    self._invite(event.port, event.rtcp_port)
            case Refused():
                self._stream = None
                self._not_begun(NO_AUDIO)
            case Played():
                if self._conversation is not None:
                    self._conversation.on_played(event)
            case Detected():
                if self._conversation is not None:
                    self._conversation.on_detected(event)
            case Closed():
                self._stream = None
                self._conclude()
            case _:
                pass

    def on_media_lost(self) -> None:
        self._stream = None
        if self._conversation is not None:
            self._conversation.on_media_lost()
        if self._end is None:
            self._part(NORMAL, "media lost")
            if self._call is None:
                self._not_begun(NO_AUDIO)
        self._conclude()

    # What the user agent tells

    def on_sip(self, event: Event) -> None:
        match event:
            case Progress():
                self._on_progress(event)
            case Answered():
                self._on_answered(event)
            case Failed():
                self._on_failed(event.cause)
            case Offered():
                self._on_offered(event)
            case Ended():
                cause = event.cause
                self._over("answered", 200, cause.q850)
            case _:
                pass

    # Before the answer

    def _on_no_media(self) -> None:
        self._element.media.suspect()
        self._not_begun(NO_AUDIO)

    def _invite(self, port: int, rtcp_port: int) -> None:
        trunk, order, element = self._trunk, self.order, self._element
        self._endpoint = Endpoint(
            element.addresses.host_for(trunk.way), port, trunk.settings.codecs, rtcp_port
        )
        self._offer = self._endpoint.offer(secrets.randbits(48), version=self._version)
        try:
            invite = trunk.invite(order, self._offer.encode(), self)
            self._call = element.agent.call(invite, element.now_ms())
        except LocalError as error:
            _log.error("a call cannot be made", trunk=trunk.name, reason=str(error))
            self._over("failed", 0, 0)
            return
        self._set_timer(order.ring_s_max, self._on_ring_over)
        element.sockets.flush()

    def _on_ring_over(self) -> None:
        self._ring_is_over = True
        self._part(NO_ANSWER, "no answer")

    def _on_progress(self, event: Progress) -> None:
        if len(self._progress) < PROGRESS_MAX and self._progress[-1:] != [str(event.status)]:
            self._progress.append(str(event.status))
        if event.body:
            # Early media: heard, not spoken to.
            try:
                self._connect(event.body)
            except RemoteError as error:
                _log.info("an early answer that does not fit", trunk=self._trunk.name, reason=error.reason)

    def _on_failed(self, cause: Cause) -> None:
        if self._ring_is_over and cause.origin == "local":
            self._over("no answer", 487, NO_ANSWER)
            return
        call = self._call
        has_rung = call is None or call.may_have_rung
        trouble = cause if is_trunk_trouble(cause, has_rung=has_rung) else None
        self._trunk.note(trouble, None if call is None else call.hop)
        if cause.origin == "local":
            self._over("failed", cause.status, cause.q850)
        else:
            status = cause.status if cause.origin == "remote" else 0
            is_reliable = call is not None and call.hop.is_reliable
            self._over(result_of(cause, has_rung=has_rung, is_reliable=is_reliable), status, cause.q850)

    # From the answer on

    def _on_answered(self, event: Answered) -> None:
        self._answered_at_ms = self._trunk.clock.now_ms()
        self._trunk.note(None)
        try:
            if event.body:
                self._connect(event.body)
            if self._session is None:
                raise RemoteError("an answer without a session description", 488)
        except RemoteError as error:
            _log.warning("an answer that does not fit", trunk=self._trunk.name, reason=error.reason)
            self._end = ("failed", 488, INCOMPATIBLE)
            self._part(INCOMPATIBLE)
            return
        self._set_timer(None)
        self._commit = asyncio.create_task(self._commit_answered(self._answered_at_ms))

    async def _commit_answered(self, at_ms: int) -> None:
        trunk = self._trunk
        try:
            await trunk.outcomes.answered(trunk, self.order, at_ms)
        except (StorageUnavailable, OutcomeUnknown):
            self._end = self._end or ("failed", 200, NORMAL)
        except Exception as error:
            self._element.on_unexpected(error)
            self._end = self._end or ("failed", 200, NORMAL)
        self._commit = None
        if self._end is None:
            self._speak()
        else:
            self._part(NORMAL)
            self._conclude()

    def _speak(self) -> None:
        """The answer is committed: the first RTP frame may leave."""
        if self._stream is None:
            self._part(NORMAL)
            return
        trunk = self._trunk
        self._conversation = Conversation(
            self.order.script, self._element.media, trunk.sounds, self._stream, self._codec, self._on_said
        )
        settings = trunk.settings
        self._conversation.begin(settings.greeting_s_max if settings.detects_machines else None)

    def _codec(self) -> CodecName:
        assert self._session is not None
        return self._session.codec

    def _on_said(self, text: str) -> None:
        """There is nothing more to say."""
        assert self._conversation is not None
        if self._conversation.is_nobody:
            self._end = self._end or ("unreachable", 200, NORMAL)
        self._part(NORMAL, text)

    def _on_offered(self, event: Offered) -> None:
        """Hold, another address, another codec: whatever can be done is accepted."""
        call, endpoint = event.call, self._endpoint
        assert endpoint is not None
        self._version += 1
        now_ms = self._element.now_ms()
        try:
            if event.body:
                answer, session = endpoint.answer(
                    parse_description(event.body), secrets.randbits(48), version=self._version
                )
                self._tell_connect(session)
                call.answer(answer.encode(), now_ms)
            else:
                # Our offer in their place; their answer comes in the ACK, and is what was agreed before.
                offer = endpoint.offer(secrets.randbits(48), version=self._version)
                call.answer(offer.encode(), now_ms)
        except RemoteError as error:
            call.refuse(error.status, now_ms)

    # Inside

    def _connect(self, body: bytes) -> None:
        """Raises RemoteError for an answer that does not fit our offer."""
        assert self._endpoint is not None
        assert self._offer is not None
        self._tell_connect(self._endpoint.accept_answer(self._offer, parse_description(body)))

    def _tell_connect(self, session: AudioSession) -> None:
        self._session = session
        if self._conversation is not None and not session.may_send:
            self._conversation.on_held()
        if self._stream is None:
            return
        self._element.media.tell(connect_of(self._stream, session, self._trunk.settings.rtp_from))

    def _part(self, q850: int, text: str = "") -> None:
        """Ends the SIP call, whatever state it is in; its last event follows."""
        call = self._call
        if call is None:
            return
        now_ms = self._element.now_ms()
        try:
            if call.state in (CallState.CALLING, CallState.EARLY):
                call.cancel(now_ms, q850=q850, text=text)
            elif call.state is CallState.CONFIRMED:
                call.hang_up(now_ms, q850=q850, text=text)
        except LocalError as error:
            self._element.on_unexpected(error)
        self._element.sockets.flush()

    def _not_begun(self, reason: str) -> None:
        """No INVITE has left: the call waits for its turn again."""
        if not self._ended_at_ms:
            self._reason = reason
            self._over(NOT_TAKEN, 0, 0)

    def _over(self, result: Result, status: int, q850: int) -> None:
        """Nothing more will happen on the line."""
        if self._ended_at_ms:
            return
        self._set_timer(None)
        self._ended_at_ms = self._trunk.clock.now_ms()
        self._end = self._end or (result, status, q850)
        if self._conversation is not None:
            self._conversation.stop()
        if self._stream is not None and self._element.media.is_up:
            # What was played is told before the stream is closed.
            self._element.media.close(self._stream)
            self._set_timer(MEDIA_S_MAX, self._on_not_closed)
        else:
            self._stream = None
            self._conclude()

    def _on_not_closed(self) -> None:
        self._element.media.suspect()
        self._stream = None
        self._conclude()

    def _conclude(self) -> None:
        """When the line, the stream and the commit of the answer are through: the end is brought."""
        is_through = self._ended_at_ms and self._stream is None and self._commit is None
        if not is_through or self._is_brought:
            return
        self._is_brought = True
        self._set_timer(None)
        said = self._conversation
        if said is not None:
            said.close()
        if self._call is not None:
            self._call.context = None  # its transactions linger for half a minute, and need nothing of ours
        assert self._end is not None
        result, status, q850 = self._end
        progress = [*self._progress, str(status)] if status else self._progress
        end = CallEnd(
            result=result,
            status=status,
            cause=q850,
            party="" if said is None else said.party,
            reason=self._reason if said is None else said.reason,
            answered_at_ms=self._answered_at_ms,
            ended_at_ms=self._ended_at_ms,
            played_ms=0 if said is None else said.played_ms,
            is_complete=said is not None and said.is_complete,
            progress=" ".join(progress),
        )
        self._trunk.bring(self, end)

    def _set_timer(self, after_s: float | None, action: Callable[[], object] | None = None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if after_s is not None and action is not None:
            self._timer = self._loop.call_later(after_s, action)
