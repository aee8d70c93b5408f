"""Who listens to what comes in: a port, so that the media process need not know what is looked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from chappe.operators.sip.sdp.audio import CodecName


class Finding(NamedTuple):
    """`what` and `reason` in the detector's own words; `is_last`: nothing more will be found on this stream."""

    stream: int
    what: str
    reason: str
    is_last: bool


class Piece(NamedTuple):
    """Audio in order, one octet a sample at 8 kHz. `gap`: samples that are missing before it."""

    stream: int
    codec: CodecName
    gap: int
    octets: bytes


class Detector(Protocol):
    """One object for many streams, so that it can work on them at once; there are a few of them (`ear.py`). It must not
    block: whatever leaves waits for it.

    An exception ends the listening on every stream of that object, and nothing else.
    """

    def begin(self, stream: int) -> None:
        """Audio of this stream will come. The beginning is when the stream began to listen."""
        ...

    def feed(self, pieces: Sequence[Piece]) -> Sequence[Finding]:
        """What came in within the last 20 ms, of all its streams; called at every 20 ms, also with nothing, so that time
        passes for streams on which nothing comes.
        """
        ...

    def end(self, stream: int) -> None:
        """The stream is closed, or nothing more is wanted."""
        ...
