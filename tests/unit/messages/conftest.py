"""A world of messages for each test, on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from chappe.accounts.create import create_account
from chappe.credit.money import MICRO
from tests.support.moved_clock import MovedClock
from tests.support.stores import Place
from tests.unit.messages.world import World


@pytest.fixture
async def world(place: Place, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr("chappe.storage.postgres_presence.DEAD_S", 0.0)
    monkeypatch.setattr("chappe.storage.postgres_presence.ROUTE_KEPT_S", 0.0)
    clock = MovedClock()
    store = await place.open(clock)
    await store.database.presence.start("all")
    account = await create_account(store, "a@example.org", credit_micro=10 * MICRO)
    world = World(store, account, clock)
    await world.delivery.start()
    yield world
    await world.delivery.stop()
    await store.database.presence.stop()
    assert world.unexpected == 0
    assert await world.check() == []
    await store.close()
