"""Persons and machines at the built-in telephones: who hears what, over SIP and RTP."""

from __future__ import annotations

import json

import pytest

from chappe.administration.commands import CallShow
from tests.support.clocked import until
from tests.support.receiver import Receiver
from tests.support.server import ChappeServer
from tests.wire.voice.conftest import VoiceCustomer, calls

TEXT_S = 0.9
"""Shorter than the file: what was heard tells which of the two it was."""


def attempt(server: ChappeServer, campaign_id: str, number: str) -> dict[str, object]:
    """The first call to a number, once it has ended."""

    def found() -> list[dict[str, object]]:
        callees = server.ask(CallShow(campaign_id))["callees"]
        (callee,) = (callee for callee in callees if str(callee["number"]).endswith(number[1:]))
        return [call for call in callee["calls"] if call["result"] != "under way"]

    until(lambda: bool(found()), f"a call to {number} has ended")
    return found()[0]


def test_a_deposit_is_left_on_a_machine_after_its_beep(
    customer: VoiceCustomer, voice_server: ChappeServer
) -> None:
    number = "0100000001"
    sent = customer.deposit(customer.upload(), phoneNumbers=number).json()
    call = attempt(voice_server, sent["campaignId"], number)
    assert (call["result"], call["party"]) == ("answered", "machine")
    heard = next(c for c in calls(voice_server) if c["phone"] == f"+33{number[1:]}")
    assert heard["heard_s"] == pytest.approx(1.5, abs=0.02)
    assert customer.credit == "9.85"


def test_a_text_is_spoken_to_a_person_and_its_file_left_on_a_machine(
    customer: VoiceCustomer, voice_server: ChappeServer
) -> None:
    with Receiver() as receiver:
        body = customer.tts(
            phoneNumbers="0600000000,0600000001",
            text="Un",
            tokenAudio=customer.upload(),
            notifyUrl=receiver.url(),
        ).json()
        outcomes = {request.json["phoneNumber"][-2:]: request.json for request in receiver.wait(2)}
    assert body["cost"] == 2 * 0.0018  # the longer of the two is quoted
    assert outcomes["00"]["audioFileComplementaire"] == {"status": "No deposit"}
    assert outcomes["01"]["audioFileComplementaire"] == {"status": "Deposit"}
    heard = {c["phone"][-2:]: c["heard_s"] for c in calls(voice_server, limit=2)}
    assert 0.1 < heard["00"] < TEXT_S
    assert heard["01"] == pytest.approx(1.5, abs=0.02)
    shown = json.loads(voice_server.run("call", "show", body["campaignId"], "--json"))
    assert {callee["calls"][0]["party"] for callee in shown["callees"]} == {"person", "machine"}
