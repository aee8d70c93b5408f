"""An open store in a folder of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chappe.storage.folder import Folder
from chappe.storage.store import Store, open_store


@pytest.fixture
async def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Store]:
    monkeypatch.delenv("CHAPPE_SECRET_FILE", raising=False)
    opened = await open_store(Folder(tmp_path))
    yield opened
    await opened.close()
