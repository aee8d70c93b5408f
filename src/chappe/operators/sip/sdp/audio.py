"""Offers and answers of telephone audio (RFC 3264): G.711 and digits (RFC 4733), one stream.

offer = Endpoint(host, port, codecs=("PCMA", "PCMU")).offer(session_id)
session = endpoint.accept_answer(offer, parse_description(body))        # the caller's side
answer, session = endpoint.answer(parse_description(body), session_id)  # the callee's side
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, replace
from typing import Final, Literal

from chappe.operators.sip.errors import RemoteError
from chappe.operators.sip.sdp.description import Direction, Media, Origin, SessionDescription

CodecName = Literal["PCMA", "PCMU"]
_Named = tuple[tuple[int, CodecName], ...]
STATIC: Final[dict[CodecName, int]] = {"PCMU": 0, "PCMA": 8}
EVENTS: Final = "telephone-event"
EVENTS_PAYLOAD_TYPE: Final = 101
"""Ours, where we offer; an answer takes the offer's."""
EVENT_CODES: Final = "0-15"
PTIME_MS: Final = 20
PTIMES_MS: Final = (10, 20, 30, 40, 60)
"""What we can send: whole blocks of 10 ms."""

_BROADCAST: Final = ipaddress.IPv4Address("255.255.255.255")
_RTPMAP: Final = re.compile(r"([0-9]{1,3}) ++([A-Za-z0-9\-._]++)/([0-9]{1,6})(?:/([0-9]{1,3}))?+ *+")
_PLAYS: Final[dict[Direction, bool]] = {
    "sendrecv": True,
    "sendonly": True,
    "recvonly": False,
    "inactive": False,
}
_HEARS: Final[dict[Direction, bool]] = {
    "sendrecv": True,
    "sendonly": False,
    "recvonly": True,
    "inactive": False,
}
_MIRROR: Final[dict[Direction, Direction]] = {
    "sendrecv": "sendrecv",
    "sendonly": "recvonly",
    "recvonly": "sendonly",
    "inactive": "inactive",
}


@dataclass(frozen=True, slots=True)
class AudioSession:
    """What was agreed. Payload types of what we send are the peer's, of what we receive ours (RFC 3264, 5.1).

    `receives` are the codecs by the payload types that may come.
    """

    host: str
    port: int
    rtcp_port: int
    codec: CodecName
    payload_type: int
    receives: tuple[tuple[int, CodecName], ...]
    events_send: int | None
    """Payload type of digits that we send; None where the peer takes none."""
    events_receive: int | None
    ptime_ms: int
    may_send: bool
    may_receive: bool

    @property
    def is_held(self) -> bool:
        """The peer does not listen."""
        return not self.may_send


@dataclass(frozen=True, slots=True)
class _Formats:
    """What a medium says about its formats."""

    codecs: _Named
    """In the order of preference."""
    events: int | None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Our end: where we receive, and what we can do, in the order of preference. `rtcp_port` where it is not the next
    one (RFC 3605).
    """

    host: str
    port: int
    codecs: tuple[CodecName, ...] = ("PCMA", "PCMU")
    rtcp_port: int | None = None
    has_events: bool = True

    def offer(
        self, session_id: int, *, version: int = 1, direction: Direction = "sendrecv"
    ) -> SessionDescription:
        """`session_id` below 2^63, `version` one more than in our last description of this session."""
        codecs: _Named = tuple((STATIC[name], name) for name in self.codecs)
        events = EVENTS_PAYLOAD_TYPE if self.has_events else None
        media = self._media("audio", _Formats(codecs, events), direction, PTIME_MS)
        return self._description(session_id, version, (media,))

    def accept_answer(self, offer: SessionDescription, answer: SessionDescription) -> AudioSession:
        """The caller's session. Raises RemoteError(488) where the answer rejects our offer or does not fit it."""
        media = _answered_media(offer, answer)
        if media is None or media.port == 0:
            raise RemoteError("the audio was rejected", 488)
        theirs = _formats_of(media)
        ours = _formats_of(offer.media[0])
        for payload_type, name in theirs.codecs:
            if self._does(name):
                return self._session(answer, media, payload_type, name, ours, theirs)
        raise RemoteError("the answer has no codec that was offered", 488)

    def answer(
        self,
        offer: SessionDescription,
        session_id: int,
        *,
        version: int = 1,
        direction: Direction = "sendrecv",
    ) -> tuple[SessionDescription, AudioSession]:
        """Our answer and the session that comes of it: the first audio that we can do is taken, everything else is
        rejected. Raises RemoteError(488) where nothing is left.
        """
        answers: list[Media] = []
        session: AudioSession | None = None
        for media in offer.media:
            accepted = self._accept(offer, media, direction) if session is None else None
            if accepted is None:
                answers.append(Media(media.kind, 0, media.protocol, media.formats))
            else:
                ours, session = accepted
                answers.append(ours)
        if session is None:
            raise RemoteError("nothing that is offered can be done", 488)
        return self._description(session_id, version, tuple(answers)), session

    # Inside

    def _does(self, name: CodecName) -> bool:
        return name in self.codecs

    def _accept(
        self, offer: SessionDescription, media: Media, wanted: Direction
    ) -> tuple[Media, AudioSession] | None:
        if media.kind != "audio" or media.port == 0 or media.protocol not in ("RTP/AVP", "RTP/AVPF"):
            return None
        theirs = _formats_of(media)
        both: _Named = tuple((payload_type, name) for payload_type, name in theirs.codecs if self._does(name))
        if not both:
            return None
        ours = _Formats(both, theirs.events if self.has_events else None)
        direction = _narrower(_MIRROR[offer.direction_of(media)], wanted)
        payload_type, name = both[0]
        session = self._session(offer, media, payload_type, name, ours, theirs)
        session = replace(
            session,
            may_send=session.may_send and _PLAYS[direction],
            may_receive=session.may_receive and _HEARS[direction],
        )
        return self._media("audio", ours, direction, session.ptime_ms, media.protocol), session

    def _session(
        self,
        description: SessionDescription,
        media: Media,
        payload_type: int,
        name: CodecName,
        ours: _Formats,
        theirs: _Formats,
    ) -> AudioSession:
        host = _address(description.host_of(media), self.host)
        direction = _MIRROR[description.direction_of(media)]
        # Before there was "sendonly", a call was held with an address that is none (RFC 2543).
        is_nowhere = host in ("0.0.0.0", "::")  # noqa: S104 - nothing is bound
        return AudioSession(
            host,
            media.port,
            _rtcp_port(media),
            name,
            payload_type,
            ours.codecs,
            theirs.events if self.has_events else None,
            ours.events,
            _ptime_ms(media),
            may_send=_PLAYS[direction] and not is_nowhere,
            may_receive=_HEARS[direction],
        )

    def _media(
        self, kind: str, formats: _Formats, direction: Direction, ptime_ms: int, protocol: str = "RTP/AVP"
    ) -> Media:
        attributes = [("rtpmap", f"{payload_type} {name}/8000") for payload_type, name in formats.codecs]
        payload_types = [str(payload_type) for payload_type, _ in formats.codecs]
        if formats.events is not None:
            payload_types.append(str(formats.events))
            attributes.append(("rtpmap", f"{formats.events} {EVENTS}/8000"))
            attributes.append(("fmtp", f"{formats.events} {EVENT_CODES}"))
        attributes.append(("ptime", str(ptime_ms)))
        attributes.append((direction, ""))
        if self.rtcp_port is not None:
            attributes.append(("rtcp", str(self.rtcp_port)))
        return Media(kind, self.port, protocol, tuple(payload_types), None, tuple(attributes))

    def _description(self, session_id: int, version: int, media: tuple[Media, ...]) -> SessionDescription:
        return SessionDescription(Origin("-", session_id, version, self.host), self.host, (), media)


