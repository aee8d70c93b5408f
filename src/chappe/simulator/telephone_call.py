"""One call at a built-in telephone: it rings, is answered, says its word, listens, and what it heard is stored."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import structlog

from chappe.operators.sip.agent.events import Abandoned, Ended, Established, Event, Offered
from chappe.operators.sip.agent.incoming import IncomingCall
from chappe.operators.sip.agent.states import CallState
from chappe.operators.sip.errors import LocalError, RemoteError
from chappe.operators.sip.media.library import SILENCE
from chappe.operators.sip.media.messages import Closed, Heard, Opened, Play, Record, Refused, Talk, connect_of
from chappe.operators.sip.media.messages import Event as MediaEvent
from chappe.operators.sip.sdp.audio import AudioSession, CodecName, Endpoint
from chappe.operators.sip.sdp.description import SessionDescription, parse_description
from chappe.simulator import calls_seen
from chappe.simulator.call_behaviours import CallBehaviour, call_behaviour
from chappe.simulator.called import Called
from chappe.simulator.sounds import translated
from chappe.storage.database import StorageUnavailable, Transaction

if TYPE_CHECKING:
    from chappe.simulator.telephones import Telephones

CALL_S_MAX: Final = 600.0
"""A caller that never hangs up is hung up on; and so much is recorded."""
CLOSE_S_MAX: Final = 5.0
OUT_OF_ORDER: Final = 27
INCOMPATIBLE: Final = 88

_log: structlog.stdlib.BoundLogger = structlog.get_logger("simulator")


class TelephoneCall:
    """`context` of its SIP call, owner of its stream. `offer` is the caller's; empty where it wants ours."""

    def __init__(
        self, telephones: Telephones, call: IncomingCall, offer: bytes, called: Called, caller: str
    ) -> None:
        self.phone = called.phone
        self._telephones = telephones
        self._element = telephones.element
        self._media = telephones.media
        self._call = call
        self._offered = offer
        self._caller = caller
        self._behaviour: CallBehaviour = call_behaviour(called.phone, wants_mailbox=called.wants_mailbox)
        self._call_id = 0
        self._stream: int | None = None
        self._endpoint: Endpoint | None = None
        self._offer: SessionDescription | None = None
        """Ours, where the caller made none."""
        self._opened: asyncio.Future[Opened | None] = asyncio.get_running_loop().create_future()
        self._established = asyncio.Event()
        self._closed = asyncio.Event()
        self._codec: CodecName = "PCMA"
        self._heard: list[bytes] = []
        """A-law."""
        self._seen = ""
        """How it ended, once it has."""
        self._behaving: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """From the INVITE to the row that says how it ended."""
        try:
            self._call_id = await self._telephones.store.ids("sim_calls").take()
        except StorageUnavailable:
            self._refuse(503, OUT_OF_ORDER, "cut off")
            return
        if self._seen:
            return  # given up before it rang
        self._behaving = asyncio.create_task(self._behave())
        await asyncio.wait({self._behaving})
        if not self._behaving.cancelled() and (error := self._behaving.exception()) is not None:
            self._telephones.on_unexpected(error)
        if not self._seen:
            self.stop()
        await self._hang_up_audio()
        heard = b"".join(self._heard).strip(bytes([SILENCE["PCMA"]]))
        await self._note(lambda tx, now_ms: calls_seen.end(tx, self._call_id, self._seen, heard, now_ms))

    def stop(self) -> None:
        """Ends it, whatever it is doing."""
        if self._call.state is CallState.RINGING:
            self._refuse(503, OUT_OF_ORDER, "cut off")
        else:
            self._over("cut off")
            self._hang_up()

    # What it does

    async def _behave(self) -> None:
        """Cancelled when the call is over."""
        behaviour = self._behaviour
        if behaviour.refusal is None and self._media.is_up:
            self._stream = self._media.open(self)
        if behaviour.rings:
            self._act(self._call.ring)
        await self._note(self._begin)
        await self._telephones.wait(behaviour.ring_s)
        refusal = behaviour.refusal
        if refusal is not None:
            self._refuse(refusal.status, refusal.cause, refusal.seen)
            return
        opened = None if self._stream is None else await self._opened
        if opened is None:
            _log.error("a telephone has no audio")
            self._refuse(503, OUT_OF_ORDER, "cut off")
            return
        try:
            self._pick_up(opened)
        except RemoteError as error:
            self._refuse(error.status, INCOMPATIBLE, "cut off")
            return
        await self._note(lambda tx, now_ms: calls_seen.answer(tx, self._call_id, now_ms))
        await self._established.wait()
        assert self._stream is not None
        self._media.tell(Talk(self._stream))
        self._media.tell(Play(self._stream, self._telephones.sound(behaviour.says, self._codec)))
        await asyncio.sleep(behaviour.hangs_up_after_s or CALL_S_MAX)
        self._hang_up()

    def _begin(self, tx: Transaction, now_ms: int) -> None:
        calls_seen.begin(tx, self._call_id, self.phone, self._caller, self._behaviour.label, now_ms)

    def _pick_up(self, opened: Opened) -> None:
        """Raises RemoteError for an offer that cannot be answered."""
        self._endpoint = endpoint = Endpoint("127.0.0.1", opened.port, rtcp_port=opened.rtcp_port)
        if self._offered:
            answer, session = endpoint.answer(parse_description(self._offered), secrets.randbits(48))
            self._connect(session)
        else:
            answer = self._offer = endpoint.offer(secrets.randbits(48))
        body = answer.encode()
        self._act(lambda now_ms: self._call.accept(body, now_ms))

    def _connect(self, session: AudioSession) -> None:
        stream = self._stream
        if stream is None:
            return
        self._codec = session.codec
        self._media.tell(connect_of(stream, session))
        # Before the caller knows that it was answered: not a word is missed.
        self._media.tell(Record(stream, round(CALL_S_MAX * 1000)))

    def _hang_up(self) -> None:
        self._act(self._call.hang_up)

    def _refuse(self, status: int, cause: int, seen: str) -> None:
        self._act(lambda now_ms: self._call.reject(status, now_ms, q850=cause))
        self._over(seen)

    def _act(self, act: Callable[[int], object]) -> None:
        try:
            act(self._element.now_ms())
        except LocalError:
            pass  # the caller has gone in the same moment, and its event is on its way
        self._element.sockets.flush()

    def _over(self, seen: str) -> None:
        self._seen = self._seen or seen
        if self._behaving is not None and self._behaving is not asyncio.current_task():
            self._behaving.cancel()

    async def _hang_up_audio(self) -> None:
        """What was heard is told before the stream is closed."""
        if self._stream is None or not self._media.is_up:
            return
        self._media.close(self._stream)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S_MAX):
                await self._closed.wait()

    async def _note(self, write: Callable[[Transaction, int], None]) -> None:
        """In the order of the calls: a call that ends meanwhile does not take it back."""
        await asyncio.shield(self._write(write, self._telephones.store.clock.now_ms()))

    async def _write(self, write: Callable[[Transaction, int], None], now_ms: int) -> None:
        with contextlib.suppress(StorageUnavailable):
            await self._telephones.store.database.write(lambda tx: write(tx, now_ms), background=True)
        self._telephones.on_change(self.phone)

    # What happens to it

    def on_sip(self, event: Event) -> None:
        match event:
            case Abandoned():
                self._over("no answer")
            case Ended():
                self._over("hung up")
            case Established():
                self._on_established(event.body)
            case Offered():
                self._on_offered(event)
            case _:
                pass

    def on_media(self, event: MediaEvent) -> None:
        match event:
            case Opened():
                self._opened.set_result(event)
            case Refused():
                self._stream = None
                self._opened.set_result(None)
            case Heard():
                octets = event.octets
                self._heard.append(octets if event.codec == "PCMA" else translated(octets, event.codec))
            case Closed():
                self._stream = None
                self._closed.set()
            case _:
                pass

    def on_media_lost(self) -> None:
        self._stream = None
        self._closed.set()
        if not self._opened.done():
            self._opened.set_result(None)
        elif not self._seen:
            self.stop()

    def _on_established(self, body: bytes) -> None:
        if self._offer is not None:
            assert self._endpoint is not None
            try:
                self._connect(self._endpoint.accept_answer(self._offer, parse_description(body)))
            except RemoteError:
                self._act(lambda now_ms: self._call.hang_up(now_ms, q850=INCOMPATIBLE))
                return
        self._established.set()

    def _on_offered(self, event: Offered) -> None:
        """Hold, another address: whatever can be done is accepted."""
        call, endpoint = event.call, self._endpoint
        assert endpoint is not None
        try:
            offer = parse_description(event.body) if event.body else None
            if offer is None:
                body = endpoint.offer(secrets.randbits(48), version=2).encode()
            else:
                answer, session = endpoint.answer(offer, secrets.randbits(48), version=2)
                body = answer.encode()
                self._connect(session)
        except RemoteError as error:
            call.refuse(error.status, self._element.now_ms())
        else:
            call.answer(body, self._element.now_ms())
