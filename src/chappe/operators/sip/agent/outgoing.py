"""A call of ours, from the INVITE to its answer: early dialogs, forks, challenges, redirections, giving up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from chappe.operators.sip.agent.call import SDP, Call, body_of
from chappe.operators.sip.agent.causes import NORMAL, Cause, cause_of_response, read_reason, write_reason
from chappe.operators.sip.agent.dialog import Dialog, dialog_of_response
from chappe.operators.sip.agent.digest import Authenticator
from chappe.operators.sip.agent.events import Answered, Failed, Nuisance, Progress
from chappe.operators.sip.agent.exchange import Exchange, Failure
from chappe.operators.sip.agent.inside import Bye, Prack, cause_of_failure
from chappe.operators.sip.agent.reliable import ReliableOrder
from chappe.operators.sip.agent.states import CallInput, CallState
from chappe.operators.sip.agent.timers import Timer
from chappe.operators.sip.errors import LocalError, RemoteError
from chappe.operators.sip.hop import Hop
from chappe.operators.sip.syntax.address import Address
from chappe.operators.sip.syntax.fields import RAck
from chappe.operators.sip.syntax.message import Header, Request, Response
from chappe.operators.sip.syntax.uri import SipUri, Uri

if TYPE_CHECKING:
    from chappe.operators.sip.agent.agent import UserAgent

FORKS_MAX: Final = 16
"""Phones of one call that are told apart; more are not listened to."""
PROGRESS_MAX: Final = 100
"""Provisional answers of one call that are told: each may have a line in the log, and a way for the audio."""
INTERVALS_MAX: Final = 2
"""How often a 422 is answered with a longer session interval."""
INTERVAL_S_MAX: Final = 24 * 3600


@dataclass(frozen=True, slots=True)
class Order:
    """Whom to call, by which way. `body` is our offer; `headers` go with the INVITE (P-Asserted-Identity and such)."""

    target: Uri
    caller: Address
    hop: Hop
    body: bytes
    routes: Sequence[Uri] = ()
    headers: Sequence[Header] = ()
    authenticator: Authenticator | None = None
    contact_user: str = ""
    max_forwards: int = 70
    """Less for a call that is another one, passed on: so a circle ends (section 16.6)."""
    session_expires_s: int | None = None
    """What is proposed instead of `Settings.session_expires_s`; 0 is none."""
    context: object = field(default=None, repr=False)


class OutgoingCall(Call):
    __slots__ = (
        "_acks",
        "_cancelled",
        "_cseq",
        "_early",
        "_exchange",
        "_give_up",
        "_interval_s",
        "_intervals",
        "_min_se_s",
        "_order",
        "_orders",
        "_progress",
        "_redirects",
        "may_have_rung",
    )

    is_outgoing = True

    def __init__(self, agent: UserAgent, order: Order, now_ms: int) -> None:
        super().__init__(
            agent,
            CallState.CALLING,
            agent.ids(),
            agent.ids(),
            order.hop,
            authenticator=order.authenticator,
            contact_user=order.contact_user,
            context=order.context,
        )
        self.local_body = order.body
        self.may_have_rung = False
        """Whether more than 100 came on the way, in whatever form: also where it cannot be told as `Progress`."""
        self._order = order
        self._cseq = 0
        asked_s = order.session_expires_s
        self._interval_s = agent.settings.session_expires_s if asked_s is None else asked_s
        self._min_se_s = 0
        self._intervals = 0
        self._redirects = 0
        self._progress = 0
        self._early: dict[str, tuple[Dialog, ReliableOrder]] = {}
        """By the peer's tag."""
        self._acks: dict[str, tuple[bytes, Hop]] = {}
        """Of every answer, by the peer's tag: each comes again until its ACK has come through."""
        self._cancelled: Cause | None = None
        self._give_up: Timer | None = None
        self._exchange = self._invite(now_ms)

    # What the owner does

    def cancel(self, now_ms: int, *, q850: int = NORMAL, text: str = "") -> None:
        """Gives a call up that was not answered; `Failed` follows when the peer agrees, or after 64 T1."""
        if not self.move(CallInput.CANCEL):
            raise LocalError(f"a call that is {self.state.name} cannot be cancelled")
        self._cancelled = Cause("local", 487, q850, text)
        self._exchange.cancel(now_ms, [("Reason", write_reason(q850, text))])
        self._give_up = self._agent.timers.at(
            now_ms + self._agent.settings.timing.give_up_ms, self._on_cancel_unanswered
        )

    # What the exchange tells

    def on_provisional(self, exchange: Exchange, response: Response, now_ms: int) -> None:
        self.may_have_rung = self.may_have_rung or response.status > 100
        tag = response.to.tag
        if response.status in (100, 199) or not tag or self.state not in (CallState.CALLING, CallState.EARLY):
            return
        self._progress += 1
        if self._progress > PROGRESS_MAX:
            return
        try:
            self._on_progress(response, tag, now_ms)
        except RemoteError as error:
            self._agent.tell(Nuisance(error.reason, self.hop))

    def on_final(self, exchange: Exchange, response: Response, now_ms: int) -> None:
        if response.status < 300:
            try:
                self._on_success(response, now_ms)
            except RemoteError as error:
                # It cannot be acknowledged without knowing where to: the peer will give up by itself.
                self._agent.tell(Nuisance(error.reason, self.hop))
                self._fail(Cause("remote", response.status, 111, error.reason))
        elif self.state is CallState.CANCELLING or not self._again(response, now_ms):
            self._fail(cause_of_response(response))

    def on_failure(self, exchange: Exchange, failure: Failure, now_ms: int) -> None:
        self._fail(cause_of_failure(failure))

    def close(self) -> None:
        super().close()
        if self._give_up is not None:
            self._give_up.stop()
        for dialog, _ in self._early.values():
            self._agent.forget(dialog)
        self._early.clear()

    # Inside

    def _invite(self, now_ms: int) -> Exchange:
        order = self._order
        return Exchange(self._agent.layer, self, order.hop, order.authenticator, self._make, now_ms)

    def _make(self, more: Sequence[Header]) -> Request:
        order, agent = self._order, self._agent
        self._cseq += 1
        headers: list[Header] = [
            ("Max-Forwards", str(order.max_forwards)),
            *(("Route", f"<{route}>") for route in order.routes),
            ("From", str(order.caller.with_tag(self.local_tag))),
            ("To", str(Address(order.target))),
            ("Call-ID", self.call_id),
            ("CSeq", f"{self._cseq} INVITE"),
            ("User-Agent", agent.settings.product),
            *self.headers(),
        ]
        if self._interval_s:
            headers.append(("Session-Expires", str(self._interval_s)))
            headers.append(("Min-SE", str(max(self._min_se_s, agent.settings.min_session_s))))
        if order.body:
            headers.append(("Content-Type", SDP))
        uri = order.target.bare() if isinstance(order.target, SipUri) else order.target
        return Request("INVITE", uri, [*headers, *order.headers, *more], order.body)

    def _on_progress(self, response: Response, tag: str, now_ms: int) -> None:
        known = self._early.get(tag)
        if known is None:
            if len(self._early) >= FORKS_MAX:
                raise RemoteError(f"more than {FORKS_MAX} early dialogs")
            dialog = dialog_of_response(self._exchange.request, response, self.hop)
            known = self._early[tag] = (dialog, ReliableOrder())
            self._agent.remember(dialog, self)
        dialog, order = known
        if "100rel" in response.required:
            rseq = order.take(response)
            if rseq is None:
                return
            rack = RAck(rseq, self._exchange.request.cseq.number, "INVITE")
            Prack(self._agent, dialog, self._authenticator, rack, now_ms)
        body = body_of(response)
        self.learn(response)
        self.move(CallInput.PROGRESS)
        q850, _ = read_reason(response)
        self._agent.tell(Progress(self, response.status, response.reason, body, tag, q850))

    def _on_success(self, response: Response, now_ms: int) -> None:
        tag = response.to.tag
        if tag in self._acks:
            self._agent.layer.resend(*self._acks[tag])
            return
        exchange = self._exchange
        dialog = dialog_of_response(exchange.request, response, self.hop)
        early = self._early.get(tag)
        if early is not None:
            # PRACKs have counted on, and the peer's requests too.
            dialog.local_cseq = early[0].local_cseq
            dialog.remote_cseq = early[0].remote_cseq
        dialog.is_confirmed = True
        if len(self._acks) >= FORKS_MAX:
            raise RemoteError(f"more than {FORKS_MAX} answers")
        ack = dialog.request("ACK", exchange.credentials, number=exchange.request.cseq.number)
        hop = dialog.next_hop()
        self._acks[tag] = self._agent.layer.send(ack, hop), hop
        if self.dialog is not None or self.state not in (CallState.CALLING, CallState.EARLY):
            # Another phone of a fork, or one that answered while we gave up (section 13.2.2.4).
            Bye(self._agent, dialog, self._authenticator, [("Reason", write_reason(NORMAL))], now_ms)
            self._fail(Cause("local", response.status), happened=CallInput.SUCCESS)
            return
        self.dialog = dialog
        self.hop = hop
        self.move(CallInput.SUCCESS)
        self._agent.remember(dialog, self)
        for other, _ in self._early.values():
            if other.remote_tag != tag:
                self._agent.forget(other)
        self._early.clear()
        self.learn(response)
        self.agree_session(response, now_ms)
        try:
            body = body_of(response)
        except RemoteError:
            body = b""
        self._agent.tell(Answered(self, body))

    def _again(self, response: Response, now_ms: int) -> bool:
        """Whether the call goes on with another INVITE."""
        try:
            if response.status == 422 and self._intervals < INTERVALS_MAX:
                min_se_s = response.number("Min-SE") or 0
                if self._interval_s < min_se_s <= INTERVAL_S_MAX:
                    self._intervals += 1
                    self._interval_s = self._min_se_s = min_se_s
                    self._exchange = self._invite(now_ms)
                    return True
            elif 300 <= response.status < 400 and self._redirects < self._agent.settings.redirects_max:
                for contact in response.contacts:
                    if isinstance(contact.uri, SipUri) and contact.uri.user is not None:
                        self._redirects += 1
                        self._order = replace(self._order, target=contact.uri)
                        self._exchange = self._invite(now_ms)
                        return True
        except RemoteError as error:
            self._agent.tell(Nuisance(error.reason, self.hop))
        return False

    def _on_cancel_unanswered(self, now_ms: int) -> None:
        """Section 9.1: who does not answer a CANCEL within 64 T1 never will."""
        self._exchange.abandon()
        self._fail(self._cancelled or Cause("timeout", 408, 102))

    def _fail(self, cause: Cause, *, happened: CallInput = CallInput.FAILURE) -> None:
        # Without any answer there was nothing to cancel: nobody was told of the call (section 9.1).
        if self._cancelled is not None and cause.origin not in ("local", "timeout", "unreachable"):
            cause = self._cancelled
        if self.move(happened):
            self.close()
            self._agent.tell(Failed(self, cause))
