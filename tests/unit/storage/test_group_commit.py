"""Group commit: who waits for which COMMIT, and what becomes of a group when something fails."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from chappe.storage import group_commit
from chappe.storage.database import StorageUnavailable, Transaction, Unit
from chappe.storage.group_commit import FOREGROUND_GROUPS_MAX, UNITS_MAX, GroupCommit
from chappe.storage.sqlite import SqliteDatabase

ANSWER_S_MAX = 10.0


class Scripted(sqlite3.Connection):
    """A real connection on which a test holds up a COMMIT, or makes a statement fail."""

    def script(self) -> None:
        self.commit_may_start = threading.Event()
        self.commit_may_start.set()
        self.commit_started = threading.Event()
        self.failing: dict[str, list[sqlite3.Error]] = {}
        self.commits = 0

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        if self.failing.get(sql):
            raise self.failing[sql].pop(0)
        if sql == "COMMIT":
            self.commits += 1
            self.commit_started.set()
            assert self.commit_may_start.wait(ANSWER_S_MAX)
        return super().execute(sql, *parameters)

    def hold_commits(self) -> None:
        self.commit_started.clear()
        self.commit_may_start.clear()

    def fail(self, sql: str, code: int, times: int = 1) -> None:
        """The next executions of exactly `sql` fail as SQLite does with the primary result `code`."""
        for _ in range(times):
            error = sqlite3.OperationalError("scripted")
            error.sqlite_errorcode = code
            self.failing.setdefault(sql, []).append(error)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "group.db"


@pytest.fixture
async def connection(file: Path) -> AsyncIterator[Scripted]:
    opened = sqlite3.connect(file, isolation_level=None, check_same_thread=False, factory=Scripted)
    opened.script()
    opened.execute("PRAGMA journal_mode = WAL")
    opened.execute("PRAGMA busy_timeout = 0")
    opened.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")
    opened.execute(
        "CREATE TABLE replies (note_id INTEGER REFERENCES notes(id) DEFERRABLE INITIALLY DEFERRED)"
    )
    opened.execute("PRAGMA foreign_keys = ON")
    yield opened
    opened.close()


@pytest.fixture
async def writer(connection: Scripted) -> AsyncIterator[GroupCommit]:
    opened = GroupCommit(connection)
    yield opened
    connection.commit_may_start.set()
    await opened.close()


def note(number: int) -> Unit[int]:
    def unit(tx: Transaction) -> int:
        tx.run("INSERT INTO notes VALUES (?, 'x')", (number,))
        return number

    return unit


def failing(number: int, error: BaseException) -> Unit[None]:
    """Writes a row, then fails."""

    def unit(tx: Transaction) -> None:
        tx.run("INSERT INTO notes VALUES (?, 'never')", (number,))
        raise error

    return unit


def stored(file: Path) -> list[int]:
    """What another process sees."""
    other = sqlite3.connect(file)
    try:
        return [number for (number,) in other.execute("SELECT id FROM notes ORDER BY id")]
    finally:
        other.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(ANSWER_S_MAX):
        while not condition():
            await asyncio.sleep(0)


async def test_units_of_one_turn_of_the_loop_share_one_commit(
    writer: GroupCommit, connection: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "WORK_S_MAX", 60.0)
    assert await asyncio.gather(*(writer.submit(note(n)) for n in range(100))) == list(range(100))
    assert connection.commits == 1
    assert (writer.groups_total, writer.units_total) == (1, 100)


async def test_a_group_has_at_most_so_many_units(
    writer: GroupCommit, connection: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "WORK_S_MAX", 60.0)
    await asyncio.gather(*(writer.submit(note(n)) for n in range(2 * UNITS_MAX + 1)))
    assert connection.commits == 3


async def test_a_group_ends_when_its_work_takes_too_long(
    writer: GroupCommit, connection: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "WORK_S_MAX", 0.0)
    await asyncio.gather(*(writer.submit(note(n)) for n in range(3)))
    assert connection.commits == 3


async def test_callers_are_answered_only_after_the_commit(
    writer: GroupCommit, connection: Scripted, file: Path
) -> None:
    connection.hold_commits()
    answers = [writer.submit(note(n)) for n in range(3)]
    await until(connection.commit_started.is_set)
    for _ in range(20):
        await asyncio.sleep(0)
    assert not any(answer.done() for answer in answers)
    assert stored(file) == []
    connection.commit_may_start.set()
    assert await asyncio.gather(*answers) == [0, 1, 2]
    assert stored(file) == [0, 1, 2]


async def test_what_comes_during_a_commit_makes_the_next_group(
    writer: GroupCommit, connection: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "WORK_S_MAX", 60.0)
    connection.hold_commits()
    first = writer.submit(note(1))
    await until(connection.commit_started.is_set)
    later = [writer.submit(note(n)) for n in range(2, 12)]
    connection.commit_may_start.set()
    await asyncio.gather(first, *later)
    assert connection.commits == 2


async def test_a_unit_that_raises_leaves_its_neighbours_alone_and_nothing_of_itself(
    writer: GroupCommit, file: Path
) -> None:
    answers = await asyncio.gather(
        writer.submit(note(1)),
        writer.submit(failing(2, KeyError("mine"))),
        writer.submit(note(3)),
        writer.submit(note(3)),
        writer.submit(note(4)),
        return_exceptions=True,
    )
    assert [answers[0], answers[2], answers[4]] == [1, 3, 4]
    assert isinstance(answers[1], KeyError)
    assert isinstance(answers[3], sqlite3.IntegrityError)
    assert stored(file) == [1, 3, 4]


@pytest.mark.parametrize("error", [StopIteration(), asyncio.CancelledError(), GeneratorExit()], ids=repr)
async def test_no_exception_of_a_unit_stops_the_writer(
    writer: GroupCommit, file: Path, error: BaseException
) -> None:
    answers = await asyncio.gather(
        writer.submit(failing(1, error)), writer.submit(note(2)), return_exceptions=True
    )
    assert isinstance(answers[0], BaseException)
    assert answers[1] == 2
    assert await writer.submit(note(3)) == 3
    assert stored(file) == [2, 3]


async def test_a_commit_that_fails_is_told_to_its_whole_group_and_the_next_group_works(
    writer: GroupCommit, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "WORK_S_MAX", 60.0)

    def orphan(tx: Transaction) -> None:
        tx.run("INSERT INTO replies VALUES (99)")  # a deferred constraint: found by COMMIT itself

    answers = await asyncio.gather(
        writer.submit(note(1)), writer.submit(orphan), writer.submit(note(2)), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [StorageUnavailable] * 3
    assert len({id(answer) for answer in answers}) == 3
    assert stored(file) == []
    assert await writer.submit(note(3)) == 3
    assert stored(file) == [3]


async def test_a_full_disk_at_commit_stores_nothing_and_says_so(
    writer: GroupCommit, connection: Scripted, file: Path
) -> None:
    connection.fail("COMMIT", sqlite3.SQLITE_FULL)
    with pytest.raises(StorageUnavailable):
        await writer.submit(note(1))
    assert stored(file) == []
    assert await writer.submit(note(2)) == 2


async def test_when_a_unit_cannot_be_taken_back_its_whole_group_is(
    writer: GroupCommit, connection: Scripted, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "WORK_S_MAX", 60.0)
    connection.fail("ROLLBACK TO unit", sqlite3.SQLITE_IOERR)
    answers = await asyncio.gather(
        writer.submit(note(1)), writer.submit(failing(2, KeyError())), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [StorageUnavailable] * 2
    assert stored(file) == []
    assert await writer.submit(note(3)) == 3
    assert stored(file) == [3]


async def test_a_rollback_that_fails_does_not_keep_the_writer_from_going_on(
    writer: GroupCommit, connection: Scripted, file: Path
) -> None:
    connection.fail("COMMIT", sqlite3.SQLITE_IOERR)
    connection.fail("ROLLBACK", sqlite3.SQLITE_IOERR)
    with pytest.raises(StorageUnavailable):
        await writer.submit(note(1))
    with pytest.raises(StorageUnavailable):  # the group that finds what was left open, and clears it
        await writer.submit(note(2))
    assert await writer.submit(note(3)) == 3
    assert stored(file) == [3]


async def test_sqlite_rolling_the_group_back_by_itself_is_told_to_all_of_it(
    writer: GroupCommit, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "WORK_S_MAX", 60.0)

    def rolled_back(tx: Transaction) -> None:
        tx.run("ROLLBACK")  # what SQLite may do on SQLITE_FULL, SQLITE_IOERR and SQLITE_NOMEM

    answers = await asyncio.gather(
        writer.submit(note(1)),
        writer.submit(rolled_back),
        writer.submit(note(2)),
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers[:2]] == [StorageUnavailable] * 2
    assert answers[2] == 2
    assert stored(file) == [2]


async def test_a_caller_that_goes_away_changes_nothing_for_the_others(
    writer: GroupCommit, connection: Scripted, file: Path
) -> None:
    connection.hold_commits()
    started = [asyncio.ensure_future(writer.submit(note(n))) for n in (1, 2)]
    await until(connection.commit_started.is_set)
    queued = [writer.submit(note(n)) for n in (3, 4)]
    started[0].cancel()
    queued[0].cancel()
    connection.commit_may_start.set()
    assert await asyncio.gather(started[1], queued[1]) == [2, 4]
    assert stored(file) == [1, 2, 3, 4]


async def test_background_units_do_not_starve(writer: GroupCommit) -> None:
    groups_before_background = 0
    background: asyncio.Future[Any] | None = None
    number = 0
    while background is None or not background.done():
        number += 1
        assert number <= FOREGROUND_GROUPS_MAX + 2, "the requests kept the background unit waiting"
        foreground = writer.submit(note(number))
        if background is None:
            background = writer.submit(note(1000), background=True)
        done = asyncio.ensure_future(foreground)
        # The next request is there before the commit of this one returns: requests always wait.
        await done
        groups_before_background += 1
    assert background.result() == 1000


async def test_requests_go_before_background_units(writer: GroupCommit, connection: Scripted) -> None:
    connection.hold_commits()
    first = writer.submit(note(0))
    await until(connection.commit_started.is_set)
    order: list[str] = []
    background = writer.submit(note(1), background=True)
    request = writer.submit(note(2))
    background.add_done_callback(lambda _: order.append("background"))
    request.add_done_callback(lambda _: order.append("request"))
    connection.commit_may_start.set()
    await asyncio.gather(first, background, request)
    assert order == ["request", "background"]


async def test_close_waits_for_what_was_queued_and_refuses_what_comes_after(
    connection: Scripted, file: Path
) -> None:
    writer = GroupCommit(connection)
    connection.hold_commits()
    answers = [writer.submit(note(1))]
    await until(connection.commit_started.is_set)
    answers += [writer.submit(note(2)), writer.submit(note(3), background=True)]
    closing = asyncio.ensure_future(writer.close())
    await asyncio.sleep(0)
    with pytest.raises(StorageUnavailable):
        writer.submit(note(4))
    assert not closing.done()
    connection.commit_may_start.set()
    await closing
    assert await asyncio.gather(*answers) == [1, 2, 3]
    assert stored(file) == [1, 2, 3]


async def test_a_lock_of_somebody_else_is_waited_for_without_stopping_the_loop(
    writer: GroupCommit, file: Path
) -> None:
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    answer = writer.submit(note(1))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not answer.done()
    other.execute("ROLLBACK")
    other.close()
    assert await asyncio.wait_for(answer, ANSWER_S_MAX) == 1


async def test_a_lock_that_stays_is_told_and_the_writer_goes_on_when_it_is_gone(
    writer: GroupCommit, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "LOCKED_S_MAX", 0.0)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    answers = await asyncio.gather(
        writer.submit(note(1)), writer.submit(note(2), background=True), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [StorageUnavailable] * 2
    other.execute("ROLLBACK")
    other.close()
    assert await writer.submit(note(3)) == 3


async def test_a_disk_without_room_is_told_and_nothing_is_half_written(
    database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "WORK_S_MAX", 60.0)

    def limit(tx: Transaction) -> None:
        (pages,) = tx.one("PRAGMA page_count") or (0,)
        tx.one(f"PRAGMA max_page_count = {pages + 10}")

    def large(tx: Transaction) -> None:
        for size in (1_000, 1_000_000):
            tx.run("INSERT INTO notes (text) VALUES (?)", ("x" * size,))

    def small(tx: Transaction) -> None:
        tx.run("INSERT INTO notes (text) VALUES ('small')")

    await database.write(limit)
    answers = await asyncio.gather(
        database.write(small), database.write(large), database.write(small), return_exceptions=True
    )
    # SQLite takes the whole transaction back when the disk is full, so the first goes with the second.
    assert [type(answer) for answer in answers] == [StorageUnavailable, StorageUnavailable, type(None)]
    assert await database.read(lambda reader: reader.all("SELECT text FROM notes")) == [("small",)]


async def test_a_mistake_in_a_statement_is_not_taken_for_a_fault_of_the_storage(
    database: SqliteDatabase,
) -> None:
    with pytest.raises(sqlite3.OperationalError):
        await database.write(lambda tx: tx.run("SELECT nothing FROM nowhere"))
    with pytest.raises(sqlite3.OperationalError):
        await database.read(lambda reader: reader.one("SELECT nothing FROM nowhere"))
    with pytest.raises(sqlite3.OperationalError):
        await database.scan(lambda reader: reader.one("SELECT nothing FROM nowhere"))


async def test_a_closed_database_is_unavailable(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "closed.db")
    await database.close()
    with pytest.raises(StorageUnavailable):
        await database.read(lambda reader: reader.one("SELECT 1"))
    with pytest.raises(StorageUnavailable):
        await database.write(lambda tx: tx.run("SELECT 1"))
    with pytest.raises(StorageUnavailable):
        await database.commit_settings()


async def test_a_reader_cannot_write(database: SqliteDatabase) -> None:
    def sneak(reader: Any) -> None:
        reader.run("INSERT INTO notes VALUES (1, 'x')")

    with pytest.raises((sqlite3.OperationalError, StorageUnavailable)):
        await database.read(sneak)
    assert await database.read(lambda reader: reader.all("SELECT * FROM notes")) == []


async def test_a_scan_sees_one_snapshot(database: SqliteDatabase) -> None:
    loop = asyncio.get_running_loop()

    def count_around_a_write(reader: Any) -> tuple[int, int]:
        (before,) = reader.one("SELECT COUNT(*) FROM notes")
        write = asyncio.run_coroutine_threadsafe(
            database.write(lambda tx: tx.run("INSERT INTO notes (text) VALUES ('late')")), loop
        )
        write.result(ANSWER_S_MAX)
        (after,) = reader.one("SELECT COUNT(*) FROM notes")
        return before, after

    assert await database.scan(count_around_a_write) == (0, 0)
    assert await database.read(lambda reader: reader.one("SELECT COUNT(*) FROM notes")) == (1,)


async def test_commits_are_made_durable(database: SqliteDatabase) -> None:
    assert await database.commit_settings() == []


@pytest.mark.parametrize("pragma", ["synchronous = NORMAL", "synchronous = OFF"])
async def test_settings_that_may_lose_a_commit_are_named(tmp_path: Path, pragma: str) -> None:
    database = SqliteDatabase(tmp_path / "chappe.db")
    database._writer.execute(f"PRAGMA {pragma}")  # pyright: ignore[reportPrivateUsage]
    try:
        (line,) = await database.commit_settings()
        assert "synchronous" in line
    finally:
        await database.close()


def notes(tx: Transaction, items: list[int]) -> list[int]:
    """A batch: one statement for all of its items."""
    tx.run_many("INSERT INTO notes VALUES (?, 'x')", [(item,) for item in items])
    return [item * 10 for item in items]


async def test_items_that_wait_together_are_written_together_and_answered_in_order(
    writer: GroupCommit, connection: Scripted, file: Path
) -> None:
    sizes: list[int] = []

    def counted(tx: Transaction, items: list[int]) -> list[int]:
        sizes.append(len(items))
        return notes(tx, items)

    answers = await asyncio.gather(*(writer.submit_batched(counted, n) for n in range(10)))
    assert answers == [n * 10 for n in range(10)]
    assert sizes == [10]
    assert connection.commits == 1
    assert stored(file) == list(range(10))


async def test_a_bad_item_fails_by_itself_and_its_neighbours_are_written(
    writer: GroupCommit, file: Path
) -> None:
    await writer.submit(note(2))
    answers = await asyncio.gather(
        *(writer.submit_batched(notes, n) for n in (1, 2, 3)),
        writer.submit(note(4)),
        writer.submit_batched(notes, 5),
        return_exceptions=True,
    )
    assert [answers[0], *answers[2:]] == [10, 30, 4, 50]
    assert isinstance(answers[1], sqlite3.IntegrityError)
    assert stored(file) == [1, 2, 3, 4, 5]


async def test_when_a_batch_cannot_be_taken_back_every_item_is_told_or_written(
    writer: GroupCommit, connection: Scripted, file: Path
) -> None:
    await writer.submit(note(2))
    connection.fail("ROLLBACK TO unit", sqlite3.SQLITE_IOERR)
    answers = await asyncio.gather(
        *(writer.submit_batched(notes, n) for n in (1, 2, 3)), return_exceptions=True
    )
    written = [answer // 10 for answer in answers if isinstance(answer, int)]
    assert not any(answer is None for answer in answers)
    assert stored(file) == sorted([2, *written])
    assert await writer.submit(note(9)) == 9
