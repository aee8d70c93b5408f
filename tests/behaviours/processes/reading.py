"""Reads a PostgreSQL database from outside, for the judge: plain SQL on a connection of the test's own."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Self

import asyncpg

from chappe.messages.states import State
from chappe.storage.postgres_connection import translated
from tests.behaviours.crash.store import Leaving, Reads

ANSWER_S_MAX = 60.0
POLL_S = 0.01


class PostgresReading:
    """As `tests.behaviours.crash.store.Reading`. A context manager; it connects again after a restart of the server."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._connection: Any = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection is not None:
            self._run(self._connection.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def move_to(self, url: str) -> None:
        """Reads from another server from now on."""
        self._url = url
        if self._connection is not None:
            self._connection.terminate()

    def all(self, sql: str, *params: object) -> list[tuple[Any, ...]]:
        return self._run(self._fetch(translated(sql), params))

    def execute(self, sql: str) -> None:
        """Statements without a result, such as those that lock."""
        self.all("SELECT 1")  # connected
        self._run(self._connection.execute(sql))

    def one(self, sql: str, *params: object) -> Any:
        rows = self.all(sql, *params)
        return rows[0][0] if rows else None

    def leaving(self) -> set[Leaving]:
        """Recipients that are leaving now, by whichever process."""
        rows = self.all(
            "SELECT r.message_id, r.number, m.segments - (SELECT COUNT(*) FROM submissions s"
            " WHERE s.message_id = r.message_id AND s.number = r.number AND s.outcome = 'accepted')"
            " FROM recipients r JOIN messages m ON m.id = r.message_id WHERE r.state = ?",
            int(State.LEAVING),
        )
        return {Leaving(*row) for row in rows}

    @property
    def unfinished(self) -> int:
        """Recipients that should have left by now and have not come to an end."""
        return self.one(
            "SELECT COUNT(*) FROM recipients r JOIN messages m ON m.id = r.message_id"
            " WHERE m.due_at_ms IS NULL AND r.state < ?",
            int(State.DELIVERED),
        )

    @property
    def untold(self) -> int:
        """Events whose customer has not been told."""
        return self.one("SELECT COUNT(*) FROM events WHERE state = 'pending'")

    @property
    def working(self) -> int:
        """Sessions of the server whose statement goes on by itself, not those that wait for a lock or for the client."""
        return self.one(
            "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'"
            " AND application_name LIKE 'chappe %' AND COALESCE(wait_event_type, '') NOT IN ('Lock', 'Client')"
        )

    async def _fetch(self, sql: str, params: tuple[object, ...]) -> list[tuple[Any, ...]]:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(self._url)
        return list(map(tuple, await self._connection.fetch(sql, *params)))

    def _run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(ANSWER_S_MAX)


class PostgresStore:
    """`tests.behaviours.crash.store.Store` in a database of its own."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url = url
        self.environment = {"CHAPPE_DATABASE": url, "CHAPPE_SECRET_FILE": str(folder / "secret.key")}

    def leaving(self) -> set[Leaving]:
        with PostgresReading(self._url) as reading:
            # A COMMIT that was sent is carried out, whatever became of who sent it.
            deadline_s = time.monotonic() + ANSWER_S_MAX
            while reading.working:
                assert time.monotonic() < deadline_s, "a statement does not end"
                time.sleep(POLL_S)
            return reading.leaving()

    def reading(self) -> AbstractContextManager[Reads]:
        return PostgresReading(self._url)
