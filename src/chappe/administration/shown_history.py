"""Histories of recipients and campaigns as the command line shows them."""

from __future__ import annotations

from typing import Any

from chappe.calls.history import CampaignHistory, CampaignLine
from chappe.credit.money import exact_text
from chappe.messages.history import MessageLine, RecipientHistory


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


def shown_campaign(campaign: CampaignHistory) -> dict[str, Any]:
    """JSON-ready; times in milliseconds since the epoch, money as exact text."""
    return {
        "campaignId": campaign.token,
        "email": campaign.email,
        "kind": campaign.kind,
        "acceptedAtMs": campaign.accepted_at_ms,
        "endedAtMs": campaign.ended_at_ms,
        "noticeTo": campaign.notice_to or None,
        "retries": campaign.retries,
        "retryDelayS": campaign.retry_delay_s,
        "callees": [
            {
                "number": f"+{callee.number}",
                "state": callee.state.name.lower().replace("_", " "),
                "dueAtMs": callee.due_at_ms,
                "nextCallAtMs": callee.due_at_ms if callee.waits_for else None,
                "waitsFor": callee.waits_for,
                "changedAtMs": callee.changed_at_ms,
                "cost": exact_text(callee.cost_micro),
                "refund": exact_text(callee.refund_micro),
                "durationS": callee.duration_s,
                "calls": [
                    {
                        "attempt": call.attempt,
                        "operator": call.operator,
                        "leftAtMs": call.left_at_ms,
                        "answeredAtMs": call.answered_at_ms,
                        "endedAtMs": call.ended_at_ms,
                        "result": call.result or "under way",
                        "status": call.status,
                        "cause": call.cause,
                        "party": call.party or None,
                        "reason": call.reason,
                        "playedMs": call.played_ms,
                        "progress": call.progress,
                    }
                    for call in callee.attempts
                ],
            }
            for callee in campaign.callees
        ],
    }


def shown_message_line(line: MessageLine) -> dict[str, Any]:
    """JSON-ready, as in the history."""
    return {
        "messageId": line.id,
        "email": line.email,
        "acceptedAtMs": line.accepted_at_ms,
        "dueAtMs": line.due_at_ms,
        "sandbox": line.is_sandbox,
        "recipients": line.recipient_count,
        "open": line.open_count,
        "delivered": line.delivered_count,
        "cost": exact_text(line.cost_micro),
    }


def shown_campaign_line(line: CampaignLine) -> dict[str, Any]:
    """JSON-ready, as in the history."""
    return {
        "campaignId": line.token,
        "email": line.email,
        "kind": line.kind,
        "acceptedAtMs": line.accepted_at_ms,
        "dueAtMs": line.due_at_ms,
        "endedAtMs": line.ended_at_ms,
        "cancelled": line.is_cancelled,
        "callees": line.callee_count,
        "open": line.open_count,
        "delivered": line.delivered_count,
        "cost": exact_text(line.cost_micro),
    }
