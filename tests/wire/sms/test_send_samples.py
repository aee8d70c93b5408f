"""The documented sample requests and answers of `POST /v1/send`, in JSON and XML, octet by octet."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

from chappe.administration.commands import PriceSet
from tests.support.clocked import ClockedServer
from tests.support.customer import Customer
from tests.support.wire import Answer
from tests.wire.sms.documented import CONSTRAINTS, SEND, XML_HEAD, XML_TAIL

SEND_PATH = "/sms/v1/send"


@pytest.fixture
def ana(still: ClockedServer) -> Customer:
    """A customer to whom an SMS costs 0.041 euros, as in the documentation's samples."""
    customer = Customer(still)
    still.ask(PriceSet("sms", "33", "0.041", customer.email))
    return customer


def sample_answer(message_id: int, *, sms: int = 1, cost: str = "0.041", date: str = "") -> str:
    scheduled = f',"scheduledDeliveryDate":"{date}"' if date else ""
    return (
        f'{{"success":true,"code":200,"message_id":{message_id},"nb_sms":{sms},"cost":{cost},"currency":"EUR"'
        f'{scheduled},"messageId":{message_id}}}'
    )


def assert_sent(answer: Answer, **more: object) -> None:
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json"), answer
    assert answer.text == sample_answer(answer.json["message_id"], **more)  # type: ignore[arg-type]


def test_the_json_answer_is_the_documented_one_in_the_documented_order(ana: Customer) -> None:
    assert_sent(ana.try_send(sender="Chappe"))


def test_the_xml_answer_is_the_documented_one_by_position(ana: Customer) -> None:
    answer = ana.try_send(_format="xml")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/xml")
    start, end = f"{XML_HEAD}<entry>true</entry><entry>200</entry><entry>", "</entry>"
    message_id = int(answer.text.removeprefix(start).partition(end)[0])
    rest = f"<entry>1</entry><entry>0.041</entry><entry><![CDATA[EUR]]></entry>{XML_TAIL}"
    assert answer.text == f"{start}{message_id}{end}{rest}"
    assert ana.statut(message_id) in ("Waiting", "Delivered")


def test_a_deferred_send_has_its_date_in_the_answer(ana: Customer) -> None:
    when = {"scheduledDeliveryDate": "06/01/2026", "time": 8, "minute": 5}
    assert_sent(ana.try_send(**when), date="2026-01-06 08:05:00")
    xml = ana.try_send(**when, _format="xml")
    assert xml.text.endswith("<entry><![CDATA[2026-01-06 08:05:00]]></entry></result>\n")


EVERYTHING = {
    "phoneNumbers": "0600000000,+33600000012, 33600000013",
    "message": "Bonjour",
    "sender": "Chappe",
    "tag": "promo",
    "scheduledDeliveryDate": "05/01/2026",
    "time": 20,
    "minute": 55,
    "urlResponse": "https://example.fr/reply?a=b",
    "urlDlr": "https://example.fr/dlr?a=b",
    "isStopSms": 1,
    "isUnicode": 1,
    "sandbox": 1,
    "gamme": 1,
    "_format": "json",
    "webhookUrl": "https://example.fr/undocumented",
}


def test_every_documented_parameter_at_once(ana: Customer) -> None:
    assert_sent(ana.try_send(**EVERYTHING), sms=3, cost="0.123", date="2026-01-05 20:55:00")


# --- the same request, as each kind of client puts it on the wire -----------------------------------------

SIMPLE = {"phoneNumbers": "0600000000", "message": "Bonjour", "sender": "Chappe"}
TYPES = (
    None,
    "application/json",
    "application/json; charset=utf-8",
    "application/x-www-form-urlencoded",
    "text/plain",
)


@pytest.mark.parametrize("content_type", TYPES, ids=str)
def test_json_is_read_whatever_its_content_type(content_type: str | None, ana: Customer) -> None:
    assert_sent(ana.try_send({"Content-Type": content_type} if content_type else {}, **SIMPLE))


def test_the_key_may_stand_in_the_query(ana: Customer, still: ClockedServer) -> None:
    for target in (f"{SEND_PATH}?apiKey={ana.key}", f"{SEND_PATH}/?apiKey={ana.key}&_format=json"):
        assert_sent(still.post(target, SIMPLE))


def test_the_key_may_stand_in_a_header(ana: Customer, still: ClockedServer) -> None:
    assert_sent(still.post(SEND_PATH, SIMPLE, {"Authorization": f"Bearer {ana.key}"}))
    assert_sent(still.post(SEND_PATH, SIMPLE, {"X-Api-Key": ana.key}))


def test_a_form_is_read(ana: Customer, still: ClockedServer) -> None:
    body = urlencode({"apiKey": ana.key, **SIMPLE})
    assert_sent(still.call(SEND_PATH, method="POST", body=body))


def test_a_form_with_an_array_is_read(ana: Customer, still: ClockedServer) -> None:
    body = f"apiKey={ana.key}&message=Bonjour&phoneNumbers[]=0600000000&phoneNumbers[]=%2B33600000012"
    assert_sent(still.call(SEND_PATH, method="POST", body=body), sms=2, cost="0.082")


