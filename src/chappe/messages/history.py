"""The history of a recipient, for a person: what was tried, where, and what came back."""

from __future__ import annotations

from dataclasses import dataclass

from chappe.messages.states import TERMINAL, State
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


@dataclass(frozen=True)
class MessageLine:
    """A message in a list. `due_at_ms`: its date, or the end of a hold, where it has one; `open_count`: recipients
    without a final status."""

    id: int
    email: str
    accepted_at_ms: int
    due_at_ms: int | None
    is_sandbox: bool
    recipient_count: int
    open_count: int
    delivered_count: int
    cost_micro: int


def latest_messages(reader: Reader, account_id: int | None, limit: int) -> list[MessageLine]:
    """The newest messages, of one account or of all; the newest first."""
    where, params = ("", ()) if account_id is None else (" WHERE m.account_id = ?", (account_id,))
    rows = reader.all(
        "SELECT m.id, a.email, m.created_at_ms, m.due_at_ms, m.is_sandbox, m.recipient_count,"
        " (SELECT COUNT(*) FROM recipients r WHERE r.message_id = m.id AND"
        f" r.state < {TERMINAL:d}),"
        " (SELECT COUNT(*) FROM recipients r WHERE r.message_id = m.id AND"
        f" r.state = {State.DELIVERED:d}), m.cost_micro"
        f" FROM messages m JOIN accounts a ON a.id = m.account_id{where} ORDER BY m.id DESC LIMIT ?",
        (*params, limit),
    )
    return [
        MessageLine(message_id, email, accepted_at_ms, due_at_ms, is_sandbox == 1, *counts)
        for message_id, email, accepted_at_ms, due_at_ms, is_sandbox, *counts in rows
    ]
