"""The state table of an SMPP session (section 2.2 and table 2-1): the only place that knows who may send what when,
and what changes the state.

While a bind waits for its answer the session is still OPEN, and while an unbind does it is still BOUND, as in the
specification; that no second bind and no new request may be sent meanwhile is the session's bookkeeping.
"""

from enum import Enum
from types import MappingProxyType
from typing import Final

from chappe.operators.smpp.constants import CommandId
from chappe.operators.smpp.constants import CommandStatus as Status


class Role(Enum):
    """Which end this is."""

    ESME = "esme"
    SMSC = "smsc"


class State(Enum):
    OPEN = "open"
    BOUND_TX = "bound_tx"
    BOUND_RX = "bound_rx"
    BOUND_TRX = "bound_trx"
    UNBOUND = "unbound"
    CLOSED = "closed"


PEER: Final = MappingProxyType({Role.ESME: Role.SMSC, Role.SMSC: Role.ESME})
BOUND: Final = frozenset({State.BOUND_TX, State.BOUND_RX, State.BOUND_TRX})

_BINDS: Final = frozenset({CommandId.BIND_TRANSMITTER, CommandId.BIND_RECEIVER, CommandId.BIND_TRANSCEIVER})
# enquire_link is allowed before and after the bind too: SMPP 3.4 says bound only, 5.0 says always, and peers that
# follow 5.0 are common.
_ALWAYS: Final = frozenset({CommandId.ENQUIRE_LINK})
_BOTH_BOUND: Final = _ALWAYS | {CommandId.UNBIND}
_SUBMITTING: Final = frozenset(
    {
        CommandId.SUBMIT_SM,
        CommandId.SUBMIT_MULTI,
        CommandId.DATA_SM,
        CommandId.QUERY_SM,
        CommandId.CANCEL_SM,
        CommandId.REPLACE_SM,
    }
)
_DELIVERING: Final = frozenset({CommandId.DELIVER_SM, CommandId.DATA_SM, CommandId.ALERT_NOTIFICATION})
_NOTHING: Final[frozenset[CommandId]] = frozenset()

REQUESTS_ALLOWED: Final = MappingProxyType(
    {
        (Role.ESME, State.OPEN): _BINDS | _ALWAYS,
        (Role.ESME, State.BOUND_TX): _SUBMITTING | _BOTH_BOUND,
        (Role.ESME, State.BOUND_RX): _BOTH_BOUND,
        (Role.ESME, State.BOUND_TRX): _SUBMITTING | _BOTH_BOUND,
        (Role.ESME, State.UNBOUND): _ALWAYS,
        (Role.ESME, State.CLOSED): _NOTHING,
        (Role.SMSC, State.OPEN): _ALWAYS | {CommandId.OUTBIND},
        (Role.SMSC, State.BOUND_TX): _BOTH_BOUND,
        (Role.SMSC, State.BOUND_RX): _DELIVERING | _BOTH_BOUND,
        (Role.SMSC, State.BOUND_TRX): _DELIVERING | _BOTH_BOUND,
        (Role.SMSC, State.UNBOUND): _ALWAYS,
        (Role.SMSC, State.CLOSED): _NOTHING,
    }
)
"""Who sends, in which state -> the requests that may be sent. Responses and generic_nack answer what was received,
in every state but CLOSED.
"""

_AFTER: Final = MappingProxyType(
    {
        (State.OPEN, CommandId.BIND_TRANSMITTER_RESP): State.BOUND_TX,
        (State.OPEN, CommandId.BIND_RECEIVER_RESP): State.BOUND_RX,
        (State.OPEN, CommandId.BIND_TRANSCEIVER_RESP): State.BOUND_TRX,
        (State.BOUND_TX, CommandId.UNBIND_RESP): State.UNBOUND,
        (State.BOUND_RX, CommandId.UNBIND_RESP): State.UNBOUND,
        (State.BOUND_TRX, CommandId.UNBIND_RESP): State.UNBOUND,
    }
)


def state_after(state: State, response_id: int, command_status: int) -> State:
    """The state after a response was sent or received. An error leaves it as it is, except that unbind cannot be
    refused: whoever asked for it goes.
    """
    if command_status and response_id != CommandId.UNBIND_RESP:
        return state
    try:
        return _AFTER.get((state, CommandId(response_id)), state)
    except ValueError:
        return state


def refusal(state: State, command_id: int, *, bind_pending: bool = False) -> Status:
    """What a request is answered that is not allowed now."""
    if command_id in _BINDS and (state in BOUND or bind_pending):
        return Status.ESME_RALYBND
    return Status.ESME_RINVBNDSTS
