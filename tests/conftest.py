"""Fixtures for every test: real servers, stopped and looked over at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from chappe.storage.postgres import PostgresDatabase
from tests.support.postgres import PostgresServer
from tests.support.server import ChappeServer
from tests.support.stores import Place


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL for all tests that do not stop it."""
    with PostgresServer() as running:
        yield running


@pytest.fixture(scope="session")
def postgres_template(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with the schema in it: copying it is faster than making the schema anew."""
    name = postgres.create_database()

    async def make() -> None:
        await (await PostgresDatabase.open(postgres.url(name))).close()

    asyncio.run(make())
    return name


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Where a store is to be: the tests that ask for it run on both databases."""
    if request.param == "sqlite":
        monkeypatch.delenv("CHAPPE_SECRET_FILE", raising=False)
        return Place(tmp_path, None)
    postgres: PostgresServer = request.getfixturevalue("postgres")
    template: str = request.getfixturevalue("postgres_template")
    monkeypatch.setenv("CHAPPE_SECRET_FILE", str(tmp_path / "secret.key"))
    return Place(tmp_path, postgres.url(postgres.create_database(template=template)))


@pytest.fixture(params=["sqlite", "postgresql"])
def either_database(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Has every server of the test store in SQLite, and the test run once more with PostgreSQL."""
    if request.param == "postgresql":
        postgres: PostgresServer = request.getfixturevalue("postgres")
        monkeypatch.setattr(
            "tests.support.server.new_database", lambda: postgres.url(postgres.create_database())
        )
    return request.param


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ChappeServer]:
    """A running server of the test's own, without rate limits."""
    with ChappeServer(tmp_path / "server", rate_limits=False) as running:
        yield running
        running.assert_no_traceback()
    running.assert_no_traceback()


@pytest.fixture(scope="module")
def module_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChappeServer]:
    """One running server for the tests of a module, without rate limits."""
    with ChappeServer(tmp_path_factory.mktemp("server"), rate_limits=False) as running:
        yield running
    running.assert_no_traceback()


@pytest.fixture(autouse=True)
def _module_server_stays_clean(request: pytest.FixtureRequest) -> Iterator[None]:
    """Names the test that made the module's server log a traceback, not the last one of the module."""
    used = request.getfixturevalue("module_server") if "module_server" in request.fixturenames else None
    yield
    if used is not None:
        used.assert_no_traceback()
