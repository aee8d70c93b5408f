"""Exhausted callbacks are listed, and arrive after `chappe webhook replay`, with and without a running server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.behaviours.callbacks import callback_server, events, send, until
from tests.support.receiver import Receiver
from tests.support.server import ChappeServer

pytestmark = pytest.mark.usefixtures("either_database")


def exhausted(server: ChappeServer, url: str, count: int) -> list[int]:
    """A stopped server with `count` exhausted events: their 27 hours are over by way of the database."""
    with server:
        key = server.create_account("ana@example.fr")["apiKey"]
        for n in range(count):
            send(server, key, f"06000001{n:02}", sandbox=1, urlDlr=url)
        until(lambda: len(events(server)) == count, "every report is queued")
    server.execute(
        "UPDATE events SET state = 'exhausted', attempts = 8, last_result = 'HTTP 500', settled_at_ms = created_at_ms"
    )
    listed = events(server, "--state", "exhausted")
    assert len(listed) == count
    return [event["id"] for event in listed]


def test_one_is_replayed_in_a_running_server_and_all_the_others_without_one(tmp_path: Path) -> None:
    with Receiver() as receiver:
        server = callback_server(tmp_path)
        last, *others = exhausted(server, receiver.url(), 5)
        before = len(receiver.requests)
        with server:
            assert json.loads(server.run("webhook", "replay", str(last), "--json")) == {"replayed": 1}
            (replayed,) = receiver.wait(before + 1)[before:]
            assert replayed.headers["webhook-id"] == f"evt_{last}"
        assert [event["id"] for event in events(server, "--state", "exhausted")] == others
        assert json.loads(server.run("webhook", "replay", "--all-exhausted", "--json")) == {"replayed": 4}
        assert events(server, "--state", "exhausted") == []
        with server:
            arrived = receiver.wait(before + 5)[before + 1 :]
            assert {request.headers["webhook-id"] for request in arrived} == {f"evt_{n}" for n in others}
            until(lambda: len(events(server, "--state", "delivered")) == 5, "all are delivered")
            assert "every invariant holds" in server.run("check")
        server.assert_no_traceback()


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        (("replay", "12345"), 1),
        (("replay", "99999999999999999999999"), 1),
        (("replay",), 2),
        (("replay", "1", "--all-exhausted"), 2),
        (("replay", "x"), 2),
        (("list", "--limit", "0"), 1),
        (("list", "--state", "lost"), 2),
    ],
)
def test_what_cannot_be_done_is_refused(tmp_path: Path, arguments: tuple[str, ...], exit_code: int) -> None:
    callback_server(tmp_path).run("webhook", *arguments, exit_code=exit_code)
