"""A request of ours with all its repetitions: challenged, it goes again with credentials (RFC 3261, 22.2 and 22.3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Literal, Protocol

from chappe.operators.sip.agent.digest import Authenticator, Tried
from chappe.operators.sip.hop import Hop
from chappe.operators.sip.syntax.message import Header, Request, Response
from chappe.operators.sip.transactions.layer import Layer
from chappe.operators.sip.transactions.transaction import ClientTransaction

CHALLENGES_MAX: Final = 3
"""One per proxy on the way, and a stale nonce."""

Failure = Literal["timeout", "unreachable"]
MakeRequest = Callable[[Sequence[Header]], Request]
"""A request with these headers besides, and the next CSeq."""


class ExchangeUser(Protocol):
    """Whoever asked. A final response comes once, except 2xx to INVITE."""

    def on_provisional(self, exchange: Exchange, response: Response, now_ms: int) -> None: ...
    def on_final(self, exchange: Exchange, response: Response, now_ms: int) -> None: ...
    def on_failure(self, exchange: Exchange, failure: Failure, now_ms: int) -> None: ...


class Exchange:
    """`request` is what was sent last."""

    __slots__ = (
        "_authenticator",
        "_cancel_headers",
        "_challenges",
        "_layer",
        "_make",
        "_tried",
        "hop",
        "request",
        "transaction",
        "user",
    )

    def __init__(
        self,
        layer: Layer,
        user: ExchangeUser,
        hop: Hop,
        authenticator: Authenticator | None,
        make: MakeRequest,
        now_ms: int,
    ) -> None:
        self._layer = layer
        self._authenticator = authenticator
        self._make = make
        self._tried: Tried = {}
        self._challenges = 0
        self._cancel_headers: Sequence[Header] | None = None
        """Of a CANCEL that waits for a provisional answer: before, nobody knows what it is about (section 9.1)."""
        self.user = user
        self.hop = hop
        request = make(())
        if authenticator is not None:
            foreseen = authenticator.foresee(request.method, str(request.uri), self._tried)
            if foreseen:
                request = Request(request.method, request.uri, [*request.headers, *foreseen], request.body)
        self.request = request
        self.transaction: ClientTransaction = layer.request(request, hop, now_ms, self)

    @property
    def credentials(self) -> list[Header]:
        """What an ACK of a 2xx has to repeat (section 22.1)."""
        return [
            (name, value)
            for name, value in self.request.headers
            if name in ("Authorization", "Proxy-Authorization")
        ]

    def on_response(self, transaction: ClientTransaction, response: Response, now_ms: int) -> None:
        if transaction is not self.transaction:
            return  # the CANCEL's, or a late one to a try that was challenged
        if response.status < 200:
            self._send_cancel(now_ms)
            self.user.on_provisional(self, response, now_ms)
        elif response.status not in (401, 407) or not self._again(response, now_ms):
            self.user.on_final(self, response, now_ms)

    def on_failure(self, transaction: ClientTransaction, failure: Failure, now_ms: int) -> None:
        if transaction is self.transaction:
            self.user.on_failure(self, failure, now_ms)

    def cancel(self, now_ms: int, headers: Sequence[Header]) -> None:
        """It is not wanted any more: the CANCEL goes now or after the first provisional answer, and no challenge is
        answered again.
        """
        self._authenticator = None
        self._cancel_headers = headers
        self._send_cancel(now_ms)

    def abandon(self) -> None:
        self._layer.abandon(self.transaction)

    def _send_cancel(self, now_ms: int) -> None:
        if self._cancel_headers is not None and self.transaction.had_response:
            self._layer.cancel(self.transaction, now_ms, self._cancel_headers)
            self._cancel_headers = None

    def _again(self, response: Response, now_ms: int) -> bool:
        authenticator = self._authenticator
        self._challenges += 1
        if authenticator is None or self._challenges > CHALLENGES_MAX:
            return False
        request = self.request
        answers = authenticator.answer(response, request.method, str(request.uri), self._tried)
        if answers is None:
            return False
        self.request = self._make(answers)
        self.transaction = self._layer.request(self.request, self.hop, now_ms, self)
        return True
