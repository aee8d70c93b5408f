"""What administration commands print for people: every list under a head, times in one manner, retries with the account."""

from __future__ import annotations

import json
import re

import pytest

from tests.support.clocked import until
from tests.support.server import ChappeServer
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
