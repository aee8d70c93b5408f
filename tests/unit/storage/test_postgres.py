"""PostgreSQL: who waits for which COMMIT, and what becomes of it when the connection, the server or the link dies."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from chappe.storage import postgres_commit, postgres_connection
from chappe.storage.database import StorageRefused, StorageUnavailable, Transaction, Unit
from chappe.storage.postgres import PostgresDatabase
from chappe.storage.postgres_connection import translated
from chappe.storage.schema import REVISIONS
from chappe.storage.store import open_shared_store
from tests.support.cut import CuttingProxy
from tests.support.postgres import PostgresServer
from tests.support.server import CHAPPE, COMMAND_S_MAX, clean_environment

ANSWER_S_MAX = 30.0


@pytest.fixture
def name(postgres: PostgresServer, postgres_template: str) -> str:
    """A database with the schema and a table `notes`."""
    made = postgres.create_database(template=postgres_template)
    postgres.query("CREATE TABLE notes (id BIGINT PRIMARY KEY, text TEXT NOT NULL)", made)
    return made


@pytest.fixture
def proxy(postgres: PostgresServer) -> Iterator[CuttingProxy]:
    with CuttingProxy(postgres.port) as running:
        yield running


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[PostgresDatabase]:
    database = await PostgresDatabase.open(url)
    try:
        yield database
    finally:
        await database.close()


@pytest.fixture
async def database(postgres: PostgresServer, name: str) -> AsyncIterator[PostgresDatabase]:
    async with opened(postgres.url(name)) as open_database:
        yield open_database


def note(number: int) -> Unit[int]:
    def unit(tx: Transaction) -> int:
        tx.run("INSERT INTO notes VALUES (?, 'x')", (number,))
        return number

    return unit


def notes(tx: Transaction, items: list[int]) -> list[int]:
    """A batch: one statement for all of its items."""
    tx.run_many("INSERT INTO notes VALUES (?, 'x')", [(item,) for item in items])
    return [item * 10 for item in items]


async def stored(database: PostgresDatabase) -> list[int]:
    rows = await database.read(lambda reader: reader.all("SELECT id FROM notes ORDER BY id"))
    return [number for (number,) in rows]


async def eventually(call: Callable[[], Any]) -> Any:
    """The value of `call` once the storage is available again."""
    async with asyncio.timeout(ANSWER_S_MAX):
        while True:
            try:
                return await call()
            except StorageUnavailable:
                await asyncio.sleep(0.02)


def test_placeholders_are_numbered_and_quotes_left_alone() -> None:
    assert translated("SELECT ?, '?', \"?\" FROM t WHERE a = '' AND b = ?") == (
        "SELECT $1, '?', \"?\" FROM t WHERE a = '' AND b = $2"
    )


async def test_units_that_wait_together_share_one_commit(database: PostgresDatabase) -> None:
    await database.write(note(1000))
    before = database.groups_total
    assert await asyncio.gather(*(database.write_batched(notes, n) for n in range(100))) == [
        n * 10 for n in range(100)
    ]
    assert database.groups_total == before + 1


async def test_a_bad_item_fails_by_itself_and_its_neighbours_are_written(database: PostgresDatabase) -> None:
    await database.write(note(5))
    answers = await asyncio.gather(
        *(database.write_batched(notes, n) for n in range(9)),
        database.write(note(5)),
        database.write(note(20)),
        return_exceptions=True,
    )
    assert [*answers[:5], *answers[6:9], answers[10]] == [0, 10, 20, 30, 40, 60, 70, 80, 20]
    assert isinstance(answers[5], asyncpg.UniqueViolationError)
    assert isinstance(answers[9], asyncpg.UniqueViolationError)
    assert await stored(database) == [*range(9), 20]


async def test_a_unit_that_raises_leaves_nothing_and_its_neighbours_stay(database: PostgresDatabase) -> None:
    def failing(tx: Transaction) -> None:
        tx.run("INSERT INTO notes VALUES (7, 'never')")
        raise StopIteration

    answers = await asyncio.gather(
        database.write(note(1)), database.write(failing), database.write(note(2)), return_exceptions=True
    )
    assert (answers[0], answers[2]) == (1, 2)
    assert isinstance(answers[1], RuntimeError)
    assert await stored(database) == [1, 2]


async def test_a_mistake_in_a_statement_is_not_taken_for_a_fault_of_the_storage(
    database: PostgresDatabase,
) -> None:
    for mistake in ("SELECT nothing FROM nowhere", "SELECT CAST(? AS BIGINT)"):
        params = ("text",) if "?" in mistake else ()
        for call in (database.write, database.read, database.scan):
            with pytest.raises((asyncpg.PostgresError, asyncpg.DataError)):
                await call(lambda reader, sql=mistake, given=params: reader.one(sql, given))
    assert await database.write(note(1)) == 1


async def test_a_reader_cannot_write(database: PostgresDatabase) -> None:
    with pytest.raises(StorageUnavailable):
        await database.read(lambda reader: reader.run("INSERT INTO notes VALUES (1, 'x')"))  # type: ignore[attr-defined]
    assert await stored(database) == []


async def test_a_scan_sees_one_snapshot_and_streams(database: PostgresDatabase) -> None:
    loop = asyncio.get_running_loop()
    await asyncio.gather(*(database.write_batched(notes, n) for n in range(2500)))

    def count_around_a_write(reader: Any) -> tuple[int, int]:
        before = reader.one("SELECT COUNT(*) FROM notes")[0]
        asyncio.run_coroutine_threadsafe(database.write(note(9999)), loop).result(ANSWER_S_MAX)
        return before, sum(1 for _ in reader.stream("SELECT id FROM notes WHERE id >= ?", (0,)))

    assert await database.scan(count_around_a_write) == (2500, 2500)
    assert len(await stored(database)) == 2501


async def test_two_that_want_each_others_rows_both_get_them(postgres: PostgresServer, name: str) -> None:
    """The server chooses one of them to give way: it is run again, and nobody is refused."""
    async with opened(postgres.url(name)) as one, opened(postgres.url(name)) as other:
        for number in (1, 2):
            await one.write(note(number))

        def both(first: int, second: int) -> Unit[None]:
            def unit(tx: Transaction) -> None:
                for number in (first, second):
                    tx.run("UPDATE notes SET text = text || 'y' WHERE id = ?", (number,))
                    tx.one("SELECT pg_sleep(0.05)")

            return unit

        await asyncio.gather(
            *(d.write(both(*ids)) for _ in range(3) for d, ids in ((one, (1, 2)), (other, (2, 1))))
        )
        rows = await one.read(lambda reader: reader.all("SELECT text FROM notes"))
        assert rows == [("x" + "y" * 6,)] * 2


async def test_a_commit_whose_answer_is_lost_is_looked_up_and_answered_as_done(
    postgres: PostgresServer, name: str, proxy: CuttingProxy
) -> None:
    async with opened(postgres.url(name, port=proxy.port)) as database:
        await database.write(note(0))
        proxy.cut_next_commits("after")
        answers = await asyncio.gather(*(database.write_batched(notes, n) for n in (1, 2, 3)))
        assert answers == [10, 20, 30]
        assert proxy.cut_total == 1
        assert await stored(database) == [0, 1, 2, 3]


async def test_a_commit_that_never_arrived_is_refused_and_nothing_of_it_is_stored(
    postgres: PostgresServer, name: str, proxy: CuttingProxy
) -> None:
    async with opened(postgres.url(name, port=proxy.port)) as database:
        await database.write(note(0))
        proxy.cut_next_commits("before")
        answers = await asyncio.gather(
            *(database.write_batched(notes, n) for n in (1, 2, 3)), return_exceptions=True
        )
        assert [type(answer) for answer in answers] == [StorageUnavailable] * 3
        assert proxy.cut_total == 1
        assert await stored(database) == [0]
        assert await database.write(note(1)) == 1


async def test_another_server_that_took_over_is_not_believed_by_the_number_of_a_transaction() -> None:
    """The transaction never arrived there; its number is that of another one, which was committed."""
    with (
        PostgresServer(password="both") as first,
        PostgresServer(password="both") as second,
        CuttingProxy(first.port) as proxy,
    ):
        async with opened(first.url()), opened(second.url()):
            pass
        for server in (first, second):
            server.query("CREATE TABLE notes (id BIGINT PRIMARY KEY, text TEXT NOT NULL)")
        second.query_file("SELECT pg_current_xact_id();\n" * 500, "postgres")
        async with opened(first.url(port=proxy.port)) as database:
            numbers: list[int] = []

            def unit(tx: Transaction) -> None:
                note(1)(tx)
                row = tx.one("SELECT CAST(CAST(pg_current_xact_id() AS TEXT) AS BIGINT)")
                assert row is not None
                numbers.append(row[0])
                proxy.lead_to(second.port, cuts=False)
                proxy.cut_next_commits("before")

            with pytest.raises(StorageUnavailable):
                await database.write(unit)
            assert second.query(f"SELECT pg_xact_status('{numbers[0]}')") == "committed"
            assert await stored(database) == []


async def test_whatever_is_cut_nothing_is_written_twice_or_lost(
    postgres: PostgresServer, name: str, proxy: CuttingProxy
) -> None:
    async with opened(postgres.url(name, port=proxy.port)) as database:
        told: list[int] = []

        async def write_often(start: int) -> None:
            for number in range(start, start + 40):
                proxy.cut_next_commits(
                    *(("after", "before")[number % 2 : number % 2 + 1] if number % 7 == 0 else ())
                )
                # Written once more after a refusal: a row that was there already would be an error.
                await eventually(lambda number=number: database.write(note(number)))
                told.append(number)

        await asyncio.gather(*(write_often(start) for start in (0, 100, 200)))
        assert proxy.cut_total > 5
        assert sorted(told) == await stored(database)


async def test_a_link_that_is_silently_cut_refuses_and_leaves_no_row_locked(
    postgres: PostgresServer, name: str, proxy: CuttingProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_connection, "CONNECT_S_MAX", 0.5)
    monkeypatch.setattr(postgres_connection, "STATEMENT_S_MAX", 0.5)
    monkeypatch.setattr(postgres_commit, "DOWN_S_MAX", 0.5)
    async with opened(postgres.url(name, port=proxy.port)) as database, opened(postgres.url(name)) as other:
        await database.write(note(1))

        def cut_in_the_middle(tx: Transaction) -> None:
            tx.run("UPDATE notes SET text = 'locked' WHERE id = 1")
            proxy.hold()
            tx.one("SELECT 1")

        with pytest.raises(StorageUnavailable):
            await database.write(cut_in_the_middle)
        with pytest.raises(StorageUnavailable):
            await database.write(note(2))
        with pytest.raises(StorageUnavailable):
            await database.read(lambda reader: reader.one("SELECT 1"))
        proxy.release()
        assert await eventually(lambda: database.write(note(3))) == 3
        # The server would still wait for the end of what was cut, with its row locked.
        await other.write(lambda tx: tx.run("UPDATE notes SET text = 'free' WHERE id = 1"))
        assert await stored(database) == [1, 3]


async def test_a_server_that_restarts_is_found_again(tmp_path: Path) -> None:
    with PostgresServer() as own:
        async with opened(own.url()) as database:
            await database.write(lambda tx: tx.run("CREATE TABLE notes (id BIGINT PRIMARY KEY, text TEXT)"))
            for how in (signal.SIGINT, signal.SIGQUIT):
                await asyncio.to_thread(own.stop, how)
                for call in (lambda: database.read(lambda r: r.one("SELECT 1")), lambda: stored(database)):
                    with pytest.raises(StorageUnavailable):
                        await call()
                waiting = asyncio.ensure_future(eventually(lambda how=how: database.write(note(how))))
                await asyncio.to_thread(own.start)
                assert await waiting == how
            assert await eventually(lambda: stored(database)) == [signal.SIGINT, signal.SIGQUIT]


async def test_a_closed_database_is_unavailable(postgres: PostgresServer, name: str) -> None:
    async with opened(postgres.url(name)) as database:
        pass
    for call in (database.read, database.write):
        with pytest.raises(StorageUnavailable):
            await call(lambda reader: reader.one("SELECT 1"))


async def test_settings_that_may_lose_a_commit_are_named_or_overruled(
    postgres: PostgresServer, name: str, database: PostgresDatabase
) -> None:
    assert await database.commit_settings() == []
    postgres.query(f"ALTER DATABASE {name} SET synchronous_commit = off")
    async with opened(postgres.url(name)) as again:
        assert await again.commit_settings() == []
        for background in (False, True):
            shown = await again.write(lambda tx: tx.one("SHOW synchronous_commit"), background=background)
            assert shown == ("on",)
    with PostgresServer(fsync="off", full_page_writes="off") as careless:
        async with opened(careless.url()) as bad:
            wrong = await bad.commit_settings()
            assert [line.partition(" ")[0] for line in wrong] == ["fsync", "full_page_writes"]


def test_several_processes_that_start_at_once_on_an_empty_database_all_start(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    url = postgres.url(postgres.create_database())
    environment = clean_environment(CHAPPE_SECRET_FILE=str(tmp_path / "secret.key"), CHAPPE_DATABASE=url)
    commands = [
        subprocess.Popen(
            [CHAPPE, "account", "create", f"{number}@example.org", "--credit", "1"],
            env=environment,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        for number in range(3)
    ]
    outputs = [command.communicate(timeout=COMMAND_S_MAX)[0] for command in commands]
    assert [command.returncode for command in commands] == [0, 0, 0], outputs
    done = subprocess.run(
        [CHAPPE, "check"], env=environment, cwd=tmp_path, capture_output=True, encoding="utf-8"
    )
    assert (done.returncode, done.stdout) == (0, "every invariant holds\n"), done.stderr
    assert list(tmp_path.iterdir()) == [tmp_path / "secret.key"]


async def test_the_secret_is_shared_and_must_be_named(
    postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.url(postgres.create_database())
    monkeypatch.delenv("CHAPPE_SECRET_FILE", raising=False)
    with pytest.raises(StorageRefused, match="--database needs CHAPPE_SECRET_FILE"):
        await open_shared_store(url)
    monkeypatch.setenv("CHAPPE_SECRET_FILE", str(tmp_path / "one.key"))
    await (await open_shared_store(url)).close()
    (tmp_path / "other.key").write_text("00" * 32)
    monkeypatch.setenv("CHAPPE_SECRET_FILE", str(tmp_path / "other.key"))
    with pytest.raises(StorageRefused, match="is not the one of this database"):
        await open_shared_store(url)


async def refusal(url: str, *, create: bool = True) -> str:
    with pytest.raises(StorageRefused) as refused:
        await PostgresDatabase.open(url, create=create)
    line = str(refused.value)
    assert "\n" not in line
    return line


async def test_what_cannot_be_opened_is_said_in_one_line(postgres: PostgresServer, name: str) -> None:
    url = postgres.url(name)
    user, _, rest = url.partition("@")
    assert 'password authentication failed for user "chappe"' in await refusal(f"{user}x@{rest}")
    assert 'database "nothing" does not exist' in await refusal(postgres.url("nothing"))
    assert "onnect" in await refusal("postgresql://chappe:hush@127.0.0.1:1/chappe")
    assert "hush" not in await refusal("postgresql://chappe:hush@127.0.0.1:1/chappe")
    foreign = postgres.create_database()
    postgres.query("CREATE TABLE others (id INT)", foreign)
    assert "the tables of something else" in await refusal(postgres.url(foreign))
    assert "there is no store" in await refusal(postgres.url(postgres.create_database()), create=False)
    postgres.query("UPDATE alembic_version SET version_num = '9999'", name)
    postgres.query("UPDATE meta SET value = '9999' WHERE name = 'oldest_revision'", name)
    assert f"is at revision 9999, newer than this version of Chappe ({REVISIONS[-1]})" in await refusal(url)
    with CuttingProxy(postgres.port, is_pooler=True) as pooler:
        assert "a connection pooler stands before" in await refusal(postgres.url(port=pooler.port))
    postgres.query("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
    assert "must be encoded in UTF8, it is in LATIN1" in await refusal(postgres.url("latin"))
