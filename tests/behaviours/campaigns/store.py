"""The server's database as the judge of calls sees it, and a hand on it: nothing is committed while it is held."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

from tests.behaviours.crash.store import FILES, Reads, reading
from tests.behaviours.processes.reading import PostgresReading
from tests.support.server import ChappeServer

WAIT_S_MAX = 20.0
POLL_S = 0.02
_CALLEES = (
    "SELECT k.number, k.state, k.cost_micro, k.refund_micro, k.duration_s, k.attempts, c.token FROM callees k"
    " JOIN campaigns c ON c.id = k.campaign_id ORDER BY k.number"
)
_ATTEMPTS = (
    "SELECT number, attempt, result, reason, status, answered_at_ms, played_ms FROM call_attempts"
    " ORDER BY number, attempt"
)


class Callee(NamedTuple):
    """A row of `callees`."""

    number: int
    state: int
    cost_micro: int
    refund_micro: int
    duration_s: int
    attempts: int
    token: str


class Attempt(NamedTuple):
    """A row of `call_attempts`."""

    number: int
    attempt: int
    result: str
    reason: str
    status: int
    answered_at_ms: int | None
    played_ms: int


class Hand(Protocol):
    """`reads` sees what is committed, beside a running server or without one."""

    reads: Reads

    def hold(self) -> None:
        """From now on nothing is committed, until `let_go`."""
        ...

    def let_go(self) -> None: ...

    def settle(self) -> None:
        """Returns when nothing of a server that is dead is carried out any more."""
        ...


def callees(reads: Reads) -> dict[int, Callee]:
    return {row[0]: Callee(*row) for row in reads.all(_CALLEES)}


def attempts(reads: Reads) -> dict[int, list[Attempt]]:
    found: dict[int, list[Attempt]] = {}
    for row in reads.all(_ATTEMPTS):
        found.setdefault(row[0], []).append(Attempt(*row))
    return found


def state_of(reads: Reads, number: int) -> int:
    ((state,),) = reads.all("SELECT state FROM callees WHERE number = ?", number)
    return state


class SqliteHand:
    def __init__(self, reads: Reads, path: Path) -> None:
        self.reads = reads
        self._connection = sqlite3.connect(path, isolation_level=None, timeout=WAIT_S_MAX)

    def hold(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def let_go(self) -> None:
        self._connection.execute("ROLLBACK")

    def settle(self) -> None:
        pass  # it died with the process

    def close(self) -> None:
        self._connection.close()


class PostgresHand:
    """The lock and the reads are of one session, which reads while it holds."""

    def __init__(self, reads: PostgresReading) -> None:
        self.reads = reads
        self._reading = reads

    def hold(self) -> None:
        self._reading.execute("BEGIN; LOCK TABLE callees IN EXCLUSIVE MODE")

    def let_go(self) -> None:
        self._reading.execute("COMMIT")

    def settle(self) -> None:
        deadline_s = time.monotonic() + WAIT_S_MAX
        while self._reading.working:
            assert time.monotonic() < deadline_s, "a statement does not end"
            time.sleep(POLL_S)


@contextmanager
def hand_on(server: ChappeServer) -> Iterator[Hand]:
    """Of a server that has been started."""
    if server.database_url is not None:
        with PostgresReading(server.database_url) as reads:
            yield PostgresHand(reads)
        return
    with reading(server.data) as reads:
        hand = SqliteHand(reads, server.data / FILES[0])
        try:
            yield hand
        finally:
            hand.close()
