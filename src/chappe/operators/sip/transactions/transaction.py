"""One transaction: what it keeps. `layer.py` moves it along the table of `states.py`."""

from __future__ import annotations

from chappe.operators.sip.hop import Hop
from chappe.operators.sip.syntax.message import Request, Response
from chappe.operators.sip.syntax.via import Via
from chappe.operators.sip.transactions.states import BEGIN, Machine, State

Key = tuple[object, ...]


class Transaction:
    """Read only for everyone but the layer. `owner` is whatever the user put there."""

    __slots__ = ("hop", "interval_ms", "key", "last", "machine", "owner", "request", "state")

    def __init__(self, machine: Machine, key: Key, request: Request, hop: Hop, owner: object) -> None:
        self.machine = machine
        self.state = BEGIN[machine]
        self.key = key
        self.request = request
        self.hop = hop
        """Where it sends."""
        self.owner = owner
        self.last = b""
        """What was sent last."""
        self.interval_ms = 0
        """From the last retransmission to the next."""

    @property
    def method(self) -> str:
        return self.request.method

    @property
    def is_over(self) -> bool:
        """No answer of ours can be sent any more, and none of the peer's is awaited."""
        return self.state not in (State.CALLING, State.TRYING, State.PROCEEDING)

    def __repr__(self) -> str:
        return f"<{self.machine.name} {self.request.method} {self.state.name}>"


class ClientTransaction(Transaction):
    """A request of ours. `ack` is that of its final response, once there was one that needs it."""

    __slots__ = ("ack",)

    def __init__(self, machine: Machine, key: Key, request: Request, hop: Hop, owner: object) -> None:
        super().__init__(machine, key, request, hop, owner)
        self.ack = b""

    @property
    def had_response(self) -> bool:
        """A CANCEL may be sent now: before, the server would not know what it is about (section 9.1)."""
        return self.state is State.PROCEEDING


class ServerTransaction(Transaction):
    """A request of the peer's. `via` is its topmost Via with where it really came from."""

    __slots__ = ("merge_key", "octets", "response", "via")

    def __init__(self, machine: Machine, key: Key, request: Request, hop: Hop, via: Via, octets: int) -> None:
        super().__init__(machine, key, request, hop, None)
        self.via = via
        self.octets = octets
        """Of the request, as it came."""
        self.response: Response | None = None
        """The last that was sent."""
        self.merge_key: Key | None = None
