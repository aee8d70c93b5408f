"""An open store of the test's own, on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from chappe.storage.store import Store
from tests.support.stores import Place


@pytest.fixture
async def store(place: Place) -> AsyncIterator[Store]:
    opened = await place.open()
    yield opened
    await opened.close()
