"""What a telephone does when it is called: the last two digits of +33 6 00 00 00 xx and +33 1 00 00 00 xx choose; every
other number answers at once: a person, but for a message that wants a mailbox, which a mobile's mailbox takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

_SPECIAL: Final = frozenset({336_000_000, 331_000_000})
"""The numbers without their last two digits."""

What = Literal["person", "machine", "busy", "no answer", "unreachable"]


@dataclass(frozen=True, slots=True)
class CallBehaviour:
    """What happens to a call to such a telephone."""

    label: str
    """What it does, for people."""
    what: What
    ring_s: float = 0.0
    """Before it is answered, or before it stops ringing."""
    hangs_up_after_s: float | None = None
    """Of listening; None: it listens to the end."""
    greeting_s: float = 0.0
    """A machine's, before its beep."""


PERSON: Final = CallBehaviour("a person answers", "person")
MAILBOX: Final = CallBehaviour("its mailbox answers", "machine", greeting_s=0.5)
_BY_DIGITS: Final = {
    0: CallBehaviour("a person answers", "person", ring_s=0.5),
    1: CallBehaviour("an answering machine, with a beep", "machine", ring_s=0.5, greeting_s=2.0),
    2: CallBehaviour("busy", "busy"),
    3: CallBehaviour("rings for 5 s, nobody answers", "no answer", ring_s=5.0),
    4: CallBehaviour("unreachable", "unreachable"),
    5: CallBehaviour("a person who hangs up after 1 s", "person", ring_s=0.5, hangs_up_after_s=1.0),
}

TABLE: Final = tuple((f"{digits:02}", behaviour.label) for digits, behaviour in _BY_DIGITS.items())
"""(last two digits, label), for pages."""


def call_behaviour(phone: int, *, wants_a_mailbox: bool, is_mobile: bool) -> CallBehaviour:
    """`phone`: E.164 digits as an integer. `wants_a_mailbox`: the call is a voicemail deposit."""
    prefix, digits = divmod(phone, 100)
    if prefix in _SPECIAL and digits in _BY_DIGITS:
        return _BY_DIGITS[digits]
    return MAILBOX if wants_a_mailbox and is_mobile else PERSON
