"""Ends callees that nobody could be asked to call for two days: no route, its trunks down, their sound gone, a queue too long.

What waits is money that was taken: after this it is given back, and the customer is told.
"""

from __future__ import annotations

from typing import Final

import structlog

from chappe.calls.campaign import CampaignCache
from chappe.calls.finish import Ending, Ids, finish
from chappe.calls.states import State
from chappe.storage.database import Transaction
from chappe.storage.store import Store

_log: structlog.stdlib.BoundLogger = structlog.get_logger("calls")

WAIT_MS_MAX: Final = 48 * 3_600_000
"""From when a callee became due; as for SMS."""
PAGE: Final = 200

_OVERDUE: Final = (
    f"SELECT campaign_id, number FROM callees WHERE state = {State.WAITING:d} AND due_at_ms < ?"
    f" ORDER BY due_at_ms, campaign_id, number LIMIT {PAGE}"
)


async def expire(store: Store, campaigns: CampaignCache) -> bool:
    """One page of them; True when customers are to be told something. Where there are several processes, one does it."""
    now_ms = store.clock.now_ms()
    if not await store.database.read(lambda reader: reader.one(_OVERDUE, (now_ms - WAIT_MS_MAX,))):
        return False
    ids = Ids(await store.ids("postings").take(PAGE), await store.ids("events").take(2 * PAGE))

    def unit(tx: Transaction) -> int:
        ids.anew()
        if not tx.try_lock("overdue calls"):
            return 0
        rows = tx.all(_OVERDUE, (now_ms - WAIT_MS_MAX,))
        for campaign_id, number in rows:
            finish(tx, campaigns.get(tx, campaign_id), number, Ending(State.EXPIRED, 0, now_ms), ids, now_ms)
        return len(rows)

    count = await store.database.write(unit, background=True)
    if count:
        _log.warning("calls that could not be made for two days were given back", callees=count)
    return ids.events > 0
