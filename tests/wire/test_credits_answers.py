"""Every documented sample of the three credits pages: JSON and XML, good answers and errors, octet by octet."""

from __future__ import annotations

import pytest

from chappe.administration.commands import AccountCreate, AccountSet
from tests.support.server import ChappeServer
from tests.support.wire import Answer, call

PAGES = {"sms": "/sms/v1/me", "voice": "/voice/v1/me", "mail": "/mail/v1/me"}

# 44.10 euros: an SMS costs 0.038, a low-cost SMS 0.023, an HLR 0.005, a second to a mobile 0.0009 and to a
# landline 0.0014, a voicemail 0.15, a mail 0.002.
JSON = {
    "sms": '{"success":true,"code":200,"user":{"username":"ana@example.fr","firstname":"Ana","lastname":"Bel"},'
    '"credits":{"creditSms":1160,"creditSmsECO":1917,"creditHlr":8820,"toSend":0,"solde":"44.100",'
    '"currency":"EUR","balance":"44.100","creditSmsLowCost":1917}}',
    "voice": '{"success":true,"credit":"44.1","currency":"€","details":{"tts":{"h":13,"m":36,"s":40},'
    '"tts_fixe":{"h":8,"m":45,"s":0},"voice":{"message":294}}}',
    "mail": '{"success":true,"code":200,"user":{"username":"ana@example.fr"},'
    '"credits":{"creditMail":22050,"currency":"EUR","balance":"44.100"}}',
}
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<result>'
XML = {
    "sms": f"{_HEAD}<entry>true</entry><entry>200</entry>"
    "<entry><username>ana@example.fr</username><firstname>Ana</firstname><lastname>Bel</lastname></entry>"
    "<entry><entry>1160</entry><entry>1917</entry><entry>8820</entry><entry>0</entry>"
    "<entry><![CDATA[44.100]]></entry><entry><![CDATA[EUR]]></entry><entry><![CDATA[44.100]]></entry></entry>"
    "</result>\n",
    "voice": f"{_HEAD}<entry>true</entry><entry><![CDATA[44.1]]></entry><entry><![CDATA[€]]></entry>"
    "<entry><entry><entry>13</entry><entry>36</entry><entry>40</entry></entry>"
    "<entry><entry>8</entry><entry>45</entry><entry>0</entry></entry><entry><entry>294</entry></entry></entry>"
    "</result>\n",
    "mail": f"{_HEAD}<entry>true</entry><entry>200</entry><entry><username>ana@example.fr</username></entry>"
    "<entry><entry>22050</entry><entry><![CDATA[EUR]]></entry><entry><![CDATA[44.100]]></entry></entry>"
    "</result>\n",
}


@pytest.mark.parametrize("product", PAGES)
def test_the_json_answer_is_the_documented_one_in_the_documented_order(
    product: str, url: str, key: str
) -> None:
    answer = call(url, f"{PAGES[product]}?apiKey={key}")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.text == JSON[product]


@pytest.mark.parametrize("product", PAGES)
def test_the_xml_answer_is_the_documented_one(product: str, url: str, key: str) -> None:
    answer = call(url, f"{PAGES[product]}?apiKey={key}&_format=xml")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/xml")
    assert answer.text == XML[product]


@pytest.mark.parametrize("product", PAGES)
@pytest.mark.parametrize("format", ["json", "JSON", "", "yaml", "1"])
def test_every_other_format_is_json(product: str, format: str, url: str, key: str) -> None:
    assert call(url, f"{PAGES[product]}?apiKey={key}&_format={format}").text == JSON[product]


@pytest.mark.parametrize("suffix", ["", "/", "?_format=json", "/?_format=json"])
def test_the_voice_samples_have_the_key_in_the_path(suffix: str, url: str, key: str) -> None:
    assert call(url, f"/voice/v1/me/{key}{suffix}").text == JSON["voice"]
    assert call(url, f"/voice/v1/me/{key}?_format=xml").text == XML["voice"]


def test_the_php_sdk_s_doubled_question_mark_is_read(url: str, key: str) -> None:
    assert call(url, f"/sms/v1/me??apiKey={key}").text == JSON["sms"]


def test_the_vb_sample_sends_a_content_type_and_no_body(url: str, key: str) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8", "Content-Length": "0"}
    assert call(url, f"/voice/v1/me/{key}", headers=headers).text == JSON["voice"]


def assert_error(answer: Answer, status: int, code: int, text: str) -> None:
    assert answer.status == status
    assert answer.text == f'{{"success":false,"code":{code},"message":"{text}"}}'


