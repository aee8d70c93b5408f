"""`Idempotency-Key`: a repeated send is answered the same octets, and neither sent nor debited again."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator

import pytest

from tests.support.clocked import ClockedServer
from tests.support.customer import Customer, received
from tests.support.wire import Answer, Connection, head

ONE = {"Idempotency-Key": "order-1"}


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClockedServer]:
    with ClockedServer(tmp_path_factory.mktemp("idempotency")) as server:
        yield server


@pytest.fixture
def customer(moved: ClockedServer) -> Customer:
    return Customer(moved)


def test_the_same_request_is_answered_the_same_and_done_once(
    customer: Customer, moved: ClockedServer
) -> None:
    phone = "+33670000001"
    first = customer.try_send(ONE, phoneNumbers=f"{phone},922264")
    again = [customer.try_send(ONE, phoneNumbers=f"{phone},922264") for _ in range(3)]
    assert first.status == 200
    for answer in again:
        assert (answer.status, answer.body) == (200, first.body)
        assert answer.headers["content-type"] == first.headers["content-type"]
    assert customer.balance == "99.962"
    message_id = first.json["message_id"]
    moved.until(lambda: customer.statut(message_id, phone) == "Delivered", "it is delivered")
    assert len(received(moved, phone)) == 1


def test_xml_is_remembered_as_xml(customer: Customer) -> None:
    first, again = (customer.try_send(ONE, _format="xml") for _ in range(2))
    assert again.headers["content-type"] == "application/xml"
    assert again.body == first.body


def test_another_request_under_the_same_key_is_409(customer: Customer) -> None:
    customer.try_send(ONE)
    other = customer.try_send(ONE, message="Bonsoir")
    assert (other.status, other.json["code"], other.json["success"]) == (409, 409, False)
    assert customer.balance == "99.962"


def test_another_key_another_account_and_no_key_are_other_requests(
    customer: Customer, moved: ClockedServer
) -> None:
    answers = [customer.try_send(ONE), customer.try_send({"Idempotency-Key": "order-2"}), customer.try_send()]
    answers.append(Customer(moved).try_send(ONE))
    assert len({answer.json["message_id"] for answer in answers}) == 4


def test_a_refusal_is_remembered_too(customer: Customer) -> None:
    refused = customer.try_send(ONE, message="")
    assert (refused.status, refused.json["code"]) == (400, 9)
    assert customer.try_send(ONE, message="").body == refused.body
    assert customer.try_send(ONE).status == 409


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "a\tb"], ids=ascii)
def test_a_key_that_is_none_is_400_and_nothing_is_sent(key: str, customer: Customer) -> None:
    answer = customer.try_send({"Idempotency-Key": key})
    assert (answer.status, answer.json["code"]) == (400, 400)
    assert customer.balance == "100.000"


def test_a_get_takes_no_notice_of_it(customer: Customer) -> None:
    message_id = customer.send()["message_id"]
    for _ in range(2):
        assert customer.get("bulk-status", ONE, messageId=message_id).status == 200
    assert customer.get("me", ONE).status == 200


def test_a_request_that_is_still_in_progress_is_409_and_then_answered(
    customer: Customer, moved: ClockedServer
) -> None:
    # Another process holds the database: whichever of these comes first waits for it.
    other = sqlite3.connect(moved.data / "chappe.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    answers: list[Answer] = []
    threads = [threading.Thread(target=lambda: answers.append(customer.try_send(ONE))) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        moved.until(lambda: len(answers) == 2, "the others are answered")
    finally:
        other.execute("ROLLBACK")
        other.close()
        for thread in threads:
            thread.join()
    for meanwhile in answers[:2]:
        assert (meanwhile.status, meanwhile.json["code"]) == (409, 409)
        assert meanwhile.headers["retry-after"] == "1"
    assert answers[2].status == 200
    assert customer.try_send(ONE).body == answers[2].body
    assert customer.balance == "99.962"


def test_a_client_that_left_before_its_answer_gets_it_when_it_asks_again(
    customer: Customer, moved: ClockedServer
) -> None:
    body = f'{{"apiKey":"{customer.key}","phoneNumbers":"0600000000","message":"Bonjour"}}'
    headers = ONE | {"Content-Length": str(len(body))}
    with Connection(moved.base_url) as connection:
        connection.send(head("POST", "/sms/v1/send", headers) + body.encode())
    moved.until(lambda: customer.balance == "99.962", "it is accepted")
    again = moved.call("/sms/v1/send", method="POST", body=body, headers=ONE)
    assert again.status == 200
    assert customer.balance == "99.962"
    assert customer.status(again.json["message_id"])["success"] is True


def test_an_answer_is_remembered_for_24_hours(customer: Customer, moved: ClockedServer) -> None:
    first = customer.try_send(ONE)
    moved.clock.advance(24 * 3600 - 1)
    moved.stop()
    moved.start()  # which sweeps
    assert customer.try_send(ONE).body == first.body
    moved.clock.advance(2)
    moved.stop()
    moved.start()
    moved.until(lambda: customer.try_send(ONE).body != first.body, "it is forgotten")
    assert customer.balance == "99.924"


def test_a_thousand_repeats_at_once_send_once(customer: Customer, moved: ClockedServer) -> None:
    answers: list[Answer] = []

    def repeat() -> None:
        for _ in range(50):
            answers.append(customer.try_send(ONE))

    threads = [threading.Thread(target=repeat) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 1000
    assert {answer.status for answer in answers} <= {200, 409}
    assert len({answer.body for answer in answers if answer.status == 200}) == 1
    assert customer.balance == "99.962"
