"""A process whose configuration leads nowhere refuses every send, and says so at its start and in /readyz."""

from __future__ import annotations

import json
from pathlib import Path

import requests

from tests.support.postgres import PostgresServer
from tests.support.server import ChappeServer

REQUEST_S_MAX = 30
EVENT = "no [[routes]] for a product in the configuration of this process"
VOICE_ROUTE = """
[[operators]]
name = "trunk1"
kind = "sip"
host = "127.0.0.1"
port = 5999

[[routes]]
product = "voice"
operators = ["trunk1"]
"""


def warned(server: ChappeServer) -> dict[str, str]:
    """What the log said of each product."""
    lines = [json.loads(line) for line in server.stderr.splitlines() if EVENT in line]
    assert all(line["level"] == "warning" for line in lines)
    assert len({line["product"] for line in lines}) == len(lines), "each is said once"
    return {line["product"]: line["then"] for line in lines}


def unrouted(server: ChappeServer) -> list[str]:
    answer = requests.get(f"{server.base_url}/readyz", timeout=REQUEST_S_MAX)
    assert answer.status_code == 200
    return answer.json().get("unrouted", [])


def refusal(server: ChappeServer, key: str) -> object:
    body = {"apiKey": key, "phoneNumbers": "0612345678", "message": "Bonjour"}
    return requests.post(f"{server.base_url}/sms/v1/send", json=body, timeout=REQUEST_S_MAX).json()["code"]


def of_role(role: str, folder: Path, postgres: PostgresServer, configuration: str = "") -> ChappeServer:
    server = ChappeServer(
        folder,
        options=("--role", role),
        environment={
            "CHAPPE_DATABASE": postgres.url(postgres.create_database()),
            "CHAPPE_SECRET_FILE": str(folder / "data" / "secret.key"),
        },
    )
    (server.data / "chappe.toml").write_text(configuration)
    return server


def test_an_api_process_without_routes_names_what_it_refuses(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    with of_role("api", tmp_path, postgres) as server:
        key = server.create_account("ana@example.fr")["apiKey"]
        assert warned(server) == {
            "sms": "every send of it is refused (13)",
            "voice": "every send of it is refused (DESTINATION_INVALID)",
        }
        assert unrouted(server) == ["sms", "voice"]
        assert refusal(server, key) == 13


def test_a_worker_without_routes_says_that_it_sends_nothing(tmp_path: Path, postgres: PostgresServer) -> None:
    with of_role("worker", tmp_path, postgres, VOICE_ROUTE) as server:
        assert warned(server) == {"sms": "none of it is sent by this process"}
        assert unrouted(server) == ["sms"]


def test_a_single_server_without_simulator_and_routes_says_so_too(tmp_path: Path) -> None:
    with ChappeServer(tmp_path, options=("--no-simulator",)) as server:
        assert set(warned(server)) == {"sms", "voice"}
        assert unrouted(server) == ["sms", "voice"]


def test_where_every_product_is_taken_nothing_is_said(tmp_path: Path) -> None:
    server = ChappeServer(tmp_path)
    (server.data / "chappe.toml").write_text(VOICE_ROUTE)
    with server:
        assert warned(server) == {}
        assert unrouted(server) == []
