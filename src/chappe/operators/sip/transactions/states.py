"""The state table of the four transactions (RFC 3261, 17.1 and 17.2; RFC 6026, section 7): the only place that says
what changes a state, and what is done then.

RFC 6026 gave the INVITE transactions the state ACCEPTED: a 2xx is repeated end to end, so a client goes on taking them
and a server goes on swallowing the INVITE for a while.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum, auto
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from chappe.operators.sip.transactions.timing import Timing


class Machine(IntEnum):
    INVITE_CLIENT = auto()
    CLIENT = auto()
    INVITE_SERVER = auto()
    SERVER = auto()


class State(IntEnum):
    CALLING = auto()
    TRYING = auto()
    PROCEEDING = auto()
    ACCEPTED = auto()
    COMPLETED = auto()
    CONFIRMED = auto()
    TERMINATED = auto()


class Input(IntEnum):
    """What happens to a transaction."""

    PROVISIONAL = auto()
    """A response 1xx came, or is to be sent."""
    SUCCESS = auto()
    FAILURE = auto()
    """300 to 699."""
    REQUEST = auto()
    """The request came again."""
    ACK = auto()
    RETRANSMIT = auto()
    """Timer A, E or G."""
    GIVE_UP = auto()
    """Timer B, F or H."""
    LINGER = auto()
    """Timer D, I, J, K, L or M: nothing late is to be expected any more."""
    UNREACHABLE = auto()
    """What was sent could not be."""


class Act(Enum):
    """What is done about it, in this order."""

    SEND = auto()
    """The response at hand; it is remembered."""
    RESEND = auto()
    """What was sent last."""
    ACK = auto()
    """The ACK of a final response that is no success."""
    PASS = auto()
    """It is told to the user of the transaction."""
    TELL_TIMEOUT = auto()
    TELL_UNREACHABLE = auto()


Row = tuple[State, tuple[Act, ...]]


def _rows(text: str) -> Mapping[tuple[State, Input], Row]:
    """`STATE INPUT -> STATE ACT ACT`, a line each."""
    rows: dict[tuple[State, Input], Row] = {}
    for line in text.strip().splitlines():
        given, _, result = line.partition("->")
        state, happened = given.split()
        following, *acts = result.split()
        key = State[state], Input[happened]
        assert key not in rows
        rows[key] = State[following], tuple(Act[act] for act in acts)
    return MappingProxyType(rows)


TABLE: Final = MappingProxyType(
    {
        # Figure 5, and figure 4 of RFC 6026
        Machine.INVITE_CLIENT: _rows("""
            CALLING    PROVISIONAL -> PROCEEDING PASS
            CALLING    SUCCESS     -> ACCEPTED   PASS
            CALLING    FAILURE     -> COMPLETED  ACK PASS
            CALLING    RETRANSMIT  -> CALLING    RESEND
            CALLING    GIVE_UP     -> TERMINATED TELL_TIMEOUT
            CALLING    UNREACHABLE -> TERMINATED TELL_UNREACHABLE
            PROCEEDING PROVISIONAL -> PROCEEDING PASS
            PROCEEDING SUCCESS     -> ACCEPTED   PASS
            PROCEEDING FAILURE     -> COMPLETED  ACK PASS
            ACCEPTED   SUCCESS     -> ACCEPTED   PASS
            ACCEPTED   LINGER      -> TERMINATED
            COMPLETED  FAILURE     -> COMPLETED  ACK
            COMPLETED  LINGER      -> TERMINATED
            COMPLETED  UNREACHABLE -> TERMINATED
        """),
        # Figure 6
        Machine.CLIENT: _rows("""
            TRYING     PROVISIONAL -> PROCEEDING PASS
            TRYING     SUCCESS     -> COMPLETED  PASS
            TRYING     FAILURE     -> COMPLETED  PASS
            TRYING     RETRANSMIT  -> TRYING     RESEND
            TRYING     GIVE_UP     -> TERMINATED TELL_TIMEOUT
            TRYING     UNREACHABLE -> TERMINATED TELL_UNREACHABLE
            PROCEEDING PROVISIONAL -> PROCEEDING PASS
            PROCEEDING SUCCESS     -> COMPLETED  PASS
            PROCEEDING FAILURE     -> COMPLETED  PASS
            PROCEEDING RETRANSMIT  -> PROCEEDING RESEND
            PROCEEDING GIVE_UP     -> TERMINATED TELL_TIMEOUT
            PROCEEDING UNREACHABLE -> TERMINATED TELL_UNREACHABLE
            COMPLETED  LINGER      -> TERMINATED
        """),
        # Figure 7, and figure 5 of RFC 6026
        Machine.INVITE_SERVER: _rows("""
            PROCEEDING REQUEST     -> PROCEEDING RESEND
            PROCEEDING PROVISIONAL -> PROCEEDING SEND
            PROCEEDING SUCCESS     -> ACCEPTED   SEND
            PROCEEDING FAILURE     -> COMPLETED  SEND
            PROCEEDING UNREACHABLE -> PROCEEDING TELL_UNREACHABLE
            ACCEPTED   REQUEST     -> ACCEPTED
            ACCEPTED   SUCCESS     -> ACCEPTED   SEND
            ACCEPTED   ACK         -> ACCEPTED   PASS
            ACCEPTED   LINGER      -> TERMINATED
            ACCEPTED   UNREACHABLE -> ACCEPTED   TELL_UNREACHABLE
            COMPLETED  REQUEST     -> COMPLETED  RESEND
            COMPLETED  RETRANSMIT  -> COMPLETED  RESEND
            COMPLETED  ACK         -> CONFIRMED
            COMPLETED  GIVE_UP     -> TERMINATED TELL_TIMEOUT
            COMPLETED  UNREACHABLE -> COMPLETED  TELL_UNREACHABLE
            CONFIRMED  LINGER      -> TERMINATED
        """),
        # Figure 8
        Machine.SERVER: _rows("""
            TRYING     PROVISIONAL -> PROCEEDING SEND
            TRYING     SUCCESS     -> COMPLETED  SEND
            TRYING     FAILURE     -> COMPLETED  SEND
            PROCEEDING REQUEST     -> PROCEEDING RESEND
            PROCEEDING PROVISIONAL -> PROCEEDING SEND
            PROCEEDING SUCCESS     -> COMPLETED  SEND
            PROCEEDING FAILURE     -> COMPLETED  SEND
            PROCEEDING UNREACHABLE -> TERMINATED TELL_UNREACHABLE
            COMPLETED  REQUEST     -> COMPLETED  RESEND
            COMPLETED  LINGER      -> TERMINATED
            COMPLETED  UNREACHABLE -> TERMINATED TELL_UNREACHABLE
        """),
    }
)
"""What is not in the table leaves the state as it is and does nothing, except that our own side may not ask for it."""

BEGIN: Final = MappingProxyType(
    {
        Machine.INVITE_CLIENT: State.CALLING,
        Machine.CLIENT: State.TRYING,
        Machine.INVITE_SERVER: State.PROCEEDING,
        Machine.SERVER: State.TRYING,
    }
)


class Timer(IntEnum):
    """By the letters of RFC 3261, table 4, and of RFC 6026. C is a proxy's: a call that only rings is ended by
    whoever placed it.
    """

    A = auto()
    B = auto()
    D = auto()
    E = auto()
    F = auto()
    G = auto()
    H = auto()
    I = auto()  # noqa: E741 - the RFC's letter
    J = auto()
    K = auto()
    L = auto()
    M = auto()


_RETRANSMIT: Final[tuple[Timer, ...]] = (Timer.A, Timer.E, Timer.G)
_GIVE_UP: Final[tuple[Timer, ...]] = (Timer.B, Timer.F, Timer.H)
TIMER_INPUT: Final[Mapping[Timer, Input]] = MappingProxyType(
    dict.fromkeys(Timer, Input.LINGER)
    | dict.fromkeys(_RETRANSMIT, Input.RETRANSMIT)
    | dict.fromkeys(_GIVE_UP, Input.GIVE_UP)
)

_STARTS: Final[Mapping[tuple[Machine, State], tuple[Timer, ...]]] = MappingProxyType(
    {
        (Machine.INVITE_CLIENT, State.CALLING): (Timer.A, Timer.B),
        (Machine.INVITE_CLIENT, State.ACCEPTED): (Timer.M,),
        (Machine.INVITE_CLIENT, State.COMPLETED): (Timer.D,),
        (Machine.CLIENT, State.TRYING): (Timer.E, Timer.F),
        (Machine.CLIENT, State.COMPLETED): (Timer.K,),
        (Machine.INVITE_SERVER, State.ACCEPTED): (Timer.L,),
        (Machine.INVITE_SERVER, State.COMPLETED): (Timer.G, Timer.H),
        (Machine.INVITE_SERVER, State.CONFIRMED): (Timer.I,),
        (Machine.SERVER, State.COMPLETED): (Timer.J,),
    }
)
_RUNS_IN: Final[Mapping[Timer, frozenset[State]]] = MappingProxyType(
    {timer: frozenset({state}) for (_, state), timers in _STARTS.items() for timer in timers}
    | {timer: frozenset({State.TRYING, State.PROCEEDING}) for timer in (Timer.E, Timer.F)}
)


@dataclass(frozen=True, slots=True)
class TimerStart:
    timer: Timer
    after_ms: int


@lru_cache(maxsize=256)
def timers_of(machine: Machine, state: State, timing: Timing, *, is_reliable: bool) -> tuple[TimerStart, ...]:
    """The timers that start when `state` is entered. 0 ms means at once; a timer that a reliable transport does
    without is left out.
    """
    starts: list[TimerStart] = []
    for timer in _STARTS.get((machine, state), ()):
        after_ms = _after_ms(timer, timing, is_reliable=is_reliable)
        if after_ms is not None:
            starts.append(TimerStart(timer, after_ms))
    return tuple(starts)


def _after_ms(timer: Timer, timing: Timing, *, is_reliable: bool) -> int | None:
    match timer:
        case Timer.A | Timer.E | Timer.G:
            return None if is_reliable else timing.t1_ms
        case Timer.D:
            return 0 if is_reliable else max(32_000, timing.give_up_ms)
        case Timer.I | Timer.K:
            return 0 if is_reliable else timing.t4_ms
        case Timer.J:
            return 0 if is_reliable else timing.give_up_ms
        case Timer.B | Timer.F | Timer.H | Timer.L | Timer.M:
            return timing.give_up_ms


def is_running(timer: Timer, state: State) -> bool:
    """Whether a timer that was started still means something. No state is entered twice, so that is enough."""
    return state in _RUNS_IN[timer]


def next_interval_ms(timer: Timer, state: State, interval_ms: int, timing: Timing) -> int:
    """How long after this one the next retransmission is due."""
    if timer is Timer.A:
        return 2 * interval_ms
    if state is State.PROCEEDING:
        return timing.t2_ms
    return min(2 * interval_ms, timing.t2_ms)
