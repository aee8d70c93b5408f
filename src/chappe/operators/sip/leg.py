"""The audio of one call: its stream in the media process, and what was agreed with the peer about it."""

from __future__ import annotations

import secrets
from typing import Protocol

from chappe.operators.sip.agent.call import Call
from chappe.operators.sip.element import SipElement
from chappe.operators.sip.errors import RemoteError
from chappe.operators.sip.media.messages import Closed, Command, Event, Opened, Refused, connect_of
from chappe.operators.sip.rtp.latch import Policy
from chappe.operators.sip.sdp.audio import AudioSession, CodecName, Endpoint
from chappe.operators.sip.sdp.description import Direction, SessionDescription, parse_description


class LegOwner(Protocol):
    """Whoever acts on what the stream tells."""

    def on_leg(self, leg: Leg, event: Event) -> None: ...

    def on_leg_lost(self, leg: Leg) -> None:
        """The media process has died: this leg has no audio any more."""
        ...


class Leg:
    """`peer`: the host whose way decides which address of ours is told. `stream` is None before `open` and after the
    end.
    """

    def __init__(
        self,
        element: SipElement,
        owner: LegOwner,
        peer: str,
        codecs: tuple[CodecName, ...],
        policy: Policy,
    ) -> None:
        self._element = element
        self._owner = owner
        self._peer = peer
        self._codecs = codecs
        self._policy: Policy = policy
        self._session_id = secrets.randbits(48)
        self._version = 0
        self._endpoint: Endpoint | None = None
        self._offered: SessionDescription | None = None
        self.stream: int | None = None
        self.session: AudioSession | None = None
        self._is_closing = False

    def open(self) -> bool:
        """A socket is asked for: `Opened` or `Refused` follows. False while the media process is down."""
        media = self._element.media
        if not media.is_up:
            return False
        self.stream = media.open(self)
        return True

    def close(self) -> None:
        """`Closed` follows where there is a stream."""
        if self.stream is not None and not self._is_closing:
            self._is_closing = True
            self._element.media.close(self.stream)

    def tell(self, command: Command) -> None:
        self._element.media.tell(command)

    # Offers and answers

    @property
    def direction(self) -> Direction:
        """Of this peer's audio, as it is said to whoever it is joined with: what it does not hear is not wanted."""
        session = self.session
        if session is None or session.may_receive:
            return "sendrecv" if session is None or session.may_send else "sendonly"
        return "recvonly" if session.may_send else "inactive"

    def offer(self, direction: Direction = "sendrecv") -> bytes:
        """Ours, after `Opened`; `accept` takes the answer to it."""
        endpoint = self._opened()
        self._version += 1
        self._offered = endpoint.offer(self._session_id, version=self._version, direction=direction)
        return self._offered.encode()

    def accept(self, body: bytes) -> None:
        """Their answer to our last offer. Raises RemoteError where it does not fit."""
        if self._offered is None:
            raise RemoteError("an answer to nothing that was offered", 488)
        self._connect(self._opened().accept_answer(self._offered, parse_description(body)))

    def answer(self, body: bytes) -> bytes:
        """Our answer to their offer, which is in force from here on. Raises RemoteError where nothing fits."""
        description, session = self._opened().answer(
            parse_description(body), self._session_id, version=self._version + 1
        )
        self._version += 1
        self._connect(session)
        return description.encode()

    def settle(self, call: Call, body: bytes) -> None:
        """Answers an offer inside of the call (hold, another address, another codec), or makes ours where they ask."""
        now_ms = self._element.now_ms()
        try:
            call.answer(self.answer(body) if body else self.offer(), now_ms)
        except RemoteError as error:
            call.refuse(error.status, now_ms)

    # What the media process tells

    def on_media(self, event: Event) -> None:
        if isinstance(event, Opened):
            host = self._element.addresses.host_for(self._peer)
            self._endpoint = Endpoint(host, event.port, self._codecs, event.rtcp_port)
        elif isinstance(event, Refused | Closed):
            self.stream = None
        self._owner.on_leg(self, event)

    def on_media_lost(self) -> None:
        self.stream = None
        self._owner.on_leg_lost(self)

    # Inside

    def _opened(self) -> Endpoint:
        if self._endpoint is None:
            raise RemoteError("there is no socket for the audio", 500)
        return self._endpoint

    def _connect(self, session: AudioSession) -> None:
        self.session = session
        if self.stream is None:
            return
        self.tell(connect_of(self.stream, session, self._policy))
