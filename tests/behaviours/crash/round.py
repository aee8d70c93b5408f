"""One crash round: load, kill -9 at a random instant, restart, everything ends within a minute, judgement."""

from __future__ import annotations

import asyncio
import random
import re
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.behaviours.crash.catcher import Catcher
from tests.behaviours.crash.judge import Evidence, breaches
from tests.behaviours.crash.load import Client, Load
from tests.behaviours.crash.plan import Plan
from tests.behaviours.crash.requests import Maker, Send
from tests.behaviours.crash.store import Leaving, SqliteStore, Store
from tests.support.server import ChappeServer
from tests.support.smsc.journal import JournalReader
from tests.support.smsc.process import SmscProcess

OPEN_MIN = 16
WARM_S_MAX = 60.0
END_S_MAX = 60.0
POLL_S = 0.05
CREDIT_EUR = 100_000
CONFIGURATION = """
[simulator]
enabled = false

[[operators]]
name = "op1"
kind = "smpp"
host = "127.0.0.1"
port = {port}
system_id = "esme"
password = "secret"
window = {window}
binds = {binds}

[[routes]]
product = "sms"
operators = ["op1"]
"""


@dataclass(frozen=True)
class Report:
    """What a round saw. `breaches` is empty when every promise was kept."""

    plan: Plan
    breaches: list[str]
    open_requests: int
    leaving: int
    """Slots of the window without a committed answer, when the server was first killed."""
    accepted: int
    submitted: int
    doubles: int
    ended_after_s: float
    """From `ready` after the last kill until everything had come to an end."""

    def __str__(self) -> str:
        return (
            f"seed {self.plan.seed}: {self.accepted} requests accepted, {self.open_requests} open and"
            f" {self.leaving} slots of the window taken at the kill, {self.submitted} taken by the SMSC,"
            f" {self.doubles} of them doubles, ended after {self.ended_after_s:.1f} s"
        )


async def run_round(plan: Plan, folder: Path, store: Store | None = None) -> Report:
    """Raises AssertionError where the round itself could not be run as planned. Without `store`: on SQLite."""
    store = store or SqliteStore(folder)
    journal = folder / "journal"
    with SmscProcess(journal, plan.smsc) as smsc:
        async with Catcher() as catcher:
            server = ChappeServer(
                folder,
                rate_limits=False,
                environment={"CHAPPE_CALLBACK_ALLOW": "127.0.0.0/8", **store.environment},
            )
            configuration = CONFIGURATION.format(port=smsc.port, window=plan.window, binds=plan.binds)
            (server.data / "chappe.toml").write_text(configuration)
            with server:
                return await _Round(plan, store, server, smsc, catcher).run()


