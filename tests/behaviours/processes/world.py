"""Two API processes, two workers, one PostgreSQL behind a proxy that cuts, one SMSC, one customer; and the judge."""

from __future__ import annotations

import asyncio
import random
import re
import time
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.behaviours.crash.catcher import Catcher
from tests.behaviours.crash.judge import Evidence, breaches
from tests.behaviours.crash.load import Client
from tests.behaviours.crash.requests import Maker
from tests.behaviours.crash.store import Leaving
from tests.behaviours.processes.load import SharedLoad
from tests.behaviours.processes.reading import PostgresReading
from tests.support.cut import CuttingProxy
from tests.support.namespaces import Host
from tests.support.postgres import PostgresServer
from tests.support.server import ChappeServer
from tests.support.smsc.options import Options
from tests.support.smsc.process import SmscProcess

END_S_MAX = 90.0
UNTIL_S_MAX = 60.0
POLL_S = 0.05
CREDIT_EUR = 100_000
WINDOW = 50
CONFIGURATION = """
[[operators]]
name = "op1"
kind = "smpp"
host = "{host}"
port = {port}
system_id = "esme"
password = "secret"
window = {window}
throughput = {throughput}

[[routes]]
product = "sms"
operators = ["op1"]
"""


@dataclass
class World:
    """All of it. `kills` has what was leaving by a worker when it was killed."""

    postgres: PostgresServer
    proxy: CuttingProxy
    smsc: SmscProcess
    catcher: Catcher
    reading: PostgresReading
    apis: list[ChappeServer]
    workers: list[ChappeServer]
    maker: Maker
    far: Host | None = None
    standby: PostgresServer | None = None
    kills: list[set[Leaving]] = field(default_factory=list)

    def urls(self) -> list[str]:
        """Of the API processes that are up."""
        return [api.base_url for api in self.apis if api.running]

    def load(self, connections: int = 12, pause_s: float = 0.02) -> SharedLoad:
        return SharedLoad(self.urls, self.maker, connections, pause_s)

    async def kill(self, server: ChappeServer) -> None:
        """-9, and what was leaving then."""
        await asyncio.to_thread(server.kill)
        if server in self.workers:
            self.kills.append(self.reading.leaving())

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        deadline_s = time.monotonic() + UNTIL_S_MAX
        while not condition():
            assert time.monotonic() < deadline_s, f"{what}: not within {UNTIL_S_MAX} s"
            await asyncio.sleep(POLL_S)

    async def until_ended(self) -> None:
        """Every recipient has come to an end, every customer is told."""
        deadline_s = time.monotonic() + END_S_MAX
        while self.reading.unfinished or self.reading.untold:
            assert time.monotonic() < deadline_s, (
                f"{self.reading.unfinished} recipients not ended, {self.reading.untold} events not told;"
                f" leaving: {sorted(self.reading.leaving())[:5]}"
            )
            for server in (*self.apis, *self.workers):
                assert server.running, server.stderr
            await asyncio.sleep(POLL_S)

    async def ask_again(self) -> None:
        """Every request that has a key, answered before or not, several at a time."""
        waiting = [send for send in self.maker.made if send.idempotency_key]

        async def ask(client: Client) -> None:
            while waiting:
                send = waiting.pop()
                send.repeated = await client.send(send)
            client.close()

        clients = [await Client.connect(url) for url in self.urls() for _ in range(4)]
        await asyncio.gather(*map(ask, clients))

    async def judge(self) -> list[str]:
        """One line for each promise that was not kept."""
        self.apis[0].run("check")
        for server in (*self.apis, *self.workers):
            server.assert_no_traceback()
            if self.far is not None and server is self.workers[1]:
                continue  # its loopback is not ours
            metrics = await asyncio.to_thread(_get, f"{server.base_url}/metrics")
            unexpected = re.findall(r"^chappe_unexpected_total\{(.*)\} (\S+)$", metrics, re.MULTILINE)
            assert {value for _, value in unexpected} == {"0.0"}, (unexpected, server.stderr[-5000:])
        journal = self.smsc.entries
        taken = Counter((entry.number, entry.detail) for entry in journal if entry.kind == "taken")
        print(
            f"{len(self.maker.made)} requests, {taken.total()} taken by the SMSC,"
            f" {taken.total() - len(taken)} of them doubles, leaving at the kills: {list(map(len, self.kills))}"
        )
        evidence = Evidence(
            sends=self.maker.made,
            credit_micro=CREDIT_EUR * 1_000_000,
            journal=journal,
            callbacks=self.catcher.bodies,
            leaving=self.kills,
            slots=WINDOW * max(1, len(self.kills)) * 2,
            may_refuse=True,
        )
        return breaches(evidence, self.reading)


@asynccontextmanager
async def world(
    tmp_path: Path,
    *,
    options: Options | None = None,
    throughput: float = 0,
    far: Host | None = None,
    has_standby: bool = False,
) -> AsyncIterator[World]:
    """Everything started. With `far`, the second worker stands there: its first cable goes to PostgreSQL."""
    async with AsyncExitStack() as stack:
        postgres = stack.enter_context(PostgresServer(host=far.here(0) if far else ""))
        standby = stack.enter_context(postgres.standby()) if has_standby else None
        proxy = stack.enter_context(CuttingProxy(postgres.port))
        smsc = stack.enter_context(SmscProcess(tmp_path / "journal", options))
        other = far.here(1) if far else "127.0.0.1"
        smsc_port = smsc.port if far is None else stack.enter_context(CuttingProxy(smsc.port, other)).port
        catcher = await stack.enter_async_context(Catcher(other))
        secret = tmp_path / "secret.key"

        def server(name: str, role: str, host: Host | None = None) -> ChappeServer:
            url = postgres.url(host=host.here(0)) if host else postgres.url(port=proxy.port)
            made = ChappeServer(
                tmp_path / name,
                rate_limits=False,
                options=("--role", role),
                environment={
                    "CHAPPE_DATABASE": url,
                    "CHAPPE_SECRET_FILE": str(secret),
                    "CHAPPE_CALLBACK_ALLOW": f"{other}/32",
                },
                prefix=host.prefix if host else (),
            )
            (made.data / "chappe.toml").write_text(
                CONFIGURATION.format(host=other, port=smsc_port, window=WINDOW, throughput=throughput)
            )
            return made

        apis = [server(f"api{number}", "api") for number in range(2)]
        workers = [server("worker0", "worker"), server("worker1", "worker", far)]
        for each in (*apis, *workers):
            await asyncio.to_thread(each.start)
            stack.callback(_end, each)
        key = apis[0].create_account("crash@example.org", str(CREDIT_EUR))["apiKey"]
        reading = stack.enter_context(PostgresReading(postgres.url()))
        maker = Maker(key, catcher.url, random.Random("processes"))
        yield World(postgres, proxy, smsc, catcher, reading, apis, workers, maker, far, standby)
        for each in (*apis, *workers):
            await asyncio.to_thread(each.stop)


def _end(server: ChappeServer) -> None:
    if server.running:
        server.kill()


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()
