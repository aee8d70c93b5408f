"""`chappe database move`: everything is there afterwards, and nothing leaves twice."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import requests

from chappe.storage import move as move_module
from chappe.storage.database import StorageRefused, StorageUnavailable
from chappe.storage.move import MOVE_LOCK, mark, move, moved_to, take_back
from chappe.storage.postgres import PostgresDatabase
from chappe.storage.postgres_connection import Connector
from tests.support.cut import CuttingProxy
from tests.support.postgres import PostgresServer
from tests.support.server import CHAPPE, ChappeServer, clean_environment

HTTP_S_MAX = 20
POLL_S = 0.02
WAITS_FOR_RECIPIENTS = "SELECT COUNT(*) FROM pg_locks WHERE NOT granted AND relation = 'recipients'::regclass"


def _send(server: ChappeServer, key: str, **more: object) -> dict[str, Any]:
    answer = requests.post(
        f"{server.base_url}/sms/v1/send",
        json={"apiKey": key, "phoneNumbers": "+33600000000,+33600000002", "message": "Bonjour"} | more,
        timeout=HTTP_S_MAX,
    ).json()
    assert answer["success"] is True, answer
    return answer


def _get(server: ChappeServer, path: str, key: str, **more: object) -> dict[str, Any]:
    return requests.get(
        f"{server.base_url}/sms/v1/{path}", params={"apiKey": key} | more, timeout=HTTP_S_MAX
    ).json()


def _filled(server: ChappeServer) -> tuple[str, int, int]:
    """A store with a delivered message and one for the day after tomorrow: the key, and their ids."""
    key = server.create_account("ana@example.org", "10")["apiKey"]
    with server:
        sent = _send(server, key, tag="été \N{GRINNING FACE}")["message_id"]
        day = (datetime.now(ZoneInfo("Europe/Paris")) + timedelta(days=2)).strftime("%d/%m/%Y")
        later = _send(server, key, scheduledDeliveryDate=day, time=12, minute=0)["message_id"]
    return key, sent, later


def _unmoved(postgres: PostgresServer) -> str:
    return postgres.url(postgres.create_database())


def test_everything_is_there_afterwards_and_the_old_store_is_not_opened(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    old = ChappeServer(tmp_path)
    key, sent, later = _filled(old)
    url = _unmoved(postgres)
    said = old.run("database", "move", "--to", url)
    assert "every invariant holds" in said
    assert url not in said, "the password is printed"

    new = ChappeServer(
        tmp_path / "new",
        environment={"CHAPPE_DATABASE": url, "CHAPPE_SECRET_FILE": str(old.data / "secret.key")},
    )
    with new:
        statuses = _get(new, "bulk-status", key, messageId=sent)["StatutResponse_List"]
        assert {item["phoneNumber"]: item["status"] for item in statuses} == {
            "+33600000000": "Delivered",
            "+33600000002": "Not delivered",
        }
        assert _get(new, "me", key)["credits"]["toSend"] == 2
        assert _get(new, "message-cancel", key, messageId=later)["success"] is True
        assert _get(new, "me", key)["credits"]["balance"] == "9.924"
        assert _send(new, key)["message_id"] > later
    new.run("check")

    with pytest.raises(AssertionError) as refused:
        old.start()
    assert "was moved to postgresql://127.0.0.1" in str(refused.value)
    old.run("account", "list", exit_code=1)


def test_a_move_that_is_repeated_verifies_what_is_there(tmp_path: Path, postgres: PostgresServer) -> None:
    old = ChappeServer(tmp_path)
    _filled(old)
    url = _unmoved(postgres)
    old.run("database", "move", "--to", url)
    assert "since an earlier try" in old.run("database", "move", "--to", url)


def test_a_move_that_dies_before_its_commit_is_done_by_the_next_one(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    old = ChappeServer(tmp_path)
    _filled(old)
    name = postgres.create_database()
    url, database = postgres.url(name), old.data / "chappe.db"

    class Died(Exception):
        pass

    def die(table: str, done: int, total: int) -> None:
        if table == "recipients" and done == total:
            raise Died

    async def half() -> None:
        await (await PostgresDatabase.open(url)).close()
        with pytest.raises(Died):
            await move(database, Connector(url), "elsewhere", die)

    asyncio.run(half())
    assert postgres.query("SELECT COUNT(*) FROM accounts", name) == "0"
    assert moved_to(database) is None
    assert "since an earlier try" not in old.run("database", "move", "--to", url)


def test_a_move_that_is_killed_while_it_copies_is_done_by_the_next_one(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    old = ChappeServer(tmp_path)
    _filled(old)
    name = postgres.create_database()
    url = postgres.url(name)

    async def kill_it() -> None:
        await (await PostgresDatabase.open(url)).close()
        blocker = (await Connector(url).link()).connection
        async with blocker.transaction(isolation="read_committed", readonly=False):
            await blocker.execute("LOCK TABLE recipients IN EXCLUSIVE MODE")
            moving = await asyncio.create_subprocess_exec(
                *(CHAPPE, "database", "move", "--data", old.data, "--to", url),
                env=clean_environment(),
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
            try:
                async with asyncio.timeout(HTTP_S_MAX):
                    while not await blocker.fetchval(WAITS_FOR_RECIPIENTS):
                        assert moving.returncode is None, "it ended by itself"
                        await asyncio.sleep(POLL_S)
            finally:
                moving.kill()
                await moving.wait()
        await blocker.close()

    asyncio.run(kill_it())
    assert "since an earlier try" not in old.run("database", "move", "--to", url)


def test_a_move_that_is_cut_off_while_it_copies_says_so_and_is_done_by_the_next_one(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    old = ChappeServer(tmp_path)
    _filled(old)
    name = postgres.create_database()
    url, database = postgres.url(name), old.data / "chappe.db"
    with CuttingProxy(postgres.port) as proxy:

        def cut(table: str, done: int, total: int) -> None:
            if table == "recipients" and done == total:
                proxy.cut_all()

        async def half() -> None:
            await (await PostgresDatabase.open(url)).close()
            with pytest.raises(StorageUnavailable, match="run the command again"):
                await move(database, Connector(postgres.url(name, port=proxy.port)), "elsewhere", cut)

        asyncio.run(half())
    assert postgres.query("SELECT COUNT(*) FROM accounts", name) == "0"
    assert "since an earlier try" not in old.run("database", "move", "--to", url)


def test_a_move_that_dies_between_mark_and_commit_leaves_no_store_that_sends(
    tmp_path: Path, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = ChappeServer(tmp_path)
    _filled(old)
    name = postgres.create_database()
    url, database = postgres.url(name), old.data / "chappe.db"

    class Died(Exception):
        pass

    def mark_and_die(source: Path, where: str | None) -> None:
        mark(source, where)
        raise Died

    async def half() -> None:
        await (await PostgresDatabase.open(url)).close()
        with monkeypatch.context() as patched, pytest.raises(Died):
            patched.setattr(move_module, "mark", mark_and_die)
            await move(database, Connector(url), "elsewhere", lambda *_: None)

    asyncio.run(half())
    old.run("account", "list", exit_code=1)
    assert "since an earlier try" not in old.run("database", "move", "--to", url)
    old.run("account", "list", exit_code=1)


def test_a_move_is_taken_back_while_nothing_was_done_on_postgresql(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    old = ChappeServer(tmp_path)
    key, sent, later = _filled(old)
    name = postgres.create_database()
    url = postgres.url(name)
    old.run("database", "move", "--to", url)
    old.run("database", "move", "--undo", "--from", _unmoved(postgres), exit_code=1)
    assert url not in old.run("database", "move", "--undo", "--from", url), "the password is printed"
    assert postgres.query("SELECT COUNT(*) FROM accounts", name) == "0"
    with old:
        assert _get(old, "bulk-status", key, messageId=sent)["StatutResponse_List"]
        assert _get(old, "message-cancel", key, messageId=later)["success"] is True
    old.run("check")
    old.run("database", "move", "--to", url)
    assert postgres.query("SELECT COUNT(*) FROM accounts", name) == "1"


def test_a_move_that_dies_while_it_is_taken_back_is_taken_back_by_the_next_try(
    tmp_path: Path, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = ChappeServer(tmp_path)
    _filled(old)
    url = _unmoved(postgres)
    old.run("database", "move", "--to", url)
    database = old.data / "chappe.db"
    where = moved_to(database)
    assert where is not None

    class Died(Exception):
        pass

    def die(source: Path, where: str | None) -> None:
        raise Died

    with monkeypatch.context() as patched, pytest.raises(Died):
        patched.setattr(move_module, "mark", die)
        asyncio.run(take_back(database, Connector(url), where))
    old.run("account", "list", exit_code=1)
    old.run("database", "move", "--undo", "--from", url)
    old.run("account", "list")


@pytest.mark.parametrize("done", ["a credit", "a server"])
def test_a_move_is_not_taken_back_when_something_was_done_on_postgresql(
    tmp_path: Path, postgres: PostgresServer, done: str
) -> None:
    old = ChappeServer(tmp_path)
    key, _, _ = _filled(old)
    url = _unmoved(postgres)
    old.run("database", "move", "--to", url)
    new = ChappeServer(
        tmp_path / "new",
        environment={"CHAPPE_DATABASE": url, "CHAPPE_SECRET_FILE": str(old.data / "secret.key")},
    )
    if done == "a credit":
        new.run("account", "credit", "ana@example.org", "5")
    else:
        with new:
            _send(new, key)
    old.run("database", "move", "--undo", "--from", url, exit_code=1)
    old.run("account", "list", exit_code=1)
    new.run("account", "list")
    new.run("check")


def test_two_moves_at_once_are_one(tmp_path: Path, postgres: PostgresServer) -> None:
    """From two copies of a folder, as on two machines."""
    old = ChappeServer(tmp_path)
    _filled(old)
    name = postgres.create_database()
    url, database = postgres.url(name), old.data / "chappe.db"

    async def both() -> None:
        await (await PostgresDatabase.open(url)).close()
        first = await Connector(url).link()
        await first.connection.execute(f"SELECT pg_advisory_lock({MOVE_LOCK})")
        with pytest.raises(StorageRefused, match="another move into this database is under way"):
            await move(database, Connector(url), "elsewhere", lambda *_: None)
        await first.connection.close()

    asyncio.run(both())
    assert moved_to(database) is None
    old.run("database", "move", "--to", url)


def test_the_old_store_is_marked_before_the_new_one_is_committed(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    old = ChappeServer(tmp_path)
    _filled(old)
    with closing(sqlite3.connect(old.data / "chappe.db")) as connection, connection:
        connection.execute("INSERT INTO meta (name, value) VALUES ('moved_to', 'postgresql://elsewhere/x')")
    with pytest.raises(AssertionError) as refused:
        old.start()
    assert "was moved to postgresql://elsewhere/x" in str(refused.value)
    old.run("database", "move", "--undo", exit_code=1)
    old.run("database", "move", "--undo", "--force")
    with old:
        pass
    old.run("database", "move", "--to", _unmoved(postgres))


def test_a_database_that_holds_something_is_refused(tmp_path: Path, postgres: PostgresServer) -> None:
    old, other = ChappeServer(tmp_path / "old"), ChappeServer(tmp_path / "other")
    _filled(old)
    _filled(other)
    url = _unmoved(postgres)
    old.run("database", "move", "--to", url)
    other.run("database", "move", "--to", url, exit_code=1)
    with other:
        pass


def test_a_running_server_keeps_its_store(tmp_path: Path, postgres: PostgresServer) -> None:
    server = ChappeServer(tmp_path)
    key = server.create_account("ana@example.org", "10")["apiKey"]
    with server:
        server.run("database", "move", "--to", _unmoved(postgres), exit_code=1)
        _send(server, key)


def test_a_store_that_breaks_an_invariant_is_not_moved(tmp_path: Path, postgres: PostgresServer) -> None:
    server = ChappeServer(tmp_path)
    _filled(server)
    server.execute("UPDATE accounts SET balance_micro = balance_micro + 1")
    server.run("database", "move", "--to", _unmoved(postgres), exit_code=1)
    server.execute("UPDATE accounts SET balance_micro = balance_micro - 1")
    assert json.loads(server.run("account", "list", "--json"))
