"""`chappe check` ends with 1 and names the row, for each of the six invariants, with and without a running server."""

from __future__ import annotations

from pathlib import Path

from tests.behaviours.callbacks import callback_server, events, send, until
from tests.support.customer import status_words
from tests.support.receiver import Receiver

PHONE = "+33600000099"


def test_each_invariant(tmp_path: Path, either_database: str) -> None:
    with Receiver() as receiver, callback_server(tmp_path) as server:
        key = server.create_account("ana@example.fr")["apiKey"]
        message_id = send(server, key, PHONE, urlDlr=receiver.url())
        receiver.wait()
        until(lambda: events(server, "--state", "delivered") != [], "the report is on record as delivered")
        assert status_words(server.base_url, key, message_id) == {PHONE: "Delivered"}
        assert server.run("check") == "every invariant holds\n"
        event_id = events(server)[0]["id"]
        server.stop()
        assert server.run("check") == "every invariant holds\n"
        digits, recipient = PHONE[1:], f"message_id = {message_id}"
        corruptions = {
            "UPDATE accounts SET balance_micro = balance_micro + 1": (
                "invariant 1: account 1 (ana@example.fr) has balance 99.962001"
                " but its ledger entries add up to 99.962"
            ),
            f"UPDATE messages SET recipient_count = 2 WHERE id = {message_id}": (
                f"invariant 2: message {message_id} says 2 recipients for 0.038 but has 1 for 0.038"
            ),
            f"UPDATE recipients SET state = 30 WHERE {recipient}": (
                f"invariant 3: recipient {digits} of message {message_id} has state 30"
                " although a receipt said delivered"
            ),
            "INSERT INTO optouts (account_id, number, id, source, created_at_ms)"
            f" VALUES (1, {digits}, 1, 'api', 1)": (
                f"invariant 4: message {message_id} left for {digits} after that number opted out"
            ),
            f"UPDATE events SET last_result = '' WHERE id = {event_id}": (
                f"invariant 5: event {event_id} of account 1 was tried and does not say what came of it"
                " (attempts: 1)"
            ),
            "INSERT INTO optouts (account_id, number, id, source, created_at_ms)"
            " VALUES (99, 33600000098, 2, 'api', 1)": (
                "invariant 6: an opt-out belongs to account 99, which does not exist"
            ),
        }
        for statement in corruptions:
            server.execute(statement)
        found = server.run("check", exit_code=1).splitlines()
        assert sorted(found) == sorted(corruptions.values())
        server.start()
        assert sorted(server.run("check", exit_code=1).splitlines()) == sorted(found)
