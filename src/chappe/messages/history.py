"""The history of a recipient, for a person: what was tried, where, and what came back."""

from __future__ import annotations

from dataclasses import dataclass

from chappe.messages.states import State
from chappe.storage.database import Reader


@dataclass(frozen=True)
class Try:
    """One submit_sm: a part of one attempt."""

    attempt: int
    part: int
    operator: str
    left_at_ms: int
    answered_at_ms: int
    outcome: str
    command_status: int
    smsc_message_id: str
    receipt_state: str | None
    receipt_error: str | None
    receipt_at_ms: int | None


@dataclass(frozen=True)
class RecipientHistory:
    """A recipient and its tries, oldest first."""

    number: int
    state: State
    changed_at_ms: int
    cost_micro: int
    refund_micro: int
    tries: list[Try]


@dataclass(frozen=True)
class MessageHistory:
    """A message without its text: whose it is, when it was accepted, and its recipients."""

    email: str
    accepted_at_ms: int
    is_sandbox: bool
    recipients: list[RecipientHistory]


def history(reader: Reader, message_id: int) -> MessageHistory | None:
    """The history of a message of any account; None when there is no such message."""
    message = reader.one(
        "SELECT a.email, m.created_at_ms, m.is_sandbox FROM messages m JOIN accounts a ON a.id = m.account_id WHERE m.id = ?",
        (message_id,),
    )
    if message is None:
        return None
    tries: dict[int, list[Try]] = {}
    for number, *columns in reader.all(
        "SELECT number, attempt, part, operator, left_at_ms, answered_at_ms, outcome, command_status,"
        " smsc_message_id, receipt_state, receipt_error, receipt_at_ms FROM submissions WHERE message_id = ?"
        " ORDER BY number, attempt, part",
        (message_id,),
    ):
        tries.setdefault(number, []).append(Try(*columns))
    recipients = [
        RecipientHistory(number, State(state), changed_at_ms, cost_micro, refund_micro, tries.get(number, []))
        for number, state, changed_at_ms, cost_micro, refund_micro in reader.all(
            "SELECT number, state, changed_at_ms, cost_micro, refund_micro FROM recipients WHERE message_id = ?"
            " ORDER BY number",
            (message_id,),
        )
    ]
    return MessageHistory(message[0], message[1], message[2] == 1, recipients)
