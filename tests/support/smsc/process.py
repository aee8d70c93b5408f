"""The stand-in as a test sees it: started, killed, started again on the same port and journal."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path
from typing import Self

from tests.support.smsc.journal import Entry, JournalReader, read_journal
from tests.support.smsc.options import Options

ROOT = Path(__file__).parents[3]
READY_S_MAX = 20.0
STOP_S_MAX = 10.0


class SmscProcess:
    """A context manager: starts it, ends it. `port` is its own from the first start on."""

    def __init__(self, journal: Path, options: Options | None = None, *, port: int = 0) -> None:
        self.journal_path = journal
        self.port = port
        self._options = options or Options()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *failure: object) -> None:
        if self._process is not None:
            self.stop()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def entries(self) -> list[Entry]:
        """The whole journal as it stands."""
        return read_journal(self.journal_path)

    def follow(self) -> JournalReader:
        return JournalReader(self.journal_path)

    def start(self) -> Self:
        """Returns when it listens."""
        assert self._process is None, "it runs already"
        command = [sys.executable, "-m", "tests.support.smsc", "--port", str(self.port)]
        command += ["--journal", str(self.journal_path), *self._options.arguments()]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=_environment()
        )
        assert self._process.stdout is not None
        said = b""
        while b"\n" not in said:
            readable, _, _ = select.select([self._process.stdout], [], [], READY_S_MAX)
            more = os.read(self._process.stdout.fileno(), 4096) if readable else b""
            if not more:
                self.kill()
                raise AssertionError("the stand-in SMSC did not become ready")
            said += more
        self.port = int(said.split()[1])
        return self

    def stop(self) -> None:
        """SIGTERM; AssertionError unless it exits 0."""
        assert self._process is not None
        self._process.terminate()
        try:
            code = self._process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._forget()
        assert code == 0, f"the stand-in SMSC ended with exit code {code}"

    def kill(self) -> None:
        """SIGKILL to this process and no other; returns when it is gone."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._forget()

    def _forget(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process = None


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("CHAPPE_")}
