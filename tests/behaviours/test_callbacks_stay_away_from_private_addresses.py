"""Without leave of the configuration no callback goes to a private address; it is listed with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.behaviours.callbacks import callback_server, events, send, until
from tests.support.receiver import Receiver

HOSTS = ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0.0.0.0")

pytestmark = pytest.mark.usefixtures("either_database")


def test_loopback_is_not_called_however_it_is_spelled(tmp_path: Path) -> None:
    with Receiver() as receiver, callback_server(tmp_path, allow="192.0.2.0/24") as server:
        key = server.create_account("ana@example.fr")["apiKey"]
        for host in HOSTS:
            url = receiver.url("/dlr?secret=1").replace("127.0.0.1", host)
            send(server, key, "0600000199", sandbox=1, urlDlr=url)
        until(lambda: sum(event["attempts"] > 0 for event in events(server)) == len(HOSTS), "each is tried")
        for event in events(server):
            assert event["state"] == "pending"
            assert "not public" in event["lastResult"] or "not a usable" in event["lastResult"]
        assert receiver.requests == []
        assert "secret=1" not in server.stderr
        assert "callback_allow" in server.stderr
        server.assert_no_traceback()
