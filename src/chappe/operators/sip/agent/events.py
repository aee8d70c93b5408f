"""What a user agent tells its owner. Plain slotted objects: read them, do not change them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chappe.operators.sip.agent.causes import Cause
from chappe.operators.sip.hop import Hop
from chappe.operators.sip.syntax.message import Request
from chappe.operators.sip.transactions.transaction import ServerTransaction

if TYPE_CHECKING:
    from chappe.operators.sip.agent.call import Call
    from chappe.operators.sip.agent.incoming import IncomingCall
    from chappe.operators.sip.agent.ping import Ping
    from chappe.operators.sip.agent.registration import Registration


@dataclass(slots=True)
class Progress:
    """A call of ours is under way: 180 rings, 183 speaks (`body` is the answer to our offer, perhaps empty)."""

    call: Call
    status: int
    reason: str
    body: bytes
    dialog_tag: str
    """Differs between the phones of a fork."""
    q850: int | None


@dataclass(slots=True)
class Answered:
    """A call of ours was answered, and the answer acknowledged. `body` answers our offer; empty where an early one
    stays in force.
    """

    call: Call
    body: bytes


@dataclass(slots=True)
class Failed:
    """A call of ours was not answered, or we gave it up. The last event of this call."""

    call: Call
    cause: Cause


@dataclass(slots=True)
class Incoming:
    """Somebody calls. `body` is their offer; empty where they want ours. The owner rings, accepts or rejects."""

    call: IncomingCall
    request: Request
    body: bytes


@dataclass(slots=True)
class Established:
    """The peer acknowledged our answer. `body` is its answer where the offer was ours."""

    call: Call
    body: bytes


@dataclass(slots=True)
class Offered:
    """A re-INVITE or UPDATE inside of a call, to be answered with `Call.answer` or `Call.refuse`. An empty `body`
    asks for an offer of ours.
    """

    call: Call
    body: bytes


@dataclass(slots=True)
class OfferAnswered:
    """Our offer inside of a call was accepted (`body` is the answer), or was not (`cause`): then all stays as it was."""

    call: Call
    body: bytes
    cause: Cause | None


@dataclass(slots=True)
class InfoReceived:
    """An INFO came inside of a call (digits, from some), and was answered."""

    call: Call
    content_type: str
    body: bytes


@dataclass(slots=True)
class Ended:
    """A call that had been answered is over. The last event of this call."""

    call: Call
    cause: Cause


@dataclass(slots=True)
class Abandoned:
    """An incoming call ended before it was answered, by its caller or for want of an acknowledgement. The last event
    of this call.
    """

    call: Call
    cause: Cause


@dataclass(slots=True)
class Registered:
    """The registrar knows us for `expires_s` more seconds; it will be asked again by itself. 0: no longer."""

    registration: Registration
    expires_s: int


@dataclass(slots=True)
class RegistrationFailed:
    """It will be tried again after `retry_ms`."""

    registration: Registration
    cause: Cause
    retry_ms: int


@dataclass(slots=True)
class Pinged:
    """The answer to an OPTIONS of ours: any status is a sign of life, None is none."""

    ping: Ping
    status: int | None


@dataclass(slots=True)
class OtherRequest:
    """A request outside of dialogs of a method in `Settings.handles`, to be answered with `UserAgent.respond`."""

    request: Request
    hop: Hop
    transaction: ServerTransaction


@dataclass(slots=True)
class Nuisance:
    """Something that a peer does wrong, and that was refused or dropped. For the log and the counters."""

    reason: str
    hop: Hop


Event = (
    Progress
    | Answered
    | Failed
    | Incoming
    | Established
    | Offered
    | OfferAnswered
    | InfoReceived
    | Ended
    | Abandoned
    | Registered
    | RegistrationFailed
    | Pinged
    | OtherRequest
    | Nuisance
)
