"""kill -9 while callbacks hang, fail or wait: after the restart each one arrives."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.behaviours.callbacks import callback_server, events, send, until
from tests.support.receiver import Receiver

pytestmark = pytest.mark.usefixtures("either_database")


def test_nothing_is_lost_at_a_kill(tmp_path: Path) -> None:
    with Receiver(hanging=("/dlr",)) as receiver:
        server = callback_server(tmp_path)
        with server:
            key = server.create_account("ana@example.fr")["apiKey"]
            sent = {
                str(send(server, key, f"06000001{n:02}", sandbox=1, urlDlr=receiver.url())) for n in range(20)
            }
            receiver.wait()
            # Some are under way, the others wait behind them: the receiver answers none.
            until(lambda: len(events(server, "--state", "pending")) == 20, "every report is queued")
            server.kill()
        first = len(receiver.requests)
        receiver.hanging.clear()
        with server:
            reports = receiver.wait(first + 20)[first:]
            assert {report.json["msgId"] for report in reports} == sent
            until(lambda: len(events(server, "--state", "delivered")) == 20, "every report is delivered")
            assert "every invariant holds" in server.run("check")
            # What was under way at the kill came twice, with the same id both times.
            again = {report.headers["webhook-id"] for report in receiver.requests[:first]}
            assert again <= {report.headers["webhook-id"] for report in reports}
        server.assert_no_traceback()


def test_a_stop_waits_for_no_receiver(tmp_path: Path) -> None:
    with Receiver(hanging=("/dlr",)) as receiver:
        server = callback_server(tmp_path)
        with server:
            key = server.create_account("ana@example.fr")["apiKey"]
            send(server, key, "0600000199", sandbox=1, urlDlr=receiver.url())
            receiver.wait()
            server.stop()
        (event,) = events(server)
        assert (event["state"], event["attempts"]) == ("pending", 0)
        server.assert_no_traceback()


def test_a_failed_callback_is_tried_again_after_five_seconds(tmp_path: Path) -> None:
    with Receiver(status=500) as receiver, callback_server(tmp_path) as server:
        key = server.create_account("ana@example.fr")["apiKey"]
        send(server, key, "0600000199", sandbox=1, urlDlr=receiver.url())
        receiver.wait()
        receiver.status = 200
        first, second = receiver.wait(2)
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        assert first.body == second.body
        waited_s = int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"])
        assert waited_s >= 5
