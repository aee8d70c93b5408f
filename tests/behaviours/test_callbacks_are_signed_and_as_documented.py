"""A delivery report and a reply come as POST with the documented JSON, and a signature that a receiver can verify."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from chappe import __version__
from tests.behaviours.callbacks import callback_server, events, secret, send, until
from tests.support.receiver import Receiver

pytestmark = pytest.mark.usefixtures("either_database")


def test_a_delivery_report(tmp_path: Path) -> None:
    with Receiver() as receiver, callback_server(tmp_path) as server:
        key = server.create_account("ana@example.fr")["apiKey"]
        url = receiver.url("/dlr?secret=a+b%20c")
        message_id = send(server, key, "0600000099", sandbox=1, urlDlr=url, tag="promo")
        (report,) = receiver.wait()
        assert list(report.json) == ["status", "msgId", "date", "phone", "cost", "currency", "tag"]
        assert abs(report.json["date"] - time.time()) < 60
        assert report.json | {"date": 0} == {
            "status": "delivered",
            "msgId": str(message_id),
            "date": 0,
            "phone": "+33600000099",
            "cost": "0.038",
            "currency": "EUR",
            "tag": "promo",
        }
        assert report.path == "/dlr?secret=a+b%20c"
        assert report.headers["content-type"] == "application/json"
        assert report.headers["user-agent"] == f"Chappe/{__version__}"
        assert report.is_signed_with(secret(server, "ana@example.fr"))
        until(lambda: events(server, "--state", "delivered") != [], "the event is on record as delivered")
        (event,) = events(server)
        assert (event["url"], event["attempts"], event["lastResult"]) == (url, 1, "HTTP 200")
        assert "every invariant holds" in server.run("check")
        server.assert_no_traceback()


@pytest.mark.parametrize(
    ("number", "kind", "text"), [("0600000006", "response", "Oui"), ("0600000007", "stop", "STOP")]
)
def test_a_reply(tmp_path: Path, number: str, kind: str, text: str) -> None:
    with Receiver() as receiver, callback_server(tmp_path) as server:
        key = server.create_account("ana@example.fr")["apiKey"]
        message_id = send(server, key, number, urlResponse=receiver.url("/reply"))
        (reply,) = receiver.wait()
        assert list(reply.json.items()) == [
            ("type", kind),
            ("phone_number", f"+33{number[1:]}"),
            ("text", text),
            ("message_id", message_id),
        ]
        assert reply.is_signed_with(secret(server, "ana@example.fr"))
