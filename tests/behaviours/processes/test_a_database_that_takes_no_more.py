"""PostgreSQL is read-only or full, or has no connection left: requests are refused whole, and it goes on afterwards."""

from __future__ import annotations

import asyncio
import json
import subprocess
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg

from tests.support.clocked import until
from tests.support.customer import status_words
from tests.support.postgres import PostgresServer
from tests.support.server import CHAPPE, ChappeServer, clean_environment
from tests.support.wire import call

START_S_MAX = 60.0
CONNECTIONS_MAX = 30


def variables(postgres: PostgresServer, database: str, folder: Path) -> dict[str, str]:
    return {
        "CHAPPE_DATABASE": postgres.url(database),
        "CHAPPE_SECRET_FILE": str(folder / "data" / "secret.key"),
    }


def send(server: ChappeServer, key: str) -> tuple[int, int]:
    """The status, and the id of what was accepted, or 0."""
    body = json.dumps({"apiKey": key, "phoneNumbers": "0600000000", "message": "Bonjour"})
    answer = call(server.base_url, "/sms/v1/send", method="POST", body=body)
    return answer.status, answer.json.get("message_id", 0)


def balance(server: ChappeServer, key: str) -> str:
    return call(server.base_url, f"/sms/v1/me?apiKey={key}").json["credits"]["balance"]


def test_writes_are_answered_503_while_the_database_is_read_only(tmp_path: Path) -> None:
    with PostgresServer() as postgres:
        environment = variables(postgres, postgres.create_database(), tmp_path)
        with ChappeServer(tmp_path, environment=environment, rate_limits=False) as server:
            key = server.create_account("ana@example.fr")["apiKey"]
            accepted = [send(server, key)]
            postgres.query("ALTER SYSTEM SET default_transaction_read_only = on")
            postgres.query("SELECT pg_reload_conf()")

            def is_refused() -> bool:
                answer = send(server, key)
                if answer[0] == 200:  # the settings are not read again yet
                    accepted.append(answer)
                return answer[0] == 503

            until(is_refused, "a send is refused")
            before = balance(server, key)  # reading goes on
            for _ in range(5):
                assert send(server, key) == (503, 0)
            assert balance(server, key) == before
            postgres.query("ALTER SYSTEM RESET default_transaction_read_only")
            postgres.query("SELECT pg_reload_conf()")
            until(lambda: not is_refused(), "sends are accepted again")
            assert balance(server, key) == f"{100 - 0.038 * len(accepted):.3f}"
            for _, message_id in accepted:
                until(
                    lambda each=message_id: (
                        set(status_words(server.base_url, key, each).values()) == {"Delivered"}
                    ),
                    "what was accepted is delivered",
                )
            assert server.run("check") == "every invariant holds\n"
            server.assert_no_traceback()


# What a full disk is to a session: the statement fails with 53100, and the transaction with it.
FULL = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER full_disk BEFORE INSERT ON messages FOR EACH STATEMENT EXECUTE FUNCTION full_disk();
CREATE TRIGGER full_disk BEFORE INSERT ON recipients FOR EACH STATEMENT EXECUTE FUNCTION full_disk();
"""


def test_sends_are_answered_503_while_the_disk_is_full(tmp_path: Path) -> None:
    with PostgresServer() as postgres:
        database = postgres.create_database()
        environment = variables(postgres, database, tmp_path)
        with ChappeServer(tmp_path, environment=environment, rate_limits=False) as server:
            key = server.create_account("ana@example.fr")["apiKey"]
            assert send(server, key)[0] == 200
            before = balance(server, key)
            postgres.query(FULL, database)
            for _ in range(5):
                assert send(server, key) == (503, 0)
            assert balance(server, key) == before
            postgres.query("DROP FUNCTION full_disk CASCADE", database)
            status, message_id = send(server, key)
            assert status == 200
            until(
                lambda: set(status_words(server.base_url, key, message_id).values()) == {"Delivered"},
                "what is accepted afterwards is delivered",
            )
            assert server.run("check") == "every invariant holds\n"
            server.assert_no_traceback()


async def test_a_process_that_finds_no_connection_left_does_not_start_and_says_why(tmp_path: Path) -> None:
    with PostgresServer(max_connections=str(CONNECTIONS_MAX)) as postgres:
        database = postgres.create_database()
        environment = variables(postgres, database, tmp_path)
        with ChappeServer(tmp_path, environment=environment, rate_limits=False) as server:
            key = server.create_account("ana@example.fr")["apiKey"]
            assert (await asyncio.to_thread(send, server, key))[0] == 200
            async with AsyncExitStack() as stack:
                for _ in range(CONNECTIONS_MAX):
                    try:
                        connection = await asyncpg.connect(postgres.url(database))
                    except asyncpg.TooManyConnectionsError:
                        break
                    stack.push_async_callback(connection.close)
                else:
                    raise AssertionError("there was always one more connection")
                done = await asyncio.to_thread(
                    subprocess.run,
                    [
                        str(CHAPPE),
                        "serve",
                        "--port",
                        "0",
                        "--no-simulator",
                        "--data",
                        str(tmp_path / "second"),
                    ],
                    env=clean_environment(**environment),
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    encoding="utf-8",
                    timeout=START_S_MAX,
                )
                assert (done.returncode, done.stdout) == (1, ""), done.stderr
                assert "too many clients" in done.stderr.splitlines()[-1]
                assert (await asyncio.to_thread(send, server, key))[0] == 200
            server.assert_no_traceback()
