"""Requests of ours inside of a dialog: BYE, re-INVITE, UPDATE, PRACK. Each knows what to do with its answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chappe.operators.sip.agent.causes import Cause, cause_of_response
from chappe.operators.sip.agent.dialog import Dialog
from chappe.operators.sip.agent.digest import Authenticator
from chappe.operators.sip.agent.exchange import Exchange, Failure
from chappe.operators.sip.errors import RemoteError
from chappe.operators.sip.syntax.fields import RAck
from chappe.operators.sip.syntax.message import Header, Request, Response

if TYPE_CHECKING:
    from chappe.operators.sip.agent.agent import UserAgent
    from chappe.operators.sip.agent.call import Call


class _Inside:
    """A request in a dialog, with its repetitions."""

    __slots__ = ("_agent", "_body", "_dialog", "_headers", "_method", "exchange")

    def __init__(
        self,
        method: str,
        agent: UserAgent,
        dialog: Dialog,
        authenticator: Authenticator | None,
        headers: Sequence[Header],
        body: bytes,
        now_ms: int,
    ) -> None:
        self._method = method
        self._agent = agent
        self._dialog = dialog
        self._headers = headers
        self._body = body
        self.exchange = Exchange(agent.layer, self, dialog.next_hop(), authenticator, self._make, now_ms)

    def _make(self, more: Sequence[Header]) -> Request:
        return self._dialog.request(
            self._method, [("User-Agent", self._agent.settings.product), *self._headers, *more], self._body
        )

    def on_provisional(self, exchange: Exchange, response: Response, now_ms: int) -> None:
        pass

    def on_final(self, exchange: Exchange, response: Response, now_ms: int) -> None:
        pass

    def on_failure(self, exchange: Exchange, failure: Failure, now_ms: int) -> None:
        pass


class Bye(_Inside):
    """Whatever the peer says to it, the call is over."""

    __slots__ = ()

    def __init__(
        self,
        agent: UserAgent,
        dialog: Dialog,
        authenticator: Authenticator | None,
        headers: Sequence[Header],
        now_ms: int,
    ) -> None:
        super().__init__("BYE", agent, dialog, authenticator, headers, b"", now_ms)


class Prack(_Inside):
    """The acknowledgement of a reliable provisional response (RFC 3262, section 7.2)."""

    __slots__ = ()

    def __init__(
        self,
        agent: UserAgent,
        dialog: Dialog,
        authenticator: Authenticator | None,
        rack: RAck,
        now_ms: int,
    ) -> None:
        super().__init__("PRACK", agent, dialog, authenticator, [("RAck", str(rack))], b"", now_ms)


class ReInvite(_Inside):
    """An offer of ours, or the session said again (section 14.1)."""

    __slots__ = ("_ack", "_call", "body", "is_refresh", "was_retried")

    def __init__(
        self,
        call: Call,
        agent: UserAgent,
        dialog: Dialog,
        authenticator: Authenticator | None,
        headers: Sequence[Header],
        body: bytes,
        now_ms: int,
        *,
        is_refresh: bool,
        was_retried: bool = False,
    ) -> None:
        self._call = call
        self._ack = b""
        self.body = body
        self.is_refresh = is_refresh
        self.was_retried = was_retried
        super().__init__(
            "INVITE",
            agent,
            dialog,
            authenticator,
            [*headers, ("Content-Type", "application/sdp")],
            body,
            now_ms,
        )

    def on_final(self, exchange: Exchange, response: Response, now_ms: int) -> None:
        if response.status >= 300:
            self._call.on_offer_settled(self, None, cause_of_response(response), now_ms)
            return
        dialog = self._dialog
        if self._ack:
            self._agent.layer.resend(self._ack, dialog.next_hop())
            return
        try:
            dialog.refresh_target(response)
        except RemoteError:
            pass  # the old one is still good
        ack = dialog.request("ACK", exchange.credentials, number=exchange.request.cseq.number)
        self._ack = self._agent.layer.send(ack, dialog.next_hop())
        self._call.on_offer_settled(self, response, None, now_ms)

    def on_failure(self, exchange: Exchange, failure: Failure, now_ms: int) -> None:
        self._call.on_offer_settled(self, None, cause_of_failure(failure), now_ms)


class Update(_Inside):
    """A refresh of the session timer without a session description (RFC 4028, section 7.4)."""

    __slots__ = ("_call",)

    def __init__(
        self,
        call: Call,
        agent: UserAgent,
        dialog: Dialog,
        authenticator: Authenticator | None,
        headers: Sequence[Header],
        now_ms: int,
    ) -> None:
        self._call = call
        super().__init__("UPDATE", agent, dialog, authenticator, headers, b"", now_ms)

    def on_final(self, exchange: Exchange, response: Response, now_ms: int) -> None:
        if response.status < 300:
            try:
                self._dialog.refresh_target(response)
            except RemoteError:
                pass
            self._call.on_refreshed(response, None, now_ms)
        else:
            self._call.on_refreshed(None, cause_of_response(response), now_ms)

    def on_failure(self, exchange: Exchange, failure: Failure, now_ms: int) -> None:
        self._call.on_refreshed(None, cause_of_failure(failure), now_ms)


def cause_of_failure(failure: Failure) -> Cause:
    """No answer at all counts as 408, no way to the peer as 503 (section 8.1.3.1)."""
    if failure == "timeout":
        return Cause("timeout", 408, 102, "no answer")
    return Cause("unreachable", 503, 41, "not reachable")
