"""What becomes of calls that were on their way when the server died: nobody will say any more how they ended.

What was answered may have been heard, and counts as heard in full: it is never called again. What only rang has heard
nothing, because `answered` is committed before the first RTP frame: with `on_lost_response = "hold"` (the default of
voice) it is not called again and costs nothing, with "resend" it is called once more.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import structlog

from chappe.calls.campaign import CampaignCache
from chappe.calls.finish import Ending, Ids, finish
from chappe.calls.states import State
from chappe.storage.database import Transaction
from chappe.storage.store import Store

_log: structlog.stdlib.BoundLogger = structlog.get_logger("calls")

PAGE: Final = 200
ATTEMPTS_MAX: Final = 5
"""Calls that may be lost before a callee is given up."""

_ON_THEIR_WAY: Final = (
    "SELECT campaign_id, number, state, attempts, operator, changed_at_ms FROM callees"
    f" WHERE state IN ({State.CALLING:d}, {State.ANSWERED:d}) AND owner NOT IN (SELECT id FROM processes)"
    f" ORDER BY campaign_id, number LIMIT {PAGE}"
)
_AGAIN: Final = (
    f"UPDATE callees SET state = {State.WAITING:d}, due_at_ms = ?, changed_at_ms = ?"
    f" WHERE campaign_id = ? AND number = ? AND state = {State.CALLING:d}"
)
_RECORD: Final = (
    "UPDATE call_attempts SET result = 'lost', ended_at_ms = ?, reason = ?"
    " WHERE campaign_id = ? AND number = ? AND attempt = ? AND result = ''"
)


async def recover(store: Store, campaigns: CampaignCache, resends: Collection[str]) -> bool:
    """Settles every call that was on its way and is no living process's; True when customers are to be told something."""
    has_events = False
    while True:
        ids = Ids(await store.ids("postings").take(PAGE), await store.ids("events").take(2 * PAGE))
        now_ms = store.clock.now_ms()

        def unit(tx: Transaction, ids: Ids = ids, now_ms: int = now_ms) -> int:
            ids.anew()
            rows = tx.all(_ON_THEIR_WAY)
            for campaign_id, number, state, attempts, operator, changed_at_ms in rows:
                is_again = state == State.CALLING and operator in resends and attempts < ATTEMPTS_MAX
                was_heard = state == State.ANSWERED
                what = "called again" if is_again else "taken as heard" if was_heard else "held"
                tx.run(_RECORD, (now_ms, what, campaign_id, number, attempts))
                if is_again:
                    tx.run(_AGAIN, (now_ms, now_ms, campaign_id, number))
                    continue
                campaign = campaigns.get(tx, campaign_id)
                # A deposit that was cut off is none: what a mailbox keeps of it nobody knows.
                is_delivered = was_heard and campaign.kind == "speech"
                ending = Ending(
                    State.DELIVERED if is_delivered else State.UNDELIVERED if was_heard else State.LOST,
                    campaign.quoted_s if was_heard else 0,
                    changed_at_ms,
                )
                finish(tx, campaign, number, ending, ids, now_ms)
            return len(rows)

        count = await store.database.write(unit, background=True)
        has_events |= ids.events > 0
        if count:
            _log.warning("calls were on their way when the server ended", callees=count)
        if count < PAGE:
            return has_events
