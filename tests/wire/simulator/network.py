"""The simulator alone in the test's process: its SMSC and its pages on free ports, a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from chappe.console.pages import pages
from chappe.http.listener import Listener
from chappe.metrics import Metrics
from chappe.settings import Flags, load_settings
from chappe.simulator.api import routes
from chappe.simulator.simulator import Simulator
from chappe.storage.folder import Folder
from chappe.storage.store import Store, open_store
from tests.wire.simulator.esme import Esme


@dataclass
class Network:
    """A started simulator. `unexpected` must stay empty; the fixture looks."""

    simulator: Simulator
    store: Store
    url: str
    http: aiohttp.ClientSession
    unexpected: list[str]

    @property
    def port(self) -> int:
        assert self.simulator.smpp_port is not None
        return self.simulator.smpp_port

    async def bind(self, bind: str = "transceiver", **options: Any) -> Esme:
        """A bound ESME."""
        return await Esme.bound(self.port, bind, **options)

    async def get(self, path: str) -> Any:
        """The JSON of a page; AssertionError unless 200."""
        async with self.http.get(self.url + path) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def post(self, path: str, body: Any, status: int = 200) -> Any:
        async with self.http.post(self.url + path, json=body) as answer:
            assert answer.status == status, await answer.text()
            return await answer.json()

    async def messages(self, phone: str) -> list[dict[str, Any]]:
        return await self.get(f"/simulator/phones/{phone}/messages")

    async def advance(self, seconds: float) -> int:
        return (await self.post("/simulator/clock", {"advance_s": seconds}))["settled"]

    async def owed(self) -> int:
        """Deliveries that no ESME has acknowledged."""
        return await self.store.database.read(
            lambda r: (r.one("SELECT COUNT(*) FROM sim_deliveries") or [0])[0]
        )


@asynccontextmanager
async def network(
    directory: Path, configuration: str = "[simulator]\nsmpp_port = 0\n"
) -> AsyncIterator[Network]:
    """Starts and stops everything; may be used again on the same directory."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "chappe.toml").write_text(configuration)
    settings = load_settings(Flags(data=str(directory)), {})
    folder = Folder(directory)
    folder.hold(as_server=True)
    unexpected: list[str] = []
    try:
        store = await open_store(folder)
        try:
            simulator = Simulator(store, settings, store.clock, lambda: unexpected.append("unexpected"))
            await simulator.start()
            application = pages(
                settings, store, Metrics(), (), routes(simulator), trunks=dict, audio=lambda: True
            )
            listener = Listener(application, connections_max=64)
            port = await listener.listen("127.0.0.1", 0)
            try:
                async with aiohttp.ClientSession() as http:
                    yield Network(simulator, store, f"http://127.0.0.1:{port}", http, unexpected)
            finally:
                simulator.end_streams()
                await listener.stop()
                await simulator.stop()
        finally:
            await store.close()
    finally:
        folder.release()
    assert not unexpected
