"""Voicemail deposits over HTTP: the documented answer, the callback by GET, cancelling, and every error."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from chappe.administration.commands import CallerChange, CallShow
from tests.support.clocked import until
from tests.support.receiver import Receiver
from tests.support.server import ChappeServer
from tests.wire.voice.conftest import VoiceCustomer, calls, refused, server_with

FUTURE = "2099-02-02 14:15:00"


def test_the_answer_is_as_documented(customer: VoiceCustomer) -> None:
    answer = customer.deposit(customer.upload(name="Rappel"), phoneNumbers="0612000001,0612000002")
    assert answer.status_code == 200
    body = answer.json()
    assert list(body) == ["success", "campaignId", "cost", "currency", "nbSms", "audioFile", "detail"]
    assert (body["cost"], body["currency"], body["nbSms"]) == (0.3, "EUR", 2)
    assert body["audioFile"] == {"filename": "Rappel", "size": "46.9Ko"}
    assert body["detail"] == {"33": {"nbSms": 2, "cost_unity": 0.15, "cost": 0.3}}


def test_an_ordinary_mobile_takes_it_in_its_mailbox_and_the_end_is_told_by_get(
    customer: VoiceCustomer,
) -> None:
    with Receiver() as receiver:
        sent = customer.deposit(
            customer.upload(), phoneNumbers="0612000003,0600000002", notifyUrl=receiver.url("/end?mine=1")
        ).json()
        (request,) = receiver.wait(1)
    assert request.body == b""
    assert urlsplit(request.path).path == "/end"
    query = {name: values[0] for name, values in parse_qs(urlsplit(request.path).query).items()}
    assert query.pop("campaign_id").startswith("NDA_")
    assert query == {
        "mine": "1",
        "campaign_token": sent["campaignId"],
        "delivered_quantity": "1",
        "total_quantity": "2",
    }
    call = next(call for call in calls(customer.server, limit=500) if call["phone"] == "+33612000003")
    assert call["behaviour"] == "its mailbox answers"
    assert call["heard_s"] == pytest.approx(1.5, abs=0.02)
    assert customer.credit == "9.85"


def test_a_person_on_a_landline_hears_nothing(customer: VoiceCustomer) -> None:
    with Receiver() as receiver:
        customer.deposit(customer.upload(), phoneNumbers="0100000000", notifyUrl=receiver.url())
        (request,) = receiver.wait(1)
    assert "delivered_quantity=0&total_quantity=1" in request.path
    call = next(call for call in calls(customer.server, limit=500) if call["phone"] == "+33100000000")
    assert (call["behaviour"], call["heard"]) == ("a person answers", None)
    assert customer.credit == "10"


def test_who_is_to_be_told_by_mail_is_on_record(customer: VoiceCustomer, voice_server: ChappeServer) -> None:
    sent = customer.deposit(customer.upload(), emailForNotification="Ana@Example.fr").json()
    assert voice_server.ask(CallShow(sent["campaignId"]))["noticeTo"] == "ana@example.fr"
    assert "ana@example.fr" in voice_server.run("call", "show", sent["campaignId"])


@pytest.mark.parametrize("date", [FUTURE, "2099-02-02T14:15:00", "2099-2-2 14:15"])
def test_a_deferred_campaign_is_cancelled_with_its_credit_as_a_text(
    date: str, customer: VoiceCustomer
) -> None:
    numbers = ",".join(f"06120001{n:02}" for n in range(12))
    sent = customer.deposit(customer.upload(), phoneNumbers=numbers, scheduledDate=date).json()
    assert customer.credit == "8.2"
    answer = customer.cancel(sent["campaignId"])
    assert answer.json() == {
        "success": True,
        "campaignId": sent["campaignId"],
        "assignedCredit": "1.8",
        "currency": "EUR",
    }
    assert list(answer.json()) == ["success", "campaignId", "assignedCredit", "currency"]
    assert customer.credit == "10"
    assert refused(customer.cancel(sent["campaignId"])) == (400, 400)


def test_cancelling_by_parameters_and_in_xml(customer: VoiceCustomer) -> None:
    sent = customer.tts(scheduledDate=FUTURE).json()
    answer = requests.delete(
        f"{customer.server.base_url}/voice/v1/campaign/cancel",
        params={"apiKey": customer.key, "campaignId": sent["campaignId"], "_format": "xml"},
        timeout=30,
    )
    assert answer.status_code == 200
    assert f"<entry><![CDATA[{sent['campaignId']}]]></entry>" in answer.text


def test_what_cannot_be_cancelled_says_why(customer: VoiceCustomer, voice_server: ChappeServer) -> None:
    at_once = customer.tts(phoneNumbers="0612000004").json()
    assert refused(customer.cancel(at_once["campaignId"])) == (400, 400)
    assert refused(customer.cancel("unknown")) == (404, 404)
    assert customer.cancel("unknown").json()["message"] == "Ressource non trouvé."
    assert refused(customer.cancel("x" * 100)) == (404, 404)
    deferred = customer.tts(scheduledDate=FUTURE).json()
    other = VoiceCustomer(voice_server)
    assert refused(other.cancel(deferred["campaignId"])) == (404, 404)
    other.key = "nobodys"
    answer = other.cancel(deferred["campaignId"])
    assert refused(answer) == (401, 10)
    assert answer.json()["message"] == "Action non autorisé."


def test_a_file_that_a_campaign_still_plays_is_not_deleted(customer: VoiceCustomer) -> None:
    token = customer.upload()
    sent = customer.deposit(token, scheduledDate=FUTURE).json()
    url = f"{customer.server.base_url}/voice/v1/audio-file/delete/{customer.key}/{token}"
    assert refused(requests.delete(url, timeout=30)) == (409, "AUDIO_FILE_IN_USE")
    customer.cancel(sent["campaignId"])
    assert requests.delete(url, timeout=30).json()["success"] is True
    assert refused(customer.deposit(token)) == (404, "AUDIO_FILE_NOT_FOUND")


def test_only_verified_numbers_of_allowed_ranges_are_shown(
    customer: VoiceCustomer, voice_server: ChappeServer
) -> None:
    token = customer.upload()
    assert refused(customer.deposit(token, sender="hello")) == (400, "SENDER_INVALID")
    assert refused(customer.deposit(token, sender="0162001122")) == (403, "SENDER_NOT_AUTHORIZED")
    voice_server.run("caller", "add", customer.email, "0162001122")
    assert customer.deposit(token, sender="33162001122", phoneNumbers="0612000005").json()["success"] is True
    until(
        lambda: any(
            c["phone"] == "+33612000005" and c["from"] == "+33162001122" for c in calls(voice_server)
        ),
        "the number is shown",
    )
    # Verified or not, automatic calls must not show geographic and mobile numbers (Arcep).
    for number in ("0123456789", "0612345678", "0912345678", "0899123456", "+590690123456", "+262262123456"):
        voice_server.run("caller", "add", customer.email, number, exit_code=1)
    assert voice_server.ask(CallerChange(customer.email, add="+442079460000"))["numbers"] == [
        "+33162001122",
        "+442079460000",
    ]
    voice_server.run("caller", "remove", customer.email, "0162001122")
    assert "+442079460000" in voice_server.run("caller", "list", customer.email)
    assert refused(customer.deposit(token, sender="0162001122")) == (403, "SENDER_NOT_AUTHORIZED")


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"phoneNumbers": None}, 400, "PHONE_NUMBER_REQUIRED"),
        ({"phoneNumbers": [f"06{n:08}" for n in range(501)]}, 400, "PHONE_NUMBER_SIZE_ERROR"),
        ({"phoneNumbers": "12"}, 400, "DESTINATION_INVALID"),
        ({"tokenAudio": None}, 400, "TOKEN_AUDIO_REQUIRED"),
        ({"tokenAudio": "unknown"}, 404, "AUDIO_FILE_NOT_FOUND"),
        ({"notifyUrl": "javascript:alert(1)"}, 400, "NOTIFY_URL_INVALID"),
        # It is asked for with its quantities: together they would be longer than an address may be.
        ({"notifyUrl": f"http://example.org/{'x' * 2000}"}, 400, "NOTIFY_URL_INVALID"),
        ({"scheduledDate": "02/02/2099"}, 400, "SCHEDULED_DATE_INVALID"),
        ({"scheduledDate": "9999-12-31 23:59:00"}, 400, "SCHEDULED_DATE_INVALID"),
        ({"emailForNotification": "nobody"}, 400, "EMAIL_INVALID"),
    ],
)
def test_every_error_has_its_code_and_costs_nothing(
    fields: dict[str, object], status: int, code: str, customer: VoiceCustomer
) -> None:
    token = customer.upload()
    assert refused(customer.deposit(token, **{"tokenAudio": token, **fields})) == (status, code)
    assert customer.credit == "10"


def test_a_file_that_waits_for_the_operator_cannot_be_sent(tmp_path_factory: pytest.TempPathFactory) -> None:
    with server_with(tmp_path_factory.mktemp("moderated"), "[voice]\naudio_moderation = true\n") as server:
        customer = VoiceCustomer(server)
        token = customer.upload()
        assert refused(customer.deposit(token)) == (404, "AUDIO_FILE_NOT_FOUND")
        server.run("audio", "validate", token)
        assert customer.deposit(token).json()["success"] is True


def test_the_documented_limits_hold(tmp_path_factory: pytest.TempPathFactory) -> None:
    with ChappeServer(tmp_path_factory.mktemp("limits")) as server:
        customer = VoiceCustomer(server)
        token = customer.upload()
        answers = [customer.deposit(token, scheduledDate=FUTURE) for _ in range(6)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429]
        assert answers[0].headers["x-ratelimit-limit"] == "5"
        assert customer.tts(scheduledDate=FUTURE).headers["x-ratelimit-limit"] == "2000"
