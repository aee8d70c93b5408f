"""`GET /v1/message-status`: the documented answer, its errors, and the words for what became of a message."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chappe.administration.commands import PriceSet
from tests.support.clocked import ClockedServer
from tests.support.customer import Customer
from tests.support.wire import Answer
from tests.wire.sms.documented import MESSAGE_STATUS, XML_HEAD, XML_TAIL


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClockedServer]:
    with ClockedServer(tmp_path_factory.mktemp("status")) as server:
        yield server


def test_the_documented_sample_in_json_and_xml(moved: ClockedServer) -> None:
    customer, number = Customer(moved), "0600000001"  # whose phone gets it after two seconds
    moved.ask(PriceSet("sms", "33", "0.041", customer.email))
    moved.clock.set("2026-01-05 08:00:05")
    message_id = customer.send(phoneNumbers=number)["message_id"]
    moved.clock.set("2026-01-05 08:00:07")
    moved.until(lambda: moved.advance_network(2) == 1, "the phone got it")
    moved.until(lambda: customer.statut(message_id, number) == "Delivered", "it is delivered")
    answer = customer.get("message-status", messageId=message_id, phoneNumber=number)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.text == (
        f'{{"success":true,"code":200,"number":"0600000001","messageId":"{message_id}","stopSms":false,'
        '"date":"2026-01-05 08:00:07","statut":"Delivered","cost":0.041,"countryCode":"FR","currency":"EUR"}'
    )
    xml = customer.get("message-status", messageId=message_id, phoneNumber=number, _format="xml")
    assert (xml.status, xml.headers["content-type"]) == (200, "application/xml")
    assert xml.text == (
        f"{XML_HEAD}<entry>true</entry><entry>200</entry><entry><![CDATA[0600000001]]></entry>"
        f"<entry><![CDATA[{message_id}]]></entry><entry>false</entry>"
        "<entry><![CDATA[2026-01-05 08:00:07]]></entry><entry><![CDATA[Delivered]]></entry><entry>0.041</entry>"
        f"<entry><![CDATA[FR]]></entry><entry><![CDATA[EUR]]></entry>{XML_TAIL}"
    )


@pytest.fixture
def sent(customer: Customer) -> int:
    return customer.send(phoneNumbers="0600000000,+4915112345678")["message_id"]


@pytest.mark.parametrize(
    ("asked", "echoed"),
    [
        ("0600000000", "0600000000"),
        ("+33600000000", "+33600000000"),
        ("33600000000", "33600000000"),
        (" 33600000000", "+33600000000"),  # a plus that was sent unencoded
        ("06 00 00 00 00", "06 00 00 00 00"),
        ("+4915112345678", "+4915112345678"),
        (" 4915112345678", "+4915112345678"),
    ],
)
def test_the_number_is_echoed_in_the_form_asked(
    asked: str, echoed: str, sent: int, customer: Customer
) -> None:
    answer = customer.status(sent, asked)
    assert answer["number"] == echoed
    assert answer["countryCode"] == ("DE" if "49" in asked else "FR")
    assert answer["messageId"] == str(sent)


def test_a_body_is_read_too(sent: int, customer: Customer, still: ClockedServer) -> None:
    body = f'{{"apiKey":"{customer.key}","messageId":{sent},"phoneNumber":33600000000}}'
    answer = still.call("/sms/v1/message-status", body=body)
    assert answer.json["number"] == "33600000000"


def assert_refused(answer: Answer, code: int, language: str) -> None:
    status, french, english = MESSAGE_STATUS[code]
    text = english if language == "en" else french
    assert answer.status == status
    assert answer.text == f'{{"success":false,"code":{code},"message":"{text}"}}'


@pytest.mark.parametrize("language", ["fr", "en"])
def test_each_error_has_its_code_and_text(
    language: str, sent: int, customer: Customer, still: ClockedServer
) -> None:
    def ask(**query: object) -> Answer:
        full = {"messageId": sent, "phoneNumber": "0600000000", "_lang": language}
        return customer.get("message-status", **full | query)

    assert_refused(ask(apiKey=None), 1, language)
    assert_refused(ask(apiKey="nobody"), 10, language)
    assert_refused(ask(phoneNumber=None), 2, language)
    assert_refused(ask(phoneNumber=""), 2, language)
    assert_refused(ask(phoneNumber=None, messageId=None), 2, language)
    assert_refused(ask(messageId=None), 3, language)
    assert_refused(ask(messageId=" "), 3, language)
    assert_refused(ask(messageId=sent + 10**6), 4, language)
    assert_refused(ask(phoneNumber="0600000012"), 4, language)
    other = Customer(still)
    foreign = other.get("message-status", messageId=sent, phoneNumber="0600000000", _lang=language)
    assert_refused(foreign, 4, language)
    for state, code in (("disabled", 20), ("blocked", 30), ("api-denied", 40)):
        customer.set(state=state)
        assert_refused(ask(), code, language)
    customer.set(state="active", allow_ip="192.0.2.1")
    assert_refused(ask(), 96, language)


@pytest.mark.parametrize(
    "message_id", ["abc", "-1", "0", "1.5", "9" * 30, "1e3", "0x1", "٣", "[]", "true", "1 2"]
)
def test_what_is_no_id_is_nobody_s_message(message_id: str, customer: Customer) -> None:
    answer = customer.get("message-status", messageId=message_id, phoneNumber="0600000000")
    assert (answer.status, answer.json["code"]) == (404, 4)


@pytest.mark.parametrize("number", ["922264", "abc", "0123456789", "+", "0" * 500, "٠٦٠٠٠٠٠٠٠٠"])
def test_what_is_no_number_of_the_message_is_not_found(number: str, sent: int, customer: Customer) -> None:
    answer = customer.get("message-status", messageId=sent, phoneNumber=number)
    assert (answer.status, answer.json["code"]) == (404, 4)


# The last two digits of a telephone of the built-in network choose what happens to it.
WORDS = {
    "0600000000": ("Delivered", 0.038),
    "0600000002": ("Not delivered", 0.038),
    "0600000003": ("Not delivered", 0.038),
    "0600000005": ("Not delivered", 0),  # refused by the operator: the credit is given back
    "0600000009": ("Delivered", 0.038),
    "0600000010": ("Delivered", 0.038),
    "0600000011": ("Delivered", 0.038),
    "+4915112345678": ("Delivered", 0.08),
}


def test_what_became_of_it_is_delivered_not_delivered_or_waiting(
    customer: Customer, still: ClockedServer
) -> None:
    numbers = ",".join([*WORDS, "0600000004", "0600000008"])
    message_id = customer.send(phoneNumbers=numbers)["message_id"]
    for number, (word, cost) in WORDS.items():
        still.until(
            lambda number=number: customer.statut(message_id, number) != "Waiting", f"{number} is settled"
        )
        status = customer.status(message_id, number)
        assert (status["statut"], status["cost"]) == (word, cost), number
    assert customer.statut(message_id, "0600000004") == "Waiting"
    assert customer.statut(message_id, "0600000008") == "Waiting"


def test_a_number_that_said_stop_since_is_marked(customer: Customer, still: ClockedServer) -> None:
    before = customer.send(phoneNumbers="0600000007,0600000000")["message_id"]
    still.until(lambda: customer.status(before, "0600000007")["stopSms"] is True, "the STOP is known")
    assert customer.status(before, "0600000000")["stopSms"] is False
    still.until(lambda: customer.statut(before, "0600000007") == "Delivered", "it was delivered")
