"""The client commands of `chappe` call a server as any program would, and print what it answers."""

from __future__ import annotations

import io
import json
import wave
from pathlib import Path

import pytest

from chappe.cli import main
from tests.support.server import ChappeServer


class Commands:
    """`chappe`, with the address and the key of one account in its variables."""

    def __init__(
        self, url: str, key: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("CHAPPE_URL", url)
        monkeypatch.setenv("CHAPPE_KEY", key)
        self._capsys = capsys

    def __call__(self, *arguments: str):  # type: ignore[no-untyped-def]
        assert main(arguments) == 0, self._capsys.readouterr().err
        return json.loads(self._capsys.readouterr().out)

    def refusal(self, *arguments: str) -> str:
        assert main(arguments) == 1
        return self._capsys.readouterr().err.removeprefix("chappe: ").rstrip("\n")

    def printed(self, *arguments: str) -> str:
        assert main(arguments) == 0
        return self._capsys.readouterr().out


@pytest.fixture
def chappe(
    server: ChappeServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Commands:
    email = f"client{server.pid}.{len(server.run('account', 'list').splitlines())}@example.fr"
    return Commands(server.base_url, server.create_account(email)["apiKey"], monkeypatch, capsys)


def wav(seconds: int) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(range(256)) * (8000 * 2 * seconds // 256))
    return file.getvalue()


def test_credits_of_each_product(chappe: Commands) -> None:
    assert chappe("credits")["credits"]["balance"] == "100.000"
    assert chappe("credits", "--product", "voice")["credit"] == "100"
    assert chappe("credits", "--product", "mail")["credits"]["creditMail"] == 50000


def test_an_sms_and_what_became_of_it(chappe: Commands) -> None:
    sent = chappe("sms", "send", "0600000000,+33600000012", "Bonjour", "--sender", "Chappe")
    assert (sent["success"], sent["nb_sms"], sent["cost"]) == (True, 2, 0.076)
    number = chappe("status", str(sent["message_id"]), "0600000000")
    assert number["statut"] in ("Waiting", "Delivered")


def test_a_deferred_sms(chappe: Commands) -> None:
    sent = chappe("sms", "send", "0600000000", "Demain", "--at", "31/12/2099 08:30")
    assert sent["scheduledDeliveryDate"] == "2099-12-31 08:30:00"


@pytest.mark.parametrize("at", ["2099-12-31 08:30", "31/12/2099", "31/12/2099 8h30", "demain"])
def test_a_date_that_is_none_is_refused_with_the_form_that_is_expected(chappe: Commands, at: str) -> None:
    assert "is not 'DD/MM/YYYY HH:MM'" in chappe.refusal("sms", "send", "0600000000", "Demain", "--at", at)


def test_the_history_says_of_a_sandbox_message_that_it_is_one(chappe: Commands, server: ChappeServer) -> None:
    sent = chappe("sms", "send", "0600000000", "Bonjour", "--sandbox")
    shown = chappe.printed("message", "show", str(sent["message_id"]), "--data", str(server.data))
    assert shown.startswith(f"sandbox message {sent['message_id']} of ")


def test_refusals_are_the_server_s_words_in_english(
    chappe: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert chappe.refusal("sms", "send", "0600000000", "").endswith("(code 9); The message is required")
    monkeypatch.setenv("CHAPPE_KEY", "0" * 40)
    assert chappe.refusal("credits") == "Invalid API key (code 10)"
    monkeypatch.delenv("CHAPPE_KEY")
    assert chappe.refusal("credits") == "give the API key with --key or CHAPPE_KEY"


def test_a_server_that_is_not_there_is_said(chappe: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAPPE_URL", "http://127.0.0.1:1")
    assert chappe.refusal("credits").startswith("http://127.0.0.1:1 does not answer")


def test_a_voice_message_is_spoken(chappe: Commands) -> None:
    sent = chappe("voice", "send", "0600000000", "Bonjour, ici Chappe", "--rate", "1.5")
    assert (sent["success"], sent["nbSms"], sent["lang"]) == (True, 1, "fr")
    assert chappe.refusal("voice", "send", "0600000000").startswith("give a text")


def test_a_file_is_uploaded_listed_left_on_voicemails_and_taken_back(
    chappe: Commands, tmp_path: Path
) -> None:
    file = tmp_path / 'été; "rappel".wav'
    file.write_bytes(wav(2))
    stored = chappe("voice", "upload", str(file))
    assert (stored["filename"], stored["duration"]) == (file.name, "0:02")
    assert [audio["token"] for audio in chappe("voice", "audios")["datas"]] == [stored["tokenAudio"]]
    campaign = chappe("voice", "deposit", "0600000000", stored["tokenAudio"], "--at", "31/12/2099 10:30")
    assert campaign["success"] is True
    assert chappe("voice", "cancel", campaign["campaignId"])["assignedCredit"] == "0.15"
    assert "No such file" in chappe.refusal("voice", "upload", str(tmp_path / "none.wav"))
