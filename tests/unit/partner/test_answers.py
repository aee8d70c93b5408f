"""Answers are JSON or positional XML; errors have their list, language and status."""

import json
from xml.etree import ElementTree

import pytest

from chappe.partner import catalogue, catalogue_server, catalogue_sms
from chappe.partner.errors import Message, Refusal, refused_number
from chappe.partner.limits import Decision, Limit
from chappe.partner.writer import Answer, money, render, render_refusal
from tests.unit.partner.example_pages import MAIL_CREDITS, SMS_CREDITS, SMS_SEND, VOICE_CREDITS

CREDITS: dict[str, object] = {
    "success": True,
    "code": 200,
    "user": {"username": "a@b.fr", "firstname": "Ana", "lastname": "Bel & <fils>"},
    "credits": {
        "creditSms": 1200,
        "creditSmsECO": 1900,
        "creditHlr": 8000,
        "toSend": 0,
        "solde": "44.100",
        "currency": "EUR",
        "balance": "44.100",
        "creditSmsLowCost": 1900,
    },
}
HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<result>'
TAIL = "</result>\n"
LIST = [catalogue_sms.MESSAGE_REQUIRED, catalogue_sms.number_invalid("922264")]


def xml_of(payload: dict[str, object]) -> str:
    content_type, body = render(SMS_SEND, payload, "xml")
    assert content_type == b"application/xml"
    ElementTree.fromstring(body)
    text = body.decode()
    assert text.startswith(HEAD)
    assert text.endswith(TAIL)
    return text[len(HEAD) : -len(TAIL)]


def answered(refusal: Refusal, **rest: object) -> Answer:
    arguments: dict[str, object] = {"format": "json", "language": "fr", **rest}
    return render_refusal(SMS_SEND, refusal, **arguments)  # type: ignore[arg-type]


# --- success ----------------------------------------------------------------------------------------------


def test_json_keeps_the_documented_key_order_and_real_booleans() -> None:
    content_type, body = render(SMS_CREDITS, CREDITS, "json")
    assert content_type == b"application/json"
    assert json.loads(body) == CREDITS
    assert list(json.loads(body)["credits"]) == list(CREDITS["credits"])  # type: ignore[call-overload]
    assert body.startswith(b'{"success":true,"code":200,"user":{"username"')


def test_json_is_utf8_without_escapes() -> None:
    _, body = render(VOICE_CREDITS, {"success": True, "currency": "€", "name": "Zoé 😀"}, "json")
    assert body == '{"success":true,"currency":"€","name":"Zoé 😀"}'.encode()


def test_xml_of_the_credits_page_is_positional_with_a_named_user_and_without_aliases() -> None:
    _, body = render(SMS_CREDITS, CREDITS, "xml")
    assert body.decode() == (
        f"{HEAD}<entry>true</entry><entry>200</entry>"
        "<entry><username>a@b.fr</username><firstname>Ana</firstname>"
        "<lastname>Bel &amp; &lt;fils&gt;</lastname></entry>"
        "<entry><entry>1200</entry><entry>1900</entry><entry>8000</entry><entry>0</entry>"
        "<entry><![CDATA[44.100]]></entry><entry><![CDATA[EUR]]></entry>"
        f"<entry><![CDATA[44.100]]></entry></entry>{TAIL}"
    )


def test_xml_of_a_send_leaves_out_the_aliases_and_the_codes_of_its_list() -> None:
    errors = [refused_number("+33600000001", 14, catalogue.resolve(SMS_SEND, 14)).as_item("fr")]
    sent: dict[str, object] = {
        "success": True,
        "code": 200,
        "message_id": 412,
        "nb_sms": 1,
        "cost": money(41_000),
        "currency": "EUR",
        "errors": errors,
        "error": errors,
        "messageId": 412,
    }
    assert xml_of(sent) == (
        "<entry>true</entry><entry>200</entry><entry>412</entry><entry>1</entry><entry>0.041</entry>"
        "<entry><![CDATA[EUR]]></entry>"
        "<entry><entry><entry>+33600000001</entry>"
        "<entry>Le numéro est dans la liste des STOP SMS</entry></entry></entry>"
    )
    assert json.loads(render(SMS_SEND, sent, "json")[1])["errors"] == [
        {"phoneNumber": "+33600000001", "code": "14", "message": "Le numéro est dans la liste des STOP SMS"}
    ]


