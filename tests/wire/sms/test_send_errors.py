"""Every documented error of `POST /v1/send`, with its exact text in French and English, and their order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.clocked import ClockedServer
from tests.support.customer import Customer
from tests.support.wire import Answer, call
from tests.wire.sms.documented import CONSTRAINTS, NOT_MOBILE, SEND, XML_HEAD, XML_TAIL

PATH = "/sms/v1/send"
BLOCKED = ("192.0.2.1", "blocked")
FRENCH_ONLY = """
[[operators]]
name = "op1"
kind = "smpp"
host = "127.0.0.1"
port = 1

[[routes]]
product = "sms"
prefix = "33"
operators = ["op1"]
"""

TOO_LONG = "x" * (153 * 10 + 1)
DATED: dict[str, object] = {"scheduledDeliveryDate": "06/01/2026", "time": 8, "minute": 0}

# Each code by itself: the request has this one fault.
FAULTS: dict[int, dict[str, object]] = {
    2: {"phoneNumbers": None},
    11: {"phoneNumbers": ",".join(f"+336{n:08}" for n in range(270)), "message": "x" * 1530},
    42: {"gamme": 2, "message": "x" * 161},
    44: {"sender": "ab"},
    45: DATED | {"scheduledDeliveryDate": None},
    46: DATED | {"time": 25},
    47: DATED | {"minute": "five"},
    48: DATED | {"minute": 7},
    49: DATED | {"scheduledDeliveryDate": "30/02/2026"},
    50: {"phoneNumbers": ",".join(f"+336{n:08}" for n in range(501))},
    51: {"gamme": 2, "phoneNumbers": "+4915112345678"},
    52: {"message": TOO_LONG},
}


def assert_refused(answer: Answer, code: int, language: str = "fr") -> None:
    status, french, english = SEND[code]
    text = french if language == "fr" else english
    assert (answer.status, answer.headers["content-type"]) == (status, "application/json"), answer
    assert answer.text == f'{{"success":false,"code":{code},"message":"{text}"}}'


@pytest.mark.parametrize("code", FAULTS)
def test_each_fault_has_its_code_and_its_texts_and_costs_nothing(code: int, customer: Customer) -> None:
    assert_refused(customer.try_send(**FAULTS[code]), code)
    assert_refused(customer.try_send({"Accept-Language": "en"}, **FAULTS[code]), code, "en")
    assert_refused(customer.try_send(**FAULTS[code], _lang="en"), code, "en")
    status, french, _ = SEND[code]
    xml = customer.try_send(**FAULTS[code], _format="xml")
    assert (xml.status, xml.headers["content-type"]) == (status, "application/xml")
    assert xml.text == (
        f"{XML_HEAD}<entry>false</entry><entry>{code}</entry><entry>{french}</entry>{XML_TAIL}"
    )
    assert (customer.balance, customer.to_send) == ("100.000", 0)


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_key_is_asked_for_first(language: str, still: ClockedServer) -> None:
    accept = {"Accept-Language": language}
    assert_refused(still.post(PATH, {}, accept), 1, language)
    assert_refused(still.post(PATH, {"apiKey": "nobody"}, accept), 10, language)
    assert_refused(still.post(PATH, {"apiKey": "nobody", "phoneNumbers": ""}, accept), 10, language)
    assert_refused(still.call(PATH, method="POST", body='{"message": "a"b"}', headers=accept), 90, language)


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize(("state", "code"), [("disabled", 20), ("blocked", 30), ("api-denied", 40)])
def test_an_account_that_may_not_send(state: str, code: int, language: str, customer: Customer) -> None:
    customer.set(state=state)
    assert_refused(customer.try_send({"Accept-Language": language}), code, language)
    customer.set(state="active")
    customer.send()


@pytest.mark.parametrize("language", ["fr", "en"])
def test_an_address_that_may_not_send(language: str, customer: Customer) -> None:
    customer.set(allow_ip="192.0.2.0/24")
    assert_refused(customer.try_send({"Accept-Language": language}), 96, language)
    customer.set(allow_ip="127.0.0.0/8")
    customer.send()


# --- the list of constraints ------------------------------------------------------------------------------

ONE_CONSTRAINT: dict[str, list[dict[str, object]]] = {
    "message": [{"message": None}, {"message": ""}, {"message": " \n\t"}, {"message": []}, {"message": {}}],
    "phoneNumbers": [{"phoneNumbers": "922264"}, {"phoneNumbers": ["922264"]}, {"phoneNumbers": 922264}],
    "sender": [{"sender": "TwelveLetter"}, {"sender": "  TwelveLetter  "}],
    "scheduledDeliveryDate": [],
    "minute": [],
    "time": [],
}


@pytest.mark.parametrize(
    ("field", "fault"),
    [(field, fault) for field, faults in ONE_CONSTRAINT.items() for fault in faults],
    ids=str,
)
@pytest.mark.parametrize("language", ["fr", "en"])
def test_one_constraint(field: str, fault: dict[str, object], language: str, customer: Customer) -> None:
    text = CONSTRAINTS[field][language == "en"]
    assert constraints(customer.try_send(**fault, _lang=language)) == [(field, text)]


def constraints(answer: Answer) -> list[tuple[str, str]]:
    """(field, text) of a code-9 answer, which has the same list under both names."""
    assert (answer.status, answer.json["code"]) == (400, 9), answer
    items: list[dict[str, Any]] = answer.json["errors"]
    assert answer.json["error"] == items
    assert all(list(item) == ["elementId", "message", "code"] and item["code"] == "9" for item in items)
    found = [item["elementId"] for item in items]
    assert all(name.startswith("children[") and name.endswith("].data") for name in found)
    return [(item["elementId"][9:-6], item["message"]) for item in items]


@pytest.mark.parametrize(
    ("number", "why"),
    [
        ("0123456789", NOT_MOBILE),
        ("+33800123456", NOT_MOBILE),
        ("0612", None),
        ("not a number", None),
        ("+336000000000", None),
        ("+999123456789", None),
    ],
    ids=str,
)
def test_a_number_that_is_none_or_no_mobile(
    number: str, why: tuple[str, str] | None, customer: Customer
) -> None:
    french, english = why or tuple(text.replace(" (922264)", "") for text in CONSTRAINTS["phoneNumbers"])
    for language, text in (("fr", french), ("en", english)):
        found = constraints(customer.try_send(phoneNumbers=number, _lang=language))
        assert found == [("phoneNumbers", f"{text} ({number})")]


def test_a_number_list_of_nothing_but_commas(customer: Customer) -> None:
    assert [field for field, _ in constraints(customer.try_send(phoneNumbers=", ,"))] == ["phoneNumbers"]


def test_a_refused_list_names_the_bad_numbers_beside_good_ones(customer: Customer) -> None:
    found = constraints(customer.try_send(message="", phoneNumbers="0600000000,922264,0123456789"))
    assert [field for field, _ in found] == ["message", "phoneNumbers", "phoneNumbers"]
    assert [text.rpartition("(")[2] for _, text in found[1:]] == ["922264)", "0123456789)"]


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"scheduledDeliveryDate": "06/01/2026"}, ["minute", "time"]),
        ({"scheduledDeliveryDate": "06/01/2026", "time": "", "minute": None}, ["minute", "time"]),
        ({"scheduledDeliveryDate": "04/01/2026"}, ["scheduledDeliveryDate", "minute", "time"]),
        ({"scheduledDeliveryDate": "05/01/2026", "time": 7, "minute": 55}, ["scheduledDeliveryDate"]),
        ({"scheduledDeliveryDate": "21/11/2014", "time": 99, "minute": "x"}, ["scheduledDeliveryDate"]),
    ],
    ids=str,
)
def test_a_date_in_the_past_or_without_its_time(
    fields: dict[str, object], found: list[str], customer: Customer
) -> None:
    assert [field for field, _ in constraints(customer.try_send(**fields))] == found


def test_the_text_of_a_past_date_repeats_what_was_asked(customer: Customer) -> None:
    past = {"scheduledDeliveryDate": "05/01/2026", "time": "07", "minute": 5}
    french = "La date (05/01/2026 à 07:5) est antérieure à la date actuelle."
    assert constraints(customer.try_send(**past)) == [("scheduledDeliveryDate", french)]
    english = "The date (05/01/2026 at 07:5) is earlier than the current date."
    assert constraints(customer.try_send(**past, _lang="en")) == [("scheduledDeliveryDate", english)]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tag", "t" * 21),
        ("urlDlr", "ftp://example.fr/"),
        ("urlDlr", "http://"),
        ("urlDlr", "nonsense"),
        ("urlResponse", "http://example.fr/a b"),
        ("urlResponse", "http://example.fr/" + "x" * 2048),
    ],
    ids=lambda value: value[:30],
)
def test_a_tag_or_an_address_that_cannot_be_used(field: str, value: str, customer: Customer) -> None:
    assert [name for name, _ in constraints(customer.try_send(**{field: value}))] == [field]


@pytest.mark.parametrize("sender", ["ab", "a", "Chappe!", "Ch@ppe", "Chappé", "a.b", "---"])
def test_a_sender_that_no_network_shows_is_44(sender: str, customer: Customer) -> None:
    assert_refused(customer.try_send(sender=sender), 44)


@pytest.mark.parametrize("sender", ["abc", "ElevenChars", "My Shop", "36180", "  abc  ", "", " ", None])
def test_a_sender_of_3_to_11_letters_digits_and_blanks_or_none(
    sender: str | None, customer: Customer
) -> None:
    customer.send(sender=sender)


# --- the order --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def french(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClockedServer]:
    """Routes to France only, one send a minute for each account, and no operator that answers."""
    configuration = '[limits.pages]\n"sms.send" = "1/60"\n' + FRENCH_ONLY
    directory = tmp_path_factory.mktemp("french")
    with ClockedServer(directory, configuration=configuration, rate_limits=True) as server:
        yield server


def test_the_whole_order_of_checks(french: ClockedServer) -> None:
    """One request with every fault; each is mended when it was named, so that the next must be."""
    allowed, state = BLOCKED
    customer = Customer(french, credit="0", allow_ip=allowed, state=state)
    body: dict[str, object] = {
        "phoneNumbers": "0600000000,+4915112345678,922264," * 501,
        "message": " ",
        "sender": "TwelveLetters!",
        "scheduledDeliveryDate": "21/11/2014",
        "time": 99,
        "minute": "x",
        "gamme": 2,
    }
    headers = {"Content-Encoding": "gzip", "Content-Length": str((8 << 20) + 1)}

    def answer(broken: str = "") -> Answer:
        octets = json.dumps(body) + broken
        return call(french.base_url, PATH, method="POST", headers=headers, body=octets)

    def code(broken: str = "") -> int:
        french.clock.advance(61)  # the minute of the limit passes
        found = answer(broken)
        assert found.json["success"] is False
        return found.json["code"]

    assert code("}") == 413
    del headers["Content-Length"]
    assert code("}") == 415
    del headers["Content-Encoding"]
    assert code("}") == 90
    assert code() == 1
    body["apiKey"] = "nobody"
    assert code() == 10
    body["apiKey"] = customer.key
    assert code() == 96
    limited = answer()  # in the same minute: the limit counts before the address
    assert (limited.status, limited.json["code"], limited.headers["x-ratelimit-limit"]) == (429, 429, "1")
    customer.set(allow_ip="")
    assert code() == 30
    customer.set(state="active")
    numbers, body["phoneNumbers"] = body["phoneNumbers"], None
    assert code() == 2
    body["phoneNumbers"] = numbers
    assert code() == 50
    body["phoneNumbers"] = "+4915112345678,922264,0600000000"
    assert code() == 9
    body["message"] = "x" * 20_000
    body["scheduledDeliveryDate"] = "06/01/2026"
    body["phoneNumbers"] = "+4915112345678"
    assert code() == 9  # the sender still
    body["sender"] = "a!"
    assert code() == 44
    body["sender"] = "abc"
    body["scheduledDeliveryDate"] = None
    assert code() == 45
    body["scheduledDeliveryDate"] = "30/02/2026"
    assert code() == 46
    body["time"] = 8
    assert code() == 47
    body["minute"] = 7
    assert code() == 48
    body["minute"] = 5
    assert code() == 49
    body["scheduledDeliveryDate"] = "06/01/2026"
    assert code() == 42
    body["message"] = "x"
    assert code() == 51
    body["gamme"] = 1
    body["message"] = TOO_LONG
    assert code() == 52
    body["message"] = "x"
    assert code() == 13
    body["phoneNumbers"] = "+4915112345678,922264"
    assert code() == 55
    body["phoneNumbers"] = "0600000000"
    assert code() == 11


def test_a_number_that_no_route_leads_to_is_13_and_the_list_names_it(french: ClockedServer) -> None:
    customer = Customer(french)
    for language in ("fr", "en"):
        french.clock.advance(61)
        answer = customer.try_send(phoneNumbers="+4915112345678,+447911123456", _lang=language)
        status, *texts = SEND[13]
        text = texts[language == "en"]
        items = [
            {"phoneNumber": number, "code": "13", "message": text}
            for number in ("+4915112345678", "+447911123456")
        ]
        assert answer.status == status
        assert answer.json == {
            "success": False,
            "code": 13,
            "message": text,
            "errors": items,
            "error": items,
        }


def test_a_server_without_any_network_refuses_every_number_with_13(tmp_path: Path) -> None:
    with ClockedServer(tmp_path, configuration="[simulator]\nenabled = false\n") as server:
        customer = Customer(server)
        assert customer.try_send().json["code"] == 13
        assert customer.try_send(sandbox=1).json["code"] == 13
        assert customer.balance == "100.000"
