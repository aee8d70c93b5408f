"""Audio files over HTTP: uploaded, listed as documented, renamed, deleted, moderated; and every error of it."""

from __future__ import annotations

import base64
import io
import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
import soundfile

from chappe.administration.commands import AccountCreate, AudioList, AudioModerate, AudioSave
from tests.support.server import ChappeServer
from tests.unit.audio.sounds import file_of, loudest_hz, tone

WAV = file_of(tone(600, 12.0, 16_000), 16_000, "WAV", "PCM_16")


@pytest.fixture
def fresh_key(wire_server: ChappeServer) -> str:
    return wire_server.ask(AccountCreate(f"{uuid.uuid4().hex}@example.fr", credit="10"))["apiKey"]


def upload(
    url: str, key: str, content: bytes = WAV, file: str = "annonce.wav", **fields: str
) -> requests.Response:
    return requests.post(
        f"{url}/voice/v1/audio-file/upload",
        files={"file": (file, content)},
        data={"apiKey": key, **fields},
        timeout=30,
    )


def listed(url: str, key: str) -> list[dict[str, Any]]:
    answer = requests.get(f"{url}/voice/v1/audios/{key}", timeout=30).json()
    assert answer["nb_datas"] == len(answer["datas"])
    return answer["datas"]


def post(url: str, path: str, **body: object) -> requests.Response:
    return requests.post(f"{url}/voice/v1/{path}", json=body, timeout=30)


def refused(answer: requests.Response) -> tuple[int, object]:
    body = answer.json()
    assert body["success"] is False
    assert body["message"]
    return answer.status_code, body["code"]


def test_an_uploaded_file_is_listed_as_documented(url: str, fresh_key: str) -> None:
    answer = upload(url, fresh_key, file="rappel-rdv.wav")
    assert answer.status_code == 200
    body = answer.json()
    assert list(body) == ["success", "tokenAudio", "filename", "size", "duration"]
    assert body["success"] is True
    assert (body["filename"], body["size"], body["duration"]) == ("rappel-rdv", "375.0Ko", "0:12")
    answer = requests.get(f"{url}/voice/v1/audios/{fresh_key}", timeout=30)
    assert list(answer.json()) == ["nb_datas", "datas"]
    (item,) = answer.json()["datas"]
    assert list(item) == ["name", "token", "size", "duration", "created_at"]
    assert item["token"] == body["tokenAudio"]
    assert list(item["created_at"]) == ["date", "timezone_type", "timezone"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}", item["created_at"]["date"])
    assert (item["created_at"]["timezone_type"], item["created_at"]["timezone"]) == (3, "Europe/Paris")


def test_a_file_is_heard_as_the_telephone_network_carries_it(url: str, fresh_key: str) -> None:
    token = upload(url, fresh_key).json()["tokenAudio"]
    heard = requests.get(f"{url}/voice/v1/audio-file/preview/{fresh_key}/{token}", timeout=30)
    assert (heard.status_code, heard.headers["content-type"]) == (200, "audio/wav")
    samples, rate_hz = soundfile.read(io.BytesIO(heard.content))
    assert (rate_hz, round(len(samples) / rate_hz)) == (8000, 12)
    assert abs(loudest_hz(samples, rate_hz) - 600) < 5


def test_a_file_of_another_account_is_not_heard(wire_server: ChappeServer, url: str, fresh_key: str) -> None:
    token = upload(url, fresh_key).json()["tokenAudio"]
    other = wire_server.ask(AccountCreate(f"{uuid.uuid4().hex}@example.fr", credit="10"))["apiKey"]
    for key, named in ((other, token), (fresh_key, "0" * 32), (fresh_key, "../etc")):
        answer = requests.get(
            f"{url}/voice/v1/audio-file/preview", params={"apiKey": key, "tokenAudio": named}, timeout=30
        )
        assert refused(answer) == (404, "AUDIO_FILE_NOT_FOUND")
    answer = requests.get(f"{url}/voice/v1/audio-file/preview", params={"apiKey": other}, timeout=30)
    assert refused(answer) == (400, "TOKEN_AUDIO_REQUIRED")


def test_an_account_without_files_has_an_empty_list(url: str, fresh_key: str) -> None:
    assert requests.get(f"{url}/voice/v1/audios", params={"apiKey": fresh_key}, timeout=30).json() == {
        "nb_datas": 0,
        "datas": [],
    }


