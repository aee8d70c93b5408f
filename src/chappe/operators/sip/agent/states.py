"""The state table of a call (RFC 3261, sections 9, 13 and 15): the only place that says what changes it."""

from __future__ import annotations

from enum import IntEnum, auto
from types import MappingProxyType
from typing import Final


class CallState(IntEnum):
    CALLING = auto()
    """Ours: nothing but 100 was heard."""
    EARLY = auto()
    """Ours: it rings somewhere."""
    CANCELLING = auto()
    """Ours: we do not want it any more, and wait for its end."""
    RINGING = auto()
    """Theirs: not answered yet."""
    ACCEPTED = auto()
    """Theirs: answered, not acknowledged yet."""
    CONFIRMED = auto()
    ENDED = auto()


class CallInput(IntEnum):
    PROGRESS = auto()
    SUCCESS = auto()
    """A 2xx came."""
    FAILURE = auto()
    """Another final response came, or none will."""
    CANCEL = auto()
    """Ours or theirs: it is not wanted any more."""
    ACCEPT = auto()
    REJECT = auto()
    ACK = auto()
    BYE = auto()
    """Ours or theirs, or what counts as much: the peer does not know the dialog, or does not answer."""


_S, _I = CallState, CallInput

TABLE: Final = MappingProxyType(
    {
        (_S.CALLING, _I.PROGRESS): _S.EARLY,
        (_S.CALLING, _I.SUCCESS): _S.CONFIRMED,
        (_S.CALLING, _I.FAILURE): _S.ENDED,
        (_S.CALLING, _I.CANCEL): _S.CANCELLING,
        (_S.EARLY, _I.PROGRESS): _S.EARLY,
        (_S.EARLY, _I.SUCCESS): _S.CONFIRMED,
        (_S.EARLY, _I.FAILURE): _S.ENDED,
        (_S.EARLY, _I.CANCEL): _S.CANCELLING,
        # The CANCEL and the answer may cross: it was answered, and is hung up at once.
        (_S.CANCELLING, _I.SUCCESS): _S.ENDED,
        (_S.CANCELLING, _I.FAILURE): _S.ENDED,
        (_S.RINGING, _I.ACCEPT): _S.ACCEPTED,
        (_S.RINGING, _I.REJECT): _S.ENDED,
        (_S.RINGING, _I.CANCEL): _S.ENDED,
        (_S.RINGING, _I.BYE): _S.ENDED,
        (_S.ACCEPTED, _I.ACK): _S.CONFIRMED,
        (_S.ACCEPTED, _I.BYE): _S.ENDED,
        (_S.CONFIRMED, _I.BYE): _S.ENDED,
    }
)
"""What is not in the table changes nothing, and our own side may not ask for it."""
