"""The port to the telephone network: what the dispatcher hands over, and what comes back.

The order is the promise: a callee is committed as `calling`, then handed over and the INVITE leaves; that it was
answered is committed through `CallOutcomes.answered`, then the first RTP frame leaves; how it ended is committed
through `CallOutcomes.ended`, then the call's place is free. When the thing behind a `Trunk` is down, `is_up` is False
and nothing is handed over; what was handed over and was not heard of ends as "not taken".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from chappe.audio.sound import Converted

Party = Literal["", "person", "machine"]
"""Who answered, as far as was found out; "" where nobody asked."""

Result = Literal["answered", "busy", "no answer", "unreachable", "rejected", "not taken", "failed", "lost"]
"""answered: a 200 came, whatever was heard. busy: 486, 600. no answer: it rang too long, or 480, 408 after ringing.
unreachable: 404, 410, 484, 604 and the like, or a fax answered. rejected: 403, 603 and other refusals. not taken: the
trunk itself could not or would not, and no telephone rang. failed: no common codec, a 5xx after ringing, our fault. lost:
nobody knows."""

NOT_TAKEN: Final[Result] = "not taken"
STOPPED: Final = "stopped"
"""`reason` of a call that was not taken because the server stops: the next start makes it."""
NO_AUDIO: Final = "no audio"
"""`reason` of a call that was not taken because there was no stream for its audio: it is made when there is one."""
NOT_BEGUN: Final = (STOPPED, NO_AUDIO)
"""Nothing had left: no trunk has refused such a call, and it waits as if it had not been handed over."""


@dataclass(frozen=True, slots=True)
class Script:
    """What is played to whom; None: nothing, and the call is ended.

    Where both are the same sound it is played as soon as the call is answered. Otherwise the trunk finds out who
    answered: a person hears `to_person`; on a machine `to_machine` begins after the beep, or the end of the greeting.
    """

    to_person: Converted | None
    to_machine: Converted | None

    @property
    def detects(self) -> bool:
        """Whether it matters who answers."""
        return self.to_person is not self.to_machine

    @property
    def is_deposit(self) -> bool:
        """Whether it is for a mailbox alone."""
        return self.to_person is None


@dataclass(frozen=True, slots=True)
class CallOrder:
    """One call to make. `number`: E.164 digits as an integer. `sender`: E.164 digits, or "" for the trunk's own."""

    campaign_id: int
    number: int
    attempt: int
    sender: str
    script: Script
    ring_s_max: int
    left_at_ms: int


@dataclass(frozen=True, slots=True)
class CallEnd:
    """How a call ended. `status`: the final SIP status, 0 if none came. `cause`: Q.850, 0 if none was given.

    `played_ms`: how much of the sound was sent; `is_complete`: all of it. `reason`: what the detector decided by.
    `progress`: what came on the way, such as "100 180 183 200", for the history.
    """

    result: Result
    status: int
    cause: int
    party: Party
    reason: str
    answered_at_ms: int | None
    ended_at_ms: int
    played_ms: int
    is_complete: bool
    progress: str


class CallOutcomes(Protocol):
    """Where a trunk brings what happened. Both return after the commit and raise `StorageUnavailable` without one."""

    async def answered(self, trunk: Trunk, order: CallOrder, at_ms: int) -> None:
        """Before the first RTP frame. When it raises, nothing may be played: the call is ended as "failed"."""
        ...

    async def ended(self, trunk: Trunk, order: CallOrder, end: CallEnd) -> None:
        """Once for each order. When it raises, the trunk brings it again, and keeps the call's place taken: what was
        stored already (`OutcomeUnknown`) stays as it is.
        """
        ...


class Trunk(Protocol):
    """One way into the telephone network."""

    name: str

    @property
    def ways(self) -> int:
        """How many addresses it has: a call that it has not taken may be offered to it once by each."""
        ...

    @property
    def is_up(self) -> bool:
        """Whether calls can be made now."""
        ...

    @property
    def free_calls(self) -> int:
        """How many calls may be handed over now: places that are not taken, not more than its calls a second allow."""
        ...

    def call(self, order: CallOrder) -> None:
        """Takes a place and makes the call. Fits into `free_calls`."""
        ...

    async def start(self, outcomes: CallOutcomes, wake: Callable[[], None]) -> None:
        """Works in the background; returns without waiting for a registration. `wake` when places became free."""
        ...

    async def stop(self) -> None:
        """Makes no more calls, ends those under way and brings how they ended; a few seconds at most."""
        ...