def test_the_list_in_xml_is_positional(url: str, fresh_key: str) -> None:
    upload(url, fresh_key)
    answer = requests.get(f"{url}/voice/v1/audios/{fresh_key}", params={"_format": "xml"}, timeout=30)
    assert answer.headers["content-type"] == "application/xml"
    assert answer.text.startswith('<?xml version="1.0" encoding="UTF-8"?>')
    assert "<result><entry>1</entry><entry><entry><entry><![CDATA[annonce]]></entry>" in answer.text


def test_an_account_sees_and_changes_its_own_files_only(
    url: str, fresh_key: str, wire_server: ChappeServer
) -> None:
    token = upload(url, fresh_key).json()["tokenAudio"]
    other = wire_server.ask(AccountCreate(f"{uuid.uuid4().hex}@example.fr"))["apiKey"]
    assert listed(url, other) == []
    answer = post(url, "audio-file/rename", apiKey=other, tokenAudio=token, filename="mine now")
    assert refused(answer) == (404, "AUDIO_FILE_NOT_FOUND")
    answer = requests.delete(f"{url}/voice/v1/audio-file/delete/{other}/{token}", timeout=30)
    assert refused(answer) == (404, "AUDIO_FILE_NOT_FOUND")
    assert [item["name"] for item in listed(url, fresh_key)] == ["annonce"]


def test_a_file_is_renamed(url: str, fresh_key: str) -> None:
    token = upload(url, fresh_key).json()["tokenAudio"]
    answer = post(url, "audio-file/rename", apiKey=fresh_key, tokenAudio=token, filename=" Rappel d'été ")
    assert answer.text == json.dumps(
        {"success": True, "filename": "Rappel d'été", "tokenAudio": token},
        ensure_ascii=False,
        separators=(",", ":"),
    )
    assert [item["name"] for item in listed(url, fresh_key)] == ["Rappel d'été"]


@pytest.mark.parametrize("name", ["ab", "x" * 51, "", "a\tb\u0007c", None])
def test_names_have_three_to_fifty_characters(name: str | None, url: str, fresh_key: str) -> None:
    token = upload(url, fresh_key).json()["tokenAudio"]
    answer = post(url, "audio-file/rename", apiKey=fresh_key, tokenAudio=token, filename=name)
    assert refused(answer) == (400, "FILENAME_INVALID")


def test_renaming_needs_a_token(url: str, fresh_key: str) -> None:
    answer = post(url, "audio-file/rename", apiKey=fresh_key, filename="some name")
    assert refused(answer) == (400, "TOKEN_AUDIO_REQUIRED")
    answer = post(url, "audio-file/rename", apiKey=fresh_key, filename="some name", tokenAudio="x" * 300)
    assert refused(answer) == (404, "AUDIO_FILE_NOT_FOUND")


def test_a_deleted_file_is_gone_with_its_sound(url: str, fresh_key: str, wire_server: ChappeServer) -> None:
    token = upload(url, fresh_key).json()["tokenAudio"]
    answer = requests.delete(f"{url}/voice/v1/audio-file/delete/{fresh_key}/{token}", timeout=30)
    assert answer.json() == {"success": True, "tokenAudio": token}
    assert listed(url, fresh_key) == []
    answer = requests.delete(
        f"{url}/voice/v1/audio-file/delete", json={"apiKey": fresh_key, "tokenAudio": token}, timeout=30
    )
    assert refused(answer) == (404, "AUDIO_FILE_NOT_FOUND")
    assert token not in [file["tokenAudio"] for file in wire_server.ask(AudioList())["files"]]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"this is no sound", "AUDIO_FILE_INVALID"),
        (b"", "AUDIO_FILE_INVALID"),
        (b"RIFF\x24\0\0\0WAVEfmt " + bytes(20), "AUDIO_FILE_INVALID"),
        (b"\xff\xfb\x90\x00" + bytes(5000), "AUDIO_FILE_INVALID"),
        (file_of(np.zeros(301 * 8000, np.float32), 8000, "FLAC"), "AUDIO_FILE_TOO_LONG"),
        (file_of(tone(440, 0.1), 8000, "WAV"), "AUDIO_FILE_TOO_SHORT"),
    ],
    ids=["text", "nothing", "a head only", "no MP3", "five minutes and a second", "a tenth of a second"],
)
def test_what_cannot_be_played_is_refused(content: bytes, code: str, url: str, fresh_key: str) -> None:
    answer = upload(url, fresh_key, content)
    assert refused(answer) == (400, code)
    assert listed(url, fresh_key) == []


