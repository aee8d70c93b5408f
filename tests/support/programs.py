"""A program of another language that says what happens to it: a line of JSON for each event, commands the same way.

It writes `{"event": ..., ...}` to standard output, reads `{"do": ..., ...}` from standard input, and ends when that ends.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from tests.support.server import clean_environment

EVENT_S_MAX = 20.0
END_S_MAX = 10.0

Said = dict[str, Any]


class Program:
    """A context manager. `errors` is the file that its standard error goes to, shown when something fails."""

    def __init__(self, command: list[str], errors: Path, **environment: str) -> None:
        self._command = command
        self._errors = errors
        self._environment = clean_environment(**environment)
        self._said: list[Said] = []
        self._news = threading.Condition()
        self._ended = False

    def __enter__(self) -> Self:
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(self, *failure: object) -> None:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        try:
            code = process.wait(END_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        self._reader.join()
        process.stdout.close()
        if failure[0] is None:
            assert code == 0, f"{self._command} ended with exit code {code}: {self._complaints()}"

    @property
    def said(self) -> list[Said]:
        """Everything it said so far."""
        with self._news:
            return list(self._said)

    def tell(self, do: str, **more: Any) -> None:
        """Gives it a command."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **more}).encode() + b"\n")
        self._process.stdin.flush()

    def wait(
        self, event: str, where: Callable[[Said], bool] = lambda _: True, *, count: int = 1, after: int = 0
    ) -> list[Said]:
        """The events of this name `where`, once there are `count`, leaving out the first `after` lines that it said.
        AssertionError when they do not come, or when it ends.
        """
        deadline = time.monotonic() + EVENT_S_MAX
        with self._news:
            while True:
                found = [said for said in self._said[after:] if said["event"] == event and where(said)]
                if len(found) >= count:
                    return found
                left_s = deadline - time.monotonic()
                came = f"{len(found)} of {count} {event!r} came; it said {self._said[after:]}"
                assert not self._ended, f"it has ended: {came} {self._complaints()}"
                assert left_s > 0, f"{came} {self._complaints()}"
                self._news.wait(left_s)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said = json.loads(line)
            with self._news:
                self._said.append(said)
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def _complaints(self) -> str:
        return self._errors.read_text(errors="replace")