class _Round:
    def __init__(
        self, plan: Plan, store: Store, server: ChappeServer, smsc: SmscProcess, catcher: Catcher
    ) -> None:
        self._plan = plan
        self._store = store
        self._server = server
        self._smsc = smsc
        self._catcher = catcher
        self._leaving: list[set[Leaving]] = []
        self._api_key = server.create_account("crash@example.org", str(CREDIT_EUR))["apiKey"]
        self._maker = Maker(self._api_key, catcher.url, random.Random(f"requests {plan.seed}"))

    async def run(self) -> Report:
        plan = self._plan
        open_requests = await self._load_and_kill()
        for _ in range(plan.kills - 1):
            await self._start()
            await asyncio.sleep(plan.kill_again_after_s)
            self._kill()
        await self._start()
        ready_s = time.monotonic()
        await self._ask_again()
        await self._until_ended(ready_s + END_S_MAX)
        ended_s = time.monotonic()
        await self._verify_running()
        self._server.stop()
        self._server.run("check")
        self._server.assert_no_traceback()
        evidence = Evidence(
            sends=self._maker.made,
            credit_micro=CREDIT_EUR * 1_000_000,
            journal=self._smsc.entries,
            callbacks=self._catcher.bodies,
            leaving=self._leaving,
            slots=plan.slots * plan.kills,
        )
        with self._store.reading() as database:
            found = breaches(evidence, database)
        taken = Counter((entry.number, entry.detail) for entry in evidence.journal if entry.kind == "taken")
        return Report(
            plan,
            found,
            open_requests,
            _slots(self._leaving[0]),
            sum(send.answer is not None for send in evidence.sends),
            taken.total(),
            taken.total() - len(taken),
            ended_s - ready_s,
        )

    async def _load_and_kill(self) -> int:
        """Kills at the planned instant, or as soon after as the window is half full; gives the open requests."""
        load = Load(self._server.base_url, self._maker, self._plan.connections)
        unanswered = _Unanswered(self._smsc.follow())
        load.start()
        try:
            async with asyncio.timeout(WARM_S_MAX):
                while unanswered.count() == 0 or load.answered < self._plan.connections:
                    await asyncio.sleep(0.01)
                await asyncio.sleep(self._plan.kill_after_s)
                while (
                    (open_requests := load.open) < OPEN_MIN
                    or unanswered.count() < self._plan.window // 2
                    or not self._stop_half_full()
                ):
                    await asyncio.sleep(0.02)
            self._kill()
            await load.until_gone()
        finally:
            await load.stop()
        return open_requests

    def _stop_half_full(self) -> bool:
        """Stops the server for a look at what is committed: it goes on again unless its window is half full."""
        self._server.suspend()
        if _slots(self._store.leaving()) >= self._plan.window // 2:
            return True
        self._server.resume()
        return False

    def _kill(self) -> None:
        self._server.kill()
        self._leaving.append(self._store.leaving())

    async def _start(self) -> None:
        await asyncio.to_thread(self._server.start)

    async def _ask_again(self) -> None:
        """Every request that has a key, answered before or not, several at a time."""
        waiting = [send for send in self._maker.made if send.idempotency_key]
        waiting.reverse()

        async def ask(waiting: list[Send]) -> None:
            client = await Client.connect(self._server.base_url)
            while waiting:
                send = waiting.pop()
                send.repeated = await client.send(send)
            client.close()

        await asyncio.gather(*(ask(waiting) for _ in range(8)))

    async def _until_ended(self, deadline_s: float) -> None:
        with self._store.reading() as database:
            while unfinished := database.unfinished + database.untold:
                assert time.monotonic() < deadline_s, (
                    f"{database.unfinished} recipients not ended, {database.untold} events not told"
                    f" {END_S_MAX} s after the restart: {unfinished} in all"
                )
                assert self._server.running, self._server.stderr
                await asyncio.sleep(POLL_S)
        # What is told twice is acknowledged after its commit too: wait for the last of it.
        async with asyncio.timeout(max(1.0, deadline_s - time.monotonic())):
            while _unacknowledged(self._smsc.follow()):
                await asyncio.sleep(POLL_S)

    async def _verify_running(self) -> None:
        await asyncio.to_thread(self._server.run, "check")
        metrics = await asyncio.to_thread(_get, f"{self._server.base_url}/metrics")
        unexpected = re.findall(r"^chappe_unexpected_total\{.*\} (\S+)$", metrics, re.MULTILINE)
        assert unexpected, "no counter of unexpected exceptions"
        assert set(unexpected) == {"0.0"}, metrics


class _Unanswered:
    """Submissions that the SMSC has and has not answered, by its journal."""

    def __init__(self, journal: JournalReader) -> None:
        self._journal = journal
        self._count = 0

    def count(self) -> int:
        for entry in self._journal.more():
            if entry.kind == "taken":
                self._count += 1
            elif entry.kind == "answered" and entry.detail == "0":
                self._count -= 1
        return self._count


def _slots(leaving: set[Leaving]) -> int:
    return sum(one.slots for one in leaving)


def _unacknowledged(journal: JournalReader) -> int:
    sent: set[tuple[int, int]] = set()
    for entry in journal.more():
        if entry.kind == "receipt":
            sent.add((entry.bind, entry.sequence_number))
        elif entry.kind == "acknowledged":
            sent.discard((entry.bind, entry.sequence_number))
        elif entry.kind == "ended":
            sent = {key for key in sent if key[0] != entry.bind}
    return len(sent)


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()
