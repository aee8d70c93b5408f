"""What the media process is told, and what it tells: the whole of the port between it and the server.

A stream is one call's audio, named by a number that the server chooses. Nothing is sent on a stream before `Talk`.
"""

from __future__ import annotations

import msgspec

from chappe.operators.sip.rtp.latch import Policy
from chappe.operators.sip.sdp.audio import AudioSession, CodecName

MESSAGE_OCTETS_MAX = 1 << 20
"""One message on the pipe."""
CHUNK_OCTETS_MAX = 256 * 1024
"""Of a sound that is loaded in pieces."""


class Load(msgspec.Struct, frozen=True, tag=True):
    """A piece of a sound, in one of the codecs, 8,000 octets a second. It can be played once the last piece is there."""

    sound: int
    codec: CodecName
    octets: bytes
    is_last: bool


class Unload(msgspec.Struct, frozen=True, tag=True):
    """The sound is not needed any more; streams that play it play it to its end."""

    sound: int


class Open(msgspec.Struct, frozen=True, tag=True):
    """A socket for a stream; `Opened` or `Refused` answers."""

    stream: int


class Connect(msgspec.Struct, frozen=True, tag=True):
    """What was agreed, the first time or again: where to send, in which form, and what may come."""

    stream: int
    host: str
    port: int
    rtcp_port: int
    codec: CodecName
    payload_type: int
    receives: dict[int, CodecName]
    events_send: int | None
    events_receive: int | None
    ptime_ms: int
    may_send: bool
    policy: Policy = "any"


def connect_of(stream: int, session: AudioSession, policy: Policy = "any") -> Connect:
    """What was agreed with a peer, for its stream."""
    return Connect(
        stream,
        session.host,
        session.port,
        session.rtcp_port,
        session.codec,
        session.payload_type,
        dict(session.receives),
        session.events_send,
        session.events_receive,
        session.ptime_ms,
        session.may_send,
        policy,
    )


class Talk(msgspec.Struct, frozen=True, tag=True):
    """From here on the stream sends: sounds, digits, else silence."""

    stream: int


class Play(msgspec.Struct, frozen=True, tag=True):
    """Plays a sound from its beginning, at once, in place of another. `Played` tells its end."""

    stream: int
    sound: int


class StopPlaying(msgspec.Struct, frozen=True, tag=True):
    stream: int


class SendDigits(msgspec.Struct, frozen=True, tag=True):
    """`DigitsSent` tells the end. Without agreed events nothing is sent, and it is told at once."""

    stream: int
    digits: str


class Record(msgspec.Struct, frozen=True, tag=True):
    """What comes in is told as `Heard`, for `ms_max` at most. `is_paced`: it keeps to the clock, so that several streams
    can be laid side by side; when nothing comes, that is silence.
    """

    stream: int
    ms_max: int
    is_paced: bool = False


class Listen(msgspec.Struct, frozen=True, tag=True):
    """What comes in goes through the detector, until it is sure or the stream is closed."""

    stream: int


class Bridge(msgspec.Struct, frozen=True, tag=True):
    """What comes in on either goes out on the other, from one law to the other where they differ, digits too, until
    one of them is closed. One that talks sends silence while nothing comes for it.
    """

    stream: int
    other: int


class Close(msgspec.Struct, frozen=True, tag=True):
    """The stream ends; `Closed` is its last event."""

    stream: int


class Measure(msgspec.Struct, frozen=True, tag=True):
    """`Measured` answers, with what was counted since the last time."""


Command = (
    Measure
    | Load
    | Unload
    | Open
    | Connect
    | Talk
    | Play
    | StopPlaying
    | SendDigits
    | Record
    | Listen
    | Bridge
    | Close
)


class Opened(msgspec.Struct, frozen=True, tag=True):
    stream: int
    port: int
    rtcp_port: int


class Refused(msgspec.Struct, frozen=True, tag=True):
    """No socket is left. The stream is closed."""

    stream: int
    reason: str


class Played(msgspec.Struct, frozen=True, tag=True):
    """How much of the sound was sent, and whether all of it."""

    stream: int
    sound: int
    ms: int
    is_complete: bool


class DigitsSent(msgspec.Struct, frozen=True, tag=True):
    stream: int


class FirstAudio(msgspec.Struct, frozen=True, tag=True):
    """The first packet of the peer's was accepted."""

    stream: int


class Digit(msgspec.Struct, frozen=True, tag=True):
    stream: int
    digit: str


class Heard(msgspec.Struct, frozen=True, tag=True):
    """A second of what came in, in order, gaps filled with silence; less at the end, and then `is_last`."""

    stream: int
    codec: CodecName
    octets: bytes
    is_last: bool


class Detected(msgspec.Struct, frozen=True, tag=True):
    """What the detector found: its own words. `is_last`: it listens no more."""

    stream: int
    what: str
    reason: str
    is_last: bool


class Silent(msgspec.Struct, frozen=True, tag=True):
    """Nothing came on a stream for so long, or for so long again."""

    stream: int
    ms: int


class Closed(msgspec.Struct, frozen=True, tag=True):
    """Counts of packets; `jitter_ms` and `lost` of what came in; `peer_lost` as the peer reported it, -1 if it never
    did.
    """

    stream: int
    sent: int
    received: int
    lost: int
    jitter_ms: float
    peer_lost: int
    round_trip_ms: float


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The process works."""


class Measured(msgspec.Struct, frozen=True, tag=True):
    """How late the frames left, in milliseconds after their time: half of them, 99 in 100, the last one; `busy` is the
    share of time in which the process had something to do.
    """

    streams: int
    frames: int
    late_ms_p50: float
    late_ms_p99: float
    late_ms_max: float
    busy: float


Event = (
    Measured
    | Ready
    | Opened
    | Refused
    | Played
    | DigitsSent
    | FirstAudio
    | Digit
    | Heard
    | Detected
    | Silent
    | Closed
)
