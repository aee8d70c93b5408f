"""Deletes delivered events once they are old, a page at a time. Pending and exhausted ones stay."""

from __future__ import annotations

from typing import Final

from chappe.storage.database import Reader
from chappe.storage.store import Store

KEPT_DAYS: Final = 30
PURGE_EVERY_S: Final = 3600.0
PURGE_REST_S: Final = 1.0
"""Between two goes while there is more to delete."""
PAGE_ROWS: Final = 500
PAGES_MAX: Final = 20
"""Pages in one go: 10,000 events."""
_DAY_MS = 24 * 3600 * 1000

# Ids grow with time, nearly: whoever walks them from the oldest on needs no index on dates.
_PAGE = (
    f"SELECT id, state, settled_at_ms, created_at_ms FROM events WHERE id > ? ORDER BY id LIMIT {PAGE_ROWS}"
)
_DELETE = "DELETE FROM events WHERE id = ? AND state = 'delivered'"


class Purge:
    """Walks the events from the oldest on, until it meets young ones; then begins again."""

    def __init__(self, store: Store, kept_days: int = KEPT_DAYS) -> None:
        assert kept_days >= 1
        self._store = store
        self._kept_ms = kept_days * _DAY_MS
        self._after_id = 0

    async def go_on(self) -> bool:
        """Looks at the next 10,000 events at most; True when there are more old ones. Raises `StorageUnavailable`."""
        for _ in range(PAGES_MAX):
            if not await self._page():
                self._after_id = 0
                return False
        return True

    async def _page(self) -> bool:
        before_ms = self._store.clock.now_ms() - self._kept_ms

        def read(reader: Reader) -> list[tuple[int, str, int | None, int]]:
            return [(row[0], row[1], row[2], row[3]) for row in reader.all(_PAGE, (self._after_id,))]

        rows = await self._store.database.read(read)
        old = [
            (event_id,)
            for event_id, state, settled_at_ms, _ in rows
            if state == "delivered" and settled_at_ms is not None and settled_at_ms < before_ms
        ]
        if old:
            await self._store.database.write(lambda tx: tx.run_many(_DELETE, old), background=True)
        if len(rows) < PAGE_ROWS or rows[-1][3] >= before_ms:
            return False
        self._after_id = rows[-1][0]
        return True
