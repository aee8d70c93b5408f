"""The whole server in this process, on a thread of its own, by a clock that the test sets."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Self
from zoneinfo import ZoneInfo

from chappe.administration.ask import ask_server
from chappe.administration.commands import Check, Command
from chappe.app import Server
from chappe.settings import Flags, load_settings
from chappe.storage.folder import Folder
from chappe.storage.store import open_store
from tests.support.wire import Answer, call

PARIS = ZoneInfo("Europe/Paris")
START_S_MAX = 20.0
UNTIL_S_MAX = 20.0


class SetClock:
    """Stands still on the time it was set to: wall time in Paris, monotonic time with it."""

    def __init__(self, now: str) -> None:
        self._ms = 0
        self.set(now)

    def set(self, now: str, fold: int = 0) -> None:
        """`now` is "2026-01-05 08:00:00" on the clock of Paris; `fold` 1 is the second of a doubled hour."""
        self._ms = int(datetime.fromisoformat(now).replace(tzinfo=PARIS, fold=fold).timestamp() * 1000)

    def advance(self, seconds: float) -> None:
        self._ms += int(seconds * 1000)

    def now_ms(self) -> int:
        return self._ms

    def monotonic_s(self) -> float:
        return self._ms / 1000


class ClockedServer:
    """A context manager; `base_url` leads to it, `clock` is its time. Callbacks may go to loopback.

    At the end every invariant holds and no exception was unexpected.
    """

    def __init__(
        self,
        directory: Path,
        *,
        now: str = "2026-01-05 08:00:00",
        configuration: str = "",
        rate_limits: bool = False,
    ) -> None:
        self.clock = SetClock(now)
        self._rate_limits = "on" if rate_limits else "off"
        self.data = directory / "data"
        self.data.mkdir(parents=True, exist_ok=True)
        (self.data / "chappe.toml").write_text(configuration, "utf-8")
        self.base_url = ""
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *failure: object) -> None:
        if failure[0] is None:
            self.assert_sound()
        self.stop()

    def start(self) -> Self:
        """Returns when it accepts requests. After `stop()` it begins again on the same data."""
        self._ready.clear()
        self._thread = threading.Thread(target=self._run, name="clocked server", daemon=True)
        self._thread.start()
        assert self._ready.wait(START_S_MAX), "not ready in time"
        if self._failure is not None:
            raise self._failure
        return self

    def stop(self) -> None:
        assert self._thread is not None
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(START_S_MAX)
        assert not self._thread.is_alive(), "not stopped in time"
        if self._failure is not None:
            raise self._failure

    def ask(self, command: Command) -> dict[str, Any]:
        """As the command line asks it."""
        result = ask_server(self.data / "chappe.sock", command)
        assert result is not None, "no server answers on the socket"
        return result

    def call(self, target: str, **more: Any) -> Answer:
        """One request on a connection of its own; see `tests.support.wire.call`."""
        return call(self.base_url, target, **more)

    def post(
        self, target: str, body: Mapping[str, object], headers: Mapping[str, str] | None = None
    ) -> Answer:
        """POSTs `body` as JSON."""
        return self.call(target, method="POST", body=json.dumps(body), headers=dict(headers or {}))

    def advance_network(self, seconds: float) -> int:
        """The built-in network's own delays are over so much earlier; gives how many messages that settled."""
        return self.post("/simulator/clock", {"advance_s": seconds}).json["settled"]

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """AssertionError unless `condition` comes true; for what can only be asked, not waited for."""
        until(condition, what)

    def assert_sound(self) -> None:
        """Nothing was unexpected, and `chappe check` has nothing to say."""
        assert unexpected_total(self.base_url) == 0
        assert self.ask(Check())["breaches"] == []

    def _run(self) -> None:
        try:
            asyncio.run(self._live())
        except BaseException as failure:
            self._failure = failure
        finally:
            self._ready.set()

    async def _live(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        variables = {"CHAPPE_RATE_LIMITS": self._rate_limits, "CHAPPE_CALLBACK_ALLOW": "127.0.0.0/8,::1/128"}
        settings = load_settings(Flags(data=str(self.data), port=0), variables)
        folder = Folder(self.data)
        folder.hold(as_server=True)
        try:
            store = await open_store(folder, self.clock)
            try:
                server = await Server.start(settings, folder, store)
                self.base_url = server.url
                self._ready.set()
                try:
                    await self._stop.wait()
                finally:
                    await server.stop()
            finally:
                await store.close()
        finally:
            folder.release()


def until(condition: Callable[[], bool], what: str) -> None:
    """AssertionError unless `condition` comes true within `UNTIL_S_MAX`."""
    deadline = time.monotonic() + UNTIL_S_MAX
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {UNTIL_S_MAX} s"
        time.sleep(0.02)


def unexpected_total(base_url: str) -> float:
    """`chappe_unexpected_total` over every part of the server, as /metrics shows it."""
    page = call(base_url, "/metrics").text
    return sum(
        float(value) for value in re.findall(r"^chappe_unexpected_total\{.*\} (\S+)$", page, re.MULTILINE)
    )
