"""sipp, with its own scenario of a caller and not one line of ours, calls the built-in telephones."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.support.clocked import until
from tests.support.peers import need
from tests.support.phones import Phones, simulated_server
from tests.support.server import clean_environment

pytestmark = pytest.mark.peer
RUN_S_MAX = 60
CALLS = 20
HELD_MS = 300


def sipp(directory: Path, number: str, port: int, transport: str) -> tuple[int, str]:
    """Exit code and what it complained about of so many calls of its scenario `uac`, which speaks mu-law only."""
    errors = directory / "errors.log"
    done = subprocess.run(
        [
            *("timeout", "-k", "5", str(RUN_S_MAX), need("sipp"), "-sn", "uac", "-s", number),
            *("-i", "127.0.0.1", "-t", transport, "-m", str(CALLS), "-r", str(CALLS), "-d", str(HELD_MS)),
            *("-nostdin", "-timeout", f"{RUN_S_MAX - 10}s", "-timeout_error"),
            *("-trace_err", "-error_file", str(errors), f"127.0.0.1:{port}"),
        ],
        cwd=directory,
        env=clean_environment(TERM="dumb"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    return done.returncode, errors.read_text(errors="replace") if errors.exists() else ""


@pytest.fixture
def phones(tmp_path: Path):
    with simulated_server(tmp_path) as running:
        yield running


@pytest.mark.parametrize("transport", ["u1", "t1"])
def test_persons_answer_its_calls_over(tmp_path: Path, phones: Phones, transport: str) -> None:
    port = phones.get("info")["sip_port"]
    assert sipp(tmp_path, "+33612345678", port, transport) == (0, "")

    def seen() -> Counter[tuple[str, str]]:
        return Counter((call["behaviour"], call["state"]) for call in phones.get("calls?limit=100"))

    until(lambda: seen() == {("a person answers", "hung up"): CALLS}, "every call was answered and hung up")


def test_a_telephone_that_is_busy_says_so(tmp_path: Path, phones: Phones) -> None:
    code, errors = sipp(tmp_path, "+33600000002", phones.get("info")["sip_port"], "u1")
    assert code == 1
    assert "SIP/2.0 486 Busy Here" in errors
    until(
        lambda: Counter(call["state"] for call in phones.get("calls?limit=100")) == {"busy": CALLS},
        "every call was refused",
    )
