"""Voice SMS over HTTP: the documented answer, the telephone that rings, the callback, the price, and every error."""

from __future__ import annotations

import io
import json

import pytest
import requests
import soundfile

from chappe.administration.commands import AccountSet, CallShow
from chappe.partner import catalogue_voice
from chappe.partner.catalogue_voice import SEND
from tests.support.clocked import until
from tests.support.receiver import Receiver
from tests.support.server import ChappeServer
from tests.wire.voice.conftest import VoiceCustomer, calls, refused, server_with


def call_of(server: ChappeServer, number: str, **is_wanted: object) -> dict[str, object]:
    """The newest call to a number, once it is over."""

    def found() -> dict[str, object] | None:
        newest = next((call for call in calls(server, limit=500) if call["phone"] == number), None)
        return newest if newest is not None and newest["ended_at"] is not None else None

    until(lambda: found() is not None, f"a call to {number} has ended")
    call = found()
    assert call is not None
    assert {name: call[name] for name in is_wanted} == is_wanted
    return call


def test_the_answer_is_as_documented(customer: VoiceCustomer) -> None:
    answer = customer.tts(phoneNumbers="0611000001")
    assert answer.status_code == 200
    body = answer.json()
    assert list(body) == ["success", "campaignId", "cost", "currency", "nbSms", "lang", "duration", "detail"]
    assert body["success"] is True
    assert (body["currency"], body["nbSms"], body["lang"]) == ("EUR", 1, "fr")
    assert isinstance(body["duration"], float)
    (code,) = body["detail"]
    assert code == "33"
    detail = body["detail"]["33"]
    assert list(detail) == ["nbSms", "cost_unity", "cost", "country_code", "duration"]
    assert (detail["nbSms"], detail["country_code"], detail["duration"]) == (1, "fr", body["duration"])
    seconds = -(-round(body["duration"] * 10) // 10)
    assert body["cost"] == detail["cost"] == detail["cost_unity"] == round(0.0009 * seconds, 6)


def test_the_telephone_rings_and_what_was_heard_can_be_played(
    customer: VoiceCustomer, voice_server: ChappeServer
) -> None:
    duration = customer.tts(phoneNumbers="0611000002", text="Bonjour, ici Chappe").json()["duration"]
    call = call_of(voice_server, "+33611000002", state="hung up", behaviour="a person answers")
    heard = requests.get(f"{voice_server.base_url}{call['heard']}", timeout=30)
    assert heard.headers["content-type"] == "audio/wav"
    samples, rate_hz = soundfile.read(io.BytesIO(heard.content), dtype="int16")
    assert rate_hz == 8000
    assert len(samples) / 8000 == pytest.approx(duration, abs=0.3)
    assert abs(samples).max() > 3000
    page = requests.get(f"{voice_server.base_url}/simulator", timeout=30).text
    assert "+33 6 11 00 00 02" in page.replace("\u00a0", " ")
    assert f'<audio controls preload="none" src="{call["heard"]}"' in page


def test_a_comma_is_half_a_second_and_the_rate_is_clamped(customer: VoiceCustomer) -> None:
    def duration(**fields: object) -> float:
        return customer.tts(phoneNumbers="0611000003", **fields).json()["duration"]

    plain = duration(text="Bonjour monsieur")
    paused = duration(text="Bonjour,,,,,, monsieur")
    assert 2.7 <= paused - plain <= 3.6
    assert duration(text="Bonjour monsieur", speechRate="9") == duration(text="Bonjour monsieur", speed=2)
    assert duration(text="Bonjour monsieur", speechRate=0.1) > 1.3 * plain
    assert duration(text="Bonjour monsieur", speechRate="vite") == pytest.approx(plain, abs=0.3)


def test_the_outcome_of_each_number_is_posted_signed(
    customer: VoiceCustomer, voice_server: ChappeServer
) -> None:
    with Receiver() as receiver:
        sent = customer.tts(
            phoneNumbers="0600000000,0600000002", notifyUrl=receiver.url("/calls?id=7")
        ).json()
        bodies = {request.json["phoneNumber"]: request for request in receiver.wait(2)}
    assert set(bodies) == {"0033600000000", "0033600000002"}
    answered, busy = bodies["0033600000000"], bodies["0033600000002"]
    assert answered.path == "/calls?id=7"
    assert answered.headers["content-type"] == "application/json"
    assert answered.json["campaignId"] == sent["campaignId"]
    assert (answered.json["status"], answered.json["additionnal_status"]) == ("delivered", "VOICE_ANSWERED")
    assert answered.json["duration"] == -(-round(sent["duration"] * 10) // 10)
    assert (busy.json["status"], busy.json["additionnal_status"]) == ("undelivered", "VOICE_NOT_ANSWERED")
    assert "audioFileComplementaire" not in answered.json
    shown = json.loads(voice_server.run("account", "show", customer.email, "--key", "--json"))
    assert answered.is_signed_with(shown["webhookSecret"])
    # Who was not reached costs nothing.
    assert float(customer.credit) == pytest.approx(10 - sent["cost"] / 2)


@pytest.mark.parametrize(
    ("number", "state", "status", "result"),
    [
        ("0600000002", "busy", 486, "busy"),
        ("0600000004", "unreachable", 404, "unreachable"),
        ("0100000002", "busy", 486, "busy"),
    ],
)
def test_the_history_says_how_a_call_ended(
    number: str, state: str, status: int, result: str, customer: VoiceCustomer, voice_server: ChappeServer
) -> None:
    sent = customer.tts(phoneNumbers=number).json()
    until(
        lambda: voice_server.ask(CallShow(sent["campaignId"]))["endedAtMs"] is not None,
        "the campaign has ended",
    )
    shown = voice_server.ask(CallShow(sent["campaignId"]))
    (callee,) = shown["callees"]
    (call,) = callee["calls"]
    assert (callee["state"], callee["refund"]) == ("undelivered", callee["cost"])
    assert (call["operator"], call["result"], call["status"]) == ("simulator", result, status)
    call_of(voice_server, f"+33{number[1:]}", state=state, heard=None)
    text = voice_server.run("call", "show", sent["campaignId"])
    assert f"status {status}" in text
    assert "Bonjour" not in text


def test_nobody_answers_and_the_clock_can_be_advanced(
    customer: VoiceCustomer, voice_server: ChappeServer
) -> None:
    with Receiver() as receiver:
        customer.tts(phoneNumbers="0600000003", notifyUrl=receiver.url())
        until(lambda: any(c["state"] == "ringing" for c in calls(voice_server)), "it rings")
        requests.post(f"{voice_server.base_url}/simulator/clock", json={"advance_s": 5}, timeout=30)
        (request,) = receiver.wait(1)
    assert request.json["additionnal_status"] == "VOICE_NOT_ANSWERED"


def test_who_hangs_up_early_is_charged_what_was_heard(customer: VoiceCustomer) -> None:
    with Receiver() as receiver:
        customer.tts(phoneNumbers="0600000005", text="Bonjour,,,,,, monsieur", notifyUrl=receiver.url())
        (request,) = receiver.wait(1)
    assert request.json["status"] == "delivered"
    # It hangs up after a second of its own time: that much has been played, or a little more on a busy machine.
    seconds = request.json["duration"]
    assert 1 <= seconds < 3
    assert customer.credit == f"{10 - 0.0009 * seconds:.4f}"


def test_a_landline_has_its_own_price(customer: VoiceCustomer) -> None:
    body = customer.tts(phoneNumbers="0123456789").json()
    seconds = -(-round(body["duration"] * 10) // 10)
    assert body["cost"] == round(0.0014 * seconds, 6)


def test_a_stored_file_is_played(customer: VoiceCustomer, voice_server: ChappeServer) -> None:
    token = customer.upload()
    body = customer.tts(phoneNumbers="0611000004", text=None, tokenAudio=token).json()
    assert (body["duration"], body["cost"]) == (1.5, 0.0018)
    assert call_of(voice_server, "+33611000004")["heard_s"] == pytest.approx(1.5, abs=0.02)


def test_bad_numbers_are_told_of_and_cost_nothing(customer: VoiceCustomer) -> None:
    body = customer.tts(phoneNumbers="0611000005,12,0611000005").json()
    assert body["nbSms"] == 1
    assert body["errors"] == body["error"]
    assert [(item["phoneNumber"], item["code"]) for item in body["errors"]] == [
        ("12", "DESTINATION_INVALID"),
        ("0611000005", "PHONE_NUMBER_DUPLICATE"),
    ]


@pytest.mark.parametrize(
    ("number", "in_list", "french", "english"),
    [
        (
            "abc",
            "abc",
            "Ce numéro de téléphone n'est pas valide (abc)",
            "This phone number is not valid (abc)",
        ),
        ("06", "06", "Ce numéro de téléphone n'est pas valide (06)", "This phone number is not valid (06)"),
        ("0899123456", "+33899123456", catalogue_voice.NUMBER_PREMIUM.fr, catalogue_voice.NUMBER_PREMIUM.en),
    ],
)
def test_where_nobody_is_left_the_documented_error_has_a_list_that_names_each_number_and_its_fault(
    number: str, in_list: str, french: str, english: str, customer: VoiceCustomer
) -> None:
    for language, text, message in (
        ("fr", SEND["DESTINATION_INVALID"].fr, french),
        ("en", SEND["DESTINATION_INVALID"].en, english),
    ):
        for answer in (
            customer.tts(phoneNumbers=number, _lang=language),
            customer.deposit(customer.upload(), phoneNumbers=number, _lang=language),
        ):
            items = [{"phoneNumber": in_list, "code": "DESTINATION_INVALID", "message": message}]
            assert answer.status_code == 400
            assert answer.json() == {
                "success": False,
                "code": "DESTINATION_INVALID",
                "message": text,
                "errors": items,
                "error": items,
            }


def test_who_said_stop_is_named_with_it_whether_somebody_is_left_or_nobody(
    customer: VoiceCustomer, voice_server: ChappeServer
) -> None:
    requests.post(
        f"{voice_server.base_url}/sms/v1/send",
        json={"apiKey": customer.key, "phoneNumbers": "0600000007", "message": "Bonjour"},
        timeout=30,
    ).raise_for_status()
    until(lambda: customer.tts(phoneNumbers="0600000007").status_code == 400, "the STOP is stored")
    for numbers in ("0600000007", "0600000007,0611000010"):
        (item,) = customer.tts(phoneNumbers=numbers).json()["errors"]
        assert item == {
            "phoneNumber": "+33600000007",
            "code": "DESTINATION_INVALID",
            "message": catalogue_voice.NUMBER_STOPPED.fr,
        }


def test_numbers_may_be_an_array(customer: VoiceCustomer) -> None:
    assert customer.tts(phoneNumbers=["0611000006", "+33611000007"]).json()["nbSms"] == 2


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"phoneNumbers": None}, 400, "PHONE_NUMBER_REQUIRED"),
        ({"phoneNumbers": " , ,"}, 400, "PHONE_NUMBER_REQUIRED"),
        ({"phoneNumbers": [f"06{n:08}" for n in range(501)]}, 400, "PHONE_NUMBER_SIZE_ERROR"),
        ({"phoneNumbers": "12"}, 400, "DESTINATION_INVALID"),
        ({"phoneNumbers": "0899123456"}, 400, "DESTINATION_INVALID"),
        ({"text": None}, 400, "TEXT_REQUIRED"),
        ({"text": ",,, ..."}, 400, "TEXT_REQUIRED"),
        ({"text": "a" * 3001}, 400, "TEXT_TOO_LONG"),
        ({"text": "a" + "," * 401}, 400, "TEXT_TOO_LONG"),
        ({"lang": "xx"}, 400, "LANG_INVALID"),
        ({"lang": "../../etc"}, 400, "LANG_INVALID"),
        ({"tokenAudio": "unknown"}, 404, "AUDIO_FILE_NOT_FOUND"),
        ({"notifyUrl": "ftp://example.org"}, 400, "NOTIFY_URL_INVALID"),
        ({"notifyUrl": "not a url"}, 400, "NOTIFY_URL_INVALID"),
        ({"scheduledDate": "tomorrow"}, 400, "SCHEDULED_DATE_INVALID"),
        ({"scheduledDate": "2020-01-01 10:00:00"}, 400, "SCHEDULED_DATE_INVALID"),
        ({"scheduledDate": "2099-02-30 10:00:00"}, 400, "SCHEDULED_DATE_INVALID"),
        ({"scheduledDate": "2099-03-29 02:30:00"}, 400, "SCHEDULED_DATE_INVALID"),
    ],
)
def test_every_error_has_its_code_and_costs_nothing(
    fields: dict[str, object], status: int, code: str, customer: VoiceCustomer
) -> None:
    assert refused(customer.tts(**fields)) == (status, code)
    assert customer.credit == "10"


