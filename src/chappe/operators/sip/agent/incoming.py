"""A call of theirs, from the INVITE to the acknowledgement of our answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chappe.operators.sip.agent.call import SDP, Call, body_of
from chappe.operators.sip.agent.causes import Cause, cause_of_request, write_reason
from chappe.operators.sip.agent.dialog import Dialog, dialog_of_request
from chappe.operators.sip.agent.events import Abandoned
from chappe.operators.sip.agent.repeater import Repeater
from chappe.operators.sip.agent.states import CallInput, CallState
from chappe.operators.sip.errors import LocalError
from chappe.operators.sip.hop import Hop
from chappe.operators.sip.syntax.fields import RAck, parse_rack
from chappe.operators.sip.syntax.message import Header, Request, Response
from chappe.operators.sip.transactions.events import RequestReceived
from chappe.operators.sip.transactions.transaction import ServerTransaction

if TYPE_CHECKING:
    from chappe.operators.sip.agent.agent import UserAgent


class IncomingCall(Call):
    """`request` is the INVITE. Raises RemoteError for one that no dialog can be made of."""

    __slots__ = ("_expected", "_provisional", "_rseq", "_transaction", "_waiting", "request")

    def __init__(self, agent: UserAgent, transaction: ServerTransaction, hop: Hop) -> None:
        request = transaction.request
        local_tag = agent.ids()
        super().__init__(agent, CallState.RINGING, request.call_id, local_tag, hop)
        self.request = request
        self.dialog = dialog_of_request(request, local_tag, hop)
        self.learn(request)
        self._transaction = transaction
        self._rseq = agent.random(1, 0x7FFF)
        self._expected: RAck | None = None
        """Of the reliable provisional answer that waits for its PRACK."""
        self._provisional: Repeater | None = None
        self._waiting: list[tuple[int, bytes, tuple[Header, ...]]] = []
        """Answers that may go only after that PRACK (RFC 3262, section 3)."""

    # What the owner does

    def ring(
        self, now_ms: int, *, status: int = 180, body: bytes = b"", headers: Sequence[Header] = ()
    ) -> None:
        """A provisional answer; with `body` an early answer to their offer."""
        if not 100 < status < 200:
            raise LocalError(f"{status} is not provisional")
        self._answer(status, body, headers, now_ms)

    def accept(self, body: bytes, now_ms: int, *, headers: Sequence[Header] = ()) -> None:
        """Answers the call; `Established` follows when the peer has acknowledged it. `body` is our answer, or our
        offer where they gave none.
        """
        self._answer(200, body, headers, now_ms)

    def reject(
        self, status: int, now_ms: int, *, headers: Sequence[Header] = (), q850: int | None = None
    ) -> None:
        """Does not take the call (486 busy, 603 declined, 302 with a Contact...). No event follows."""
        if not 300 <= status < 700:
            raise LocalError(f"{status} does not reject")
        if not self.move(CallInput.REJECT):
            raise LocalError(f"a call that is {self.state.name} cannot be rejected")
        reasons = [] if q850 is None else [("Reason", write_reason(q850))]
        self._respond(status, b"", [*reasons, *headers], now_ms)
        self.close()

    # What happens to it

    def on_request(self, event: RequestReceived, dialog: Dialog, now_ms: int) -> None:
        if event.request.method != "PRACK":
            super().on_request(event, dialog, now_ms)
            return
        transaction = event.transaction
        assert transaction is not None
        if not dialog.take(event.request):
            self._agent.respond(transaction, 500, now_ms, reason="CSeq Out Of Order")
            return
        rack = parse_rack(event.request.first("RAck") or "")
        if rack != self._expected:
            self._agent.respond(transaction, 481, now_ms)
            return
        # An offer in a PRACK would need an answer here and now; nobody sends one (RFC 3262, section 5).
        self._agent.respond(transaction, 488 if body_of(event.request) else 200, now_ms)
        self._expected = None
        if self._provisional is not None:
            self._provisional.stop()
            self._provisional = None
        while self._waiting and self._expected is None:
            self._respond(*self._waiting.pop(0), now_ms)

    def on_cancel(self, transaction: ServerTransaction, cancel: Request, now_ms: int) -> None:
        if transaction is not self._transaction:
            super().on_cancel(transaction, cancel, now_ms)
        elif self.move(CallInput.CANCEL):
            self._agent.respond(transaction, 487, now_ms, tag=self.local_tag)
            self.close()
            self._agent.tell(Abandoned(self, cause_of_request(cancel)))

    def end(self, cause: Cause, now_ms: int) -> None:
        if self.state is not CallState.RINGING:
            super().end(cause, now_ms)
        elif self.move(CallInput.BYE):
            # A BYE into a dialog that only rings (section 15.1.2).
            self._agent.respond(self._transaction, 487, now_ms, tag=self.local_tag)
            self.close()
            self._agent.tell(Abandoned(self, cause))

    def close(self) -> None:
        super().close()
        self._expected = None
        self._waiting.clear()
        if self._provisional is not None:
            self._provisional.stop()
            self._provisional = None

    # Inside

    def _answer(self, status: int, body: bytes, headers: Sequence[Header], now_ms: int) -> None:
        if self.state is not CallState.RINGING or any(queued >= 200 for queued, _, _ in self._waiting):
            raise LocalError(f"a call that is {self.state.name} cannot be answered {status}")
        if self._expected is not None:
            self._waiting.append((status, body, tuple(headers)))
        else:
            self._respond(status, body, headers, now_ms)

    def _respond(self, status: int, body: bytes, headers: Sequence[Header], now_ms: int) -> None:
        agent, request = self._agent, self.request
        more = [*headers]
        if status < 300:
            more += self.headers()
        if body:
            more.append(("Content-Type", SDP))
        is_reliable = 100 < status < 200 and self._is_reliable()
        if is_reliable:
            more += [("Require", "100rel"), ("RSeq", str(self._rseq))]
        elif 200 <= status < 300:
            more += self.take_interval(request, now_ms)
            self.move(CallInput.ACCEPT)
            self.local_body = body
            assert self.dialog is not None
            self.dialog.is_confirmed = True
        agent.respond(self._transaction, status, now_ms, tag=self.local_tag, headers=more, body=body)
        if is_reliable:
            self._await_prack(now_ms)
        elif 200 <= status < 300:
            self.await_ack(self._transaction, now_ms)

    def _is_reliable(self) -> bool:
        request = self.request
        wants = self._agent.settings.wants_100rel and "100rel" in request.supported
        return wants or "100rel" in request.required

    def _await_prack(self, now_ms: int) -> None:
        agent, transaction = self._agent, self._transaction
        response = transaction.response
        assert response is not None
        self._expected = RAck(self._rseq, self.request.cseq.number, "INVITE")
        self._rseq += 1
        timing = agent.settings.timing

        def resend(now_ms: int, response: Response = response) -> None:
            if not transaction.is_over:
                agent.layer.respond(transaction, response, now_ms)

        self._provisional = Repeater(
            agent.timers,
            timing,
            now_ms,
            interval_ms_max=timing.give_up_ms,
            resend=resend,
            on_lost=self._on_no_prack,
        )

    def _on_no_prack(self, now_ms: int) -> None:
        """Section 3: the INVITE should be rejected with 5xx."""
        if self.move(CallInput.REJECT):
            self._agent.respond(self._transaction, 504, now_ms, tag=self.local_tag)
            self.close()
            self._agent.tell(Abandoned(self, Cause("timeout", 504, 102, "no PRACK")))
