"""Cancels a deferred campaign: all credit back, unless a call has been made."""

from __future__ import annotations

from typing import Final

from chappe.calls.campaign import CampaignCache
from chappe.calls.finish import Ids, close, give_back
from chappe.calls.states import State
from chappe.storage.database import Transaction
from chappe.storage.store import Store

_CANCEL: Final = (
    f"UPDATE callees SET state = {State.CANCELLED:d}, changed_at_ms = ?, refund_micro = cost_micro"
    f" WHERE campaign_id = ? AND state = {State.WAITING:d} AND attempts = 0"
)


class CampaignUnknown(Exception):
    """The account has no such campaign."""


class CampaignLeft(Exception):
    """Not deferred, called already, or cancelled before; nothing was changed."""


async def cancel_campaign(store: Store, account_id: int, token: str) -> int:
    """Gives the micro-euros that went back; raises `CampaignUnknown` or `CampaignLeft`."""
    ids = Ids(await store.ids("postings").take(1), await store.ids("events").take(1))
    now_ms = store.clock.now_ms()

    def unit(tx: Transaction) -> int:
        ids.anew()
        row = tx.one(
            "SELECT id, due_at_ms, cost_micro, callee_count, cancelled_at_ms FROM campaigns"
            " WHERE token = ? AND account_id = ?",
            (token, account_id),
        )
        if row is None:
            raise CampaignUnknown
        campaign_id, due_at_ms, cost_micro, callee_count, cancelled_at_ms = row
        if cancelled_at_ms is not None or due_at_ms is None or due_at_ms <= now_ms:
            raise CampaignLeft
        if tx.run(_CANCEL, (now_ms, campaign_id)) != callee_count:
            raise CampaignLeft  # the unit's savepoint takes the others back
        tx.run(
            "UPDATE campaigns SET cancelled_at_ms = ?, notify_url = '' WHERE id = ?", (now_ms, campaign_id)
        )
        give_back(tx, account_id, campaign_id, cost_micro, ids.posting(), now_ms)
        close(tx, CampaignCache().get(tx, campaign_id), callee_count, ids, now_ms)
        return cost_micro

    return await store.database.write(unit)
