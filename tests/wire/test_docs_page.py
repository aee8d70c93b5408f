"""The lines that /docs prints to copy reach the call that they stand beside."""

from __future__ import annotations

import html
import json
import re
import shlex
import subprocess
from pathlib import Path

import requests

from tests.support.peers import need
from tests.support.server import ChappeServer

CURL_S_MAX = 30


def test_every_line_to_try_reaches_its_call(tmp_path: Path) -> None:
    need("curl")
    server = ChappeServer(tmp_path, rate_limits=False)
    key = server.create_account("ana@example.org")["apiKey"]
    sound = tmp_path / "FILE"
    sound.write_bytes(b"no sound")
    with server:
        page = requests.get(f"{server.base_url}/docs", timeout=CURL_S_MAX).text
        lines = [html.unescape(line) for line in re.findall(r"<pre>(curl .*?)</pre>", page)]
        assert len(lines) >= 12
        for line in lines:
            assert f" {server.base_url}/" in line.replace("'", " "), line
            assert "{" not in line.partition(" -d ")[0], line
            words = shlex.split(line.replace("YOUR_API_KEY", key).replace("@FILE", f"@{sound}"))
            done = subprocess.run(
                [words[0], "-sS", *words[1:]], capture_output=True, timeout=CURL_S_MAX, check=True
            )
            answer = json.loads(done.stdout)
            # What an example's made-up values lack is said by the call itself: nothing is missing or misplaced.
            assert answer.get("code") not in (1, 10, 90, 405, 500), (line, answer)
            assert "adresse" not in str(answer.get("message", "")), (line, answer)


def test_every_code_of_a_call_stands_in_its_table_once() -> None:
    from chappe.console.reference import sections
    from chappe.partner.endpoints import ENDPOINTS

    for section in sections(ENDPOINTS):
        for entry in section.entries:
            codes = [code for code, _, _ in entry.errors]
            assert len(codes) == len(set(codes)), entry.title
            if entry.anchor == "sms-send":
                assert {"1", "2", "9", "10", "11", "13", "14", "15", "42", "52", "55"} <= set(codes)