def test_xml_is_read(ana: Customer, still: ClockedServer) -> None:
    inside = f"<apiKey>{ana.key}</apiKey>" + "".join(f"<{n}>{v}</{n}>" for n, v in SIMPLE.items())
    assert_sent(still.call(SEND_PATH, method="POST", body=f"<sms>{inside}</sms>"))
    answer = still.call(SEND_PATH, method="POST", body=f"<sms>{inside}<_format>xml</_format></sms>")
    assert answer.text.startswith(f"{XML_HEAD}<entry>true</entry>")


def test_names_are_read_without_regard_to_case(ana: Customer, still: ClockedServer) -> None:
    # The Go SDK sends capitalised names, the French page capitalises `Message` in its table.
    body = {"APIKey": ana.key, "PhoneNumbers": "0600000000", "Message": "Bonjour", "Sender": "Chappe"}
    assert_sent(still.post(SEND_PATH, body))


@pytest.mark.parametrize(
    "numbers",
    [
        "0600000000,+33600000012",
        "0600000000, +33600000012",
        "33600000000,0033600000012",
        "06 00 00 00 00 , 06.00.00.00.12",
        "06-00-00-00-00,+33 6 00 00 00 12,",
        ["0600000000", "+33600000012"],
        [33600000000, "0600000012"],
        "0600000000,+33600000012,0600000000",
    ],
    ids=str,
)
def test_numbers_come_as_a_comma_list_or_an_array_in_every_spelling(numbers: object, ana: Customer) -> None:
    answer = ana.send(phoneNumbers=numbers)
    assert (answer["nb_sms"], answer["cost"]) == (2, 0.082)
    statuses = ana.get("bulk-status", messageId=answer["message_id"]).json["StatutResponse_List"]
    assert [each["phoneNumber"] for each in statuses] == ["+33600000000", "+33600000012"]


@pytest.mark.parametrize("yes", [1, "1", True, "true"], ids=repr)
def test_flags_are_read_as_clients_write_them(yes: object, ana: Customer) -> None:
    before = ana.balance
    assert ana.send(sandbox=yes, isStopSms=yes, isUnicode=yes, message="é" * 60)["nb_sms"] == 2  # 60 + 14
    assert ana.balance == before


@pytest.mark.parametrize("no", [0, "0", False, "false", None, ""], ids=repr)
def test_flags_that_say_no_are_off(no: object, ana: Customer) -> None:
    before = float(ana.balance)
    assert ana.send(sandbox=no, isStopSms=no, isUnicode=no, message="é" * 150)["nb_sms"] == 1
    assert float(ana.balance) == pytest.approx(before - 0.041)


@pytest.mark.parametrize("premium", [1, "1", 3, None, "", "nonsense"], ids=repr)
def test_every_range_but_2_is_premium(premium: object, ana: Customer) -> None:
    assert ana.send(gamme=premium)["cost"] == 0.041


@pytest.mark.parametrize("low_cost", [2, "2", 2.0], ids=repr)
def test_range_2_is_low_cost(low_cost: object, ana: Customer) -> None:
    assert ana.send(gamme=low_cost)["cost"] == 0.023


def test_null_and_blank_optional_parameters_are_absent(ana: Customer, still: ClockedServer) -> None:
    optional = set(EVERYTHING) - {"phoneNumbers", "message"}
    for nothing in (None, "", " "):
        body = {"apiKey": ana.key, "phoneNumbers": "0600000000", "message": "Bonjour"}
        assert_sent(still.post(SEND_PATH, body | dict.fromkeys(optional, nothing)))


# --- the documented sample of an error --------------------------------------------------------------------

ALL_WRONG = {
    "phoneNumbers": "922264",
    "message": "",
    "sender": "TwelveLetter",
    "scheduledDeliveryDate": "21/11/2014",
}


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_documented_list_of_constraints(language: str, ana: Customer) -> None:
    answer = ana.try_send({"Accept-Language": language}, **ALL_WRONG)
    column = ("fr", "en").index(language)
    items = [
        {"elementId": f"children[{field}].data", "message": texts[column], "code": "9"}
        for field, texts in CONSTRAINTS.items()
    ]
    expected = {"success": False, "code": 9, "message": SEND[9][1 + column], "errors": items, "error": items}
    assert answer.status == 400
    assert answer.text == json.dumps(expected, ensure_ascii=False, separators=(",", ":"))


def test_the_documented_list_of_constraints_in_xml(ana: Customer) -> None:
    answer = ana.try_send(**ALL_WRONG, _format="xml")
    items = "".join(
        f"<entry><entry>children[{field}].data</entry><entry>{french}</entry></entry>"
        for field, (french, _) in CONSTRAINTS.items()
    )
    assert (answer.status, answer.headers["content-type"]) == (400, "application/xml")
    assert answer.text == f"{XML_HEAD}<entry>false</entry><entry>9</entry><entry>{items}</entry>{XML_TAIL}"
