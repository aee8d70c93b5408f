"""What a sound is on the network, and why a file is none. Without numpy, which costs a command that only names files."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

RATE_HZ: Final = 8000
CONTENT_BYTES_MAX: Final = 25 << 20
DURATION_S_MAX: Final = 300
"""Five minutes: longer than any mailbox records."""

Law = Literal["alaw", "ulaw"]
Why = Literal["format", "damaged", "too long", "too short"]


class AudioRefused(Exception):
    """The file is not one we take; `why` says which of the rules it breaks."""

    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why: Why = why


class Converted(msgspec.Struct, frozen=True):
    """The same sound twice, an octet a sample, 8,000 a second."""

    duration_ms: int
    alaw: bytes
    ulaw: bytes


class Answer(msgspec.Struct, frozen=True):
    """What the isolated process says: one of the two."""

    converted: Converted | None = None
    why: Why | None = None
