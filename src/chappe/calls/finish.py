"""Ends a callee: its final state, what is given back, what the customer is told; and the campaign with its last callee."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from chappe.calls.campaign import Campaign
from chappe.calls.payloads import deposit_url, speech_payload
from chappe.calls.states import State
from chappe.credit.ledger import HOUSE_SALES, Posting, post
from chappe.storage.database import Transaction
from chappe.webhooks.queue import Event, enqueue

CAUSE_REFUND: Final = "voice refund"

_FINISH: Final = (
    "UPDATE callees SET state = ?, changed_at_ms = ?, duration_s = ?, refund_micro = cost_micro - ?"
    f" WHERE campaign_id = ? AND number = ? AND state < {State.DELIVERED:d} RETURNING refund_micro"
)
_CLOSE: Final = "UPDATE campaigns SET open_count = open_count - ? WHERE id = ? RETURNING open_count"
_COUNTS: Final = (
    f"SELECT COUNT(*), SUM(CASE WHEN state = {State.DELIVERED:d} THEN 1 ELSE 0 END) FROM callees"
    " WHERE campaign_id = ?"
)


class Ids:
    """Ids taken before the transaction, handed out within it; a unit begins with `anew`, for it may be run again."""

    def __init__(self, first_posting_id: int, first_event_id: int) -> None:
        self._first_posting_id, self._first_event_id = first_posting_id, first_event_id
        self.anew()

    def anew(self) -> None:
        """What was handed out was taken back with the transaction: ids beyond those taken are somebody else's."""
        self.postings = 0
        self.events = 0
        """Events that were queued."""

    def posting(self) -> int:
        self.postings += 1
        return self._first_posting_id + self.postings - 1

    def event(self) -> int:
        self.events += 1
        return self._first_event_id + self.events - 1


@dataclass(frozen=True, slots=True)
class Ending:
    """How one callee ends. `duration_s`: started seconds that were heard, which are what is kept of the debit."""

    state: State
    duration_s: int
    sent_at_ms: int
    left_a_file: bool = False


def finish(tx: Transaction, campaign: Campaign, number: int, ending: Ending, ids: Ids, now_ms: int) -> bool:
    """False when the callee has its final word already. Uses at most one posting and two events of `ids`."""
    row = tx.one("SELECT cost_micro FROM callees WHERE campaign_id = ? AND number = ?", (campaign.id, number))
    assert row is not None
    # What was debited is a price a second times `quoted_s`: the division leaves nothing over.
    duration_s = min(ending.duration_s, campaign.quoted_s)
    kept_micro = row[0] * duration_s // campaign.quoted_s
    row = tx.one(_FINISH, (ending.state, now_ms, duration_s, kept_micro, campaign.id, number))
    if row is None:
        return False
    if row[0]:
        give_back(tx, campaign.account_id, campaign.id, row[0], ids.posting(), now_ms)
    if campaign.kind == "speech" and campaign.notify_url:
        payload = speech_payload(
            campaign.token,
            number,
            is_delivered=ending.state is State.DELIVERED,
            sent_at_ms=ending.sent_at_ms,
            done_at_ms=now_ms,
            duration_s=duration_s,
            left_a_file=ending.left_a_file if campaign.text and campaign.audio_id is not None else None,
        )
        enqueue(tx, Event(ids.event(), campaign.account_id, "call", campaign.notify_url, payload, now_ms))
    close(tx, campaign, 1, ids, now_ms)
    return True


def close(tx: Transaction, campaign: Campaign, count: int, ids: Ids, now_ms: int) -> None:
    """`count` callees have ended; with the last of them the campaign has."""
    row = tx.one(_CLOSE, (count, campaign.id))
    assert row is not None
    assert row[0] >= 0, f"campaign {campaign.id} ended more callees than it has"
    if row[0]:
        return
    tx.run("UPDATE campaigns SET ended_at_ms = ? WHERE id = ?", (now_ms, campaign.id))
    if campaign.kind == "deposit" and campaign.notify_url:
        counts = tx.one(_COUNTS, (campaign.id,))
        assert counts is not None
        total, delivered = counts
        url = deposit_url(
            campaign.notify_url,
            campaign.token,
            campaign.id,
            campaign.created_at_ms,
            int(delivered or 0),
            total,
        )
        # Without a body: it is asked for by GET.
        enqueue(tx, Event(ids.event(), campaign.account_id, "campaign", url, "", now_ms))


def give_back(
    tx: Transaction, account_id: int, campaign_id: int, amount_micro: int, posting_id: int, now_ms: int
) -> None:
    """One posting; `refund_micro` of the callees is the caller's."""
    post(
        tx,
        Posting(posting_id, account_id, amount_micro, HOUSE_SALES, CAUSE_REFUND, str(campaign_id), now_ms),
    )
