"""Who is called next: callees whose time has come, each account in turn, past those who cannot be called now.

What waits is read in lanes: the callees of one campaign that became due at the same moment. A customer with a hundred
campaigns, or a trunk that is down, holds up nobody else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Final, NamedTuple

from chappe.calls.campaign import Campaign, CampaignCache
from chappe.calls.failover import refused_by
from chappe.calls.states import State
from chappe.storage.database import Reader

LANES_MAX: Final = 500
"""Lanes that are looked at in one round."""
ROWS_MAX: Final = 2_000
"""Callees that are read in one round: a few milliseconds."""
LANE_ROWS_MAX: Final = 500
"""A campaign has no more numbers."""

_FIRST: Final = "SELECT {} FROM callees WHERE state = 10 AND due_at_ms <= ? AND (due_at_ms, campaign_id) > {}"
_ORDER: Final = " ORDER BY due_at_ms, campaign_id, number LIMIT 1"
# A step of an index for each lane, whatever waits in it.
_LANES: Final = (
    "WITH RECURSIVE lanes (due_at_ms, campaign_id) AS ("
    f" SELECT * FROM ({_FIRST.format('due_at_ms, campaign_id', '(?, ?)')}{_ORDER}) AS first_lane"
    " UNION ALL SELECT"
    f" ({_FIRST.format('due_at_ms', '(lanes.due_at_ms, lanes.campaign_id)')}{_ORDER}),"
    f" ({_FIRST.format('campaign_id', '(lanes.due_at_ms, lanes.campaign_id)')}{_ORDER})"
    " FROM lanes WHERE lanes.due_at_ms IS NOT NULL)"
    f" SELECT due_at_ms, campaign_id FROM lanes WHERE due_at_ms IS NOT NULL LIMIT {LANES_MAX}"
)
_IN_LANE: Final = (
    "SELECT number, attempts, operator FROM callees"
    f" WHERE state = {State.WAITING:d} AND state = 10 AND due_at_ms = ? AND campaign_id = ?"
    f" ORDER BY number LIMIT {LANE_ROWS_MAX}"
)


class Lane(NamedTuple):
    """Callees of one campaign that became due at one moment."""

    due_at_ms: int
    campaign_id: int


START: Final = Lane(-1, -1)


@dataclass(frozen=True, slots=True)
class Due:
    """A callee that may be called now, after `attempts` calls, of which these trunks have not taken the latest."""

    campaign: Campaign
    number: int
    attempts: int
    refused_by: Collection[str] = ()


class DueCallees:
    """Looks through what waits, from where the last look had to end."""

    def __init__(self, campaigns: CampaignCache) -> None:
        self._campaigns = campaigns
        self._after = START
        self._turn = 0
        """The account that was first the last time."""

    @property
    def is_at_start(self) -> bool:
        """Whether the next look begins with what has waited longest: everything was looked at."""
        return self._after == START

    def look(
        self,
        reader: Reader,
        now_ms: int,
        room: Callable[[int], int],
        can_begin: Callable[[Campaign], bool],
        can_call: Callable[[Due], bool],
    ) -> list[Due]:
        """Those who may be called, the accounts taking turns.

        `room`: how many calls of an account may begin; `can_begin`: whether what a campaign plays is there, or can be
        made ready now; `can_call`: whether a trunk could take it now.
        """
        lanes = [Lane(*row) for row in reader.all(_LANES, (now_ms, *self._after, now_ms, now_ms))]
        end = lanes[-1] if len(lanes) == LANES_MAX else START
        by_account: dict[int, list[Due]] = {}
        rows_read, last = 0, self._after
        for lane in lanes:
            campaign = self._campaigns.get(reader, lane.campaign_id)
            found = by_account.setdefault(campaign.account_id, [])
            wanted = room(campaign.account_id) - len(found)
            if wanted <= 0 or not can_begin(campaign):
                continue
            if rows_read >= ROWS_MAX:
                end = last
                break
            last = lane
            rows = reader.all(_IN_LANE, lane)
            rows_read += len(rows)
            for number, attempts, operator in rows:
                refused = refused_by(reader, campaign.id, number) if operator else ()
                due = Due(campaign, number, attempts, refused)
                if can_call(due):
                    found.append(due)
                    wanted -= 1
                    if not wanted:
                        break
        self._after = end
        return self._taking_turns(by_account)

    def _taking_turns(self, by_account: dict[int, list[Due]]) -> list[Due]:
        accounts = sorted(account for account, found in by_account.items() if found)
        if not accounts:
            return []
        first = next((account for account in accounts if account > self._turn), accounts[0])
        self._turn = first
        at = accounts.index(first)
        in_turn = [by_account[account] for account in accounts[at:] + accounts[:at]]
        return [due for due in chain.from_iterable(zip_longest(*in_turn)) if due is not None]