@pytest.mark.parametrize("product", PAGES)
def test_a_missing_key_is_code_1(product: str, url: str) -> None:
    french = call(url, PAGES[product])
    assert_error(french, 400, 1, "La clé API est requise")
    english = call(url, PAGES[product], headers={"Accept-Language": "en-GB,fr;q=0.5"})
    assert english.json["code"] == 1
    assert english.json["message"].startswith(("API key", "The API key"))


@pytest.mark.parametrize("product", PAGES)
def test_a_wrong_key_is_code_10_with_the_page_s_wording(product: str, url: str) -> None:
    french = call(url, f"{PAGES[product]}?apiKey=nobody")
    assert_error(french, 401, 10, "Clé API incorrecte")
    assert french.headers["www-authenticate"] == "Bearer"
    assert_error(call(url, f"{PAGES[product]}?apiKey=nobody&_lang=en"), 401, 10, "Invalid API key")


@pytest.mark.parametrize("product", PAGES)
def test_errors_come_in_xml_too_with_bare_texts(product: str, url: str) -> None:
    answer = call(url, f"{PAGES[product]}?apiKey=nobody&_format=xml")
    assert (answer.status, answer.headers["content-type"]) == (401, "application/xml")
    assert answer.text == (
        f"{_HEAD}<entry>false</entry><entry>10</entry><entry>Clé API incorrecte</entry></result>\n"
    )


STATES = {
    "disabled": (20, {"sms": "Compte désactivé", "voice": "Compte désactivé", "mail": "Compte désactivé"}),
    "blocked": (30, dict.fromkeys(PAGES, "Compte bloqué")),
    "api-denied": (40, dict.fromkeys(PAGES, "L'accès à l'API est refusé")),
}


@pytest.mark.parametrize("state", STATES)
def test_an_account_s_state_is_refused_with_its_code(state: str, wire_server: ChappeServer, url: str) -> None:
    email = f"{state}@example.fr"
    its_key = wire_server.ask(AccountCreate(email))["apiKey"]
    wire_server.ask(AccountSet(email, state=state))
    code, texts = STATES[state]
    for product, page in PAGES.items():
        assert_error(call(url, f"{page}?apiKey={its_key}"), 403, code, texts[product])
    wire_server.ask(AccountSet(email, state="active"))
    assert call(url, f"/sms/v1/me?apiKey={its_key}").status == 200


def test_an_address_outside_the_allow_list_is_code_96(wire_server: ChappeServer, url: str) -> None:
    its_key = wire_server.ask(AccountCreate("listed@example.fr"))["apiKey"]
    wire_server.ask(AccountSet("listed@example.fr", allow_ip="192.0.2.0/24,2001:db8::/32"))
    for page in PAGES.values():
        assert_error(call(url, f"{page}?apiKey={its_key}"), 403, 96, "L'IP n'est pas autorisée")
        # Without a trusted proxy nobody may say where a request comes from.
        forwarded = call(url, f"{page}?apiKey={its_key}", headers={"X-Forwarded-For": "192.0.2.1"})
        assert forwarded.json["code"] == 96
    wire_server.ask(AccountSet("listed@example.fr", allow_ip="127.0.0.1"))
    assert call(url, f"/sms/v1/me?apiKey={its_key}").status == 200
    wire_server.ask(AccountSet("listed@example.fr", allow_ip=""))
    assert call(url, f"/sms/v1/me?apiKey={its_key}").status == 200


def test_the_address_is_checked_before_the_state_and_after_the_key(
    wire_server: ChappeServer, url: str
) -> None:
    its_key = wire_server.ask(AccountCreate("both@example.fr"))["apiKey"]
    wire_server.ask(AccountSet("both@example.fr", allow_ip="192.0.2.1", state="blocked"))
    assert call(url, f"/sms/v1/me?apiKey={its_key}").json["code"] == 96
    assert call(url, f"/sms/v1/me?apiKey={its_key}x").json["code"] == 10


@pytest.mark.parametrize(
    ("given", "english"),
    [
        ({"Accept-Language": "en"}, True),
        ({"Accept-Language": "en-US,en;q=0.9"}, True),
        ({"Accept-Language": "de, en;q=0.5"}, True),
        ({"Accept-Language": "fr;q=0.9, en;q=0.8"}, False),
        ({"Accept-Language": "en;q=0"}, False),
        ({"Accept-Language": "*"}, False),
        ({"Accept-Language": "\xff;q=\xff"}, False),
        ({}, False),
    ],
)
def test_the_language_is_french_unless_english_is_preferred(
    given: dict[str, str], english: bool, url: str
) -> None:
    message = call(url, "/sms/v1/me?apiKey=nobody", headers=given).json["message"]
    assert message == ("Invalid API key" if english else "Clé API incorrecte")
