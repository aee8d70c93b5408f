"""The states of a callee: the only place that says which there are, and that they only grow, but for a further attempt.

    waiting -> calling -> answered -> delivered | undelivered
                calling -> waiting                               (busy, no answer: a further attempt, later;
                                                                  not taken: another trunk, at once)
                calling -> undelivered | lost
    waiting -> cancelled | opted out | capped | expired          (no call was made, or none that anybody answered)

`calling` is committed before the INVITE leaves, `answered` before the first RTP frame. So a callee that is `calling`
when a server dies may have rung, but has heard nothing.
"""

from __future__ import annotations

from enum import IntEnum


class State(IntEnum):
    """A callee's state as stored."""

    WAITING = 10
    CALLING = 20
    ANSWERED = 30

    DELIVERED = 40  # somebody heard it, or a machine recorded it
    UNDELIVERED = 41
    LOST = 42  # the server died while it rang, and it is not called again (on_lost_response = "hold")

    CANCELLED = 50
    OPTED_OUT = 51
    CAPPED = 52  # four attempts in thirty days have been made
    EXPIRED = 53  # it could not be called for two days


TERMINAL = State.DELIVERED
"""States from here on are final."""

NEVER_CALLED = State.CANCELLED
"""States from here on made no call."""
