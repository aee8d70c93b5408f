"""A call of either direction, once there is a dialog: hanging up, offers inside of it, session timers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chappe.operators.sip.agent.causes import NORMAL, Cause, cause_of_request, write_reason
from chappe.operators.sip.agent.dialog import Dialog
from chappe.operators.sip.agent.digest import Authenticator
from chappe.operators.sip.agent.events import Ended, Established, InfoReceived, OfferAnswered, Offered
from chappe.operators.sip.agent.inside import Bye, ReInvite, Update
from chappe.operators.sip.agent.repeater import Repeater
from chappe.operators.sip.agent.session_timer import SessionInterval, SessionTimer, read_interval
from chappe.operators.sip.agent.states import TABLE, CallInput, CallState
from chappe.operators.sip.errors import LocalError, RemoteError
from chappe.operators.sip.hop import Hop
from chappe.operators.sip.syntax.message import Header, Message, Request, Response
from chappe.operators.sip.syntax.multipart import part_of
from chappe.operators.sip.transactions.events import RequestReceived
from chappe.operators.sip.transactions.states import State as TransactionState
from chappe.operators.sip.transactions.transaction import ServerTransaction

if TYPE_CHECKING:
    from chappe.operators.sip.agent.agent import UserAgent

SDP: Final = "application/sdp"
GLARE_OURS_MS: Final = (2_100, 4_000)
GLARE_THEIRS_MS: Final = (0, 2_000)
"""Section 14.1: who chose the Call-ID waits longer."""


class Call:
    """`context` is the owner's. Methods raise LocalError where the state does not allow what is asked."""

    __slots__ = (
        "_agent",
        "_asked",
        "_asked_repeater",
        "_authenticator",
        "_contact_user",
        "_offering",
        "_parting",
        "_peer_updates",
        "_retrying",
        "_session_timer",
        "_unacknowledged",
        "call_id",
        "context",
        "dialog",
        "hop",
        "local_body",
        "local_tag",
        "state",
    )

    is_outgoing = False

    def __init__(
        self,
        agent: UserAgent,
        state: CallState,
        call_id: str,
        local_tag: str,
        hop: Hop,
        *,
        authenticator: Authenticator | None = None,
        contact_user: str = "",
        context: object = None,
    ) -> None:
        self._agent = agent
        self._authenticator = authenticator
        self._contact_user = contact_user
        self.state = state
        """Read only; `states.py` decides."""
        self.call_id = call_id
        self.local_tag = local_tag
        self.hop = hop
        """Where the first INVITE went, or came from."""
        self.context = context
        self.dialog: Dialog | None = None
        """The one that was answered."""
        self.local_body = b""
        """Our session description that is in force: a refresh says it again."""
        self._session_timer = SessionTimer(agent.timers, self._refresh, self._expire)
        self._peer_updates = False
        self._parting: tuple[int, str] | None = None
        self._offering: ReInvite | None = None
        """A re-INVITE of ours that is not finally answered."""
        self._retrying: ReInvite | None = None
        """One that met theirs and waits for its second try."""
        self._asked: ServerTransaction | None = None
        """A re-INVITE or UPDATE of theirs that the owner has to answer."""
        self._asked_repeater: Repeater | None = None
        self._unacknowledged: int | None = None
        """The CSeq of their INVITE whose 2xx waits for its ACK."""

    # What the owner does

    def authenticate(self, authenticator: Authenticator) -> None:
        """With what requests of ours inside of the call are answered where they are challenged."""
        self._authenticator = authenticator

    def hang_up(self, now_ms: int, *, q850: int = NORMAL, text: str = "") -> None:
        """Ends a call that was answered; `Ended` follows at once, whatever the peer says to it. Of a call of theirs
        that is answered and not acknowledged the BYE has to wait (section 15), and the event too.
        """
        if self.state is CallState.ACCEPTED:
            self._parting = (q850, text)
        elif self.state is CallState.CONFIRMED:
            self._bye(now_ms, q850, text)
            self.end(Cause("local", 0, q850, text), now_ms)
        else:
            raise LocalError(f"a call that is {self.state.name} cannot be hung up")

    def offer(self, body: bytes, now_ms: int) -> None:
        """Offers another session (hold, other codecs) by re-INVITE; `OfferAnswered` follows."""
        if self.state is not CallState.CONFIRMED:
            raise LocalError(f"nothing can be offered to a call that is {self.state.name}")
        if self._is_unsettled or self._retrying is not None:
            raise LocalError("another offer is not settled yet")
        self._start_offer(body, now_ms, is_refresh=False)

    def answer(self, body: bytes, now_ms: int) -> bool:
        """Accepts what `Offered` told, with our answer (or our offer where they gave none). False if the peer has
        taken it back meanwhile.
        """
        asked, self._asked = self._asked, None
        if asked is None or asked.is_over:
            return False
        self.local_body = body
        self._accept_inside(asked, body, now_ms)
        return True

    def refuse(self, status: int, now_ms: int) -> bool:
        """Refuses what `Offered` told (488 as a rule): the session stays as it was. False as in `answer`."""
        asked, self._asked = self._asked, None
        if asked is None or asked.is_over:
            return False
        self._agent.respond(asked, status, now_ms)
        return True

    # What happens to it

    def on_request(self, event: RequestReceived, dialog: Dialog, now_ms: int) -> None:
        """A request inside the dialog. Raises RemoteError for one that cannot be read."""
        request, transaction = event.request, event.transaction
        assert transaction is not None
        if not dialog.take(request):
            self._agent.respond(transaction, 500, now_ms, reason="CSeq Out Of Order")
            return
        method = request.method
        if method == "BYE":
            self._on_bye(transaction, now_ms)
        elif method in ("INVITE", "UPDATE"):
            self._on_offer(transaction, dialog, now_ms)
        elif method == "INFO":
            self._agent.respond(transaction, 200, now_ms)
            self._agent.tell(InfoReceived(self, request.content_type, request.body))
        elif method == "OPTIONS":
            self._agent.respond(transaction, 200, now_ms)
        else:
            self._agent.refuse_method(transaction, now_ms)

    def on_ack(self, request: Request, now_ms: int) -> None:
        """The ACK of a 2xx of ours."""
        if request.cseq.number != self._unacknowledged:
            return
        self._unacknowledged = None
        if self._asked_repeater is not None:
            self._asked_repeater.stop()
            self._asked_repeater = None
        try:
            body = body_of(request)
        except RemoteError:
            body = b""  # it is acknowledged all the same, and whoever waits for an answer to an offer sees that none came
        if self.state is CallState.ACCEPTED:
            self.move(CallInput.ACK)
            if self._parting is not None:
                q850, text = self._parting
                self.hang_up(now_ms, q850=q850, text=text)
            else:
                self._agent.tell(Established(self, body))
        elif body and self.state is CallState.CONFIRMED:
            self._agent.tell(OfferAnswered(self, body, None))

    def on_cancel(self, transaction: ServerTransaction, cancel: Request, now_ms: int) -> None:
        """A CANCEL of their re-INVITE."""
        if transaction is self._asked:
            self._asked = None
            self._agent.respond(transaction, 487, now_ms)

    # For those of this package

    def move(self, happened: CallInput) -> bool:
        """Follows the table; False where it has nothing."""
        following = TABLE.get((self.state, happened))
        if following is None:
            return False
        self.state = following
        return True

    def end(self, cause: Cause, now_ms: int) -> None:
        """An answered call is over."""
        if self.move(CallInput.BYE):
            self.close()
            self._agent.tell(Ended(self, cause))

    def close(self) -> None:
        """Nothing of this call is due any more."""
        self._session_timer.stop()
        self._offering = self._retrying = None
        self._asked = None
        if self._asked_repeater is not None:
            self._asked_repeater.stop()
            self._asked_repeater = None
        self._unacknowledged = None
        if self.dialog is not None:
            self._agent.forget(self.dialog)

    def headers(self) -> list[Header]:
        """Contact and what we can do: for requests and answers that make or refresh a dialog."""
        return self._agent.dialog_headers(self.hop, self._contact_user)

    def agree_session(self, response: Response, now_ms: int) -> None:
        """What a 2xx to a request of ours says about session timers."""
        try:
            interval = read_interval(response)
        except RemoteError:
            interval = None
        if interval is None:
            self._session_timer.stop()
        else:
            self._session_timer.agree(interval.seconds, now_ms, is_ours=interval.refresher != "uas")

    def take_interval(self, request: Request, now_ms: int) -> list[Header]:
        """The headers of a 2xx to a request of theirs that say who refreshes; agreed with it (RFC 4028, section 9)."""
        settings = self._agent.settings
        interval = read_interval(request)
        does_timers = "timer" in request.supported
        if interval is None:
            if not (does_timers and settings.session_expires_s):
                self._session_timer.stop()
                return []
            interval = SessionInterval(settings.session_expires_s, "")
        refresher = interval.refresher or ("uac" if does_timers else "uas")
        self._session_timer.agree(interval.seconds, now_ms, is_ours=refresher == "uas")
        headers = [("Session-Expires", str(SessionInterval(interval.seconds, refresher)))]
        if refresher == "uac" and does_timers:
            headers.append(("Require", "timer"))
        return headers

    def learn(self, message: Message) -> None:
        """What the peer can do."""
        allowed = message.allowed
        if allowed:
            self._peer_updates = "update" in allowed

    @property
    def _is_unsettled(self) -> bool:
        return self._offering is not None or self._asked is not None or self._unacknowledged is not None

    # Inside: requests of theirs

    def _on_bye(self, transaction: ServerTransaction, now_ms: int) -> None:
        self._agent.respond(transaction, 200, now_ms)
        asked = self._asked
        if asked is not None and not asked.is_over:
            self._agent.respond(asked, 487, now_ms)
        self.end(cause_of_request(transaction.request), now_ms)

    def _on_offer(self, transaction: ServerTransaction, dialog: Dialog, now_ms: int) -> None:
        agent, request = self._agent, transaction.request
        if self.state is not CallState.CONFIRMED:
            # Before the first INVITE is settled there is nothing to change; a bare UPDATE is a sign of life.
            is_bare = request.method == "UPDATE" and not request.body
            agent.respond(transaction, 200 if is_bare else 491, now_ms)
            return
        if self._asked is not None or self._unacknowledged is not None:
            agent.respond(transaction, 500, now_ms, headers=[("Retry-After", str(agent.random(0, 10)))])
            return
        if self._offering is not None:
            agent.respond(transaction, 491, now_ms)  # section 14.2: glare
            return
        if agent.refuses(transaction, now_ms) or agent.refuses_interval(transaction, now_ms):
            return
        body = body_of(request)
        dialog.refresh_target(request)
        self.learn(request)
        transaction.owner = self
        if request.method == "UPDATE" and not body:
            agent.respond(
                transaction, 200, now_ms, headers=[*self.headers(), *self.take_interval(request, now_ms)]
            )
            return
        self._asked = transaction
        agent.tell(Offered(self, body))

    def _accept_inside(self, asked: ServerTransaction, body: bytes, now_ms: int) -> None:
        request = asked.request
        headers = [*self.headers(), *self.take_interval(request, now_ms), ("Content-Type", SDP)]
        self._agent.respond(asked, 200, now_ms, headers=headers, body=body)
        if request.method == "INVITE":
            self.await_ack(asked, now_ms)

    def await_ack(self, transaction: ServerTransaction, now_ms: int) -> None:
        """A 2xx to INVITE was sent: it is repeated until its ACK comes, and the call ends if none does (13.3.1.4)."""
        response = transaction.response
        assert response is not None
        timing = self._agent.settings.timing

        def resend(now_ms: int) -> None:
            if transaction.state is TransactionState.ACCEPTED:
                self._agent.layer.respond(transaction, response, now_ms)

        self._unacknowledged = transaction.request.cseq.number
        self._asked_repeater = Repeater(
            self._agent.timers,
            timing,
            now_ms,
            interval_ms_max=timing.t2_ms,
            resend=resend,
            on_lost=self._on_no_ack,
        )

    def _on_no_ack(self, now_ms: int) -> None:
        self._bye(now_ms, NORMAL, "no ACK")
        self.end(Cause("timeout", 408, 102, "no ACK"), now_ms)

    # Inside: requests of ours

    def _bye(self, now_ms: int, q850: int, text: str) -> None:
        dialog = self.dialog
        assert dialog is not None
        Bye(self._agent, dialog, self._authenticator, [("Reason", write_reason(q850, text))], now_ms)

    def _start_offer(self, body: bytes, now_ms: int, *, is_refresh: bool, was_retried: bool = False) -> None:
        dialog = self.dialog
        assert dialog is not None
        self._offering = ReInvite(
            self,
            self._agent,
            dialog,
            self._authenticator,
            self._offer_headers(),
            body,
            now_ms,
            is_refresh=is_refresh,
            was_retried=was_retried,
        )

    def _offer_headers(self) -> list[Header]:
        timer = self._session_timer
        headers = self.headers()
        if timer.interval_s:
            # The roles stay as they are: we are the client of this request.
            refresher = "uac" if timer.is_ours else "uas"
            headers.append(("Session-Expires", str(SessionInterval(timer.interval_s, refresher))))
        return headers

    def _refresh(self, now_ms: int) -> None:
        """Half of the session interval is over, and the refresh is ours."""
        if self.state is not CallState.CONFIRMED:
            return
        if self._is_unsettled or self._retrying is not None:
            self._session_timer.try_again(now_ms)
        elif self._peer_updates or not self.local_body:
            dialog = self.dialog
            assert dialog is not None
            Update(self, self._agent, dialog, self._authenticator, self._offer_headers(), now_ms)
        else:
            self._start_offer(self.local_body, now_ms, is_refresh=True)

    def _expire(self, now_ms: int) -> None:
        if self.state is CallState.CONFIRMED:
            self._bye(now_ms, 102, "session expired")
            self.end(Cause("timeout", 408, 102, "session expired"), now_ms)

    # What requests of ours inside of the dialog come to

    def on_offer_settled(
        self, offering: ReInvite, response: Response | None, cause: Cause | None, now_ms: int
    ) -> None:
        """A re-INVITE is answered: `response` with 2xx, or `cause`."""
        if self._offering is not offering:
            return
        self._offering = None
        if self.state is not CallState.CONFIRMED:
            return
        if response is not None:
            self.local_body = offering.body
            self.learn(response)
            self.agree_session(response, now_ms)
            if not offering.is_refresh:
                self._agent.tell(OfferAnswered(self, body_of(response), None))
            return
        assert cause is not None
        if cause.status == 491 and not offering.was_retried:
            self._retry_offer(offering, now_ms)
            return
        self._session_timer.try_again(now_ms)
        if not offering.is_refresh:
            self._agent.tell(OfferAnswered(self, b"", cause))
        self.end_if_gone(cause, now_ms)

    def on_refreshed(self, response: Response | None, cause: Cause | None, now_ms: int) -> None:
        """An UPDATE is answered."""
        if self.state is not CallState.CONFIRMED:
            return
        if response is not None:
            self.agree_session(response, now_ms)
            return
        assert cause is not None
        self._session_timer.try_again(now_ms)
        self.end_if_gone(cause, now_ms)

    def end_if_gone(self, cause: Cause, now_ms: int) -> None:
        """Section 12.2.1.2: who answers 481 knows the dialog no more, who does not answer is not there."""
        if cause.status in (408, 481) and self.state is CallState.CONFIRMED:
            self._bye(now_ms, cause.q850, cause.text)
            self.end(cause, now_ms)

    def _retry_offer(self, offering: ReInvite, now_ms: int) -> None:
        """Both offered at once: each waits a while, of different length (section 14.1)."""
        wait_ms = self._agent.random(*(GLARE_OURS_MS if self.is_outgoing else GLARE_THEIRS_MS))

        def again(now_ms: int) -> None:
            if self._retrying is not offering:
                return
            if self._is_unsettled:
                self._agent.timers.at(now_ms + wait_ms, again)
                return
            self._retrying = None
            self._start_offer(offering.body, now_ms, is_refresh=offering.is_refresh, was_retried=True)

        self._retrying = offering
        self._agent.timers.at(now_ms + wait_ms, again)


def body_of(message: Message) -> bytes:
    """The session description, out of a body of several parts too (SIP-I puts an ISUP message beside it); empty where
    there is none. RemoteError(415) for any other content.
    """
    if not message.body:
        return b""
    content_type = message.content_type
    if content_type == SDP:
        return message.body
    if content_type.startswith("multipart/"):
        return part_of(message.first("Content-Type") or "", message.body, SDP)
    raise RemoteError("the body is no session description", 415)
