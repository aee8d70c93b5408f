"""What a telephone does when it is called: the last two digits of +33 6 00 00 00 xx and +33 1 00 00 00 xx choose; every
other number answers at once: a person, or its mailbox where the call asks for that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from chappe.simulator.sounds import Name

_SPECIAL: Final = frozenset({336_000_000, 331_000_000})
"""The numbers without their last two digits."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """How a call that nobody takes ends: SIP status, Q.850 cause, and how the telephone sees it."""

    status: int
    cause: int
    seen: str


@dataclass(frozen=True, slots=True)
class CallBehaviour:
    """What happens to a call to such a telephone: it is answered, or refused."""

    label: str
    """What it does, for people."""
    says: Name = "hello"
    refusal: Refusal | None = None
    ring_s: float = 0.0
    """Before it is answered, or before it stops ringing."""
    hangs_up_after_s: float | None = None
    """None: it listens to the end."""

    @property
    def rings(self) -> bool:
        return self.refusal is None or self.ring_s > 0


PERSON: Final = CallBehaviour("a person answers")
MAILBOX: Final = CallBehaviour("its mailbox answers", says="mailbox")
_BY_DIGITS: Final = {
    0: PERSON,
    1: CallBehaviour("an answering machine, with a beep", says="greeting"),
    2: CallBehaviour("busy", refusal=Refusal(486, 17, "busy")),
    3: CallBehaviour("rings for 5 s, nobody answers", refusal=Refusal(480, 19, "no answer"), ring_s=5.0),
    4: CallBehaviour("unreachable", refusal=Refusal(404, 20, "unreachable")),
    5: CallBehaviour("a person who hangs up after 1 s", hangs_up_after_s=1.0),
}

TABLE: Final = tuple((f"{digits:02}", behaviour.label) for digits, behaviour in _BY_DIGITS.items())
"""(last two digits, label), for pages."""


def call_behaviour(phone: int, *, wants_mailbox: bool) -> CallBehaviour:
    """`phone`: E.164 digits as an integer. `wants_mailbox`: it is to be reached without ringing."""
    prefix, digits = divmod(phone, 100)
    if prefix in _SPECIAL and digits in _BY_DIGITS:
        return _BY_DIGITS[digits]
    return MAILBOX if wants_mailbox else PERSON
