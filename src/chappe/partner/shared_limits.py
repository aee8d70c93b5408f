"""Limits of several processes on one database: exact windows are kept there, the others divided among the processes."""

from __future__ import annotations

from typing import NamedTuple

from chappe.partner.limits import Decision, Gcra, Limit, decide
from chappe.partner.page import Page
from chappe.partner.throttle import Throttle
from chappe.storage.database import Database, Transaction

_ADD = (
    "INSERT INTO rate_windows (account_id, page, times_ms, until_ms) VALUES (?, ?, '', 0)"
    " ON CONFLICT (account_id, page) DO NOTHING"
)
# The database's clock: those of the machines differ.
_READ = (
    "SELECT times_ms, CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) FROM rate_windows"
    " WHERE account_id = ? AND page = ? FOR UPDATE"
)
_WRITE = "UPDATE rate_windows SET times_ms = ?, until_ms = ? WHERE account_id = ? AND page = ?"


class _Asked(NamedTuple):
    account_id: int
    page: str
    limit: Limit


class SharedLimits:
    """Counts as `Throttle` does, for all processes together."""

    def __init__(self, throttle: Throttle, database: Database) -> None:
        self._throttle = throttle
        self._database = database

    async def take(self, page: Page, account_id: int) -> Decision | None:
        """Counts one request; None on a page without a limit. Raises `StorageUnavailable`."""
        counter = self._throttle.counter(page)
        if counter is None:
            return None
        if isinstance(counter, Gcra):
            counter.divide(self._database.presence.count("api", "all"))
            return self._throttle.take(page, account_id)
        asked = _Asked(account_id, f"{page.product}.{page.name}", counter.limit)
        return await self._database.write_light_batched(count_together, asked)


def count_together(tx: Transaction, asked: list[_Asked]) -> list[Decision]:
    """Counts requests that came together. In the order of the rows, so that two processes never wait for each other."""
    decisions: dict[int, Decision] = {}
    for place in sorted(range(len(asked)), key=lambda place: asked[place][:2]):
        account_id, page, limit = asked[place]
        row = tx.one(_READ, (account_id, page))
        if row is None:
            tx.run(_ADD, (account_id, page))
            row = tx.one(_READ, (account_id, page))
            assert row is not None
        now_ms: int = row[1]
        times_ms = [int(text) for text in row[0].split(",")] if row[0] else []
        decision = decisions[place] = decide(times_ms, limit, now_ms, now_ms)
        if decision.allowed:
            period_ms = limit.seconds * 1000
            kept = [each for each in times_ms if each > now_ms - period_ms]
            kept.append(max(now_ms, kept[-1]) if kept else now_ms)
            tx.run(_WRITE, (",".join(map(str, kept)), now_ms + period_ms, account_id, page))
    return [decisions[place] for place in range(len(asked))]
