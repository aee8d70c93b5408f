"""Presence on PostgreSQL: a row that is refreshed, and a lock that lasts as long as a session.

A process has died when its session holds its lock no more AND its row has not been refreshed for `DEAD_S`. Each alone is
not enough. A lock is lost with a connection, which a living process opens again; a row is not refreshed while the link
to the database is cut, but then the server keeps the session, and with it the lock, until the link is back. Whoever
judges must have been connected for as long himself, and so must the server have run: after a restart everybody is late.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
import zlib
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final

import structlog

from chappe.settings import Role
from chappe.storage.database import Database, Reader, StorageUnavailable, Transaction
from chappe.storage.ids import IdBlocks
from chappe.storage.postgres_connection import Connector, Link, close_quietly, end_session

BEAT_S: Final = 2.0
DEAD_S: Final = 10.0
STATEMENT_S_MAX: Final = 5.0
CHANGED: Final = "processes"
ROUTE_KEPT_S: Final = 600.0
"""How long a route that nobody sends by any more is left alone: a process, or its machine, may be starting again."""
CLOCK_S_MAX: Final = 5.0
"""How far this machine's clock may be from the database's before it is said."""
ROUTES_S: Final = 60.0
"""Between two times that a process says what it sends by."""

# The two-number form of advisory locks: what kind it is, and which one.
_PROCESS_LOCK = 0x63681
_LEADER_LOCK = 0x63682
_NOW_MS = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"
_ENTER = (
    "INSERT INTO processes (id, role, name, configuration, started_at_ms, seen_at_ms)"
    f" VALUES ($1, $2, $3, $4, {_NOW_MS}, {_NOW_MS}) ON CONFLICT (id) DO UPDATE SET seen_at_ms = {_NOW_MS}"
)
_BEAT = f"UPDATE processes SET seen_at_ms = {_NOW_MS} WHERE id = ?"
_HELD = (
    "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND classid = ? AND objid = ? AND granted"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
_ALIVE = f"SELECT id, role, name, configuration FROM processes WHERE seen_at_ms > {_NOW_MS} - 30000"
_BINDS = (
    "INSERT INTO process_binds (process_id, operator, binds) VALUES (?, ?, ?)"
    " ON CONFLICT (process_id, operator) DO UPDATE SET binds = excluded.binds"
)
_ALL_BINDS = "SELECT b.operator, SUM(b.binds) FROM process_binds b JOIN processes p ON p.id = b.process_id GROUP BY b.operator"
_SERVE = (
    f"INSERT INTO served_routes (product, prefix, seen_at_ms) VALUES (?, ?, {_NOW_MS})"
    " ON CONFLICT (product, prefix) DO UPDATE SET seen_at_ms = excluded.seen_at_ms"
)
_FORGET_ROUTES = f"DELETE FROM served_routes WHERE seen_at_ms < {_NOW_MS} - 86400000"
_KEPT = f"SELECT prefix FROM served_routes WHERE product = ? AND seen_at_ms > {_NOW_MS} - ?"
_DEAD = (
    f"SELECT id FROM processes WHERE seen_at_ms < {_NOW_MS} - ? AND id <> ?"
    " AND pg_postmaster_start_time() < clock_timestamp() - CAST(? AS INTERVAL) FOR UPDATE SKIP LOCKED"
)

_log: structlog.stdlib.BoundLogger = structlog.get_logger("processes")


class PostgresPresence:
    """`Presence` of one process."""

    def __init__(self, database: Database, connector: Connector) -> None:
        self._database = database
        self._connector = connector
        self._id = 0
        self._role: Role = "all"
        self._configuration = ""
        self._others_differ: frozenset[str] = frozenset()
        self._is_clock_wrong = False
        self._routes: dict[str, Sequence[str]] = {}
        self._say_routes_at_s = 0.0
        self._link: Link | None = None
        self._lost: list[Link] = []
        self._connected_at_s = 0.0
        self._alive: dict[int, Role] = {}
        self._binds: dict[str, Callable[[], int]] = {}
        self._told_binds: dict[str, int] = {}
        self._told_at_s: dict[str, float] = {}
        self._all_binds: dict[str, int] = {}
        self._leads: dict[str, tuple[Callable[[bool], None], bool]] = {}
        self._trying = asyncio.Lock()
        """A session takes one statement at a time; who asks and the beat may come together."""
        self._soon = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    @property
    def id(self) -> int:
        return self._id

    def count(self, *roles: Role) -> int:
        return max(1, sum(role in roles for role in self._alive.values()))

    def share(self, operator: str) -> float:
        mine = self._told_binds.get(operator, 0)
        everyones = self._all_binds.get(operator, 0)
        if not mine or not everyones:
            return 0.0
        if mine < everyones and time.monotonic() < self._told_at_s[operator] + 2 * BEAT_S:
            return 0.0  # the others, who shared it among themselves, may not have heard of us yet
        return min(1.0, mine / everyones)

    def report_binds(self, operator: str, binds: Callable[[], int]) -> None:
        self._binds[operator] = binds

    def changed(self) -> None:
        self._soon.set()

    @property
    def others_differ(self) -> int:
        return len(self._others_differ)

    @property
    def patience_ms(self) -> int:
        return int(ROUTE_KEPT_S * 1000)

    def send_by(self, product: str, routes: Sequence[str]) -> None:
        self._routes[product] = routes
        self._say_routes_at_s = 0.0
        self._soon.set()

    def kept_routes(self, reader: Reader, product: str) -> set[str]:
        return {prefix for (prefix,) in reader.all(_KEPT, (product, self.patience_ms))}

    def lead(self, what: str, on_change: Callable[[bool], None]) -> None:
        self._leads[what] = on_change, False
        self._soon.set()

    async def is_only(self, what: str) -> bool:
        def lost(leads: bool) -> None:
            if not leads:
                _log.error("another process may begin to do what only one may", what=what)

        self.lead(what, lost)
        await self._try_to_lead()
        return self._leads[what][1]

    async def start(self, role: Role, configuration: str = "") -> None:
        self._role, self._configuration = role, configuration
        await self._enter()
        await self._beat()
        self._database.listen(CHANGED, self._soon.set)
        self._task = asyncio.create_task(self._run(), name="presence")

    async def stop(self) -> None:
        if self._stopping or not self._id:
            return
        self._stopping = True
        self._soon.set()
        if self._task is not None:
            await self._task
        if self._link is not None:
            await close_quietly(self._link)
        try:
            await self._database.write_light(self._leave)
        except StorageUnavailable:
            pass  # the others find out

    def take_dead(self, tx: Transaction) -> bool:
        """Only for who has been connected for long enough to judge."""
        if self._link is None or time.monotonic() < self._connected_at_s + DEAD_S:
            return False
        for (process_id,) in tx.all(_DEAD, (int(DEAD_S * 1000), self._id, timedelta(seconds=DEAD_S))):
            if tx.one("SELECT pg_try_advisory_xact_lock(?, ?)", (_PROCESS_LOCK, process_id)) == (True,):
                _log.warning("a process has died", process=process_id)
                tx.run("DELETE FROM process_binds WHERE process_id = ?", (process_id,))
                tx.run("DELETE FROM processes WHERE id = ?", (process_id,))
        return True

    def _leave(self, tx: Transaction) -> None:
        tx.run("DELETE FROM process_binds WHERE process_id = ?", (self._id,))
        tx.run("DELETE FROM processes WHERE id = ?", (self._id,))
        tx.notify(CHANGED)

    # --- the beat -----------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while not self._stopping:
            try:
                async with asyncio.timeout(BEAT_S):
                    await self._soon.wait()
            except TimeoutError:
                pass
            self._soon.clear()
            if self._stopping:
                return
            try:
                if self._link is None or self._link.connection.is_closed():
                    await self._enter()
                await self._beat()
                await self._try_to_lead()
            except StorageUnavailable:
                pass  # the writers say so; the next beat tries again
            except Exception as error:
                _log.error("an unexpected exception", exc_info=error)
            if self._link is None or self._link.connection.is_closed():
                self._lead_nothing()

    async def _enter(self) -> None:
        """A session that holds the lock. The row is refreshed first: until we have the lock, it alone speaks for us."""
        if self._link is not None:
            self._drop()
        link = await self._connector.link(is_patient=True)
        try:
            connection = link.connection
            if not self._id:
                self._id = await IdBlocks(self._database, "processes", block_size=1).take()
            name = f"{socket.gethostname()} {os.getpid()}"
            await connection.execute(
                _ENTER, self._id, self._role, name, self._configuration, timeout=STATEMENT_S_MAX
            )
            for lost in self._lost:
                await end_session(connection, lost)
            # Not tried but waited for: the session that was ended has perhaps not gone yet.
            await connection.execute(
                "SELECT pg_advisory_lock($1, $2)", _PROCESS_LOCK, self._id, timeout=STATEMENT_S_MAX
            )
        except Exception as error:
            link.connection.terminate()
            self._lost.append(link)
            raise StorageUnavailable(f"cannot take this process's place: {error}") from error
        self._lost.clear()
        self._link = link
        self._connected_at_s = time.monotonic()
        link.connection.add_termination_listener(lambda *_: self._soon.set())

    def _drop(self) -> None:
        assert self._link is not None
        self._link.connection.terminate()
        self._lost.append(self._link)
        self._link = None

    async def _beat(self) -> None:
        binds = {operator: count() for operator, count in self._binds.items()}

        now_s = time.monotonic()
        routes = (
            sorted((product, prefix) for product, prefixes in self._routes.items() for prefix in prefixes)
            if now_s >= self._say_routes_at_s
            else []
        )

        began_s = time.time()

        def beat(
            tx: Transaction,
        ) -> tuple[bool, bool, list[tuple[int, Role, str, str]], dict[str, int], float]:
            is_known = tx.run(_BEAT, (self._id,)) == 1
            is_held = tx.one(_HELD, (_PROCESS_LOCK, self._id)) is not None
            if is_known and binds != self._told_binds:
                tx.run_many(_BINDS, [(self._id, operator, count) for operator, count in binds.items()])
            if binds != self._told_binds or not self._alive:
                tx.notify(CHANGED)  # something new, or somebody
            if routes:
                tx.run_many(_SERVE, routes)
                tx.run(_FORGET_ROUTES)
            alive: list[Any] = tx.all(_ALIVE)
            row = tx.one(f"SELECT {_NOW_MS}")
            assert row is not None
            return is_known, is_held, alive, {o: int(n) for o, n in tx.all(_ALL_BINDS)}, row[0] / 1000

        is_known, is_held, alive, all_binds, theirs_s = await self._database.write_light(beat)
        self._compare_clocks(began_s, theirs_s, time.time())
        for operator, count in binds.items():
            if count and not self._told_binds.get(operator):
                self._told_at_s[operator] = time.monotonic()
        self._alive = {process_id: role for process_id, role, _, _ in alive}
        self._all_binds, self._told_binds = all_binds, binds
        if routes:
            self._say_routes_at_s = now_s + ROUTES_S
        self._compare(alive)
        if not is_known:
            # We were given up while we could not be seen: what we held is others' now.
            _log.error("this process was taken for dead; it goes on under another number", process=self._id)
            self._id, self._told_binds = 0, {}
            self._drop_if_any()
            await self._enter()
            self._soon.set()
        elif not is_held:
            self._drop_if_any()
            await self._enter()

    def _compare(self, alive: Sequence[tuple[int, Role, str, str]]) -> None:
        """Says it once, and again when it is over: two configurations at work send by two sets of routes."""
        differ = frozenset(
            name
            for process_id, _, name, configuration in alive
            if process_id != self._id and configuration and configuration != self._configuration
        )
        if not self._configuration or differ == self._others_differ:
            return
        if differ:
            _log.error(
                "other processes on this database have other [[routes]] or [[operators]]: messages leave by the routes"
                " of whichever takes them",
                processes=sorted(differ),
            )
        else:
            _log.info("the processes on this database have the same [[routes]] and [[operators]] again")
        self._others_differ = differ

    def _compare_clocks(self, before_s: float, theirs_s: float, after_s: float) -> None:
        """Dates of sending, limits and what is taken for late depend on this machine's clock."""
        is_wrong = not before_s - CLOCK_S_MAX <= theirs_s <= after_s + CLOCK_S_MAX
        if is_wrong and not self._is_clock_wrong:
            _log.error(
                "this machine's clock is not that of the database: messages leave at wrong times",
                seconds_ahead=round(after_s - theirs_s, 1),
            )
        elif self._is_clock_wrong and not is_wrong:
            _log.info("this machine's clock is that of the database again")
        self._is_clock_wrong = is_wrong

    def _drop_if_any(self) -> None:
        if self._link is not None:
            self._drop()

    # --- what only one may do -----------------------------------------------------------------------------

    async def _try_to_lead(self) -> None:
        async with self._trying:
            link = self._link
            if link is None:
                return
            for what, (on_change, leads) in list(self._leads.items()):
                if leads:
                    continue
                key = zlib.crc32(what.encode()) & 0x7FFFFFFF
                if await link.connection.fetchval(
                    "SELECT pg_try_advisory_lock($1, $2)", _LEADER_LOCK, key, timeout=STATEMENT_S_MAX
                ):
                    self._leads[what] = on_change, True
                    on_change(True)

    def _lead_nothing(self) -> None:
        for what, (on_change, leads) in self._leads.items():
            if leads:
                self._leads[what] = on_change, False
                on_change(False)
