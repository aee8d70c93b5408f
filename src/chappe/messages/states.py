"""The states of a recipient: the only place that says which there are, and that they only grow.

    waiting -> leaving -> sent -> delivered | undelivered | expired | rejected | no receipt
    waiting -> cancelled | opted out | no route | expired unsent        (never left: credit comes back)
    leaving -> refused                                                   (the operator's no: credit comes back)

A change is written as `UPDATE ... WHERE state < new` (and `< TERMINAL` for a terminal one), so a late or
repeated receipt changes nothing.
"""

from __future__ import annotations

from enum import IntEnum


class State(IntEnum):
    """A recipient's state as stored. Numbers are ordered as the states are; gaps are for later ones."""

    WAITING = 10  # accepted, scheduled or held: the message's due date tells
    LEAVING = 20  # committed before its first octet is written to an operator
    SENT = 30  # every part was accepted by an operator

    DELIVERED = 40
    UNDELIVERED = 41
    EXPIRED = 42  # the operator gave up
    REJECTED = 43  # a receipt says so
    NO_RECEIPT = 44  # none came within 48 h

    REFUSED = 50  # by the operator, at submit
    NO_ROUTE = 51
    EXPIRED_UNSENT = 52  # no operator took it in time
    CANCELLED = 53
    OPTED_OUT = 54  # said STOP after the request, before it left


TERMINAL = State.DELIVERED
"""States from here on are final."""

NEVER_LEFT = State.REFUSED
"""States from here on give the credit back."""


def is_terminal(state: int) -> bool:
    return state >= TERMINAL


def gives_credit_back(state: int) -> bool:
    return state >= NEVER_LEFT


def documented_status(state: int) -> str:
    """The word that the status calls answer (sms-partner-api.md section 4)."""
    if state < TERMINAL:
        return "Waiting"
    return "Delivered" if state == State.DELIVERED else "Not delivered"
