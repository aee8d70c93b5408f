"""Servers under measurement: processes of their own on the servers' core, started and ended by their id."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from bench.counters import Counters
from bench.figures import Void
from bench.load import Exchange, Load, drive
from bench.machine import cpu_s, pin_load, pin_server, resident_mb
from bench.smsc import NAMES

CHAPPE = Path(sys.executable).with_name("chappe")
READY_S_MAX = 30.0
STOP_S_MAX = 15.0
BOUND_S_MAX = 15.0
STALLED_S_MAX = 10.0
POLL_S = 0.005
WINDOW = 100
"""Messages without an answer, in both directions."""
RECEIPT_DELAY_MS = 50


class Addressed(Protocol):
    """What load is sent to: processes on the servers' core."""

    @property
    def address(self) -> tuple[str, int]: ...

    @property
    def cpu_s(self) -> float: ...


class Server:
    """A process that prints `ready http://127.0.0.1:PORT`. `ready_s` is how long that took."""

    def __init__(
        self,
        command: Sequence[str | Path],
        name: str,
        *,
        pin: Callable[[], None] = pin_server,
        environment: dict[str, str] | None = None,
    ) -> None:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("CHAPPE_")}
        environment = kept | (environment or {})
        begin_s = time.perf_counter()
        self.name = name
        self._process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            preexec_fn=pin,
        )
        try:
            self.address: tuple[str, int] = ("127.0.0.1", self._port())
        except BaseException:
            self.stop()
            raise
        self.ready_s = time.perf_counter() - begin_s

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def resident_mb(self) -> float:
        return resident_mb(self._process.pid)

    @property
    def cpu_s(self) -> float:
        return cpu_s(self._process.pid)

    def stop(self) -> None:
        """SIGTERM, SIGKILL if that is not enough; returns when it is gone."""
        self._process.terminate()
        try:
            self._process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _port(self) -> int:
        assert self._process.stdout is not None
        said = b""
        while b"\n" not in said:
            readable, _, _ = select.select([self._process.stdout], [], [], READY_S_MAX)
            more = os.read(self._process.stdout.fileno(), 4096) if readable else b""
            if not more:
                raise Void(f"{self.name} did not become ready")
            said += more
        return int(said.partition(b"\n")[0].rpartition(b":")[2])


def bare(kind: str) -> Server:
    """The yardstick on "listener" or "uvicorn"."""
    return Server([sys.executable, "-m", "bench.bare", kind], f"bare ASGI on {kind}")


def chappe(data: Path) -> Server:
    """`chappe serve` on the folder `data`."""
    return Server([CHAPPE, "serve", "--host", "127.0.0.1", "--port", "0", "--data", data], "chappe serve")


def ungrouped(data: Path) -> Server:
    """The same server with a commit for each unit."""
    command = [sys.executable, "-m", "bench.ungrouped", "serve", "--host", "127.0.0.1", "--port", "0"]
    return Server([*command, "--data", data], "chappe serve without groups")


class Smsc(Server):
    """The SMSC of bench/smsc.py on the core of the load generator, and what it counts."""

    def __init__(
        self, counters: Path, *, window: int = WINDOW, receipt_delay_ms: int = RECEIPT_DELAY_MS
    ) -> None:
        self.counters = Counters(counters, NAMES)
        command = [sys.executable, "-m", "bench.smsc", counters, "--window", str(window)]
        super().__init__([*command, "--receipt-delay-ms", str(receipt_delay_ms)], "the SMSC", pin=pin_load)

    @property
    def port(self) -> int:
        return self.address[1]

    def bound(self) -> None:
        """Returns when an ESME is; raises `Void` when none comes."""
        self._until(lambda: self.counters["binds"] > 0, BOUND_S_MAX, "nobody bound to the SMSC")

    def done(self, submitted: int, *, receipts: bool, stalled_s_max: float = STALLED_S_MAX) -> None:
        """Returns when it has taken so many messages, and their receipts are acknowledged if there are any.

        Raises `Void` when nothing moves for `stalled_s_max`, or when it has taken more.
        """
        counters = self.counters
        what = "acknowledged" if receipts else "submitted"
        before, at_s = -1, time.monotonic()
        while (now := counters[what]) < submitted:
            if now != before:
                before, at_s = now, time.monotonic()
            elif time.monotonic() > at_s + stalled_s_max:
                raise Void(f"the SMSC counts {now} {what} of {submitted}, and nothing moves")
            if self.ended:
                raise Void("the SMSC ended")
            time.sleep(POLL_S)
        if counters["submitted"] != submitted or counters["refused"]:
            raise Void(
                f"the SMSC took {counters['submitted']} messages instead of {submitted},"
                f" {counters['refused']} receipts were refused"
            )

    def _until(self, holds: Callable[[], bool], seconds: float, otherwise: str) -> None:
        end_s = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > end_s:
                raise Void(otherwise)
            time.sleep(POLL_S)


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody has now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listening.getsockname()[1] for listening in sockets]
    for listening in sockets:
        listening.close()
    return ports


class Measured:
    """A server under one kind of load, turn after turn; keeps what the turns cost it."""

    def __init__(self, server: Addressed, exchanges: Sequence[Exchange], turn_s: float) -> None:
        self.server = server
        self.cpu_us: list[float] = []
        """The server's processor time an answer, one value a turn."""
        self.busy: list[float] = []
        self.answers = 0
        """All right answers so far: warm-ups, and those after the time of a turn, too."""
        self._exchanges = exchanges
        self._turn_s = turn_s

    def turn(self) -> float:
        """Answers a second over one turn, after a short warm-up."""
        self._drive(self._turn_s / 8)
        before_s = self.server.cpu_s
        load = self._drive(self._turn_s)
        self.cpu_us.append((self.server.cpu_s - before_s) / load.answers * 1e6)
        self.busy.append(load.busy)
        return load.per_second

    def _drive(self, seconds: float) -> Load:
        first = self.answers % len(self._exchanges)
        load = drive(self.server.address, self._exchanges, seconds=seconds, first=first)
        self.answers += load.answers + load.late
        return load
