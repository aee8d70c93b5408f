"""The server dies while a campaign is called: who was not called is called, who rang is held, and money is as promised.

Both ends of each call, the server and the built-in telephones, are in the process that dies.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import requests

from chappe.administration.commands import CallShow, Check
from tests.support.clocked import until
from tests.support.server import ChappeServer

RINGS = "0600000003"
SPEECH = "Bonjour" + "," * 12 + " monsieur"
"""Six seconds of pauses: longer than the server lives."""


def seen(server: ChappeServer) -> list[dict[str, Any]]:
    return requests.get(f"{server.base_url}/simulator/calls", params={"limit": 500}, timeout=30).json()


def post(server: ChappeServer, page: str, **body: Any) -> dict[str, Any]:
    answer = requests.post(f"{server.base_url}/voice/v1/{page}", json=body, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.json()


def credit(server: ChappeServer, key: str) -> float:
    return float(requests.get(f"{server.base_url}/voice/v1/me/{key}", timeout=30).json()["credit"])


def test_after_a_kill_each_callee_is_settled_once(tmp_path: Path) -> None:
    server = ChappeServer(tmp_path, rate_limits=False)
    (server.data / "chappe.toml").write_text(
        "[voice]\naccount_calls_max = 4\n[simulator]\nsmpp_port = 0\nsip_port = 0\n"
    )
    numbers = [RINGS, *(f"06112222{n:02}" for n in range(7))]
    with server:
        key = server.create_account("ana@example.fr", "10")["apiKey"]
        sent = post(server, "tts/send", apiKey=key, phoneNumbers=",".join(numbers), text=SPEECH)
        until(
            lambda: Counter(call["state"] for call in seen(server)) == {"ringing": 1, "talking": 3},
            "one rings, three talk, four wait",
        )
        server.kill()
        server.start()
        assert Counter(call["state"] for call in seen(server))["cut off"] == 4
        until(
            lambda: server.ask(CallShow(sent["campaignId"]))["endedAtMs"] is not None,
            "the campaign has ended",
        )
        callees = server.ask(CallShow(sent["campaignId"]))["callees"]
        by_number = {f"0{str(callee['number'])[-9:]}": callee for callee in callees}
        # Who rang has heard nothing, and is not called again; who had answered counts as having heard everything.
        assert by_number.pop(RINGS)["state"] == "lost"
        assert {callee["state"] for callee in by_number.values()} == {"delivered"}
        assert all(len(callee["calls"]) == 1 for callee in callees)
        assert Counter(call["phone"] for call in seen(server)).most_common(1)[0][1] == 1
        assert len(seen(server)) == len(numbers)
        assert credit(server, key) == 10 - round(sent["cost"] / len(numbers) * 7, 6)
        assert server.ask(Check())["breaches"] == []
    server.assert_no_traceback()


@pytest.mark.usefixtures("either_database")
def test_a_stop_ends_calls_and_brings_how_they_ended(tmp_path: Path) -> None:
    server = ChappeServer(tmp_path, rate_limits=False)
    (server.data / "chappe.toml").write_text("[simulator]\nsmpp_port = 0\nsip_port = 0\n")
    with server:
        key = server.create_account("ana@example.fr", "10")["apiKey"]
        sent = post(server, "tts/send", apiKey=key, phoneNumbers=f"{RINGS},0611222233", text=SPEECH)
        until(
            lambda: {call["state"] for call in seen(server)} == {"ringing", "talking"},
            "one rings, one talks",
        )
        server.stop()
        server.start()
        shown = json.loads(server.run("call", "show", sent["campaignId"], "--json"))
        states = {callee["state"] for callee in shown["callees"]}
        assert "calling" not in states
        assert "answered" not in states
        assert all(call["ended_at"] for call in seen(server))
    server.assert_no_traceback()
