"""What the tests of callbacks share: a server that may call back to loopback, and sends that have a callback."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

from tests.support.server import ChappeServer

UNTIL_S_MAX = 20.0


def callback_server(directory: Path, allow: str = "127.0.0.0/8,::1/128") -> ChappeServer:
    """Not started. `allow` are the networks beside the public ones that callbacks may go to."""
    return ChappeServer(directory, environment={"CHAPPE_CALLBACK_ALLOW": allow}, rate_limits=False)


def send(server: ChappeServer, key: str, number: str, **more: Any) -> int:
    """Sends an SMS; gives its message_id. `sandbox=1` needs no network: it is delivered after a second."""
    body = {"apiKey": key, "phoneNumbers": number, "message": "Bonjour", "sender": "Chappe", **more}
    answer = requests.post(f"{server.base_url}/sms/v1/send", json=body, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()["message_id"]


def events(server: ChappeServer, *flags: str) -> list[dict[str, Any]]:
    """What `chappe webhook list` shows, newest first."""
    return json.loads(server.run("webhook", "list", "--json", *flags))["events"]


def secret(server: ChappeServer, email: str) -> str:
    """The secret that the account's callbacks are signed with."""
    return json.loads(server.run("account", "show", email, "--key", "--json"))["webhookSecret"]


def until(condition: Callable[[], bool], what: str) -> None:
    """AssertionError unless `condition` comes true; for what can only be asked, not waited for."""
    deadline = time.monotonic() + UNTIL_S_MAX
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {UNTIL_S_MAX} s"
        time.sleep(0.05)
