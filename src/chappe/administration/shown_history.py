"""A recipient's history as the command line shows it."""

from __future__ import annotations

from typing import Any

from chappe.credit.money import exact_text
from chappe.messages.history import RecipientHistory


def shown_history(recipient: RecipientHistory) -> dict[str, Any]:
    """JSON-ready; times in milliseconds since the epoch, money as exact text."""
    return {
        "number": f"+{recipient.number}",
        "state": recipient.state.name.lower().replace("_", " "),
        "changedAtMs": recipient.changed_at_ms,
        "cost": exact_text(recipient.cost_micro),
        "refund": exact_text(recipient.refund_micro),
        "tries": [
            {
                "attempt": tried.attempt,
                "part": tried.part,
                "operator": tried.operator,
                "leftAtMs": tried.left_at_ms,
                "answeredAtMs": tried.answered_at_ms,
                "outcome": tried.outcome,
                "commandStatus": tried.command_status,
                "smscMessageId": tried.smsc_message_id,
                "receiptState": tried.receipt_state,
                "receiptError": tried.receipt_error,
                "receiptAtMs": tried.receipt_at_ms,
            }
            for tried in recipient.tries
        ],
    }
