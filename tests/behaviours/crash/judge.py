"""Judges a round: what the clients were promised and what the SMSC's journal says, against what is stored."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from chappe.messages.states import State
from tests.behaviours.crash.requests import PRICE_MICRO, Send
from tests.behaviours.crash.store import Leaving, Reads
from tests.support.smsc.journal import Entry

UDHI = 0x40


@dataclass
class Evidence:
    """Everything that is known at the end of a round. `slots`: one window per bind, for each kill."""

    sends: Sequence[Send]
    credit_micro: int
    journal: Sequence[Entry]
    callbacks: Sequence[dict[str, Any]]
    leaving: Sequence[set[Leaving]]
    """At each kill."""
    slots: int
    may_refuse: bool = False
    """Whether 503 is an answer too: then nothing of the request may be stored."""


@dataclass
class Stored:
    """A message with its recipients, submissions and postings."""

    id: int
    cost_micro: int
    cancelled: bool
    debits: list[int]
    refunds: list[int]
    recipients: dict[int, tuple[int, int, int]] = field(default_factory=dict[int, tuple[int, int, int]])
    """number -> (state, cost_micro, refund_micro)."""
    tries: dict[tuple[int, int], list[str]] = field(default_factory=lambda: defaultdict(list))
    """(number, part) -> outcomes in the order of the attempts."""


def breaches(evidence: Evidence, reading: Reads) -> list[str]:
    """One line for each promise that was not kept."""
    return list(_Judge(evidence, reading).judge())


class _Judge:
    def __init__(self, evidence: Evidence, reading: Reads) -> None:
        self._evidence = evidence
        self._by_tag = _stored(reading)
        self._balances = [
            row[0] for row in reading.all("SELECT balance_micro FROM accounts ORDER BY id LIMIT 2")
        ]
        self._taken: dict[tuple[int, int], list[Entry]] = defaultdict(list)
        self._texts: dict[int, dict[int, bytes]] = defaultdict(dict)
        self._refused: set[int] = set()
        for entry in evidence.journal:
            if entry.kind == "taken":
                part, octets = _part(entry)
                self._taken[int(entry.number), part].append(entry)
                self._texts[int(entry.number)][part] = octets
            elif entry.kind == "refused":
                self._refused.add(int(entry.number))

    def judge(self) -> Iterator[str]:
        known = {send.tag for send in self._evidence.sends}
        for tag in self._by_tag.keys() - known:
            yield f"a message with tag {tag} is stored that nobody sent"
        for send in self._evidence.sends:
            stored = self._by_tag.get(send.tag, [])
            for line in self._send(send, stored):
                yield f"{send.tag} ({send.kind}, {len(send.numbers)} numbers): {line}"
        yield from self._doubles()
        yield from self._money()
        yield from self._callbacks()
        yield from self._receipts()

    def _send(self, send: Send, stored: list[Stored]) -> Iterator[str]:
        yield from self._answers(send, stored)
        if len(stored) > 1:
            yield f"stored {len(stored)} times"
        for message in stored:
            yield from self._message(send, message)
        if not stored:
            for number in send.numbers:
                if number in self._texts:
                    yield f"{number} was sent to, and nothing is stored"

    def _answers(self, send: Send, stored: list[Stored]) -> Iterator[str]:
        """What was promised is there; one key is one answer."""
        answers = [answer for answer in (send.answer, send.repeated) if answer is not None]
        if self._evidence.may_refuse:
            refused = [answer for answer in answers if answer.status == 503]
            answers = [answer for answer in answers if answer.status != 503]
            if refused and not answers and stored and send.repeated is not None:
                yield f"answered 503 {len(refused)} times, and is stored"
            if send.answer is not None and send.answer.status == 503:
                if send.repeated is None and stored:
                    yield "answered 503, and is stored"
                if not answers:
                    return
        for answer in answers:
            if answer.status != 200 or answer.json.get("success") is not True:
                yield f"answered {answer.status} {answer.body[:200]!r}"
                return
            if answer.json["message_id"] not in {message.id for message in stored}:
                yield f"answered message {answer.json['message_id']}, which is not stored"
            if round(answer.json["cost"] * 1e6) != send.cost_micro:
                yield f"answered cost {answer.json['cost']}"
        if (
            len(answers) == 2
            and send.answer is not None
            and send.repeated is not None
            and send.answer != send.repeated
        ):
            yield f"answered {send.answer.body!r}, then under the same key {send.repeated.body!r}"
        if send.idempotency_key and send.repeated is None:
            yield "not asked again"

    def _message(self, send: Send, message: Stored) -> Iterator[str]:
        if sorted(message.recipients) != send.numbers:
            yield f"has recipients {sorted(message.recipients)}, asked for {send.numbers}"
        if message.cost_micro != send.cost_micro:
            yield f"costs {message.cost_micro}, not {send.cost_micro}"
        if any(cost != send.parts * PRICE_MICRO for _, cost, _ in message.recipients.values()):
            yield "a recipient has another price"
        if message.debits != ([] if send.kind == "sandbox" else [-send.cost_micro]):
            yield f"debits {message.debits}"
        yield from self._cancelled(send, message)
        for number, (state, cost_micro, refund_micro) in message.recipients.items():
            sent_parts = [part for part in range(send.parts) if (number, part) in self._taken]
            if refund_micro != (cost_micro if state >= State.REFUSED else 0):
                yield f"{number} in state {state} got {refund_micro} back"
            if send.kind == "sandbox" or send.kind == "deferred":
                if sent_parts:
                    yield f"{number} was sent to, though {send.kind}"
                expected = {State.DELIVERED} if send.kind == "sandbox" else {State.WAITING, State.CANCELLED}
                if state not in expected:
                    yield f"{number} has state {state}"
            else:
                yield from self._recipient(send, message, number, state, sent_parts)
        given_back = sum(refund for _, _, refund in message.recipients.values())
        if sum(message.refunds) != (0 if send.kind == "sandbox" else given_back):
            yield f"refunds {message.refunds}, recipients say {given_back}"

    def _recipient(
        self, send: Send, message: Stored, number: int, state: int, sent_parts: list[int]
    ) -> Iterator[str]:
        if state < State.DELIVERED:
            yield f"{number} has not come to an end: state {state}"
        elif state == State.REFUSED:
            if number not in self._refused or sent_parts:
                yield f"{number} is said to be refused; the SMSC took parts {sent_parts}"
        elif number in self._refused:
            # After a lost answer nobody knows whether it left: the refusal of what was sent again gives nothing back.
            was_lost = any("lost" in message.tries[number, part] for part in range(send.parts))
            if send.parts == 1 and not sent_parts and not (was_lost and state == State.UNDELIVERED):
                yield f"{number} was refused by the SMSC and is in state {state}"
        elif len(sent_parts) != send.parts:
            yield f"{number}: the SMSC has parts {sent_parts} of {send.parts}"
        else:
            text = b"".join(octets for _, octets in sorted(self._texts[number].items()))
            if text != send.text.encode():
                yield f"{number} got {text[:40]!r}"

    def _cancelled(self, send: Send, message: Stored) -> Iterator[str]:
        states = {state for state, _, _ in message.recipients.values()}
        promised = send.cancel is not None and send.cancel.answer is not None
        if promised and send.cancel is not None and send.cancel.answer is not None:
            if self._evidence.may_refuse and send.cancel.answer.status == 503:
                if message.cancelled:
                    yield "cancelled, and answered 503"
                return
            if send.cancel.answer.status != 200:
                yield f"cancel answered {send.cancel.answer.body!r}"
            if not message.cancelled:
                yield "cancelled by its answer, not by the store"
        if message.cancelled and send.cancel is None:
            yield "cancelled, and nobody asked"
        if message.cancelled != (states == {State.CANCELLED}) and send.kind == "deferred":
            yield f"cancelled: {message.cancelled}, states {states}"

    def _doubles(self) -> Iterator[str]:
        """Only of what was leaving at a kill, at most a window per bind and kill, and named in the history."""
        evidence = self._evidence
        by_number = {
            number: (message, send)
            for send in evidence.sends
            for message in self._by_tag.get(send.tag, [])
            for number in send.numbers
        }
        ever_leaving = {one.number for leaving in evidence.leaving for one in leaving}
        doubles = 0
        for (number, part), entries in self._taken.items():
            if number not in by_number or len(entries) == 1:
                continue
            message, send = by_number[number]
            doubles += len(entries) - 1
            if number not in ever_leaving:
                yield f"{send.tag}: {number} was sent {len(entries)} times, and was not leaving at a kill"
            lost = message.tries[number, part].count("lost")
            if len(entries) > 1 + lost:
                yield f"{send.tag}: {number} was sent {len(entries)} times; its history says lost {lost} times"
        if doubles > evidence.slots:
            yield f"{doubles} doubles, more than a window per bind and kill ({evidence.slots})"
        for leaving in evidence.leaving:
            # A long message is let go when its first part has a slot; its others may wait for theirs.
            if len(leaving) > evidence.slots:
                yield f"{len(leaving)} were leaving at a kill, more than there are slots"
        for one in set[Leaving]().union(*evidence.leaving):
            if one.number not in by_number:
                yield f"{one.number} of message {one.message_id} was leaving at the kill and is gone"

    def _money(self) -> Iterator[str]:
        evidence = self._evidence
        spent = sum(
            message.cost_micro - sum(refund for _, _, refund in message.recipients.values())
            for send in evidence.sends
            for message in self._by_tag.get(send.tag, [])
            if send.kind != "sandbox"
        )
        if self._balances != [evidence.credit_micro - spent]:
            yield f"balances {self._balances}, of {evidence.credit_micro} were spent {spent}"

    def _callbacks(self) -> Iterator[str]:
        """At least one for each recipient that came to an end."""
        told = Counter(
            (int(body["msgId"]), int(body["phone"]), body["status"]) for body in self._evidence.callbacks
        )
        for send in self._evidence.sends:
            for message in self._by_tag.get(send.tag, []) if send.has_dlr else []:
                for number, (state, _, _) in message.recipients.items():
                    word = "delivered" if state == State.DELIVERED else "not delivered"
                    if State.DELIVERED <= state != State.CANCELLED and not told[message.id, number, word]:
                        yield f"{send.tag}: nobody was told that {number} is {word}"
        words: dict[tuple[int, int], set[str]] = defaultdict(set)
        for message_id, number, word in told:
            words[message_id, number].add(word)
        for (message_id, number), both in words.items():
            if len(both) > 1:
                yield f"{number} of message {message_id} was told to be {sorted(both)}"

    def _receipts(self) -> Iterator[str]:
        """Every receipt that the SMSC owed was acknowledged."""
        owed = {entry.message_id for entry in self._evidence.journal if entry.kind == "receipt"}
        acknowledged = {
            entry.message_id
            for entry in self._evidence.journal
            if entry.kind == "acknowledged" and entry.detail == "0"
        }
        if owed - acknowledged:
            yield f"{len(owed - acknowledged)} receipts were never acknowledged"


def _part(entry: Entry) -> tuple[int, bytes]:
    """The number of the part from 0, and its text: concatenation by user data header (3GPP TS 23.040, 9.2.3.24.1)."""
    octets = entry.octets
    if not entry.esm_class & UDHI:
        return 0, octets
    assert octets[:3] == b"\x05\x00\x03", f"an unexpected header {octets[:6].hex()}"
    return octets[5] - 1, octets[6:]


def _stored(reading: Reads) -> dict[str, list[Stored]]:
    by_id: dict[int, Stored] = {}
    by_tag: dict[str, list[Stored]] = defaultdict(list)
    for message_id, tag, cost_micro, cancelled_at_ms in reading.all(
        "SELECT id, tag, cost_micro, cancelled_at_ms FROM messages ORDER BY id"
    ):
        message = Stored(message_id, cost_micro, cancelled_at_ms is not None, [], [])
        by_id[message_id] = message
        by_tag[tag].append(message)
    for message_id, number, state, cost_micro, refund_micro in reading.all(
        "SELECT message_id, number, state, cost_micro, refund_micro FROM recipients"
    ):
        by_id[message_id].recipients[number] = state, cost_micro, refund_micro
    for cause, cause_id, amount_micro in reading.all(
        "SELECT cause, cause_id, amount_micro FROM ledger_entries WHERE account_id > 0 AND cause LIKE 'sms%'"
    ):
        message = by_id[int(cause_id)]
        (message.debits if cause == "sms" else message.refunds).append(amount_micro)
    for message_id, number, part, outcome in reading.all(
        "SELECT message_id, number, part, outcome FROM submissions ORDER BY message_id, number, part, attempt"
    ):
        by_id[message_id].tries[number, part].append(outcome)
    return by_tag