def test_the_texts_of_errors_are_documented_and_in_both_languages(customer: VoiceCustomer) -> None:
    assert customer.tts(phoneNumbers=None).json()["message"] == SEND["PHONE_NUMBER_REQUIRED"].fr
    answer = requests.post(
        f"{customer.server.base_url}/voice/v1/tts/send?_lang=en&_format=xml",
        json={"apiKey": customer.key},
        timeout=30,
    )
    assert answer.headers["content-type"] == "application/xml"
    assert "<entry>PHONE_NUMBER_REQUIRED</entry><entry>The phone number is required</entry>" in answer.text


def test_more_than_the_credit_is_refused(voice_server: ChappeServer) -> None:
    poor = VoiceCustomer(voice_server, credit="0.001")
    assert refused(poor.tts(text="Bonjour, monsieur, comment allez-vous")) == (402, "NOT_CREDIT")
    assert poor.credit == "0.001"


def test_a_send_under_an_idempotency_key_calls_once(
    customer: VoiceCustomer, voice_server: ChappeServer
) -> None:
    send = requests.Request(
        "POST", f"{voice_server.base_url}/voice/v1/tts/send", headers={"Idempotency-Key": "k"},
        json={"apiKey": customer.key, "phoneNumbers": "0611000008", "text": "Bonjour"},
    ).prepare()  # fmt: skip
    with requests.Session() as session:
        first, second = session.send(send), session.send(send)
    assert first.content == second.content
    call_of(voice_server, "+33611000008")
    assert sum(call["phone"] == "+33611000008" for call in calls(voice_server, limit=500)) == 1


