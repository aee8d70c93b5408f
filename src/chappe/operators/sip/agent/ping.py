"""OPTIONS as a sign of life (RFC 3261, section 11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chappe.operators.sip.agent.digest import Authenticator
from chappe.operators.sip.agent.events import Pinged
from chappe.operators.sip.agent.exchange import Exchange, Failure
from chappe.operators.sip.agent.plain import PlainRequests
from chappe.operators.sip.hop import Hop
from chappe.operators.sip.syntax.address import Address
from chappe.operators.sip.syntax.message import Response
from chappe.operators.sip.syntax.uri import Uri

if TYPE_CHECKING:
    from chappe.operators.sip.agent.agent import UserAgent


class Ping:
    """One question; `Pinged` tells the answer, or that there was none."""

    __slots__ = ("_agent", "context")

    def __init__(
        self,
        agent: UserAgent,
        target: Uri,
        sender: Address,
        hop: Hop,
        now_ms: int,
        *,
        authenticator: Authenticator | None = None,
        context: object = None,
    ) -> None:
        self._agent = agent
        self.context = context
        requests = PlainRequests(agent, "OPTIONS", target, sender, Address(target), hop)
        headers = [("Contact", agent.contact(hop, "")), ("Accept", "application/sdp")]
        requests.send(self, authenticator, headers, now_ms)

    def on_provisional(self, exchange: Exchange, response: Response, now_ms: int) -> None:
        pass

    def on_final(self, exchange: Exchange, response: Response, now_ms: int) -> None:
        self._agent.tell(Pinged(self, response.status))

    def on_failure(self, exchange: Exchange, failure: Failure, now_ms: int) -> None:
        self._agent.tell(Pinged(self, None))
