"""The numbers of a send: the good ones are sent, each bad one is named with its code and costs nothing."""

from __future__ import annotations

from typing import Any

from tests.support.clocked import ClockedServer
from tests.support.customer import Customer
from tests.wire.sms.documented import CONSTRAINTS, NOT_MOBILE, SEND, XML_HEAD, XML_TAIL

INVALID = CONSTRAINTS["phoneNumbers"][0].replace("922264", "{}")


def item(number: str, code: int, text: str | None = None) -> dict[str, str]:
    return {"phoneNumber": number, "code": str(code), "message": text or SEND[code].fr}


def recipients(customer: Customer, message_id: int) -> list[str]:
    answer = customer.get("bulk-status", messageId=message_id)
    return [each["phoneNumber"] for each in answer.json["StatutResponse_List"]]


def test_the_good_numbers_are_sent_and_the_bad_ones_named(customer: Customer) -> None:
    numbers = "0600000000,922264,0123456789,+33600000000,+4915112345678"
    answer = customer.try_send(phoneNumbers=numbers)
    assert answer.status == 200
    assert list(answer.json) == [
        *("success", "code", "message_id", "nb_sms", "cost", "currency", "errors", "error", "messageId")
    ]
    assert (answer.json["success"], answer.json["code"], answer.json["nb_sms"]) == (True, 200, 2)
    assert answer.json["cost"] == 0.118  # France 0.038, Germany 0.08
    expected = [
        item("922264", 9, INVALID.format("922264")),
        item("0123456789", 9, f"{NOT_MOBILE[0]} (0123456789)"),
        item("+33600000000", 15),
    ]
    assert answer.json["errors"] == answer.json["error"] == expected
    assert recipients(customer, answer.json["message_id"]) == ["+33600000000", "+4915112345678"]
    assert customer.balance == "99.882"


def test_the_named_numbers_are_in_english_too_and_in_xml_by_position(customer: Customer) -> None:
    english = customer.send(phoneNumbers="0600000000,922264,0600000000", _lang="en")
    assert [each["message"] for each in english["errors"]] == [
        CONSTRAINTS["phoneNumbers"][1],
        SEND[15].en,
    ]
    xml = customer.try_send(phoneNumbers="0600000000,922264,0600000000", _format="xml").text
    french = CONSTRAINTS["phoneNumbers"][0], SEND[15].fr
    numbers = ("922264", "0600000000")
    items = "".join(
        f"<entry><entry>{number}</entry><entry>{text}</entry></entry>"
        for number, text in zip(numbers, french, strict=True)
    )
    assert xml.startswith(f"{XML_HEAD}<entry>true</entry><entry>200</entry>")
    assert xml.endswith(f"<entry><![CDATA[EUR]]></entry><entry>{items}</entry>{XML_TAIL}")


def test_one_number_500_times_is_sent_and_debited_once(customer: Customer, still: ClockedServer) -> None:
    spellings = ("0600000013", "+33600000013", "33600000013", "0033600000013", "06 00 00 00 13")
    answer = customer.send(phoneNumbers=",".join(spellings * 100))
    assert (answer["nb_sms"], answer["cost"]) == (1, 0.038)
    assert len(answer["errors"]) == 499
    assert all(each == item(each["phoneNumber"], 15) for each in answer["errors"])
    assert recipients(customer, answer["message_id"]) == ["+33600000013"]
    assert customer.balance == "99.962"


def test_500_numbers_are_one_message_and_501_are_none(customer: Customer) -> None:
    numbers = [f"+336{n:08}" for n in range(20_000_000, 20_000_501)]
    assert customer.try_send(phoneNumbers=numbers).json["code"] == 50
    assert customer.try_send(phoneNumbers=",".join(numbers)).json["code"] == 50
    # Five hundred and a comma at the end are five hundred.
    answer = customer.send(phoneNumbers=",".join(numbers[:500]) + ",")
    assert (answer["nb_sms"], answer["cost"]) == (500, 19)
    assert recipients(customer, answer["message_id"]) == numbers[:500]
    assert customer.balance == "81.000"


def test_501_numbers_of_which_some_are_the_same_are_still_too_many(customer: Customer) -> None:
    assert customer.try_send(phoneNumbers=",".join(["0600000000"] * 501)).json["code"] == 50


def test_when_no_number_is_left_the_cause_they_share_answers(customer: Customer) -> None:
    customer.opt_out("0600000007")
    before = customer.balance

    def refused(numbers: str) -> tuple[int, list[Any]]:
        answer = customer.try_send(phoneNumbers=numbers)
        assert answer.status == 400
        assert answer.json["success"] is False
        assert answer.json["message"] == SEND[answer.json["code"]].fr
        assert answer.json["error"] == answer.json["errors"]
        return answer.json["code"], answer.json["errors"]

    stopped = item("+33600000007", 14)
    assert refused("0600000007") == (14, [stopped])
    assert refused("0600000007,0600000007") == (14, [item("0600000007", 15), stopped])
    bad = item("922264", 9, INVALID.format("922264"))
    assert refused("922264,0600000007") == (55, [bad, stopped])
    assert customer.balance == before


def test_numbers_beside_a_stopped_one_are_sent(customer: Customer) -> None:
    customer.opt_out("0600000007")
    answer = customer.send(phoneNumbers="0600000007,0600000012")
    assert (answer["nb_sms"], answer["errors"]) == (1, [item("+33600000007", 14)])


def test_a_stop_is_for_the_account_that_wrote_only(customer: Customer, still: ClockedServer) -> None:
    customer.opt_out("0600000007")
    other = Customer(still)
    message_id = other.send(phoneNumbers="0600000007")["message_id"]
    assert recipients(other, message_id) == ["+33600000007"]


def test_prices_are_those_of_the_number_s_country(customer: Customer) -> None:
    answer = customer.send(phoneNumbers="+33600000000,+262692000000,+4915112345678,+32470123456")
    assert (answer["nb_sms"], answer["cost"]) == (4, 0.236)  # 0.038 + 0.048 + 0.08 + 0.07
    assert customer.balance == "99.764"
