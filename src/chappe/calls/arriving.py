"""The port for calls that come in: what to do with each, and where what becomes of it goes.

The order is the promise: a call is stored, then it is answered, passed on or refused; what was heard is committed
while it is heard; how it ended is committed last. When the storage is down, `decide` raises and the call is refused
with 503; what was heard meanwhile is kept and brought again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from chappe.audio.sound import Converted, Law

Result = Literal[
    "answered",
    "forwarded",
    "redirected",
    "refused",
    "abandoned",
    "busy",
    "no answer",
    "unreachable",
    "rejected",
    "failed",
    "lost",
]
"""answered: we did. forwarded: whom it was passed on to did. redirected: 302. refused: we did not take it. abandoned:
its caller gave up. busy, no answer, unreachable, rejected: whom it was passed on to. failed: 5xx, no codec in common,
our fault. lost: the server died.
"""


@dataclass(frozen=True, slots=True)
class Arriving:
    """A call that comes in by `trunk`. `id`: of its row. `numbers`: whom it may be for, E.164 digits as integers, the
    likeliest first; several where the trunk says several. `caller`: E.164 digits, "" where they are withheld.
    """

    id: int
    trunk: str
    numbers: tuple[int, ...]
    caller: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class RecordingLimits:
    """The recording ends after `s_max` seconds, or after `silence_s` of silence (0: never)."""

    s_max: int
    silence_s: int


@dataclass(frozen=True, slots=True)
class Refuse:
    """`status`: of the SIP answer. `cause`: Q.850."""

    status: int
    cause: int


@dataclass(frozen=True, slots=True)
class Answer:
    """Is answered; `greeting` is played (its tone is part of it), then what is said is recorded, then the call is hung
    up.
    """

    greeting: Converted | None
    recording: RecordingLimits | None


@dataclass(frozen=True, slots=True)
class Redirect:
    """Answered with 302: the trunk itself calls `to`."""

    to: int


@dataclass(frozen=True, slots=True)
class Bridge:
    """`to` is called by a trunk of ours, and joined with the caller. `records`: what both say."""

    to: int
    ring_s_max: int
    call_s_max: int
    records: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """For which of the numbers, and what. Calls that are refused or redirected are stored as ended with it."""

    number: int
    act: Refuse | Answer | Redirect | Bridge


@dataclass(frozen=True, slots=True)
class ArrivedEnd:
    """How a call ended that was answered or passed on. `status`: what its caller was answered, 0 if nothing. `cause`:
    Q.850. `onward`: the trunk that it was passed on by. `is_cut`: the recording ends before its time.
    """

    result: Result
    status: int
    cause: int
    answered_at_ms: int | None
    ended_at_ms: int
    onward: str = ""
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Heard:
    """A piece of a recording. `number` counts from 0."""

    number: int
    law: Law
    octets: bytes


class Arrivals(Protocol):
    """What calls that come in are asked of. Everything returns after the commit, and raises `StorageUnavailable`
    without one.
    """

    async def next_id(self) -> int:
        """For the next `Arriving`."""
        ...

    async def decide(self, call: Arriving) -> Decision:
        """Once for each call, before anything is done with it."""
        ...

    async def answered(self, call: Arriving, at_ms: int) -> None:
        """We, or whom it was passed on to, have answered."""
        ...

    async def heard(self, call: Arriving, piece: Heard) -> None:
        """Pieces come in order; one that could not be committed comes again."""
        ...

    async def ended(self, call: Arriving, end: ArrivedEnd) -> None:
        """Once for each call that was to be answered or passed on, after its last piece; again when it raised."""
        ...
