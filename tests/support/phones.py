"""The simulator of a running server, as programs see it: its SMSC's port and its phones over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.support.server import ChappeServer

REQUEST_S_MAX = 30


class Phones:
    """`server` is started, and its SMS go to the simulator."""

    def __init__(self, server: ChappeServer) -> None:
        self.server = server
        self.port: int = self.get("info")["smpp_port"]

    def get(self, path: str) -> Any:
        answer = requests.get(f"{self.server.base_url}/simulator/{path}", timeout=REQUEST_S_MAX)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any) -> Any:
        url = f"{self.server.base_url}/simulator/{path}"
        answer = requests.post(url, json=body, timeout=REQUEST_S_MAX)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def screen(self, number: str) -> list[dict[str, Any]]:
        """What stands on a phone, the newest last."""
        return self.get(f"phones/{number}/messages")

    def reply(self, number: str, text: str) -> None:
        """Types a text on a phone, to whoever sent it the last message."""
        self.post(f"phones/{number}/reply", {"text": text})

    def binds(self) -> list[str]:
        """The states of the binds of other programs, sorted."""
        return sorted(each["state"] for each in self.get("info")["binds"] if each["system_id"] == "sim")


@contextmanager
def simulated_server(directory: Path) -> Iterator[Phones]:
    """A server whose simulator listens on a free port."""
    server = ChappeServer(directory / "server", rate_limits=False)
    (server.data / "chappe.toml").write_text("[simulator]\nsmpp_port = 0\nsip_port = 0\n")
    with server:
        yield Phones(server)
    server.assert_no_traceback()
