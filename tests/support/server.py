"""A real server for the tests, started, stopped and killed as a user would."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Self

import asyncpg

from chappe.administration.ask import ask_server
from chappe.administration.commands import Command

CHAPPE = Path(sys.executable).with_name("chappe")
READY_S_MAX = 20.0
STOP_S_MAX = 10.0
COMMAND_S_MAX = 60.0
# A traceback as text, or the same as structlog writes it in structured form.
TRACEBACK_MARKS = ("Traceback (most recent call last)", '"exc_type"')


new_database: Callable[[], str] | None = None
"""Gives the URL of an empty PostgreSQL database, while servers are to store there and not in their folder."""


def clean_environment(**more: str) -> dict[str, str]:
    """This process's environment without the CHAPPE_* settings and proxies of whoever runs the tests."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("CHAPPE_") and not name.lower().endswith("_proxy")
    }
    return kept | more


class ChappeServer:
    """`chappe serve` on a free port of 127.0.0.1, its data in `directory`/data.

    Write `data/chappe.toml` before `start()` to configure it. After `kill()` or `stop()`, `start()` begins
    again on the same data (on another port, unless `port` was given). `prefix`: words that its command begins
    with. As a context manager it starts, and at
    the end stops unless the test has ended it: a server that died by itself is an AssertionError.
    """

    def __init__(
        self,
        directory: Path,
        *,
        options: tuple[str, ...] = (),
        environment: dict[str, str] | None = None,
        rate_limits: bool = True,
        port: int = 0,
        prefix: tuple[str, ...] = (),
    ) -> None:
        self._prefix = prefix
        self.data = directory / "data"
        self.data.mkdir(parents=True, exist_ok=True)
        self.stderr_path = directory / "stderr.log"
        self.base_url = ""
        self.database_url = new_database() if new_database is not None else None
        if self.database_url is not None:
            environment = {
                "CHAPPE_DATABASE": self.database_url,
                "CHAPPE_SECRET_FILE": str(self.data / "secret.key"),
            } | (environment or {})
        self._options = options
        self._port = port
        limits = {} if rate_limits else {"CHAPPE_RATE_LIMITS": "off"}
        self._environment = clean_environment(**limits, **(environment or {}))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *failure: object) -> None:
        if self._process is None:
            return
        if failure[0] is None:
            self.stop()
        else:
            # The failure under way is not to be hidden by a complaint about the server.
            self.kill()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server is not started"
        return self._process.pid

    @property
    def stderr(self) -> str:
        """Everything the server wrote to standard error, over all its starts."""
        return self.stderr_path.read_text(errors="replace") if self.stderr_path.exists() else ""

    def start(self) -> Self:
        """Returns when it has said `ready`; AssertionError with its standard error if it does not."""
        assert self._process is None, "the server is started already"
        command = [CHAPPE, "serve", "--host", "127.0.0.1", "--port", str(self._port), "--data", self.data]
        with self.stderr_path.open("ab") as stderr:
            self._process = subprocess.Popen(
                [*self._prefix, *map(str, command), *self._options],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
            )
        try:
            self.base_url = self._read_ready().removeprefix("ready ").strip()
        except BaseException:
            self.kill()
            raise
        return self

    def stop(self) -> None:
        """SIGTERM; AssertionError unless it exits 0 within 10 s."""
        assert self._process is not None, "the server is not started"
        if not self.running:
            code = self._forget()
            raise AssertionError(f"the server ended by itself with exit code {code}:\n{self.stderr}")
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"not stopped {STOP_S_MAX} s after SIGTERM:\n{self.stderr}") from None
        code = self._forget()
        assert code == 0, f"exit code {code} after SIGTERM:\n{self.stderr}"

    def kill(self) -> None:
        """SIGKILL to this process and no other; returns when it is gone."""
        assert self._process is not None, "the server is not started"
        self._process.kill()
        self._forget()

    def suspend(self) -> None:
        """SIGSTOP; returns when no thread of it runs any more. `kill()` or `resume()` comes next."""
        self._process_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED)

    def resume(self) -> None:
        """SIGCONT."""
        self._process_signal(signal.SIGCONT)

    def run(self, *arguments: str, exit_code: int = 0) -> str:
        """Standard output of `chappe ARGUMENTS --data DIR`; AssertionError on another exit code."""
        done = subprocess.run(
            [str(CHAPPE), *arguments, "--data", str(self.data)],
            env=self._environment,
            capture_output=True,
            encoding="utf-8",
            stdin=subprocess.DEVNULL,
            timeout=COMMAND_S_MAX,
        )
        assert done.returncode == exit_code, (
            f"chappe {' '.join(arguments)}: exit code {done.returncode}, expected {exit_code}\n{done.stdout[-2000:]}{done.stderr}"
        )
        return done.stdout

    def ask(self, command: Command) -> dict[str, Any]:
        """What the running server answers on its socket, as the command line asks it, without a process."""
        result = ask_server(self.data / "chappe.sock", command)
        assert result is not None, "no server answers on the socket"
        return result

    def execute(self, sql: str) -> None:
        """One statement on the database of a server that is stopped."""
        if self.database_url is None:
            with closing(sqlite3.connect(self.data / "chappe.db", isolation_level=None)) as connection:
                connection.execute(sql)
        else:
            asyncio.run(_execute(self.database_url, sql))

    def create_account(self, email: str, credit: str = "100", *options: str) -> dict[str, Any]:
        """`{"apiKey": ..., "email": ..., "balance": "100"}`; `options` go to `chappe account create`."""
        return json.loads(self.run("account", "create", email, "--credit", credit, "--json", *options))

    def assert_no_traceback(self) -> None:
        found = [line for line in self.stderr.splitlines() if any(mark in line for mark in TRACEBACK_MARKS)]
        assert not found, f"the server logged {len(found)} tracebacks:\n{self.stderr}"

    def _process_signal(self, number: signal.Signals) -> None:
        assert self._process is not None, "the server is not started"
        self._process.send_signal(number)

    def _read_ready(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        deadline = time.monotonic() + READY_S_MAX
        descriptor, output = self._process.stdout.fileno(), b""
        while True:
            readable, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
            assert readable, f"not ready after {READY_S_MAX} s:\n{self.stderr}"
            read = os.read(descriptor, 65536)
            assert read, f"ended before it was ready:\n{self.stderr}"
            output += read
            # `--demo` prints other lines too; only whole lines count.
            for line in output.decode().split("\n")[:-1]:
                if line.startswith("ready "):
                    return line

    def _forget(self) -> int:
        assert self._process is not None
        code = self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process = None
        return code


async def _execute(url: str, sql: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()
