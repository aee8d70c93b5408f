"""A server that may call back to this machine, and customers on it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from chappe.administration.commands import AccountCreate
from tests.support.server import ChappeServer
from tests.unit.audio.sounds import file_of, tone

_counter = itertools.count(1)
LOOPBACK = {"CHAPPE_CALLBACK_ALLOW": "127.0.0.0/8"}
SHORT_WAV = file_of(tone(600, 1.5, 16_000), 16_000, "WAV", "PCM_16")
ANSWER_S_MAX = 60


class VoiceCustomer:
    """An account of a server, and the voice calls as a program makes them."""

    def __init__(self, server: ChappeServer, credit: str = "10") -> None:
        self.server = server
        self.email = f"voice{next(_counter)}@example.fr"
        self.key: str = server.ask(AccountCreate(self.email, credit=credit))["apiKey"]

    def post(self, page: str, **body: object) -> requests.Response:
        return requests.post(
            f"{self.server.base_url}/voice/v1/{page}",
            json={"apiKey": self.key, **{n: v for n, v in body.items() if v is not None}},
            timeout=ANSWER_S_MAX,
        )

    def tts(self, **fields: object) -> requests.Response:
        """A send of "Bonjour" to 06 00 00 00 00, but for what `fields` say; None leaves a field out."""
        return self.post("tts/send", **{"phoneNumbers": "0600000000", "text": "Bonjour", **fields})

    def deposit(self, token: str, **fields: object) -> requests.Response:
        return self.post("campaign/send", **{"phoneNumbers": "0612345678", "tokenAudio": token, **fields})

    def cancel(self, campaign_id: str) -> requests.Response:
        return requests.delete(
            f"{self.server.base_url}/voice/v1/campaign/cancel/{self.key}/{campaign_id}", timeout=ANSWER_S_MAX
        )

    def upload(self, content: bytes = SHORT_WAV, name: str = "annonce") -> str:
        """The token of a stored file."""
        answer = requests.post(
            f"{self.server.base_url}/voice/v1/audio-file/upload",
            files={"file": ("annonce.wav", content)},
            data={"apiKey": self.key, "filename": name},
            timeout=ANSWER_S_MAX,
        )
        return answer.json()["tokenAudio"]

    @property
    def credit(self) -> str:
        answer = requests.get(f"{self.server.base_url}/voice/v1/me/{self.key}", timeout=ANSWER_S_MAX)
        return answer.json()["credit"]


def calls(server: ChappeServer, **query: Any) -> list[dict[str, Any]]:
    """What the built-in telephones got, the newest first."""
    return requests.get(f"{server.base_url}/simulator/calls", params=query, timeout=ANSWER_S_MAX).json()


def refused(answer: requests.Response) -> tuple[int, object]:
    """(HTTP status, code) of an answer that must be an error with a text."""
    body = answer.json()
    assert body["success"] is False
    assert body["message"]
    return answer.status_code, body["code"]


@pytest.fixture(scope="module")
def voice_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChappeServer]:
    server = ChappeServer(tmp_path_factory.mktemp("voice"), rate_limits=False, environment=LOOPBACK)
    with server as running:
        yield running
        running.assert_no_traceback()
    running.assert_no_traceback()


@pytest.fixture
def customer(voice_server: ChappeServer) -> VoiceCustomer:
    return VoiceCustomer(voice_server)


def server_with(folder: Path, configuration: str) -> ChappeServer:
    """A server of the test's own."""
    server = ChappeServer(folder, rate_limits=False, environment=LOOPBACK)
    (server.data / "chappe.toml").write_text(configuration)
    return server
