"""A customer whose address never answers has 200 reports waiting; those of another customer arrive at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.behaviours.callbacks import callback_server, send
from tests.support.receiver import Receiver

pytestmark = pytest.mark.usefixtures("either_database")


def test_the_others_go_on(tmp_path: Path) -> None:
    with Receiver(hanging=("/dead",)) as receiver, callback_server(tmp_path) as server:
        dead = server.create_account("dead@example.fr")["apiKey"]
        alive = server.create_account("alive@example.fr")["apiKey"]
        numbers = ",".join(f"06000{n:05}" for n in range(1_000, 1_200))
        send(server, dead, numbers, sandbox=1, urlDlr=receiver.url("/dead"))
        receiver.wait(4, lambda request: request.path == "/dead")
        send(server, alive, numbers, sandbox=1, urlDlr=receiver.url("/alive"))
        receiver.wait(200, lambda request: request.path == "/alive")
        # And the same customer's other address is not held up either.
        send(server, dead, numbers, sandbox=1, urlDlr=receiver.url("/other"))
        receiver.wait(200, lambda request: request.path == "/other")
        stuck = [request for request in receiver.requests if request.path == "/dead"]
        assert len(stuck) < 200, "the dead address is still at its first attempts"
