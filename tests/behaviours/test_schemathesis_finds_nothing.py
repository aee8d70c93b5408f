"""Schemathesis reads /openapi.json of a running server and sends it what the description allows, and what it does not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.clocked import unexpected_total
from tests.support.server import ChappeServer, clean_environment

RUN_S_MAX = 120
# Not among them: bodies and types are read generously, so data that breaks the description may well be accepted; and a
# missing key is 400, code 1, where Schemathesis wants 401 or 403.
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,unsupported_method,allow_header_conformance"
)


def test_the_description_holds_whatever_is_sent(server: ChappeServer, tmp_path: Path) -> None:
    key = server.create_account("ana@example.fr", "1000")["apiKey"]
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        f"{server.base_url}/openapi.json",
        *("--header", f"X-Api-Key: {key}"),
        *("--checks", CHECKS),
        *("--phases", "examples,coverage,fuzzing"),
        *("--max-examples", "20"),
        *("--seed", "1"),
        "--generation-deterministic",
        "--no-shrink",
        *("--warnings", "off"),
        *("--output-truncate", "false"),
    ]
    done = subprocess.run(
        command,
        env=clean_environment(),
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=RUN_S_MAX,
    )
    assert done.returncode == 0, done.stdout
    assert unexpected_total(server.base_url) == 0
    assert server.run("check") == "every invariant holds\n"
