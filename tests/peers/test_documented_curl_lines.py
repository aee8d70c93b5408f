"""The curl lines of docs/calling/sms.md work as printed, with the key put in, and answer what is printed below them."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.clocked import until
from tests.support.customer import status_words
from tests.support.peers import need
from tests.support.server import ChappeServer

pytestmark = pytest.mark.peer

PAGE = Path(__file__).parents[2] / "docs" / "calling" / "sms.md"
EXAMPLE = re.compile(r"```sh\n(curl .*?)```\n\n```json\n(.*?)```", re.DOTALL)
RUN_S_MAX = 60


def without_time(answer: Any) -> Any:
    """What is another one each time is left out."""
    if isinstance(answer, dict):
        return {name: without_time(value) for name, value in answer.items() if name != "date"}
    return [without_time(item) for item in answer] if isinstance(answer, list) else answer


def test_every_example_answers_what_is_printed(server: ChappeServer, tmp_path: Path) -> None:
    key = server.create_account("ana@example.fr")["apiKey"]
    need("curl")
    examples = EXAMPLE.findall(PAGE.read_text("utf-8"))
    assert len(examples) >= 6
    for commands, printed in examples:
        if "message-status" in commands:
            until(
                lambda: set(status_words(server.base_url, key, 1).values()) == {"Delivered"}, "1 is delivered"
            )
        script = commands.replace('"KEY"', f'"{key}"').replace("=KEY", f"={key}")
        script = script.replace("http://127.0.0.1:8000", server.base_url).replace(
            "curl ", "curl -sS -w '\\n' "
        )
        done = subprocess.run(
            ["/bin/sh", "-c", script], cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=RUN_S_MAX
        )
        assert (done.returncode, done.stderr) == (0, ""), done
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        expected = [json.loads(line) for line in printed.splitlines()]
        assert [without_time(answer) for answer in answers] == [without_time(line) for line in expected]
