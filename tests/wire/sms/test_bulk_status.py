"""`GET /v1/bulk-status`: every number of a message in the documented form, and the page's errors."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.clocked import ClockedServer
from tests.support.customer import Customer
from tests.support.wire import Answer
from tests.wire.sms.documented import BULK_STATUS, XML_HEAD, XML_TAIL


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClockedServer]:
    with ClockedServer(tmp_path_factory.mktemp("bulk")) as server:
        yield server


def test_the_documented_sample_in_json_and_xml(moved: ClockedServer) -> None:
    customer, number = Customer(moved), "+33600000001"  # whose phone gets it after two seconds
    moved.clock.set("2026-01-05 08:00:05")
    message_id = customer.send(phoneNumbers=number)["message_id"]
    moved.clock.set("2026-01-05 08:00:07")
    moved.until(lambda: moved.advance_network(2) == 1, "the phone got it")
    moved.until(lambda: customer.statut(message_id, number) == "Delivered", "it is delivered")
    answer = customer.get("bulk-status", messageId=message_id)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.text == (
        f'{{"success":true,"code":200,"message_id":"{message_id}","StatutResponse_List":['
        '{"phoneNumber":"+33600000001","status":"Delivered","stopSMS":false,"date":"1767596407"}]}'
    )
    xml = customer.get("bulk-status", messageId=message_id, _format="xml")
    assert (xml.status, xml.headers["content-type"]) == (200, "application/xml")
    assert xml.text == (
        f"{XML_HEAD}<entry>true</entry><entry>200</entry><entry><![CDATA[{message_id}]]></entry>"
        "<entry><entry><entry><![CDATA[+33600000001]]></entry><entry><![CDATA[Delivered]]></entry>"
        f"<entry>false</entry><entry><![CDATA[1767596407]]></entry></entry></entry>{XML_TAIL}"
    )


def test_every_number_that_was_accepted_is_there_at_once(customer: Customer) -> None:
    numbers = [f"+336{n:08}" for n in range(30_000_000, 30_000_498)]
    given = [*numbers[:250], "922264", *numbers[250:498], numbers[0]]
    message_id = customer.send(phoneNumbers=given)["message_id"]
    found = customer.get("bulk-status", messageId=message_id).json["StatutResponse_List"]
    assert [each["phoneNumber"] for each in found] == numbers[:498]
    assert all(list(each) == ["phoneNumber", "status", "stopSMS", "date"] for each in found)
    assert {each["date"] for each in found} == {"1767596400"}
    assert {each["status"] for each in found} <= {"Waiting", "Delivered"}


def test_a_number_that_said_stop_since_is_marked(customer: Customer, still: ClockedServer) -> None:
    message_id = customer.send(phoneNumbers="0600000007,0600000000")["message_id"]

    def stopped() -> list[str]:
        found = customer.get("bulk-status", messageId=message_id).json["StatutResponse_List"]
        return [each["phoneNumber"] for each in found if each["stopSMS"] is True]

    still.until(lambda: stopped() == ["+33600000007"], "the STOP is known")


@pytest.mark.parametrize("language", ["fr", "en"])
def test_each_error_has_its_code_and_text(language: str, customer: Customer, still: ClockedServer) -> None:
    message_id = customer.send()["message_id"]

    def ask(who: Customer = customer, **query: object) -> Answer:
        return who.get("bulk-status", **{"messageId": message_id, "_lang": language} | query)

    def assert_refused(answer: Answer, code: int) -> None:
        status, french, english = BULK_STATUS[code]
        text = english if language == "en" else french
        assert answer.status == status
        assert answer.text == f'{{"success":false,"code":{code},"message":"{text}"}}'

    assert_refused(ask(apiKey=None), 1)
    assert_refused(ask(apiKey="nobody"), 10)
    assert_refused(ask(messageId=None), 3)
    assert_refused(ask(messageId=""), 3)
    for nobody_s in (message_id + 10**6, 0, -1, 2**31, 2**63, 10**30, "abc", "1.5"):
        assert_refused(ask(messageId=nobody_s), 4)
    assert_refused(ask(Customer(still)), 4)
    for state, code in (("disabled", 20), ("blocked", 30), ("api-denied", 40)):
        customer.set(state=state)
        assert_refused(ask(), code)
    customer.set(state="active", allow_ip="192.0.2.1")
    assert_refused(ask(), 96)