def test_the_samples_of_the_page_work_as_they_are_sent(customer: VoiceCustomer) -> None:
    # No Content-Type, a form's Content-Type with JSON in it, `speed` as a text, ISO dates, numbers with spaces.
    body = json.dumps(
        {
            "apiKey": customer.key,
            "phoneNumbers": "06 11 00 00 09",
            "text": "Bonjour",
            "speed": "1",
            "lang": "fr-FR",
        }
    )
    for headers in (
        {},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json; utf-8"},
    ):
        answer = requests.post(
            f"{customer.server.base_url}/voice/v1/tts/send", data=body, headers=headers, timeout=30
        )
        assert answer.json()["success"] is True


def test_without_a_route_or_a_simulator_nobody_can_be_called(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with server_with(tmp_path_factory.mktemp("off"), "[simulator]\nenabled = false\n") as server:
        answer = VoiceCustomer(server).tts()
        assert refused(answer) == (400, "DESTINATION_INVALID")
        assert [item["message"] for item in answer.json()["errors"]] == [
            catalogue_voice.NUMBER_UNREACHABLE.fr
        ]


def test_marketing_calls_are_accepted_and_held(customer: VoiceCustomer, voice_server: ChappeServer) -> None:
    voice_server.ask(AccountSet(customer.email, marketing=True))
    sent = customer.tts(scheduledDate="2099-08-15 03:00:00").json()  # a Saturday, a holiday, in the night
    shown = voice_server.ask(CallShow(sent["campaignId"]))
    (callee,) = shown["callees"]
    assert callee["dueAtMs"] == 4090636800000  # Monday 17 August 2099, 10:00 in Paris
    assert callee["state"] == "waiting"
