"""The documented calls of Voice Partner, by programs in eight languages with only base URL and key changed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from chappe.administration.commands import CallShow
from tests.peers.languages import LANGUAGES, ruby, run
from tests.support.receiver import Receiver
from tests.support.server import ChappeServer
from tests.unit.audio.sounds import file_of, tone
from tests.wire.voice.conftest import LOOPBACK, VoiceCustomer

pytestmark = pytest.mark.peer

TEXT = "À 10 h"  # short: it is spoken in full
DATE = "2099-02-02 14:15:00"
NAME = "Rappel d'été"
WAV = file_of(tone(600, 0.5, 16_000), 16_000, "WAV", "PCM_16")

Call = Callable[..., Any]
"""Runs the program with the rest of its arguments; gives what it printed."""


@pytest.fixture(scope="module")
def callback_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChappeServer]:
    server = ChappeServer(tmp_path_factory.mktemp("voice"), rate_limits=False, environment=LOOPBACK)
    with server as running:
        yield running
        running.assert_no_traceback()


@pytest.fixture(scope="module", params=enumerate((*LANGUAGES, ruby)), ids=lambda found: found[1].__name__)
def program(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[int, list[str]]:
    """The number of a language, and the command of its program."""
    number, language = request.param
    return number, language(tmp_path_factory.mktemp(language.__name__), "voice")


@pytest.fixture
def customer(callback_server: ChappeServer) -> VoiceCustomer:
    return VoiceCustomer(callback_server)


@pytest.fixture
def call(program: tuple[int, list[str]], customer: VoiceCustomer, tmp_path: Path) -> Call:
    def called(*arguments: str) -> Any:
        base = f"{customer.server.base_url}/voice/v1"
        done = run([*program[1], base, customer.key, *arguments], tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads(done.stdout)

    return called


@pytest.fixture
def mobiles(program: tuple[int, list[str]]) -> list[str]:
    """Two mobiles of the language's own, in the documented ways to write them."""
    return [f"06125{program[0]:02}001", f"+336125{program[0]:02}002"]


def test_the_list_of_audio_files(call: Call, customer: VoiceCustomer) -> None:
    token = customer.upload(WAV, "annonce")
    answer = call("audios")
    created = answer["datas"][0].pop("created_at")
    assert answer == {
        "nb_datas": 1,
        "datas": [{"name": "annonce", "token": token, "size": "15.7Ko", "duration": "0:01"}],
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}", created.pop("date"))
    assert created == {"timezone_type": 3, "timezone": "Europe/Paris"}


def test_an_audio_file_is_renamed(call: Call, customer: VoiceCustomer) -> None:
    token = customer.upload(WAV)
    assert call("rename", token, NAME) == {"success": True, "filename": NAME, "tokenAudio": token}
    assert call("audios")["datas"][0]["name"] == NAME


def test_a_deposit_is_called_and_its_end_told_by_get(call: Call, customer: VoiceCustomer) -> None:
    token = customer.upload(WAV, NAME)
    numbers = "0600000002,+33600000004"  # busy, unreachable: they take no time
    with Receiver() as receiver:
        answer = call("deposit", token, "zoe@example.fr", numbers, "", receiver.url("/end"))
        (request,) = receiver.wait(1)
    assert answer == {
        "success": True,
        "campaignId": answer["campaignId"],
        "cost": 0.3,
        "currency": "EUR",
        "nbSms": 2,
        "audioFile": {"filename": NAME, "size": "15.7Ko"},
        "detail": {"33": {"nbSms": 2, "cost_unity": 0.15, "cost": 0.3}},
    }
    query = {name: values[0] for name, values in parse_qs(urlsplit(request.path).query).items()}
    assert re.fullmatch(r"NDA_\d{8}_\d{5}", query.pop("campaign_id"))
    assert query == {
        "campaign_token": answer["campaignId"],
        "delivered_quantity": "0",
        "total_quantity": "2",
    }
    assert customer.server.ask(CallShow(answer["campaignId"]))["noticeTo"] == "zoe@example.fr"


def test_a_voice_sms_is_spoken_and_its_outcome_told_by_post(
    call: Call, customer: VoiceCustomer, mobiles: list[str]
) -> None:
    with Receiver() as receiver:
        answer = call("tts", mobiles[0], TEXT, "", receiver.url("/outcome"))
        (request,) = receiver.wait(1)
    duration, cost = answer["duration"], answer["cost"]
    assert answer == {
        "success": True,
        "campaignId": answer["campaignId"],
        "cost": cost,
        "currency": "EUR",
        "nbSms": 1,
        "lang": "fr",
        "duration": duration,
        "detail": {
            "33": {
                "nbSms": 1,
                "cost_unity": cost,
                "cost": cost,
                "country_code": "fr",
                "duration": duration,
            }
        },
    }
    seconds = -(-round(duration * 10) // 10)
    assert cost == pytest.approx(0.0009 * seconds)
    told = request.json
    for name in ("sendAt", "doneAt"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", told.pop(name))
    assert told == {
        "campaignId": answer["campaignId"],
        "status": "delivered",
        "additionnal_status": "VOICE_ANSWERED",
        "phoneNumber": f"0033{mobiles[0][1:]}",
        "duration": seconds,
    }


def test_deferred_sends_are_cancelled_and_their_credit_comes_back(
    call: Call, customer: VoiceCustomer, mobiles: list[str]
) -> None:
    deposit = call("deposit", customer.upload(WAV), "zoe@example.fr", ", ".join(mobiles), DATE, "")
    speech = call("tts", mobiles[1], TEXT, DATE, "")
    spent = 10 - deposit["cost"] - speech["cost"]
    assert float(customer.credit) == pytest.approx(spent)
    for sent, given_back in ((deposit, "0.3"), (speech, str(speech["cost"]))):
        assert call("cancel", sent["campaignId"]) == {
            "success": True,
            "campaignId": sent["campaignId"],
            "assignedCredit": given_back,
            "currency": "EUR",
        }
    assert customer.credit == "10"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["tts", "0612345678", TEXT, "", ""], 10, "Clé API incorrecte"),
        (["cancel", "D5x2M"], 10, "Action non autorisé."),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_the_program_shows_the_error_of_a_wrong_key(
    program: tuple[int, list[str]],
    callback_server: ChappeServer,
    tmp_path: Path,
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    base = f"{callback_server.base_url}/voice/v1"
    done = run([*program[1], base, "no-such-key", *arguments], tmp_path)
    # Libraries that take any status for an answer print it; those that raise on 401 have it on the error.
    shown = done.stdout if done.returncode == 0 else done.stderr
    assert json.loads(shown) == {"success": False, "code": code, "message": message}
