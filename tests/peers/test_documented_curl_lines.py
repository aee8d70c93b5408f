"""The curl lines of the README and of the pages on calling work as printed, with the key put in, and answer what is printed
below them; so do the receiver and the command of the walk through voice.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from chappe.app import demo_text
from chappe.speech.pico import PicoEngine
from tests.support.clocked import until
from tests.support.customer import status_words
from tests.support.peers import need
from tests.support.ports import free_ports
from tests.support.server import ChappeServer

pytestmark = pytest.mark.peer

ROOT = Path(__file__).parents[2]
SMS = ROOT / "docs" / "calling" / "sms.md"
VOICE = ROOT / "docs" / "calling" / "voice.md"
EXAMPLE = re.compile(r"```sh\n(curl .*?)```\n\n```json\n(.*?)```", re.DOTALL)
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
RUN_S_MAX = 60
PRINTED_URL = "http://127.0.0.1:8000"
PRINTED_RECEIVER_PORT = "9000"

NEVER_THE_SAME = {"date", "created_at", "size"}
"""What is another one each time; a size is of what was heard, with what the network did to it."""
OF_THE_VOICE = {"cost", "cost_unity", "duration"}
"""What follows from how long a voice speaks: printed as SVOX Pico does."""
NAMES = ("tokenAudio", "token", "campaignId")


def comparable(answer: Any) -> Any:
    left_out = NEVER_THE_SAME if PicoEngine.is_installed() else NEVER_THE_SAME | OF_THE_VOICE
    if isinstance(answer, dict):
        return {name: comparable(value) for name, value in answer.items() if name not in left_out}
    return [comparable(item) for item in answer] if isinstance(answer, list) else answer


def run(commands: str, server: ChappeServer, folder: Path) -> list[str]:
    """What lines of curl print, one answer each."""
    script = commands.replace(PRINTED_URL, server.base_url).replace("curl ", "curl -sS -w '\\n' ")
    done = subprocess.run(
        ["/bin/sh", "-c", script], cwd=folder, capture_output=True, encoding="utf-8", timeout=RUN_S_MAX
    )
    assert (done.returncode, done.stderr) == (0, ""), done
    return [line for line in done.stdout.splitlines() if line]


def with_key(commands: str, key: str) -> str:
    return re.sub(r'(?<=["=/])KEY\b', key, commands)


def test_every_example_of_sms_answers_what_is_printed(server: ChappeServer, tmp_path: Path) -> None:
    key = server.create_account("ana@example.fr")["apiKey"]
    need("curl")
    examples = EXAMPLE.findall(SMS.read_text("utf-8"))
    assert len(examples) >= 6
    for commands, printed in examples:
        if "message-status" in commands:
            until(
                lambda: set(status_words(server.base_url, key, 1).values()) == {"Delivered"}, "1 is delivered"
            )
        answers = [json.loads(line) for line in run(with_key(commands, key), server, tmp_path)]
        expected = [json.loads(line) for line in printed.splitlines()]
        assert [comparable(answer) for answer in answers] == [comparable(line) for line in expected]


def test_the_readme_shows_what_make_run_prints_and_what_every_line_of_it_answers(tmp_path: Path) -> None:
    need("curl")
    readme = (ROOT / "README.md").read_text("utf-8")
    (printed_key,) = set(re.findall(r"API key ([0-9a-f]{40})", readme))
    assert f"ready {PRINTED_URL}\n{demo_text(PRINTED_URL, printed_key)}```" in readme
    (shown, answers), *_ = re.findall(r"```\n(ready .*?)```.*?```json\n(.*?)```", readme, re.DOTALL)
    lines = re.findall(r"^  (curl .*)$", shown, re.MULTILINE)
    assert len(lines) == len(answers.splitlines()) == 5
    with ChappeServer(tmp_path, options=("--demo",)) as server:
        key = json.loads(server.run("account", "show", "demo@example.org", "--key", "--json"))["apiKey"]
        for line, printed in zip(lines, answers.splitlines(), strict=True):
            (answer,) = run(line.replace(printed_key, key), server, tmp_path)
            assert alike(json.loads(answer), json.loads(printed), {}), line


def test_the_walk_through_voice_goes_as_it_is_printed(tmp_path: Path) -> None:
    need("curl")
    server = ChappeServer(tmp_path, environment={"CHAPPE_CALLBACK_ALLOW": "127.0.0.1"})
    with server, Walk(server, tmp_path).walking() as walk:
        for language, block in FENCED.findall(VOICE.read_text("utf-8")):
            walk.step(language, block)
    server.assert_no_traceback()
    assert walk.steps >= {"curl", "answer", "receiver", "command", "shown", "callback"}


def alike(answer: Any, printed: Any, names: dict[str, str]) -> bool:
    """Whether an answer is the printed one; `names` learns which token or campaign stands for which printed one."""
    _learn(answer, printed, names)
    return json.dumps(comparable(answer)) == _renamed(json.dumps(comparable(printed)), names)


def _learn(answer: Any, printed: Any, names: dict[str, str]) -> None:
    if isinstance(answer, dict) and isinstance(printed, dict):
        for name in printed.keys() & answer.keys():
            if name in NAMES:
                names.setdefault(printed[name], answer[name])
            _learn(answer[name], printed[name], names)
    elif isinstance(answer, list) and isinstance(printed, list):
        for item, shown in zip(answer, printed, strict=False):
            _learn(item, shown, names)


def _renamed(text: str, names: dict[str, str]) -> str:
    for printed, real in names.items():
        text = text.replace(printed, real)
    return text


class Walk:
    """Does what a reader does with the fenced blocks of a page, one after the other."""

    def __init__(self, server: ChappeServer, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.key: str = server.create_account("demo@example.org")["apiKey"]
        self.names: dict[str, str] = {}
        self.answers: list[str] = []
        """Of the last block of curl lines, not compared yet."""
        self.shown = ""
        """By the last command, likewise."""
        self.receiver: subprocess.Popen[str] | None = None
        self.port = str(free_ports(1)[0])
        self.steps: set[str] = set()

    @contextmanager
    def walking(self) -> Iterator[Walk]:
        """Ends the receiver."""
        try:
            yield self
        finally:
            if self.receiver is not None:
                self.receiver.kill()
                self.receiver.communicate()

    def step(self, language: str, block: str) -> None:
        if language == "python":
            self.start_receiver(block)
        elif language == "sh" and block.startswith("curl "):
            self.curl(block)
        elif language == "sh" and block.startswith(".venv/bin/chappe "):
            words = _renamed(block, self.names).split()
            self.shown = self.server.run(*words[1:])
            self.steps.add("command")
        elif language == "json" and self.answers:
            printed = block.splitlines()
            assert len(printed) == len(self.answers)
            for answer, line in zip(self.answers, printed, strict=True):
                assert alike(json.loads(answer), json.loads(line), self.names), (answer, line)
            self.answers = []
            self.steps.add("answer")
        elif not language and block.startswith(("GET ", "POST ")):
            self.callback(block)
        elif not language and self.shown:
            assert _masked(self.shown) == _masked(_renamed(block, self.names))
            self.shown = ""
            self.steps.add("shown")

    def curl(self, block: str) -> None:
        if "/simulator/calls/1/" in block:
            until(self.first_call_is_over, "the first call is over")
        commands = with_key(_renamed(block, self.names), self.key)
        commands = commands.replace(f":{PRINTED_RECEIVER_PORT}/", f":{self.port}/")
        # Of several lines a later one may name what an earlier one answers: that is learned from what is printed below.
        self.answers = []
        for line in commands.splitlines():
            for campaign in re.findall(rf"campaign/cancel/{self.key}/(\w+)", line):
                if campaign not in self.names.values():
                    (token,) = (json.loads(answer)["campaignId"] for answer in self.answers)
                    self.names[campaign] = token
            self.answers += run(_renamed(line, self.names), self.server, self.folder)
        self.steps.add("curl")

    def first_call_is_over(self) -> bool:
        calls = requests.get(f"{self.server.base_url}/simulator/calls", timeout=RUN_S_MAX).json()
        return [call["ended_at"] is not None for call in calls] == [True]

    def start_receiver(self, program: str) -> None:
        assert program.count(PRINTED_RECEIVER_PORT) == 1
        path = self.folder / "receiver.py"
        path.write_text(program.replace(PRINTED_RECEIVER_PORT, self.port))
        self.receiver = subprocess.Popen(
            [sys.executable, str(path)], stdout=subprocess.PIPE, encoding="utf-8", cwd=self.folder
        )
        until(self.receiver_answers, "the receiver listens")
        assert self.receiver.stdout is not None
        assert self.receiver.stdout.readline().startswith("GET /is-there")
        self.steps.add("receiver")

    def receiver_answers(self) -> bool:
        try:
            requests.get(f"http://127.0.0.1:{self.port}/is-there", timeout=RUN_S_MAX).raise_for_status()
        except requests.ConnectionError:
            return False
        return True

    def callback(self, block: str) -> None:
        assert self.receiver is not None
        assert self.receiver.stdout is not None
        for printed in block.splitlines():
            line = self.receiver.stdout.readline().strip()
            assert _masked(line) == _masked(_renamed(printed, self.names))
        self.steps.add("callback")


def _masked(text: str) -> str:
    """Without what is another one each time: instants, how long something took, the number of a campaign."""
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME", text.strip())
    text = re.sub(r"\d+ Hz, \d+ ms", "BEEP", text)
    text = re.sub(r"\d+\.\d s played", "S played", text)
    return re.sub(r"NDA_\d{8}_\d{5}", "NDA", text)
