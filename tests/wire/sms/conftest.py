"""A whole server whose clock stands at Monday 5 January 2026, 08:00 in Paris, and customers on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.clocked import ClockedServer, unexpected_total
from tests.support.customer import Customer

NewCustomer = Callable[..., Customer]


@pytest.fixture(scope="session")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClockedServer]:
    """Its clock is never moved."""
    with ClockedServer(tmp_path_factory.mktemp("still")) as server:
        yield server


@pytest.fixture(autouse=True)
def _still_stays_sound(request: pytest.FixtureRequest) -> Iterator[None]:
    """Names the test after which something was unexpected, not the last one of the session."""
    used = request.getfixturevalue("still") if "still" in request.fixturenames else None
    yield
    if used is not None:
        assert unexpected_total(used.base_url) == 0


@pytest.fixture
def customer(still: ClockedServer) -> Customer:
    """Of the test's own, with 100 euros."""
    return Customer(still)