def test_codes_inside_other_lists_stay_in_xml() -> None:
    listed: dict[str, object] = {"SMSResponse_List": [{"success": True, "code": 200}]}
    assert xml_of(listed) == "<entry><entry><entry>true</entry><entry>200</entry></entry></entry>"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("", "<![CDATA[]]>"),
        ("<a> & b", "<![CDATA[<a> & b]]>"),
        ("]]>", "<![CDATA[]]]]><![CDATA[>]]>"),
        ("a]]>]]>b", "<![CDATA[a]]]]><![CDATA[>]]]]><![CDATA[>b]]>"),
        ("\0\x01\x1f\x7f\t\n", "<![CDATA[\ufffd\ufffd\ufffd\x7f\t\n]]>"),
        ("\ufffe\uffff é 😀", "<![CDATA[\ufffd\ufffd é 😀]]>"),
    ],
)
def test_texts_stand_in_cdata_whatever_they_hold(text: str, written: str) -> None:
    assert xml_of({"x": text}) == f"<entry>{written}</entry>"
    _, body = render(SMS_SEND, {"x": text}, "xml")
    parsed = ElementTree.fromstring(body)[0].text or ""
    assert parsed.replace("\ufffd", "") == "".join(c for c in text if c not in "\0\x01\x1f\ufffe\uffff")


def test_empty_values_are_empty_entries() -> None:
    assert xml_of({"a": None, "b": [], "c": {}}) == "<entry></entry>" * 3


def test_an_object_of_the_original_keeps_its_names_and_a_bare_carriage_return() -> None:
    payload = {"user": {"username": "a\r\nb\0", "id": 7, "buyer": True, "none": None}}
    _, body = render(SMS_CREDITS, payload, "xml")
    assert body.decode() == (
        f"{HEAD}<entry><username>a&#13;\nb\ufffd</username><id>7</id><buyer>true</buyer><none></none></entry>{TAIL}"
    )


@pytest.mark.parametrize(
    ("micro", "number"),
    [
        (41_000, "0.041"),
        (300_000, "0.3"),
        (1_000_000, "1"),
        (0, "0"),
        (1, "0.000001"),
        (2_869_200_000, "2869.2"),
        (-12_500_000, "-12.5"),
        (10**15 + 1, "1000000000.000001"),
    ],
)
def test_costs_are_exact_numbers_in_both_formats(micro: int, number: str) -> None:
    assert render(SMS_SEND, {"cost": money(micro)}, "json")[1] == f'{{"cost":{number}}}'.encode()
    assert xml_of({"cost": money(micro)}) == f"<entry>{number}</entry>"


def test_floats_are_the_same_in_both_formats() -> None:
    assert render(SMS_SEND, {"duration": 6.3}, "json")[1] == b'{"duration":6.3}'
    assert xml_of({"duration": 6.3}) == "<entry>6.3</entry>"


# --- errors -----------------------------------------------------------------------------------------------


def test_an_error_is_success_code_message() -> None:
    answer = answered(catalogue.wrong_key(SMS_CREDITS))
    assert answer.status == 401
    assert answer.content_type == b"application/json"
    assert answer.body == '{"success":false,"code":10,"message":"Clé API incorrecte"}'.encode()


def test_a_voice_error_has_a_word_as_code() -> None:
    refusal = Refusal("NOT_CREDIT", Message("Crédit insuffisant", "Insufficient credit", 402))
    assert json.loads(answered(refusal).body)["code"] == "NOT_CREDIT"


def test_an_error_is_in_english_when_asked() -> None:
    answer = answered(catalogue.wrong_key(SMS_CREDITS), language="en")
    assert json.loads(answer.body)["message"] == "Invalid API key"


def test_the_code_9_list_stands_under_errors_and_error() -> None:
    answer = answered(catalogue.refuse(SMS_SEND, 9, faults=LIST))
    body = json.loads(answer.body)
    items = [
        {"elementId": "children[message].data", "message": "Le message est requis", "code": "9"},
        {
            "elementId": "children[phoneNumbers].data",
            "message": "Ce numéro de téléphone n'est pas valide (922264)",
            "code": "9",
        },
    ]
    assert answer.status == 400
    assert list(body) == ["success", "code", "message", "errors", "error"]
    assert body["success"] is False
    assert body["code"] == 9
    assert body["errors"] == body["error"] == items


