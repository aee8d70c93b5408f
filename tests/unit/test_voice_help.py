"""`chappe voice --help` says how the commands find the server, and each of them has examples that the command line takes."""

from __future__ import annotations

import re
import shlex

import pytest

from chappe.cli import parser


def help_of(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit):
        parser().parse_args([*words, "--help"])
    return capsys.readouterr().out


def test_every_voice_command_has_examples_that_are_taken(capsys: pytest.CaptureFixture[str]) -> None:
    group = help_of(capsys, "voice")
    assert "CHAPPE_URL" in group
    assert "CHAPPE_KEY" in group
    names = re.findall(r"^    (\w+) {2,}\S", group, re.MULTILINE)
    assert names == ["send", "deposit", "cancel", "audios", "upload"]
    for name in names:
        examples = re.findall(r"^  chappe (.*)$", help_of(capsys, "voice", name), re.MULTILINE)
        assert examples, name
        for example in examples:
            words = shlex.split(example)
            assert words[:2] == ["voice", name]
            parser().parse_args(words)
