"""Commits what a trunk says: that a call was answered, before anything is played; and how it ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from chappe.calls.campaign import Campaign, CampaignCache
from chappe.calls.failover import calls_taken, is_passed_on, refused_by
from chappe.calls.finish import Ending, Ids, finish
from chappe.calls.port import NOT_BEGUN, NOT_TAKEN, CallEnd, CallOrder, Trunk
from chappe.calls.routes import CallRoutes
from chappe.calls.states import State
from chappe.numbers.parse import can_be_mobile
from chappe.storage.database import StorageUnavailable, Transaction
from chappe.storage.store import Store

DEPOSIT_AGAIN_MS: Final = 10 * 60 * 1000
"""After a person answered where a mailbox was wanted."""

_ANSWERED: Final = (
    f"UPDATE callees SET state = {State.ANSWERED:d}, changed_at_ms = ?"
    f" WHERE campaign_id = ? AND number = ? AND attempts = ? AND state = {State.CALLING:d}"
)
_AGAIN: Final = (
    f"UPDATE callees SET state = {State.WAITING:d}, operator = '', due_at_ms = ?, changed_at_ms = ?"
    f" WHERE campaign_id = ? AND number = ? AND attempts = ? AND state IN ({State.CALLING:d}, {State.ANSWERED:d})"
)
# It keeps its place among those that are due, and the name of the trunk, so that the dispatcher looks who has refused it.
_PUT_BACK: Final = (
    f"UPDATE callees SET state = {State.WAITING:d}, changed_at_ms = ?"
    f" WHERE campaign_id = ? AND number = ? AND attempts = ? AND state = {State.CALLING:d}"
)
_RECORD: Final = (
    "UPDATE call_attempts SET result = ?, status = ?, cause = ?, party = ?, reason = ?, answered_at_ms = ?,"
    " ended_at_ms = ?, played_ms = ?, progress = ?"
    " WHERE campaign_id = ? AND number = ? AND attempt = ? AND result = ''"
)


class CallOutcomesStored:
    """The `CallOutcomes` port. `on_ended(order)` after the commit; `on_events` when a customer is to be told."""

    def __init__(
        self,
        store: Store,
        routes: CallRoutes,
        campaigns: CampaignCache,
        on_ended: Callable[[CallOrder], None],
        on_events: Callable[[], None],
    ) -> None:
        self._store = store
        self._routes = routes
        self._campaigns = campaigns
        self._on_ended = on_ended
        self._on_events = on_events

    async def answered(self, trunk: Trunk, order: CallOrder, at_ms: int) -> None:
        """See the port."""
        del trunk

        def unit(tx: Transaction) -> None:
            if not tx.run(_ANSWERED, (at_ms, order.campaign_id, order.number, order.attempt)):
                # Others took us for dead and settled it: what is played now would be played twice.
                raise StorageUnavailable("the call is not this process's any more")
            tx.run(
                "UPDATE call_attempts SET answered_at_ms = ? WHERE campaign_id = ? AND number = ? AND attempt = ?",
                (at_ms, order.campaign_id, order.number, order.attempt),
            )

        await self._store.database.write(unit, background=True)

    async def ended(self, trunk: Trunk, order: CallOrder, end: CallEnd) -> None:
        """See the port."""
        del trunk
        ids = Ids(await self._store.ids("postings").take(1), await self._store.ids("events").take(2))
        now_ms = self._store.clock.now_ms()

        def unit(tx: Transaction) -> None:
            ids.anew()
            is_first = tx.run(
                _RECORD,
                (
                    end.result,
                    end.status,
                    end.cause,
                    end.party,
                    end.reason,
                    end.answered_at_ms,
                    end.ended_at_ms,
                    end.played_ms,
                    end.progress,
                    order.campaign_id,
                    order.number,
                    order.attempt,
                ),
            )
            if not is_first:
                return
            key = (order.campaign_id, order.number, order.attempt)
            if end.result == NOT_TAKEN:
                refused = refused_by(tx, order.campaign_id, order.number)
                if end.reason in NOT_BEGUN or is_passed_on(self._routes.find(order.number), refused):
                    tx.run(_PUT_BACK, (now_ms, *key))
                    return
            campaign = self._campaigns.get(tx, order.campaign_id)
            again_after_ms = further_attempt_ms(campaign, order, end, calls_taken(tx, *key))
            if again_after_ms is not None:
                tx.run(_AGAIN, (now_ms + again_after_ms, now_ms, *key))
            else:
                finish(tx, campaign, order.number, ending_of(campaign, order, end), ids, now_ms)

        await self._store.database.write(unit, background=True)
        self._on_ended(order)
        if ids.events:
            self._on_events()


def further_attempt_ms(campaign: Campaign, order: CallOrder, end: CallEnd, calls: int) -> int | None:
    """How long to wait before the next attempt, after so many `calls` that may have rung; None: this was the last one."""
    if end.result in ("busy", "no answer"):
        return campaign.retry_delay_s * 1000 if calls <= campaign.retries else None
    met_a_person = campaign.kind == "deposit" and end.result == "answered" and end.party == "person"
    # A mobile may be switched off later; whoever answers a landline would answer it again.
    if met_a_person and calls == 1 and can_be_mobile(f"+{order.number}"):
        return DEPOSIT_AGAIN_MS
    return None


def ending_of(campaign: Campaign, order: CallOrder, end: CallEnd) -> Ending:
    """The last attempt's outcome as the customer sees it, and the seconds that are charged.

    A voice SMS is delivered when somebody answered, and charged by the started seconds that were played, one at least.
    A deposit is delivered, and charged, when all of it was left on a machine.
    """
    on_machine = end.party == "machine" and end.is_complete
    if campaign.kind == "deposit":
        is_left = end.result == "answered" and on_machine
        return Ending(State.DELIVERED if is_left else State.UNDELIVERED, int(is_left), order.left_at_ms)
    if end.result != "answered":
        return Ending(State.UNDELIVERED, 0, order.left_at_ms)
    seconds = max(1, -(-end.played_ms // 1000))
    return Ending(State.DELIVERED, seconds, order.left_at_ms, left_a_file=on_machine)
