"""What the transaction layer tells its user. Plain slotted objects: read them, do not change them."""

from __future__ import annotations

from dataclasses import dataclass

from chappe.operators.sip.hop import Hop
from chappe.operators.sip.syntax.message import Request, Response
from chappe.operators.sip.transactions.transaction import ClientTransaction, ServerTransaction, Transaction


@dataclass(slots=True)
class RequestReceived:
    """A request, once however often it came; it is answered with `Layer.respond`.

    An ACK has no answer. That of a 2xx has no transaction either (section 13.3.1.4), except from peers that give it
    the INVITE's branch; that of another final response is not told at all.
    """

    request: Request
    hop: Hop
    transaction: ServerTransaction | None


@dataclass(slots=True)
class ResponseReceived:
    """A response to a request of ours; retransmissions of a final one are not told, except 2xx to INVITE."""

    response: Response
    transaction: ClientTransaction
    hop: Hop


@dataclass(slots=True)
class TimedOut:
    """Timer B or F: no answer came. Timer H: our final answer was never acknowledged."""

    transaction: Transaction


@dataclass(slots=True)
class Unreachable:
    """What the transaction sent could not be sent."""

    transaction: Transaction


@dataclass(slots=True)
class Dropped:
    """Something that came was of no use, and perhaps refused. For the log and the counters; nothing is to be done."""

    reason: str
    hop: Hop


Event = RequestReceived | ResponseReceived | TimedOut | Unreachable | Dropped