def _address(host: str, ours: str) -> str:
    """Where audio can be sent to, as sockets write it. RemoteError(488) for a name, a group of hosts, and the other version
    of the protocol.

    Names (RFC 8866, 5.7, allows them) would be looked up for each frame, and whoever sends all calls' audio would wait.
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise RemoteError("a c= line has no address", 488) from None
    if address.is_multicast or address == _BROADCAST:
        raise RemoteError("a c= line names more than one host", 488)
    try:
        is_other = ipaddress.ip_address(ours).version != address.version
    except ValueError:
        is_other = False  # ours is written as a name
    if is_other:
        raise RemoteError("a c= line has an address of the other version", 488)
    return str(address)


def _answered_media(offer: SessionDescription, answer: SessionDescription) -> Media | None:
    """The answer to the first medium of our offer, which is the audio; media are answered in order (section 6)."""
    assert offer.media
    assert offer.media[0].kind == "audio"
    if not answer.media or answer.media[0].kind != "audio":
        return None
    return answer.media[0]


def _formats_of(media: Media) -> _Formats:
    named: dict[str, tuple[str, int]] = {}
    for value in media.all("rtpmap"):
        match = _RTPMAP.fullmatch(value)
        if match is not None and match.group(4) in (None, "1"):
            named.setdefault(str(int(match.group(1))), (match.group(2).upper(), int(match.group(3))))
    codecs: list[tuple[int, CodecName]] = []
    events: int | None = None
    for text in media.formats:
        if not (text.isascii() and text.isdecimal() and len(text) <= 3):
            continue
        payload_type = int(text)
        if payload_type > 127:
            continue
        name, rate = named.get(str(payload_type), _static_name(payload_type))
        if rate != 8000:
            continue
        if name == "PCMA" or name == "PCMU":
            codecs.append((payload_type, name))
        elif name == EVENTS.upper() and events is None:
            events = payload_type
    return _Formats(tuple(codecs), events)


def _static_name(payload_type: int) -> tuple[str, int]:
    """Of a payload type without rtpmap (RFC 3551, table 4)."""
    for name, number in STATIC.items():
        if number == payload_type:
            return name, 8000
    return "", 0


def _rtcp_port(media: Media) -> int:
    value = media.first("rtcp")
    if value is not None:
        port = value.split(" ", 1)[0]
        if port.isascii() and port.isdecimal() and len(port) <= 5 and 0 < int(port) < 65536:
            return int(port)
    if media.first("rtcp-mux") is not None:
        return media.port
    return min(media.port + 1, 65535)


def _ptime_ms(media: Media) -> int:
    """How much the peer wants in a packet, as far as we can do it."""
    wanted = _milliseconds(media.first("ptime")) or PTIME_MS
    longest = _milliseconds(media.first("maxptime"))
    if longest:
        wanted = min(wanted, longest)
    fitting = [ptime_ms for ptime_ms in PTIMES_MS if ptime_ms <= wanted]
    return fitting[-1] if fitting else PTIMES_MS[0]


def _milliseconds(value: str | None) -> int | None:
    if value is None:
        return None
    whole = value.strip().partition(".")[0]
    return int(whole) if whole.isascii() and whole.isdecimal() and 0 < len(whole) <= 4 else None


def _narrower(one: Direction, other: Direction) -> Direction:
    plays, hears = _PLAYS[one] and _PLAYS[other], _HEARS[one] and _HEARS[other]
    if plays:
        return "sendrecv" if hears else "sendonly"
    return "recvonly" if hears else "inactive"
