"""One server for the tests of requests and answers, and an account on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chappe.administration.commands import AccountCreate
from tests.support.server import ChappeServer

EMAIL = "ana@example.fr"


@pytest.fixture(scope="session")
def wire_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChappeServer]:
    """A running server without rate limits, as the command line leaves it."""
    with ChappeServer(tmp_path_factory.mktemp("wire"), rate_limits=False) as running:
        yield running
    running.assert_no_traceback()


@pytest.fixture(scope="session")
def key(wire_server: ChappeServer) -> str:
    """The key of an account with 44.10 euros."""
    command = AccountCreate(EMAIL, credit="44.10", firstname="Ana", lastname="Bel")
    return wire_server.ask(command)["apiKey"]


@pytest.fixture(scope="session")
def url(wire_server: ChappeServer) -> str:
    return wire_server.base_url


@pytest.fixture(autouse=True)
def _wire_server_stays_clean(request: pytest.FixtureRequest) -> Iterator[None]:
    """Names the test that made the server log a traceback, not the last one of the session."""
    used = request.getfixturevalue("wire_server") if "wire_server" in request.fixturenames else None
    yield
    if used is not None:
        used.assert_no_traceback()
