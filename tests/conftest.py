"""Fixtures for every test: real servers, stopped and looked over at the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.server import ChappeServer


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
