"""Requests outside of dialogs: each with the headers that section 8.1.1 demands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chappe.operators.sip.agent.dialog import MAX_FORWARDS
from chappe.operators.sip.agent.digest import Authenticator
from chappe.operators.sip.agent.exchange import Exchange, ExchangeUser
from chappe.operators.sip.hop import Hop
from chappe.operators.sip.syntax.address import Address
from chappe.operators.sip.syntax.message import Header, Request
from chappe.operators.sip.syntax.uri import Uri

if TYPE_CHECKING:
    from chappe.operators.sip.agent.agent import UserAgent


class PlainRequests:
    """Requests of one Call-ID, counting on (a registration's must: section 10.2)."""

    __slots__ = ("_agent", "_call_id", "_cseq", "_from", "_hop", "_method", "_target", "_to")

    def __init__(
        self, agent: UserAgent, method: str, target: Uri, sender: Address, to: Address, hop: Hop
    ) -> None:
        self._agent = agent
        self._method = method
        self._target = target
        self._from = str(sender.with_tag(agent.ids()))
        self._to = str(to)
        self._hop = hop
        self._call_id = agent.ids()
        self._cseq = 0

    def move(self, hop: Hop) -> None:
        """Whatever is sent from now on goes there."""
        self._hop = hop

    def send(
        self,
        user: ExchangeUser,
        authenticator: Authenticator | None,
        headers: Sequence[Header],
        now_ms: int,
    ) -> Exchange:
        def make(more: Sequence[Header]) -> Request:
            self._cseq += 1
            return Request(
                self._method,
                self._target,
                [
                    MAX_FORWARDS,
                    ("From", self._from),
                    ("To", self._to),
                    ("Call-ID", self._call_id),
                    ("CSeq", f"{self._cseq} {self._method}"),
                    ("User-Agent", self._agent.settings.product),
                    *headers,
                    *more,
                ],
            )

        return Exchange(self._agent.layer, user, self._hop, authenticator, make, now_ms)
