"""What goes to the processes that join pieces, and what comes back. Without numpy: the server itself needs none."""

from __future__ import annotations

import msgspec

from chappe.audio.sound import Answer, Converted
from chappe.speech.port import SpeechUnavailable, TextRefused


class Spoken(msgspec.Struct, frozen=True):
    """A piece as an engine spoke it, as an audio file; empty for a pause alone."""

    file: bytes
    pause_ms: int


def converted(answer: bytes) -> Converted:
    """What a process of ours answered; raises `TextRefused` or `SpeechUnavailable`."""
    read = msgspec.msgpack.decode(answer, type=Answer)
    if read.converted is not None:
        return read.converted
    if read.why in ("too long", "too short"):
        raise TextRefused(is_too_long=read.why == "too long")
    raise SpeechUnavailable("the engine gave no sound that can be read")
