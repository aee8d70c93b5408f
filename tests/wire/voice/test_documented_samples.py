"""The sample requests of the Voice pages, as they are printed but for key, token and number, and the printed answers.

An answer has the members of the printed one in their order and of their types; `errors` and `error` come only with bad
numbers.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from tests.wire.voice.conftest import ANSWER_S_MAX, VoiceCustomer

JSON = {"Content-Type": "application/json"}
NO_CACHE = {"Cache-Control": "no-cache"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
VB = {"Content-Type": "application/json; charset=utf-8"}
JAVA = {"Content-Type": "application/json; utf-8"}

CREDITS: dict[str, Any] = {
    "success": True,
    "credit": "19",
    "currency": "€",
    "details": {
        "tts": {"h": 5, "m": 55, "s": 66},
        "tts_fixe": {"h": 3, "m": 44, "s": 55},
        "voice": {"message": 10},
    },
}
AUDIOS: dict[str, Any] = {
    "nb_datas": 1,
    "datas": [
        {
            "name": "rappel-rdv",
            "token": "tokA1",
            "size": "98.2Ko",
            "duration": "0:12",
            "created_at": {
                "date": "2024-01-05 09:12:44.000000",
                "timezone_type": 3,
                "timezone": "Europe/Paris",
            },
        }
    ],
}
RENAMED: dict[str, Any] = {"success": True, "filename": "Nouveau nom", "tokenAudio": "tokA1"}
DEPOSITED: dict[str, Any] = {
    "success": True,
    "campaignId": "aB3xY9",
    "cost": 0.15,
    "currency": "EUR",
    "nbSms": 1,
    "audioFile": {"filename": "annonce.wav", "size": "120.4Ko"},
    "detail": {"33": {"nbSms": 1, "cost_unity": 0.15, "cost": 0.15}},
}
SPOKEN: dict[str, Any] = {
    "success": True,
    "campaignId": "Zk29dmQ0ab",
    "cost": 0.06,
    "currency": "EUR",
    "nbSms": 1,
    "lang": "en",
    "duration": 6.3,
    "detail": {
        "33": {"nbSms": 1, "cost_unity": 0.06, "cost": 0.06, "country_code": "fr", "duration": 6.3},
    },
}
CANCELLED: dict[str, Any] = {
    "success": True,
    "campaignId": "D5x2M",
    "assignedCredit": "1.8",
    "currency": "EUR",
}


def shape(answer: Any) -> Any:
    """Names in their order, and types."""
    if isinstance(answer, dict):
        return [(name, shape(value)) for name, value in answer.items()]
    if isinstance(answer, list):
        return [shape(item) for item in answer]
    return type(answer).__name__


def ask(
    customer: VoiceCustomer, method: str, page: str, body: str = "", headers: dict[str, str] | None = None
) -> requests.Response:
    url = f"{customer.server.base_url}/voice/v1/{page}"
    return requests.request(
        method, url, data=body.encode() or None, headers=headers, timeout=ANSWER_S_MAX, allow_redirects=False
    )


@pytest.mark.parametrize(
    ("page", "headers"),
    [
        ("me/{key}", {}),
        ("me/{key}", VB | {"Content-Length": "0"}),
        ("me/{key}", JSON),
        ("me?apiKey={key}", {}),
    ],
)
def test_credits(customer: VoiceCustomer, page: str, headers: dict[str, str]) -> None:
    answer = ask(customer, "GET", page.format(key=customer.key), headers=headers)
    assert answer.status_code == 200
    assert shape(answer.json()) == shape(CREDITS)


@pytest.mark.parametrize(
    ("page", "headers"),
    [("audios/{key}", {}), ("audios/{key}", NO_CACHE), ("audios/{key}", JSON), ("audios?apiKey={key}", {})],
)
def test_the_list_of_audio_files(customer: VoiceCustomer, page: str, headers: dict[str, str]) -> None:
    customer.upload()
    answer = ask(customer, "GET", page.format(key=customer.key), headers=headers)
    assert answer.status_code == 200
    assert shape(answer.json()) == shape(AUDIOS)


@pytest.mark.parametrize("headers", [JSON, {}, FORM, VB], ids=["JSON", "nothing", "a form's", "VB"])
def test_renaming(customer: VoiceCustomer, headers: dict[str, str]) -> None:
    token = customer.upload()
    body = {"apiKey": customer.key, "tokenAudio": token, "filename": "Nom du fichier"}
    answer = ask(customer, "POST", "audio-file/rename", json.dumps(body), headers)
    assert answer.json() == {"success": True, "filename": "Nom du fichier", "tokenAudio": token}
    assert shape(answer.json()) == shape(RENAMED)


DEPOSIT = (
    '{"apiKey": "KEY", "tokenAudio": "TOKEN", "emailForNotification": "email@example.com",'
    ' "phoneNumbers": "0612000080"MORE}'
)


@pytest.mark.parametrize(
    ("more", "headers"),
    [
        ("", JSON | NO_CACHE),
        ("", {}),
        ("", FORM),
        (', "scheduledDate": "2099-04-12 14:30:00"', JSON),
        (', "scheduledDate": "2099-04-10T14:15:00", "speechRate": "1"', JSON | {"Postman-Token": "a-b-c"}),
        (', "scheduledDate": null, "sender": null, "notifyUrl": null', VB),
        (', "scheduledDate": "", "sender": "", "notifyUrl": ""', JAVA),
        (', "notifyUrl": "https://your.notify.example/campaign?id=7"', JSON),
    ],
)
def test_a_deposit(customer: VoiceCustomer, more: str, headers: dict[str, str]) -> None:
    body = DEPOSIT.replace("KEY", customer.key).replace("TOKEN", customer.upload()).replace("MORE", more)
    answer = ask(customer, "POST", "campaign/send", body, headers)
    assert answer.status_code == 200, answer.text
    assert shape(answer.json()) == shape(DEPOSITED)


def test_a_deposit_without_an_address_for_its_end(customer: VoiceCustomer) -> None:
    # The page calls it mandatory; its oldest curl line and programs in use leave it out.
    body = {"apiKey": customer.key, "tokenAudio": customer.upload(), "phoneNumbers": "33612000081"}
    answer = ask(customer, "POST", "campaign/send", json.dumps(body), JSON)
    assert shape(answer.json()) == shape(DEPOSITED)


SPEECH = '{"apiKey": "KEY", "phoneNumbers": "0612000082", "text": "Mon premier test"MORE}'


@pytest.mark.parametrize(
    ("more", "headers"),
    [
        ("", JSON),
        ("", {}),
        ("", FORM),
        (', "lang": "fr", "speed": "1"', JSON | NO_CACHE),
        (', "speechRate": "1", "notifyUrl": "http://example.com/notify"', JSON),
        (', "lang": "fr", "speechRate": 1.0, "scheduledDate": "2099-04-12 14:30:00"', JSON),
        (', "lang": null, "speechRate": null, "notifyUrl": null, "scheduledDate": null', VB),
        (', "lang": "en"', JAVA),
    ],
)
def test_a_voice_sms(customer: VoiceCustomer, more: str, headers: dict[str, str]) -> None:
    body = SPEECH.replace("KEY", customer.key).replace("MORE", more)
    answer = ask(customer, "POST", "tts/send", body, headers)
    assert answer.status_code == 200, answer.text
    assert shape(answer.json()) == shape(SPOKEN)
    assert answer.json()["lang"] == ("en" if '"en"' in more else "fr")


@pytest.mark.parametrize(
    ("page", "headers"),
    [("campaign/cancel/{key}/{id}", NO_CACHE), ("campaign/cancel?apiKey={key}&campaignId={id}", JSON)],
)
def test_cancelling(customer: VoiceCustomer, page: str, headers: dict[str, str]) -> None:
    sent = customer.tts(scheduledDate="2099-02-02 14:15:00").json()
    answer = ask(customer, "DELETE", page.format(key=customer.key, id=sent["campaignId"]), headers=headers)
    assert shape(answer.json()) == shape(CANCELLED)
    assert answer.json()["campaignId"] == sent["campaignId"]


def test_the_parameters_of_a_cancellation_in_a_body(customer: VoiceCustomer) -> None:
    sent = customer.tts(scheduledDate="2099-02-02 14:15:00").json()
    body = {"apiKey": customer.key, "campaignId": sent["campaignId"]}
    answer = ask(customer, "DELETE", "campaign/cancel", json.dumps(body), JSON)
    assert shape(answer.json()) == shape(CANCELLED)


@pytest.mark.parametrize(
    "slip",
    [
        '{"apiKey": "KEY", "phoneNumbers": "0612000083", "text": "Mon premier test",}',
        '{"apiKey": "KEY", "phoneNumbers": "0612000083", "text": "Mon premier test"\n // ... autres paramètres\n}',
    ],
    ids=["the comma of the Java sample", "the comment of the curl sample"],
)
def test_samples_that_are_no_json_are_told_so_and_call_nobody(customer: VoiceCustomer, slip: str) -> None:
    answer = ask(customer, "POST", "tts/send", slip.replace("KEY", customer.key), JSON)
    assert (answer.status_code, answer.json()["code"]) == (400, 90)
    assert customer.credit == "10"


def test_the_curl_line_that_speaks_to_the_page_of_deposits_is_told_what_is_missing(
    customer: VoiceCustomer,
) -> None:
    body = {"apiKey": customer.key, "phoneNumbers": "0612000084", "text": "Bonjour", "speechRate": "1"}
    answer = ask(customer, "POST", "campaign/send", json.dumps(body), JSON)
    assert (answer.status_code, answer.json()["code"]) == (400, "TOKEN_AUDIO_REQUIRED")


@pytest.mark.parametrize(
    ("method", "page"),
    [
        ("GET", "me/{key}"),
        ("GET", "audios/{key}"),
        ("POST", "audio-file/rename"),
        ("POST", "campaign/send"),
        ("POST", "tts/send"),
        ("DELETE", "campaign/cancel/{key}/D5x2M"),
    ],
)
def test_every_page_is_there_by_its_host_alone(customer: VoiceCustomer, method: str, page: str) -> None:
    # As a line in /etc/hosts has it: bare /v1, and the Host header names the product.
    url = f"{customer.server.base_url}/v1/{page.format(key='no-such-key')}"
    answer = requests.request(
        method,
        url,
        headers={"Host": "api.voicepartner.fr"},
        json={"apiKey": "no-such-key"} if method == "POST" else None,
        timeout=ANSWER_S_MAX,
        allow_redirects=False,
    )
    assert (answer.status_code, answer.json()["code"]) == (401, 10)
