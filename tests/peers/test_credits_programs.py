"""The documented credits calls, by programs in seven languages with only base URL and key changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.peers.languages import LANGUAGES, run
from tests.support.peers import need
from tests.support.server import ChappeServer

pytestmark = pytest.mark.peer

FIRSTNAME, LASTNAME = "Zoé", "Bel"

Answer = dict[str, Any]

# 19 euros at the default prices: a mobile's second of speech 0.0009, a landline's 0.0014, a voicemail 0.15;
# an SMS 0.038, a low-cost SMS 0.023, an HLR 0.005; a mail 0.002.
CREDIT = "19"


def sms_answer(email: str) -> Answer:
    return {
        "success": True,
        "code": 200,
        "user": {"username": email, "firstname": FIRSTNAME, "lastname": LASTNAME},
        "credits": {
            "creditSms": 500,
            "creditSmsECO": 826,
            "creditHlr": 3800,
            "toSend": 0,
            "solde": "19.000",
            "currency": "EUR",
            "balance": "19.000",
            "creditSmsLowCost": 826,
        },
    }


def voice_answer(_email: str) -> Answer:
    return {
        "success": True,
        "credit": "19",
        "currency": "€",
        "details": {
            "tts": {"h": 5, "m": 51, "s": 51},
            "tts_fixe": {"h": 3, "m": 46, "s": 11},
            "voice": {"message": 126},
        },
    }


def mail_answer(email: str) -> Answer:
    return {
        "success": True,
        "code": 200,
        "user": {"username": email},
        "credits": {"creditMail": 9500, "currency": "EUR", "balance": "19.000"},
    }


WRONG_KEY = {"success": False, "code": 10, "message": "Clé API incorrecte"}


@dataclass(frozen=True)
class Product:
    name: str
    form: str  # where the samples put the key: "path" or "query"
    answer: Callable[[str], Answer]

    @property
    def host(self) -> str:
        return f"api.{self.name}partner.fr"

    def call(self, base: str, key: str) -> str:
        return f"{base}/me/{key}" if self.form == "path" else f"{base}/me?apiKey={key}"


PRODUCTS = (
    Product("sms", "query", sms_answer),
    Product("voice", "path", voice_answer),
    Product("mail", "query", mail_answer),
)


@pytest.fixture(scope="session", params=LANGUAGES, ids=lambda language: language.__name__)
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command of one language's program, compiled where it needs to be."""
    return request.param(tmp_path_factory.mktemp(request.param.__name__), "credits")


@pytest.fixture(scope="module", params=PRODUCTS, ids=lambda product: product.name)
def product(request: pytest.FixtureRequest) -> Product:
    return request.param


@pytest.fixture(scope="module")
def account(module_server: ChappeServer) -> Answer:
    return module_server.create_account(
        "zoe@example.fr", CREDIT, "--firstname", FIRSTNAME, "--lastname", LASTNAME
    )


def test_the_program_prints_the_credits(
    program: list[str], product: Product, module_server: ChappeServer, account: Answer, tmp_path: Path
) -> None:
    base = f"{module_server.base_url}/{product.name}/v1"
    done = run([*program, base, account["apiKey"], product.form], tmp_path)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer == product.answer(account["email"])
    assert done.stderr == ""


def test_the_program_shows_the_error_of_a_wrong_key(
    program: list[str], product: Product, module_server: ChappeServer, account: Answer, tmp_path: Path
) -> None:
    base = f"{module_server.base_url}/{product.name}/v1"
    done = run([*program, base, "no-such-key", product.form], tmp_path)
    # Libraries that take any status for an answer print it; those that raise on 401 have it on the error.
    shown = done.stdout if done.returncode == 0 else done.stderr
    assert json.loads(shown) == WRONG_KEY
    assert not (done.stdout and done.stderr)


@pytest.mark.parametrize("port_in_host", [False, True], ids=["host alone", "host with port"])
def test_the_vendors_own_url_works_when_only_its_address_is_changed(
    product: Product, port_in_host: bool, module_server: ChappeServer, account: Answer, tmp_path: Path
) -> None:
    # As a line in /etc/hosts or a redirected port does it: bare /v1, and the Host header names the product.
    port = module_server.base_url.rpartition(":")[2]
    named_port = port if port_in_host else "80"
    authority = f"{product.host}:{port}" if port_in_host else product.host
    url = product.call(f"http://{authority}/v1", account["apiKey"])
    elsewhere = ["--connect-to", f"{product.host}:{named_port}:127.0.0.1:{port}"]
    done = run([need("curl"), "--silent", "--show-error", *elsewhere, url], tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == product.answer(account["email"])


def test_the_documented_key_order_is_kept(
    product: Product, module_server: ChappeServer, account: Answer, tmp_path: Path
) -> None:
    url = product.call(f"{module_server.base_url}/{product.name}/v1", account["apiKey"])
    done = run([need("curl"), "--silent", "--show-error", url], tmp_path)
    expected = product.answer(account["email"])
    assert json.dumps(json.loads(done.stdout)) == json.dumps(expected)
