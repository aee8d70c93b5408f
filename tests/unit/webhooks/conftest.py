"""A store of the test's own, and a world around it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from chappe.storage.store import Store
from tests.support.stores import Place
from tests.unit.webhooks.world import World


@pytest.fixture
async def store(place: Place) -> AsyncIterator[Store]:
    opened = await place.open()
    yield opened
    await opened.close()


@pytest.fixture
async def world(place: Place, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr("chappe.webhooks.sender.STOP_S_MAX", 0.0)  # whoever never answers is not waited for
    opened = await World.open(place)
    yield opened
    await opened.close()
