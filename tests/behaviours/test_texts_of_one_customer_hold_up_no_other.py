"""A speech server that does not answer to one customer's texts: another customer's is spoken, and called, meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.clocked import until
from tests.support.speech_server import SpeechServer, speech_server
from tests.wire.voice.conftest import VoiceCustomer, calls, refused, server_with

TEXTS = 60
HELD = 4
"""Half of what is asked of a speech server at the same time."""
WAIT_S_MAX = 30


@pytest.fixture
def speech() -> Iterator[SpeechServer]:
    with speech_server() as server:
        yield server


def test_texts_of_one_customer_hold_up_no_other(speech: SpeechServer, tmp_path: Path) -> None:
    configuration = (
        f'[voice]\nspeech_url = "http://127.0.0.1:{speech.server_port}/"\nspeech_url_langs = ["xx"]\n'
    )
    with server_with(tmp_path / "server", configuration) as server:
        many, one = VoiceCustomer(server), VoiceCustomer(server)
        with ThreadPoolExecutor(TEXTS) as threads:
            sent = [threads.submit(many.tts, text=f"Attente {n}", lang="xx") for n in range(TEXTS)]
            for _ in range(HELD):
                assert speech.held.acquire(timeout=WAIT_S_MAX)
            assert one.tts(lang="xx", phoneNumbers="0612000011").json()["success"] is True
            until(
                lambda: [call["phone"] for call in calls(server)] == ["+33612000011"],
                "the other customer's call is made",
            )
            assert not speech.held.acquire(blocking=False)
            speech.release.set()
            answers = [future.result() for future in sent]
        assert {refused(answer) for answer in answers} == {(503, 503)}
        assert all("retry-after" in answer.headers for answer in answers)
        server.assert_no_traceback()
