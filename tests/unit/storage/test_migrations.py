"""The schema: from nothing to the newest revision, and which files are refused."""

from __future__ import annotations

import ast
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from chappe.storage import migrate
from chappe.storage.database import StorageRefused
from chappe.storage.schema import OLDEST_BESIDE, REVISIONS, bring_up_to_date

CHILD_S_MAX = 60
MIGRATIONS = Path(migrate.__file__).parent / "migrations"


def tables(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def revision(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]


def script_directory() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return ScriptDirectory.from_config(config)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "chappe.db"


def test_the_schema_is_made_from_nothing(path: Path) -> None:
    bring_up_to_date(path)
    assert revision(path) == REVISIONS[-1]
    assert {"accounts", "api_keys", "ledger_entries", "prices", "sequences", "meta"} <= tables(path)


def test_an_empty_file_is_nothing(path: Path) -> None:
    path.touch()
    bring_up_to_date(path)
    assert revision(path) == REVISIONS[-1]


def test_a_folder_may_have_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "what? 100%25 #1 é"
    folder.mkdir()
    for _ in range(2):
        bring_up_to_date(folder / "chappe.db")
    assert revision(folder / "chappe.db") == REVISIONS[-1]
    assert [each.name for each in tmp_path.iterdir()] == [folder.name]


def test_the_list_of_revisions_is_that_of_the_scripts() -> None:
    assert tuple(script.revision for script in script_directory().walk_revisions())[::-1] == REVISIONS


def unique_indexes() -> set[str]:
    """The names of indexes that keep values apart."""
    calls = (
        call
        for script in script_directory().walk_revisions()
        for call in ast.walk(ast.parse(Path(script.path).read_text("utf-8")))
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "op.create_index"
    )
    names = {
        ast.literal_eval(call.args[0]) for call in calls if any(k.arg == "unique" for k in call.keywords)
    }
    assert "optouts_id" in names
    return names


def test_the_migrations_since_the_oldest_version_beside_only_add() -> None:
    """Processes of that version go on with the schema, and insert without what it does not know: the first of two steps.
    What takes something away raises `OLDEST_BESIDE` to the first revision that needs it no more. An index may go: without it
    they are slower, and right; not so one that keeps values apart."""
    for script in script_directory().walk_revisions(base=OLDEST_BESIDE):
        if script.revision == OLDEST_BESIDE:
            continue
        for call in ast.walk(ast.parse(Path(script.path).read_text("utf-8"))):
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
                continue
            name, said = call.func.attr, ast.unparse(call)
            if name == "drop_index":
                assert ast.literal_eval(call.args[0]) not in unique_indexes(), said
                continue
            assert not name.startswith(("drop_", "alter_", "rename_", "create_unique", "create_check")), said
            if name == "execute":
                assert re.fullmatch(r"op\.execute\('ALTER TABLE \w+ SET \(fillfactor = \d+\)'\)", said), said
            if name == "add_column":
                assert "server_default=" in said or "nullable=False" not in said, said


def test_a_database_that_is_up_to_date_is_left_alone(path: Path) -> None:
    bring_up_to_date(path)
    before = path.read_bytes()
    bring_up_to_date(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("older", REVISIONS[:-1])
def test_an_older_database_is_brought_up_with_what_it_holds(
    path: Path, older: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade = command.upgrade
    with monkeypatch.context() as patch:
        patch.setattr(command, "upgrade", lambda config, _: upgrade(config, older))
        bring_up_to_date(path)
    assert revision(path) == older
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO meta (name, value) VALUES ('kept', 'yes')")
    bring_up_to_date(path)
    assert revision(path) == REVISIONS[-1]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT value FROM meta WHERE name = 'kept'").fetchone() == ("yes",)


def test_a_database_of_a_newer_version_is_refused_and_left_as_it_is(path: Path) -> None:
    bring_up_to_date(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StorageRefused, match=r"9999, newer than this version .* upgrade Chappe"):
        bring_up_to_date(path)
    assert revision(path) == "9999"


def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(path: Path) -> None:
    path.write_bytes(b"Dear operator, these are my holiday notes. " * 100)
    before = path.read_bytes()
    with pytest.raises(StorageRefused, match="is not a database of Chappe"):
        bring_up_to_date(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "statements",
    [
        ["CREATE TABLE recipes (name TEXT)"],
        [
            "CREATE TABLE alembic_version (version_num TEXT)",
            f"INSERT INTO alembic_version VALUES ('{REVISIONS[-1]}')",
        ],
    ],
    ids=["of another program", "of another program that uses Alembic too"],
)
def test_a_database_of_another_program_is_refused(path: Path, statements: list[str]) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)
    with pytest.raises(StorageRefused, match="is not a database of Chappe"):
        bring_up_to_date(path)


# Runs in a process of its own, which dies by SIGKILL in the middle.
_DIE = """
import os, pathlib, sqlite3, sys
from alembic import op
from chappe.storage.schema import bring_up_to_date
import sqlalchemy

def die(*_, **__):
    os.kill(os.getpid(), 9)

place = sys.argv[2]
if place == "at an index":
    op.create_index = die
else:
    execute = sqlalchemy.Connection.exec_driver_sql
    def watched(self, sql, *more):
        if sql.startswith("BEGIN"):
            # So small that pages are written to the file before COMMIT, and a journal must undo them.
            execute(self, "PRAGMA cache_size = 1")
        if sql == "COMMIT":
            die()
        return execute(self, sql, *more)
    sqlalchemy.Connection.exec_driver_sql = watched
bring_up_to_date(pathlib.Path(sys.argv[1]))
"""


@pytest.mark.parametrize("place", ["at an index", "before the commit"])
def test_a_migration_that_dies_in_the_middle_is_as_if_it_had_never_begun(path: Path, place: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _DIE, str(path), place], capture_output=True, timeout=CHILD_S_MAX, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    bring_up_to_date(path)
    assert revision(path) == REVISIONS[-1]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_migration_that_fails_changes_nothing_and_says_why(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy import Connection

    execute = Connection.exec_driver_sql

    def full(self: Connection, sql: str, *more: object) -> object:
        if sql.startswith("BEGIN"):
            execute(self, "PRAGMA max_page_count = 5")
        return execute(self, sql, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(Connection, "exec_driver_sql", full)
    with pytest.raises(StorageRefused, match=r"cannot migrate the database .*full"):
        bring_up_to_date(path)
    monkeypatch.undo()
    assert tables(path) == set()
    bring_up_to_date(path)
    assert revision(path) == REVISIONS[-1]
