"""The documented send, by programs in seven languages with only base URL and key changed: the SMS arrives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.peers.languages import LANGUAGES, run
from tests.support.customer import received, text_on
from tests.support.server import ChappeServer

pytestmark = pytest.mark.peer

MESSAGE = "Rendez-vous à 10 h au café : 5 € l'été"


@pytest.fixture(scope="module", params=enumerate(LANGUAGES), ids=lambda found: found[1].__name__)
def program(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[int, list[str]]:
    """The number of a language, and the command of its program."""
    number, language = request.param
    return number, language(tmp_path_factory.mktemp(language.__name__), "send")


@pytest.fixture(scope="module")
def key(module_server: ChappeServer) -> str:
    return module_server.create_account("zoe@example.fr", "10")["apiKey"]


def test_the_sms_arrives(
    program: tuple[int, list[str]], module_server: ChappeServer, key: str, tmp_path: Path
) -> None:
    number, command = program
    phones = (f"+3361234{number:02}00", f"+3361234{number:02}01")
    base = f"{module_server.base_url}/sms/v1"
    done = run([*command, base, key, ", ".join(phones), MESSAGE], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    answer: dict[str, Any] = json.loads(done.stdout)
    message_id = answer["message_id"]
    assert answer == {
        "success": True,
        "code": 200,
        "message_id": message_id,
        "nb_sms": 2,
        "cost": 0.076,
        "currency": "EUR",
        "messageId": message_id,
    }
    senders: set[str] = set()
    for phone in phones:
        assert text_on(module_server, phone) == MESSAGE
        senders.add(received(module_server, phone)[0]["from"])
    assert len(senders) == 1
    assert senders < {
        *("PhpCurl", "PyRequests", "VisualBasic", "Curl", "NodeAxios", "Java", "GoNetHttp"),
        *("HttpClient", "WebRequest"),
    }


def test_the_program_shows_the_error_of_a_wrong_key(
    program: tuple[int, list[str]], module_server: ChappeServer, tmp_path: Path
) -> None:
    base = f"{module_server.base_url}/sms/v1"
    done = run([*program[1], base, "no-such-key", "0600000000", MESSAGE], tmp_path)
    # Libraries that take any status for an answer print it; those that raise on 401 have it on the error.
    shown = done.stdout if done.returncode == 0 else done.stderr
    assert json.loads(shown) == {"success": False, "code": 10, "message": "Clé API incorrecte"}
