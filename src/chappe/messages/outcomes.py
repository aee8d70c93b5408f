"""Commits what operators say: answers to submit_sm, receipts, replies. One transaction a batch.

Only after the commit does an operator acknowledge a receipt or give a window slot back, so nothing that it has
said can be lost, and what is said twice changes nothing the second time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from chappe.logs import Sparing
from chappe.messages.meta import MessageCache, MessageMeta
from chappe.messages.port import FINAL_RECEIPTS, Departure, Operator, Outcome, Receipt, Reply, Submitted
from chappe.messages.receipts import (
    Found,
    find_submission,
    find_submissions,
    ids_waiting,
    keep_unmatched,
    take_waiting,
)
from chappe.messages.refund import refund
from chappe.messages.states import State
from chappe.messages.stop import says_stop
from chappe.optouts.numbers import opt_out
from chappe.storage.database import Transaction
from chappe.storage.store import Store
from chappe.webhooks.payloads import dlr_payload, reply_payload
from chappe.webhooks.queue import Event, enqueue, enqueue_many

_log: structlog.stdlib.BoundLogger = structlog.get_logger("messages")

_FROM_RECEIPT: dict[str, State] = {
    "delivered": State.DELIVERED,
    "undelivered": State.UNDELIVERED,
    "deleted": State.UNDELIVERED,
    "unknown": State.UNDELIVERED,
    "expired": State.EXPIRED,
    "rejected": State.REJECTED,
}
REMATCH_MAX = 200
CLOCKS_MS = 5_000
"""How far the clocks of several machines may be apart."""

# Another process may have written it off as lost, which had taken this one for dead: the operator's word counts more.
_ADD_SUBMISSION = (
    "INSERT INTO submissions (message_id, number, attempt, part, operator, smsc, smsc_message_id, outcome,"
    " command_status, left_at_ms, answered_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (message_id, number, attempt, part) DO UPDATE SET operator = excluded.operator,"
    " smsc = excluded.smsc, smsc_message_id = excluded.smsc_message_id, outcome = excluded.outcome,"
    " command_status = excluded.command_status, answered_at_ms = excluded.answered_at_ms"
    " WHERE submissions.outcome IN ('lost', 'held') AND excluded.outcome IN ('accepted', 'refused')"
)
_SUPERSEDED = "SELECT 1 FROM recipients WHERE message_id = ? AND number = ? AND attempts > ?"
_MAY_HAVE_LEFT = (
    "SELECT 1 FROM submissions WHERE message_id = ? AND number = ? AND outcome <> 'refused' LIMIT 1"
)
_LATE = (
    "UPDATE submissions SET outcome = 'accepted', smsc = ?, smsc_message_id = ?, answered_at_ms = ?"
    " WHERE message_id = ? AND number = ? AND attempt = ? AND part = ? AND outcome IN ('lost', 'held')"
)
_SENT = (
    f"UPDATE recipients SET state = {State.SENT:d}, changed_at_ms = ? WHERE message_id = ? AND number = ?"
    f" AND state < {State.SENT:d}"
)
_FINISH = (
    "UPDATE recipients SET state = ?, changed_at_ms = ? WHERE message_id = ? AND number = ?"
    f" AND state < {State.DELIVERED:d}"
)
_FINISH_TOLD = f"{_FINISH} RETURNING message_id, number, state, cost_micro"
_RECEIPT = (
    "UPDATE submissions SET receipt_state = ?, receipt_error = ?, receipt_at_ms = ?"
    " WHERE message_id = ? AND number = ? AND attempt = ? AND part = ? AND receipt_at_ms IS NULL"
)
_REFUSE = (
    f"UPDATE recipients SET state = {State.REFUSED:d}, changed_at_ms = ?, refund_micro = cost_micro"
    f" WHERE message_id = ? AND number = ? AND state < {State.DELIVERED:d} RETURNING refund_micro"
)
_CONTACT = (
    "INSERT INTO last_contacts (number, message_id) VALUES (?, ?)"
    " ON CONFLICT (number) DO UPDATE SET message_id = excluded.message_id"
)
_ACCEPTED = (
    "SELECT COUNT(DISTINCT part), COUNT(CASE WHEN receipt_state = 'delivered' THEN 1 END) FROM submissions"
    " WHERE message_id = ? AND number = ? AND outcome = 'accepted'"
)
# A receipt under a guessed id, or for another phone, may stay: then its submission is looked at again and again, but
# only those that have no receipt and share an id with one that is kept.
_REMATCH = (
    "SELECT s.message_id, s.number, s.attempt, s.part, s.smsc, s.smsc_message_id, s.left_at_ms FROM submissions s"
    " WHERE s.receipt_at_ms IS NULL AND s.smsc_message_id <> '' AND EXISTS (SELECT 1 FROM unmatched_receipts u"
    " WHERE u.smsc_message_id = s.smsc_message_id AND u.smsc = s.smsc AND u.received_at_ms >= s.left_at_ms) LIMIT ?"
)
_PARTS = (
    "SELECT part, outcome, smsc_message_id, receipt_state FROM submissions"
    " WHERE message_id = ? AND number = ? AND outcome <> 'lost'"
    " AND attempt = (SELECT MAX(s.attempt) FROM submissions s WHERE s.message_id = submissions.message_id"
    " AND s.number = submissions.number AND s.part = submissions.part AND s.outcome <> 'lost')"
)


@dataclass
class _Batch:
    """What one transaction does, and what is to follow its commit."""

    tx: Transaction
    operator: Operator | None
    """None when it is about receipts that were kept."""
    posting_id: int
    event_id: int
    id: int
    optout_id: int
    now_ms: int
    lost: list[Departure] = field(default_factory=list[Departure])
    has_events: bool = False
    has_unmatched: bool = False

    def next_posting(self) -> int:
        self.posting_id += 1
        return self.posting_id - 1

    def next_event(self) -> int:
        self.event_id += 1
        return self.event_id - 1

    def next_id(self) -> int:
        self.id += 1
        return self.id - 1

    def next_optout(self) -> int:
        self.optout_id += 1
        return self.optout_id - 1


class CommittedOutcomes:
    """The `Outcomes` port. `on_lost` gets departures whose answer was lost, after the commit."""

    def __init__(
        self,
        store: Store,
        messages: MessageCache,
        on_events: Callable[[], None],
        on_lost: Callable[[Operator, Sequence[Departure]], None],
    ) -> None:
        self._store = store
        self._messages = messages
        self._on_events = on_events
        self._on_lost = on_lost
        self._strangers = Sparing()
        self._may_be_unmatched = True
        self._is_shared = store.database.is_shared

    async def commit(self, operator: Operator, outcomes: Sequence[Outcome]) -> None:
        """Everything in one unit; raises `StorageUnavailable` when nothing of it is stored."""
        if not outcomes:
            return
        count = 2 * len(outcomes)  # an answer may settle a recipient and find its receipt waiting
        posting_id = await self._store.ids("postings").take(count)
        event_id = await self._store.ids("events").take(count)
        first_id = await self._store.ids("receipts").take(count)
        receipts = [outcome for outcome in outcomes if isinstance(outcome, Receipt)]
        replies = [outcome for outcome in outcomes if isinstance(outcome, Reply)]
        optout_id = await self._store.ids("optouts").take(len(replies)) if replies else 0
        now_ms = self._store.clock.now_ms()
        # Answers before receipts: a receipt in the same read as its response then finds it.
        submitted = [outcome for outcome in outcomes if isinstance(outcome, Submitted)]

        def unit(tx: Transaction) -> _Batch:
            batch = _Batch(tx, operator, posting_id, event_id, first_id, optout_id, now_ms)
            self._answers(batch, submitted)
            self._receipts(batch, receipts)
            for reply in replies:
                self._reply(batch, reply)
            return batch

        batch = await self._store.database.write(unit, background=True)
        if batch.has_unmatched:
            self._may_be_unmatched = True
        if batch.has_events:
            self._on_events()
        if batch.lost:
            self._on_lost(operator, batch.lost)

    async def rematch(self) -> bool:
        """Looks again for submissions of receipts that are kept; True when there may be more. One process at a time."""
        posting_id = await self._store.ids("postings").take(REMATCH_MAX)
        event_id = await self._store.ids("events").take(REMATCH_MAX)
        now_ms = self._store.clock.now_ms()

        def unit(tx: Transaction) -> tuple[bool, bool]:
            if not tx.try_lock("rematch"):
                return False, False
            matched = 0
            batch = _Batch(tx, None, posting_id, event_id, 0, 0, now_ms)
            rows = tx.all(_REMATCH, (REMATCH_MAX,))
            for message_id, number, attempt, part, smsc, smsc_message_id, left_at_ms in rows:
                waiting = take_waiting(tx, smsc, smsc_message_id, number, left_at_ms - CLOCKS_MS)
                if waiting is not None:
                    matched += 1
                    self._matched(
                        batch, Found(message_id, number, attempt, part), waiting.state, waiting.error
                    )
            return matched > 0 and len(rows) == REMATCH_MAX, batch.has_events

        has_more, has_events = await self._store.database.write(unit, background=True)
        if has_events:
            self._on_events()
        return has_more

    # --- answers to submit_sm -----------------------------------------------------------------------------

    def _answers(self, batch: _Batch, answers: list[Submitted]) -> None:
        if not answers:
            return
        late = [answer for answer in answers if answer.is_late]
        if late:
            answers = [answer for answer in answers if not answer.is_late]
        operator, now_ms = batch.operator, batch.now_ms
        assert operator is not None
        batch.tx.run_many(
            _ADD_SUBMISSION,
            [
                (
                    answer.departure.message_id,
                    answer.departure.number,
                    answer.departure.attempt,
                    answer.part,
                    operator.name,
                    operator.smsc,
                    answer.smsc_message_id,
                    answer.outcome,
                    answer.command_status,
                    answer.departure.left_at_ms,
                    now_ms,
                )
                for answer in answers
            ],
        )
        sent: list[tuple[int, int, int]] = []
        # Once each, however many of its parts were answered in this batch: what is lost is sent again once.
        long: dict[tuple[int, int, int], Departure] = {}
        for answer in answers:
            departure = answer.departure
            if len(departure.parts) > 1:
                long[departure.message_id, departure.number, departure.attempt] = departure
            elif answer.outcome == "accepted":
                sent.append((now_ms, departure.message_id, departure.number))
            elif answer.outcome == "refused":
                self._refused(batch, departure)
            else:
                batch.lost.append(departure)
        for departure in long.values():
            self._parts_answered(batch, departure)
        if sent:
            batch.tx.run_many(_SENT, sent)
            batch.tx.run_many(_CONTACT, [(number, message_id) for _, message_id, number in sent])
        if self._may_be_unmatched:
            self._match_waiting_receipts(batch, operator, answers)
        if late:
            self._answered_late(batch, late)

    def _parts_answered(self, batch: _Batch, departure: Departure) -> None:
        """Settles a long message once every part of this attempt has its answer."""
        rows = batch.tx.all(
            "SELECT part, outcome FROM submissions WHERE message_id = ? AND number = ? AND attempt = ?",
            (departure.message_id, departure.number, departure.attempt),
        )
        if len(rows) < len(departure.which):
            return
        outcomes = [outcome for _, outcome in rows]
        if "lost" in outcomes:
            batch.lost.append(departure)
            return
        accepted, delivered = self._accepted(batch, departure)
        if accepted == len(departure.parts):
            self._all_accepted(batch, departure, delivered)
        elif accepted == 0:
            self._refused(batch, departure)
        elif not self._is_superseded(batch, departure):
            # Some parts left and some never will: it cannot be read, and it cannot be taken back.
            self._finish(batch, departure.message_id, departure.number, State.UNDELIVERED)

    def _answered_late(self, batch: _Batch, answers: list[Submitted]) -> None:
        """The operator took it after all: what it says of it from now on is said under this id."""
        operator, now_ms = batch.operator, batch.now_ms
        assert operator is not None
        smsc = operator.smsc
        for answer in answers:
            departure = answer.departure
            key = (departure.message_id, departure.number, departure.attempt, answer.part)
            if batch.tx.run(_LATE, (smsc, answer.smsc_message_id, now_ms, *key)) == 0:
                continue
            accepted, delivered = self._accepted(batch, departure)
            if accepted == len(departure.parts):
                self._all_accepted(batch, departure, delivered)
        if self._may_be_unmatched:
            self._match_waiting_receipts(batch, operator, answers)

    def _accepted(self, batch: _Batch, departure: Departure) -> tuple[int, int]:
        """How many of its parts an operator has accepted, by any attempt, and how many of these are delivered."""
        row = batch.tx.one(_ACCEPTED, (departure.message_id, departure.number))
        assert row is not None
        return row[0], row[1]

    def _all_accepted(self, batch: _Batch, departure: Departure, delivered: int) -> None:
        message_id, number, total = departure.message_id, departure.number, len(departure.parts)
        batch.tx.run(_SENT, (batch.now_ms, message_id, number))
        batch.tx.run(_CONTACT, (number, message_id))
        if delivered and _are_delivered(batch, message_id, number, total):
            self._finish(batch, message_id, number, State.DELIVERED)

    def _refused(self, batch: _Batch, departure: Departure) -> None:
        if self._is_superseded(batch, departure):
            return
        if departure.attempt > 1:
            if self._accepted(batch, departure)[0] == len(departure.parts):
                return  # the answer to an earlier attempt came late, and was a yes
            if batch.tx.one(_MAY_HAVE_LEFT, (departure.message_id, departure.number)) is not None:
                # The answer to an earlier attempt was lost: it may have left, so nothing can be taken back.
                self._finish(batch, departure.message_id, departure.number, State.UNDELIVERED)
                return
        row = batch.tx.one(_REFUSE, (batch.now_ms, departure.message_id, departure.number))
        if row is None:
            return
        message = self._messages.get(batch.tx, departure.message_id)
        if row[0]:
            refund(batch.tx, batch.next_posting(), message.account_id, message.id, row[0], batch.now_ms)
        self._tell(batch, message, departure.number, State.REFUSED, 0)

    def _is_superseded(self, batch: _Batch, departure: Departure) -> bool:
        """Whether a process that had taken this one for dead has sent it again: then the answer to that decides."""
        key = (departure.message_id, departure.number, departure.attempt)
        return self._is_shared and batch.tx.one(_SUPERSEDED, key) is not None

    # --- receipts -----------------------------------------------------------------------------------------

    def _receipts(self, batch: _Batch, receipts: Sequence[Receipt]) -> None:
        final = [receipt for receipt in receipts if receipt.state in FINAL_RECEIPTS]
        if not final:
            return
        assert batch.operator is not None
        smsc = batch.operator.smsc
        plain, others = find_submissions(batch.tx, smsc, final)
        self._matched_together(batch, plain)
        for receipt in others:
            self._receipt(batch, smsc, receipt)

    def _receipt(self, batch: _Batch, smsc: str, receipt: Receipt) -> None:
        found = find_submission(batch.tx, smsc, receipt)
        if found is not None:
            self._matched(batch, found, receipt.state, receipt.error)
            return
        keep_unmatched(batch.tx, smsc, receipt, batch.next_id(), batch.now_ms)
        batch.has_unmatched = True

    def _match_waiting_receipts(self, batch: _Batch, operator: Operator, answers: list[Submitted]) -> None:
        """Receipts that came before the answers just written."""
        if batch.tx.one("SELECT 1 FROM unmatched_receipts LIMIT 1") is None:
            self._may_be_unmatched = self._is_shared  # another process may store one at any time
            return
        named = [a for a in answers if a.outcome == "accepted" and a.smsc_message_id]
        waiting_ids = ids_waiting(batch.tx, operator.smsc, [answer.smsc_message_id for answer in named])
        for answer in named:
            if answer.smsc_message_id not in waiting_ids:
                continue
            departure = answer.departure
            since_ms = departure.left_at_ms - (CLOCKS_MS if self._is_shared else 0)
            waiting = take_waiting(
                batch.tx, operator.smsc, answer.smsc_message_id, departure.number, since_ms
            )
            if waiting is not None:
                found = Found(departure.message_id, departure.number, departure.attempt, answer.part)
                self._matched(batch, found, waiting.state, waiting.error)

    def _matched(self, batch: _Batch, found: Found, state: str, error: str) -> None:
        message_id, number, _, _ = found
        batch.tx.run(_RECEIPT, (state, error, batch.now_ms, *found))
        new = _FROM_RECEIPT[state]
        message = self._messages.get(batch.tx, message_id)
        total = len(message.parts)
        if new is State.DELIVERED and total > 1 and not _are_delivered(batch, message_id, number, total):
            return  # the other parts' receipts are on their way; sweep.py ends the wait
        self._finish(batch, message_id, number, new)

    def _matched_together(self, batch: _Batch, matched: Sequence[tuple[Receipt, Found]]) -> None:
        """As `_matched` for each, in a few journeys to the database for all."""
        if not matched:
            return
        tx, now_ms = batch.tx, batch.now_ms
        tx.run_many(_RECEIPT, [(receipt.state, receipt.error, now_ms, *found) for receipt, found in matched])
        self._messages.fetch(tx, [found.message_id for _, found in matched])
        ended: list[tuple[int, int, int, int]] = []
        long: list[Found] = []
        for receipt, found in matched:
            new = _FROM_RECEIPT[receipt.state]
            message = self._messages.get(tx, found.message_id)
            if new is State.DELIVERED and len(message.parts) > 1:
                long.append(found)
            else:
                ended.append((new, now_ms, found.message_id, found.number))
        events: list[Event] = []
        for message_id, number, state, cost_micro in tx.all_many(_FINISH_TOLD, ended):
            message = self._messages.get(tx, message_id)
            if message.url_dlr:
                event_id = batch.next_event()
                events.append(dlr_event(event_id, message, number, State(state), cost_micro, now_ms))
        if events:
            enqueue_many(tx, events)
            batch.has_events = True
        for found in long:
            total = len(self._messages.get(tx, found.message_id).parts)
            if _are_delivered(batch, found.message_id, found.number, total):
                self._finish(batch, found.message_id, found.number, State.DELIVERED)

    def _finish(self, batch: _Batch, message_id: int, number: int, state: State) -> None:
        if batch.tx.run(_FINISH, (state, batch.now_ms, message_id, number)) == 0:
            return  # it had its final word: a late receipt changes nothing
        message = self._messages.get(batch.tx, message_id)
        if message.url_dlr:
            row = batch.tx.one(
                "SELECT cost_micro FROM recipients WHERE message_id = ? AND number = ?", (message_id, number)
            )
            assert row is not None
            self._tell(batch, message, number, state, row[0])

    def _tell(self, batch: _Batch, message: MessageMeta, number: int, state: State, cost_micro: int) -> None:
        if not message.url_dlr:
            return
        enqueue(batch.tx, dlr_event(batch.next_event(), message, number, state, cost_micro, batch.now_ms))
        batch.has_events = True

    # --- replies ------------------------------------------------------------------------------------------

    def _reply(self, batch: _Batch, reply: Reply) -> None:
        contact = batch.tx.one("SELECT message_id FROM last_contacts WHERE number = ?", (reply.number,))
        message = None if contact is None else self._messages.get(batch.tx, contact[0])
        is_stop = says_stop(reply.text)
        batch.tx.run(
            "INSERT INTO replies (id, message_id, account_id, number, destination, text, is_stop, received_at_ms)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                batch.next_id(),
                message.id if message else None,
                message.account_id if message else None,
                reply.number,
                reply.destination,
                reply.text,
                int(is_stop),
                batch.now_ms,
            ),
        )
        if message is None:
            kept_back = self._strangers.kept_back(self._store.clock.monotonic_s())
            if kept_back is not None:
                _log.warning("a reply from a number that nothing was sent to", kept_back=kept_back)
            return
        if is_stop:
            opt_out(batch.tx, batch.next_optout(), message.account_id, reply.number, "reply", batch.now_ms)
        if message.url_response:
            kind = "stop" if is_stop else "response"
            payload = reply_payload(kind, reply.number, reply.text, message.id)
            enqueue(
                batch.tx,
                Event(
                    batch.next_event(), message.account_id, kind, message.url_response, payload, batch.now_ms
                ),
            )
            batch.has_events = True


def _are_delivered(batch: _Batch, message_id: int, number: int, parts_total: int) -> bool:
    """Whether every part of a long message has all the word that it will get: a part without an id of its own left in
    one piece with the others, and their receipt is its receipt.
    """
    parts = batch.tx.all(_PARTS, (message_id, number))
    over = {
        part
        for part, outcome, smsc_message_id, receipt_state in parts
        if receipt_state == "delivered" or (outcome == "accepted" and not smsc_message_id)
    }
    return len(over) == parts_total


def dlr_event(
    event_id: int, message: MessageMeta, number: int, state: State, cost_micro: int, now_ms: int
) -> Event:
    """The delivery report of one recipient, for the request's URL or the account's."""
    word = "delivered" if state is State.DELIVERED else "not delivered"
    payload = dlr_payload(word, message.id, now_ms, number, cost_micro, message.tag)
    return Event(event_id, message.account_id, "dlr", message.url_dlr, payload, now_ms)
