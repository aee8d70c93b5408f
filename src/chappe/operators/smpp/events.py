"""What a session tells its owner. Plain slotted objects for speed: read them, do not change them."""

from dataclasses import dataclass, field
from enum import Enum

from chappe.operators.smpp.errors import BodyError
from chappe.operators.smpp.pdu import GenericNack, Request, Response


@dataclass(slots=True)
class InFlight:
    """A request of ours that waits for its response."""

    request: Request
    context: object = field(repr=False)
    """What the owner gave to `send`."""
    sent_at_ms: int


@dataclass(slots=True)
class RequestReceived:
    """The peer asks. The owner answers with `Session.respond`, when it can stand by the answer, in any order;
    outbind and alert_notification have no answer (`request.response_type` is None).
    """

    request: Request


@dataclass(slots=True)
class ResponseReceived:
    """The response to a request of ours, or the generic_nack that stands in its place."""

    response: Response
    sent: InFlight
    body_error: BodyError | None = None
    """The body could not be read: `response` has the peer's status and otherwise defaults. With status 0 the
    request was accepted all the same, and must not be sent again.
    """

    @property
    def accepted(self) -> bool:
        return self.response.command_status == 0 and type(self.response) is not GenericNack


@dataclass(slots=True)
class RequestTimedOut:
    """No response within `Settings.response_ms`: the result is unknown. It may still come (ResponseLate)."""

    sent: InFlight


@dataclass(slots=True)
class ResponseLate:
    """The response to a request that timed out before."""

    response: Response
    sent: InFlight
    body_error: BodyError | None = None


@dataclass(slots=True)
class ResponseUnmatched:
    """A response to nothing that we asked: a peer that answers twice, a wrong sequence number, or a generic_nack
    with sequence number 0 (it could not read us). `response` is None where its command is unknown or its body bad.
    """

    command_id: int
    command_status: int
    sequence_number: int
    response: Response | None


@dataclass(slots=True)
class RequestRefused:
    """The session itself answered a request with an error (bad body, wrong state, unknown command, too many
    unanswered) and goes on. For the log and the counters; there is nothing to do.
    """

    command_id: int
    sequence_number: int
    command_status: int
    reason: str


@dataclass(slots=True)
class Inactive:
    """No PDU but enquire_link for `Settings.inactivity_ms`, in either direction. The owner may unbind."""


class EndReason(Enum):
    LOCAL = "closed by our side"
    UNBOUND = "unbound, then closed"
    CONNECTION_LOST = "the connection was closed"
    FRAMING = "the peer's stream is not SMPP"
    BIND_TIMEOUT = "no bind in time"
    ENQUIRE_LINK_TIMEOUT = "enquire_link was not answered, and nothing else came"
    UNBIND_TIMEOUT = "unbind was not answered"


@dataclass(slots=True)
class Ended:
    """The last event of a session: write `data_to_send` if the connection still takes it, then close it."""

    reason: EndReason
    detail: str
    unanswered: tuple[InFlight, ...]
    """Requests of ours whose result nobody knows, in the order they were sent."""


Event = (
    RequestReceived
    | ResponseReceived
    | RequestTimedOut
    | ResponseLate
    | ResponseUnmatched
    | RequestRefused
    | Inactive
    | Ended
)
