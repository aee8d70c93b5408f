"""`sandbox`: priced and answered as a real send; nothing leaves, nothing is debited, and it is forgotten in a day."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.clocked import ClockedServer
from tests.support.customer import Customer, received
from tests.support.receiver import Receiver


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClockedServer]:
    with ClockedServer(tmp_path_factory.mktemp("sandbox")) as server:
        yield server


def test_it_is_answered_as_a_real_send_and_delivered_after_a_second(moved: ClockedServer) -> None:
    customer, phone = Customer(moved), "+33660000001"
    with Receiver() as receiver:
        answer = customer.send(
            phoneNumbers=f"{phone},922264",
            message="x" * 161,
            sandbox=1,
            urlDlr=receiver.url("/dlr?a=b"),
            tag="promo",
        )
        assert list(answer) == [
            *("success", "code", "message_id", "nb_sms", "cost", "currency", "errors", "error", "messageId")
        ]
        assert (answer["nb_sms"], answer["cost"]) == (2, 0.076)
        assert customer.statut(answer["message_id"], phone) == "Waiting"
        moved.clock.advance(1)
        (report,) = receiver.wait()
    assert list(report.json.items()) == [
        ("status", "delivered"),
        ("msgId", str(answer["message_id"])),
        ("date", moved.clock.now_ms() // 1000),
        ("phone", phone),
        ("cost", "0.076"),
        ("currency", "EUR"),
        ("tag", "promo"),
    ]
    status = customer.status(answer["message_id"], phone)
    assert (status["statut"], status["cost"]) == ("Delivered", 0.076)
    assert (customer.balance, customer.to_send, received(moved, phone)) == ("100.000", 0, [])


def test_it_needs_no_credit(moved: ClockedServer) -> None:
    customer = Customer(moved, credit="0")
    assert customer.send(sandbox=1)["cost"] == 0.038
    assert customer.try_send().json["code"] == 11


def test_every_check_is_made_all_the_same(moved: ClockedServer) -> None:
    customer = Customer(moved)
    assert customer.try_send(sandbox=1, message="").json["code"] == 9
    assert customer.try_send(sandbox=1, message="x" * 1531).json["code"] == 52
    customer.opt_out()
    assert customer.try_send(sandbox=1, phoneNumbers="0600000007").json["code"] == 14


def test_a_deferred_one_waits_for_its_date_and_can_be_cancelled(moved: ClockedServer) -> None:
    customer = Customer(moved)
    moved.clock.set("2026-01-07 08:00:00")
    date = {"scheduledDeliveryDate": "07/01/2026", "time": 9, "minute": 0}
    kept, cancelled = (customer.send(sandbox=1, **date)["message_id"] for _ in range(2))
    assert customer.get("message-cancel", messageId=cancelled).json["code"] == 200
    assert customer.get("message-cancel", messageId=cancelled).json["code"] == 5
    moved.clock.set("2026-01-07 09:00:01")
    moved.until(lambda: customer.statut(kept) == "Delivered", "it is delivered")
    assert customer.get("message-cancel", messageId=kept).json["code"] == 7
    assert (customer.statut(cancelled), customer.balance) == ("Not delivered", "100.000")


def test_it_is_forgotten_after_24_hours(moved: ClockedServer) -> None:
    customer = Customer(moved)
    message_id = customer.send(sandbox=1)["message_id"]
    real = customer.send(phoneNumbers="+33660000002")["message_id"]
    moved.clock.advance(2)
    moved.until(lambda: customer.statut(message_id) == "Delivered", "it is delivered")
    moved.clock.advance(24 * 3600)
    moved.stop()
    moved.start()  # which sweeps
    moved.until(
        lambda: customer.get("bulk-status", messageId=message_id).json["code"] == 4, "it is forgotten"
    )
    assert customer.statut(real, "+33660000002") == "Delivered"