def test_the_code_9_list_in_english() -> None:
    body = json.loads(answered(catalogue.refuse(SMS_SEND, 9, faults=LIST), language="en").body)
    assert [item["message"] for item in body["errors"]] == [
        "The message is required",
        "This phone number is not valid (922264)",
    ]


def test_a_plain_error_has_no_list() -> None:
    assert set(json.loads(answered(catalogue.refuse(SMS_SEND, 11)).body)) == {"success", "code", "message"}


def test_an_xml_error_has_bare_texts() -> None:
    answer = answered(catalogue.wrong_key(SMS_CREDITS), format="xml")
    assert answer.content_type == b"application/xml"
    expected = f"{HEAD}<entry>false</entry><entry>10</entry><entry>Clé API incorrecte</entry>{TAIL}"
    assert answer.body.decode() == expected


def test_an_xml_code_9_list_is_of_element_and_text_in_third_place() -> None:
    answer = answered(catalogue.refuse(SMS_SEND, 9, faults=LIST), format="xml")
    assert answer.body.decode() == (
        f"{HEAD}<entry>false</entry><entry>9</entry><entry>"
        "<entry><entry>children[message].data</entry><entry>Le message est requis</entry></entry>"
        "<entry><entry>children[phoneNumbers].data</entry>"
        f"<entry>Ce numéro de téléphone n'est pas valide (922264)</entry></entry></entry>{TAIL}"
    )


def test_an_xml_list_of_refused_numbers_follows_the_message() -> None:
    faults = [refused_number("0600000001", 14, catalogue.resolve(SMS_SEND, 14))]
    answer = answered(catalogue.refuse(SMS_SEND, 55, faults=faults), format="xml")
    assert answer.body.decode() == (
        f"{HEAD}<entry>false</entry><entry>55</entry><entry>Aucun numéro à envoyer</entry><entry><entry>"
        "<entry>0600000001</entry><entry>Le numéro est dans la liste des STOP SMS</entry></entry></entry>"
        f"{TAIL}"
    )


def test_what_a_client_wrote_cannot_break_an_xml_error() -> None:
    fault = catalogue_sms.number_invalid("</entry><!-- ]]> \0\r&")
    answer = answered(catalogue.refuse(SMS_SEND, 9, faults=[fault]), format="xml")
    root = ElementTree.fromstring(answer.body)
    assert (root[2][0][1].text or "").endswith("(</entry><!-- ]]> \ufffd\r&)")


def test_always_200_hides_every_status_but_429_and_our_own_failures() -> None:
    decision = Decision(allowed=False, limit=5, remaining=0, reset_s=1, retry_after_s=1)
    refusals = {
        200: [
            catalogue.wrong_key(SMS_CREDITS),
            catalogue.refuse(SMS_SEND, 11),
            catalogue.refuse(SMS_SEND, 4),
            catalogue_server.unknown_host(),
            catalogue_server.body_too_large(SMS_SEND),
        ],
        429: [catalogue_server.too_many_requests(MAIL_CREDITS, Limit(2000, 60), decision)],
        500: [catalogue_server.internal(), catalogue.refuse(SMS_SEND, 500)],
        503: [catalogue_server.unavailable()],
    }
    for status, examples in refusals.items():
        for refusal in examples:
            assert answered(refusal, always_200=True).status == status
            assert answered(refusal, always_200=True).body == answered(refusal).body


def test_a_refusal_without_a_page_is_answered_too() -> None:
    answer = render_refusal(None, catalogue_server.unknown_host(), "xml", "en")
    assert answer.status == 404
    assert ElementTree.fromstring(answer.body)[1].text == "404"


def test_the_headers_of_a_refusal_are_those_of_the_answer() -> None:
    assert (b"retry-after", b"3") in answered(catalogue_server.unavailable(3)).headers
    assert (b"www-authenticate", b"Bearer") in answered(catalogue.wrong_key(SMS_CREDITS)).headers
