"""A store of the test's own, and a world around it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chappe.storage.folder import Folder
from chappe.storage.store import Store, open_store
from tests.unit.webhooks.world import World


@pytest.fixture(autouse=True)
def _own_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHAPPE_SECRET_FILE", raising=False)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await open_store(Folder(tmp_path))
    yield opened
    await opened.close()


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr("chappe.webhooks.sender.STOP_S_MAX", 0.0)  # whoever never answers is not waited for
    opened = await World.open(tmp_path)
    yield opened
    await opened.close()
