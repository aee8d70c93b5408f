"""What administration commands print for people: every list under a head, times in one manner, retries with the account."""

from __future__ import annotations

import json
import re

import pytest

from tests.support.clocked import until
from tests.support.server import ChappeServer
from tests.support.wire import call
from tests.wire.voice.conftest import VoiceCustomer

TIME = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ"


@pytest.mark.parametrize(
    ("words", "head"),
    [
        ("account list", "EMAIL BALANCE STATE RIGHTS"),
        ("price list", "ARTICLE PREFIX EUROS UNIT ACCOUNT"),
        ("audio list", "TOKEN STATE DURATION ACCOUNT NAME"),
        ("webhook list", "ID|KIND|STATE|ATTEMPTS|LAST RESULT|SETTLED OR NEXT|ACCOUNT|URL"),
        ("recording list", "ID BEGAN CALLER NUMBER DURATION STATE"),
        ("call incoming", "ID BEGAN CALLER NUMBER ACTION RESULT"),
        ("call list", "CAMPAIGN ACCEPTED ACCOUNT KIND STATE DELIVERED EUR"),
        ("message list", "MESSAGE ACCEPTED ACCOUNT STATE DELIVERED EUR"),
    ],
)
def test_every_list_has_a_head_with_as_many_columns_as_its_lines(
    words: str, head: str, wire_server: ChappeServer
) -> None:
    VoiceCustomer(wire_server).upload()
    first, *lines = wire_server.run(*words.split()).splitlines()
    assert first.split("\t") == head.split("|" if "|" in head else " ")
    assert {line.count("\t") for line in lines} <= {first.count("\t")}
    if words in ("account list", "price list", "audio list"):
        assert lines


def test_times_of_callbacks_are_written_as_in_every_other_list(wire_server: ChappeServer) -> None:
    customer = VoiceCustomer(wire_server)
    # No address that is allowed: the event stays, with a time for its next attempt.
    customer.tts(phoneNumbers="0600000002", notifyUrl="http://127.0.0.1:9/").json()
    _wait_for_event(wire_server)
    line = wire_server.run("webhook", "list").splitlines()[1]
    assert re.search(rf"\t(next )?{TIME}\t", line), line
    (event, *_) = json.loads(wire_server.run("webhook", "list", "--json"))["events"]
    assert re.fullmatch(TIME, event["createdAt"])


def test_an_account_is_shown_with_its_voice_retries(wire_server: ChappeServer) -> None:
    email = VoiceCustomer(wire_server).email
    assert "voiceRetries: 0\nvoiceRetryDelayS: 300\n" in wire_server.run("account", "show", email)
    flags = ("--voice-retries", "2", "--voice-retry-delay", "600")
    assert "voiceRetries: 2\nvoiceRetryDelayS: 600\n" in wire_server.run("account", "set", email, *flags)
    shown = json.loads(wire_server.run("account", "show", email, "--json"))
    assert (shown["voiceRetries"], shown["voiceRetryDelayS"]) == (2, 600)


def test_the_history_of_a_campaign_says_when_the_next_call_is_and_why_not_now(
    wire_server: ChappeServer,
) -> None:
    customer = VoiceCustomer(wire_server)
    wire_server.run("account", "set", customer.email, "--voice-retries", "2")
    token = customer.upload()
    busy = customer.tts(phoneNumbers="0600000002").json()["campaignId"]
    person = customer.deposit(token, phoneNumbers="0600000000").json()["campaignId"]
    later = customer.tts(scheduledDate="2099-12-31 10:30:00").json()["campaignId"]
    _until_shown(wire_server, busy, rf"\n  next call at {TIME}, retry 1 of 2, for it was busy\n")
    _until_shown(
        wire_server,
        person,
        rf"\n  next call at {TIME}, the last one, for a person answered where a mailbox was wanted\n",
    )
    _until_shown(wire_server, later, r"\n  next call at 2099-12-31T09:30:00\.000Z, as the request asked\n")


def _wait_for_event(wire_server: ChappeServer) -> None:
    until(
        lambda: bool(json.loads(wire_server.run("webhook", "list", "--json"))["events"]), "an event is listed"
    )


def _until_shown(wire_server: ChappeServer, campaign: str, pattern: str) -> None:
    until(
        lambda: re.search(pattern, wire_server.run("call", "show", campaign)) is not None,
        f"it shows {pattern}",
    )


def test_the_campaigns_of_an_account_are_listed_the_newest_first(wire_server: ChappeServer) -> None:
    customer, other = VoiceCustomer(wire_server), VoiceCustomer(wire_server)
    other.tts(phoneNumbers="0600000002").json()
    first = customer.tts(phoneNumbers="0600000002,0600000000").json()["campaignId"]
    later = customer.tts(phoneNumbers="0600000000", scheduledDate="2099-12-31 10:30:00").json()["campaignId"]
    gone = customer.tts(phoneNumbers="0600000000", scheduledDate="2099-12-31 10:30:00").json()["campaignId"]
    assert customer.cancel(gone).json()["success"]

    def listed() -> list[list[str]]:
        words = ("call", "list", "--account", customer.email)
        return [line.split("\t") for line in wire_server.run(*words).splitlines()[1:]]

    until(lambda: listed()[-1][4].startswith("ended "), "the first campaign ends")
    assert [line[0] for line in listed()] == [gone, later, first]
    assert [line[4].split()[0] for line in listed()] == ["cancelled", "due", "ended"]
    assert listed()[-1][5] == "1 of 2"
    assert len(wire_server.run("call", "list", "--account", customer.email, "--limit", "1").splitlines()) == 2
    wire_server.run("call", "list", "--account", "nobody@example.fr", exit_code=1)


def test_the_messages_of_an_account_are_listed_the_newest_first(wire_server: ChappeServer) -> None:
    customer = VoiceCustomer(wire_server)
    sent = [
        call(
            wire_server.base_url,
            "/sms/v1/send",
            method="POST",
            body=json.dumps({"apiKey": customer.key, "phoneNumbers": numbers, "message": "Bonjour"} | more),
        ).json["message_id"]
        for numbers, more in (
            ("0600000000,0600000002", {}),
            ("0600000000", {"scheduledDeliveryDate": "31/12/2099", "time": 10, "minute": 30}),
        )
    ]

    def listed() -> list[list[str]]:
        words = ("message", "list", "--account", customer.email)
        return [line.split("\t") for line in wire_server.run(*words).splitlines()[1:]]

    until(lambda: listed()[-1][3] == "ended", "the first message ends")
    assert [(line[0], line[3].split()[0], line[4]) for line in listed()] == [
        (str(sent[1]), "due", "0 of 1"),
        (str(sent[0]), "ended", "1 of 2"),
    ]
    everyone = json.loads(wire_server.run("message", "list", "--json"))["messages"]
    assert {each["email"] for each in everyone} >= {customer.email}
