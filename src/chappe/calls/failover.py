"""Failover: a call that a trunk did not take goes to another trunk of the route at once, without waiting for its turn again.

Which trunks have refused is not kept in memory: the history of calls says it, so that a server which died in between goes
on with the next one. Such calls rang nowhere, so they count neither as attempts of the customer's nor of the law's.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from chappe.calls.port import NOT_BEGUN, NOT_TAKEN, Trunk
from chappe.storage.database import Reader

IN_A_ROW_MAX: Final = 8
"""Calls for one callee that no trunk took, before it is given up: trunks may come and go meanwhile."""

_WAS_BEGUN: Final = " AND NOT (result = '{}' AND reason IN ({}))".format(
    NOT_TAKEN, ", ".join(f"'{reason}'" for reason in NOT_BEGUN)
)
_LATEST: Final = (
    f"SELECT operator, result FROM call_attempts WHERE campaign_id = ? AND number = ?{_WAS_BEGUN}"
    f" ORDER BY attempt DESC LIMIT {IN_A_ROW_MAX}"
)
_TAKEN: Final = (
    "SELECT COUNT(*) FROM call_attempts WHERE campaign_id = ? AND number = ?"
    f" AND attempt <= ? AND result <> '{NOT_TAKEN}'"
)


def refused_by(reader: Reader, campaign_id: int, number: int) -> list[str]:
    """Names of the trunks that did not take the callee's latest calls, newest first; empty after one that was taken."""
    names: list[str] = []
    for operator, result in reader.all(_LATEST, (campaign_id, number)):
        if result != NOT_TAKEN:
            break
        names.append(operator)
    return names


def calls_taken(reader: Reader, campaign_id: int, number: int, attempt: int) -> int:
    """How many of the calls up to this one a trunk took: those that may have rung."""
    row = reader.one(_TAKEN, (campaign_id, number, attempt))
    assert row is not None
    return row[0]


def is_passed_on(trunks: Sequence[Trunk], refused: Sequence[str]) -> bool:
    """Whether the route has a trunk that can be called by now, be it full, and has a way that was not tried."""
    return len(refused) < IN_A_ROW_MAX and any(
        trunk.is_up and refused.count(trunk.name) < trunk.ways for trunk in trunks
    )


def in_order(trunks: Sequence[Trunk], refused: Collection[str]) -> Sequence[Trunk]:
    """Whom to ask next: those that have refused only while no other can be called by."""
    others = [trunk for trunk in trunks if trunk.is_up and trunk.name not in refused]
    return others or trunks
