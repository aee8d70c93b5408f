"""The port to the operators: what the dispatcher hands over, and what comes back.

The order is the promise: a recipient is committed as `leaving`, then handed over; what an operator says is
committed through `Outcomes`, then acknowledged. When the thing behind an `Operator` is down, `free_slots` is 0 and
nothing is handed over; what was already handed over comes back as `lost`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

ReceiptState = Literal[
    "delivered", "undelivered", "expired", "rejected", "deleted", "unknown", "accepted", "enroute"
]
FINAL_RECEIPTS: frozenset[ReceiptState] = frozenset(
    {"delivered", "undelivered", "expired", "rejected", "deleted", "unknown"}
)


class Departure(msgspec.Struct, frozen=True, gc=False):
    """One recipient's message on its way to an operator. `number`: E.164 digits as an integer.

    `parts` are the segments in order, each as text; `is_unicode` says that they are counted in UCS-2. `which` are
    the indexes of the parts to submit now: all of them, or after a lost answer those that no operator has accepted.
    The concatenation reference must follow from message and number, so that such a part joins its neighbours.
    """

    message_id: int
    number: int
    attempt: int
    sender: str
    parts: tuple[str, ...]
    which: tuple[int, ...]
    is_unicode: bool
    left_at_ms: int


class Submitted(msgspec.Struct, frozen=True, gc=False):
    """The operator's answer to one part, or its absence. `part` counts from 0.

    outcome: "accepted" (smsc_message_id is set, perhaps empty), "refused" (a final no: command_status),
    "lost" (no answer came before the connection ended, or the response timer ran out).
    Throttling answers are not outcomes: the operator waits and submits again by itself.
    `is_late`: an "accepted" that came after the part was reported as lost.
    """

    departure: Departure
    part: int
    outcome: Literal["accepted", "refused", "lost"]
    smsc_message_id: str
    command_status: int
    is_late: bool = False


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """A delivery receipt. `candidates`: the message id in every spelling to try, first as it stands, never empty;
    those after the first are guesses. `number`: the phone that it names, E.164 digits, None where it names none.
    """

    candidates: tuple[str, ...]
    state: ReceiptState
    error: str
    number: int | None = None


class Reply(msgspec.Struct, frozen=True, gc=False):
    """A message from a phone. `number`: its E.164 digits; `destination`: what it was sent to, as given."""

    number: int
    destination: str
    text: str


Outcome = Submitted | Receipt | Reply


class Outcomes(Protocol):
    """Where an operator brings what happened. Returns when all of it is committed; raises `StorageUnavailable`
    when it is not, and then the operator must keep it (not acknowledge it) and bring it again."""

    async def commit(self, operator: Operator, outcomes: Sequence[Outcome]) -> None: ...


class Operator(Protocol):
    """One configured operator: all its binds together."""

    name: str
    smsc: str
    """Whose message ids its answers carry: operators with the same `smsc` share receipts."""

    @property
    def free_slots(self) -> int:
        """How many parts may be handed over now: window slots of live binds that are not taken, not more than the
        throughput allows. A slot is taken by `submit` and given back when its outcome is committed."""
        ...

    @property
    def is_up(self) -> bool:
        """Whether a live bind can submit."""
        ...

    def submit(self, departures: Sequence[Departure]) -> None:
        """Takes slots and writes at once (one write for many). Their parts fit into `free_slots`, except that one
        departure longer than the whole window may be handed over when the window is empty."""
        ...

    async def start(self, outcomes: Outcomes, wake: Wake) -> None:
        """Connects, and stays connected, in the background: returns without waiting for a bind."""
        ...

    async def stop(self) -> None:
        """Unbinds after the answers under way have come or timed out (a few seconds at most)."""
        ...


class Wake(Protocol):
    """Called by an operator when slots were given back, or a bind came up."""

    def __call__(self) -> None: ...