def test_an_upload_without_a_file_is_refused(url: str, fresh_key: str) -> None:
    answer = post(url, "audio-file/upload", apiKey=fresh_key, file="annonce.wav")
    assert refused(answer) == (400, "AUDIO_FILE_REQUIRED")
    answer = upload(url, fresh_key, filename="ab")
    assert refused(answer) == (400, "FILENAME_INVALID")


def test_more_than_25_mebibytes_are_refused(url: str, fresh_key: str) -> None:
    answer = upload(url, fresh_key, WAV + bytes(26 << 20))
    assert refused(answer) == (413, 413)


def test_other_pages_take_no_files(url: str, fresh_key: str) -> None:
    answer = requests.post(
        f"{url}/voice/v1/audio-file/rename",
        files={"file": ("a.wav", WAV)},
        data={"apiKey": fresh_key},
        timeout=30,
    )
    assert refused(answer) == (415, 415)


def test_an_upload_under_an_idempotency_key_is_stored_once(url: str, fresh_key: str) -> None:
    form = requests.Request(
        "POST", f"{url}/voice/v1/audio-file/upload", files={"file": ("a.wav", WAV)},
        data={"apiKey": fresh_key}, headers={"Idempotency-Key": "once"},
    ).prepare()  # fmt: skip
    with requests.Session() as session:
        first, second = session.send(form), session.send(form)
    assert first.json()["success"] is True
    assert first.content == second.content
    assert len(listed(url, fresh_key)) == 1


def test_a_wrong_key_is_refused_before_the_file_is_looked_at(url: str) -> None:
    assert refused(upload(url, "nobody's", b"no sound")) == (401, 10)
    assert refused(requests.get(f"{url}/voice/v1/audios/nobodys", timeout=30)) == (401, 10)


def test_what_will_be_heard_can_be_saved(
    url: str, fresh_key: str, wire_server: ChappeServer, tmp_path: Path
) -> None:
    token = upload(url, fresh_key).json()["tokenAudio"]
    shown = wire_server.ask(AudioSave(token))
    samples, rate_hz = soundfile.read(io.BytesIO(base64.b64decode(shown["wav"])), dtype="int16")
    assert (rate_hz, len(samples)) == (8000, 12 * 8000)
    assert abs(loudest_hz(samples) - 600) < 2
    saved = tmp_path / "heard.wav"
    wire_server.run("audio", "save", token, str(saved))
    assert soundfile.info(saved).duration == 12.0
    wire_server.run("audio", "save", token, str(saved), exit_code=1)  # never over a file


@pytest.fixture(scope="module")
def moderated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChappeServer]:
    server = ChappeServer(tmp_path_factory.mktemp("moderated"), rate_limits=False)
    (server.data / "chappe.toml").write_text("[voice]\naudio_moderation = true\n")
    with server:
        yield server
        server.assert_no_traceback()


def test_with_moderation_a_file_is_listed_once_it_is_validated(moderated: ChappeServer) -> None:
    url, key = moderated.base_url, moderated.ask(AccountCreate("zoe@example.fr"))["apiKey"]
    good, bad = (upload(url, key, file=name).json()["tokenAudio"] for name in ("good.wav", "bad.wav"))
    assert listed(url, key) == []
    assert [file["state"] for file in moderated.ask(AudioList("waiting"))["files"]] == ["waiting"] * 2
    assert "good" in moderated.run("audio", "list", "--state", "waiting")
    moderated.run("audio", "validate", good)
    assert moderated.ask(AudioModerate(bad, "refused"))["state"] == "refused"
    assert [item["token"] for item in listed(url, key)] == [good]
    moderated.run("audio", "validate", "unknown", exit_code=1)
    # A file that waits can be renamed and taken away.
    answer = post(url, "audio-file/rename", apiKey=key, tokenAudio=bad, filename="less bad")
    assert answer.json()["success"] is True
