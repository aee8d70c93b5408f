"""A missing independent program is a failure in CI and a skip that says its name elsewhere."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.peers import need, need_module, need_npm

ASKS: dict[str, Callable[[], object]] = {
    "program": lambda: need("sh", "no-such-peer"),
    "module": lambda: need_module("no-such-peer", need("sh"), "-c", "exit 1"),
    "npm package": lambda: need_npm("no-such-peer"),
}


@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS.keys())
def test_a_missing_peer_fails_in_ci(ask: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no-such-peer"):
        ask()


@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS.keys())
def test_a_missing_peer_is_a_named_skip_elsewhere(
    ask: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no-such-peer"):
        ask()


def test_a_peer_that_is_there_is_given_by_its_path() -> None:
    assert need("sh").endswith("/sh")
