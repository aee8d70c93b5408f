"""`message-cancel`: a deferred message is taken back with all its credit, or the documented code says why not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from tests.support.clocked import ClockedServer
from tests.support.customer import Customer, received
from tests.support.receiver import Receiver
from tests.support.wire import Answer
from tests.wire.sms.documented import CANCELLED, MESSAGE_CANCEL, XML_HEAD, XML_TAIL

AT_NINE = {"scheduledDeliveryDate": "05/01/2026", "time": 9, "minute": 0}


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClockedServer]:
    """Its clock is set by every test that uses it."""
    with ClockedServer(tmp_path_factory.mktemp("cancel")) as server:
        yield server


@pytest.fixture
def customer(moved: ClockedServer) -> Customer:
    moved.clock.set("2026-01-05 08:00:00")
    return Customer(moved)


def assert_refused(answer: Answer, code: int, language: str = "fr") -> None:
    status, french, english = MESSAGE_CANCEL[code]
    text = english if language == "en" else french
    assert answer.status == status, answer
    assert answer.text == f'{{"success":false,"code":{code},"message":"{text}"}}'


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_documented_sample_in_json_and_xml(language: str, customer: Customer) -> None:
    text = CANCELLED[language == "en"]
    for format, expected in (
        ("json", f'{{"success":true,"code":200,"message":"{text}"}}'),
        (
            "xml",
            f"{XML_HEAD}<entry>true</entry><entry>200</entry><entry><![CDATA[{text}]]></entry>{XML_TAIL}",
        ),
    ):
        message_id = customer.send(**AT_NINE)["message_id"]
        answer = customer.get("message-cancel", messageId=message_id, _format=format, _lang=language)
        assert (answer.status, answer.headers["content-type"]) == (200, f"application/{format}")
        assert answer.text == expected


def test_all_credit_comes_back_and_nothing_leaves(customer: Customer, moved: ClockedServer) -> None:
    phones = ("+33680000001", "+33680000002")
    message_id = customer.send(phoneNumbers=",".join(phones), message="x" * 161, **AT_NINE)["message_id"]
    assert (customer.balance, customer.to_send) == ("99.848", 2)
    assert customer.get("message-cancel", messageId=message_id).json["code"] == 200
    assert (customer.balance, customer.to_send) == ("100.000", 0)
    moved.clock.set("2026-01-05 09:00:00")
    later = customer.send(phoneNumbers="+33680000003")["message_id"]
    moved.until(lambda: customer.statut(later, "+33680000003") == "Delivered", "another one is delivered")
    for phone in phones:
        status = customer.status(message_id, phone)
        assert (status["statut"], status["cost"]) == ("Not delivered", 0)
        assert received(moved, phone) == []


def test_the_end_of_every_recipient_is_reported(customer: Customer) -> None:
    with Receiver() as receiver:
        phones = ("+33680000011", "+33680000012")
        url = receiver.url("/dlr?a=b")
        message_id = customer.send(phoneNumbers=",".join(phones), tag="promo", urlDlr=url, **AT_NINE)[
            "message_id"
        ]
        assert customer.get("message-cancel", messageId=message_id).json["code"] == 200
        reports = sorted((report.json for report in receiver.wait(2)), key=lambda report: report["phone"])
    assert reports == [
        {
            "status": "not delivered",
            "msgId": str(message_id),
            "date": 1767596400,
            "phone": phone,
            "cost": "0",
            "currency": "EUR",
            "tag": "promo",
        }
        for phone in phones
    ]


def forms(server: ClockedServer, customer: Customer, message_id: int) -> dict[str, Callable[[], Answer]]:
    key, path = customer.key, "/sms/v1/message-cancel"
    query = f"apiKey={key}&messageId={message_id}"
    body = f'{{"apiKey":"{key}","messageId":"{message_id}"}}'
    return {
        "GET, query": lambda: server.call(f"{path}?{query}"),
        "GET, path": lambda: server.call(f"{path}/{message_id}?apiKey={key}"),
        "GET, body": lambda: server.call(path, body=body),
        "DELETE, query": lambda: server.call(f"{path}?{query}", method="DELETE"),
        "DELETE, path": lambda: server.call(f"{path}/{message_id}?apiKey={key}", method="DELETE"),
        "DELETE, body": lambda: server.call(path, method="DELETE", body=body),
        "DELETE, path and key in a header": lambda: server.call(
            f"{path}/{message_id}", method="DELETE", headers={"Authorization": f"Bearer {key}"}
        ),
    }


def test_every_form_of_the_call_cancels(customer: Customer, moved: ClockedServer) -> None:
    for name in forms(moved, customer, 0):
        message_id = customer.send(**AT_NINE)["message_id"]
        cancel = forms(moved, customer, message_id)[name]
        assert cancel().json == {"success": True, "code": 200, "message": CANCELLED[0]}, name
        assert cancel().json["code"] == 5, name
    assert customer.balance == "100.000"
    assert moved.post("/sms/v1/message-cancel", {"apiKey": customer.key}).status == 405


@pytest.mark.parametrize("language", ["fr", "en"])
def test_what_cannot_be_cancelled(language: str, customer: Customer, moved: ClockedServer) -> None:
    def cancel(message_id: object, who: Customer = customer, **query: object) -> Answer:
        return who.get("message-cancel", messageId=message_id, _lang=language, **query)

    message_id, at_once = customer.send(**AT_NINE)["message_id"], customer.send()["message_id"]
    now = customer.send(scheduledDeliveryDate="05/01/2026", time=8, minute=0)["message_id"]
    assert_refused(cancel(message_id, apiKey=None), 1, language)
    assert_refused(cancel(message_id, apiKey="nobody"), 10, language)
    assert_refused(cancel(None), 3, language)
    assert_refused(cancel(" "), 3, language)
    for nobody_s in (message_id + 10**6, 0, -1, 2**31, 2**63, 10**30, "abc", "1.5"):
        assert_refused(cancel(nobody_s), 4, language)
    assert_refused(cancel(message_id, Customer(moved)), 4, language)
    assert_refused(cancel(at_once), 7, language)
    assert_refused(cancel(now), 7, language)
    moved.clock.set("2026-01-05 08:55:01")
    assert_refused(cancel(message_id), 6, language)
    moved.clock.set("2026-01-05 08:59:59")
    assert_refused(cancel(message_id), 6, language)
    moved.clock.set("2026-01-05 09:00:00")
    assert_refused(cancel(message_id), 7, language)
    moved.until(lambda: customer.statut(message_id) == "Delivered", "it is delivered")
    assert_refused(cancel(message_id), 7, language)
    for state, code in (("disabled", 20), ("blocked", 30), ("api-denied", 40)):
        customer.set(state=state)
        assert_refused(cancel(message_id), code, language)
    customer.set(state="active", allow_ip="192.0.2.1")
    assert_refused(cancel(message_id), 96, language)
    customer.set(allow_ip="")
    assert customer.balance == "99.886"


def test_five_minutes_before_is_early_enough_and_twice_is_5(customer: Customer, moved: ClockedServer) -> None:
    message_id = customer.send(**AT_NINE)["message_id"]
    moved.clock.set("2026-01-05 08:55:00")
    assert customer.get("message-cancel", messageId=message_id).json["code"] == 200
    assert_refused(customer.get("message-cancel", messageId=message_id), 5)
    moved.clock.set("2026-01-05 09:30:00")
    assert_refused(customer.get("message-cancel", messageId=message_id), 5)


def test_a_message_that_left_before_the_clock_was_put_back_is_7(
    customer: Customer, moved: ClockedServer
) -> None:
    message_id = customer.send(**AT_NINE)["message_id"]
    moved.clock.set("2026-01-05 09:00:00")
    moved.until(lambda: customer.statut(message_id) == "Delivered", "it is delivered")
    moved.clock.set("2026-01-05 08:30:00")
    assert_refused(customer.get("message-cancel", messageId=message_id), 7)
    assert customer.balance == "99.962"


def test_of_many_at_once_one_cancels_and_the_credit_comes_back_once(customer: Customer) -> None:
    message_id = customer.send(**AT_NINE)["message_id"]
    codes: list[int] = []

    def cancel() -> None:
        for _ in range(10):
            codes.append(customer.get("message-cancel", messageId=message_id).json["code"])

    threads = [threading.Thread(target=cancel) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [5] * 99 + [200]
    assert (customer.balance, customer.to_send) == ("100.000", 0)
