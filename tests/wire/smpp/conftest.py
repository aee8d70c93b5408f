"""A scripted SMSC, and operators that are bound to it on a loop whose clock can be set forward."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest

from chappe.operators.smpp.operator import SmppOperator
from tests.wire.smpp.scripted import RecordedOutcomes, ScriptedSmsc
from tests.wire.smpp.virtual import VirtualLoop, advance, until


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"virtual": VirtualLoop}


class Bench:
    """Makes operators towards one SMSC, and looks them over at the end."""

    def __init__(self, smsc: ScriptedSmsc) -> None:
        self.smsc = smsc
        self.outcomes = RecordedOutcomes()
        self.operators: list[SmppOperator] = []
        self.wakes = 0
        self.unexpected = 0

    async def start(self, *, binds: int = 1, **settings: object) -> SmppOperator:
        """An operator that connects; `binds` of its links are waited for, 0 for none."""
        if binds > 1:
            settings.setdefault("binds", binds)
        operator = self.operator(**settings)
        await operator.start(self.outcomes, self.wake)
        if binds:
            await until(lambda: operator.is_up)
            await until(lambda: sum(peer.connection.session.is_bound for peer in self.smsc.live) >= binds)
        return operator

    def operator(self, **settings: object) -> SmppOperator:
        operator = SmppOperator(
            self.smsc.operator_settings(**settings), on_unexpected=self.on_unexpected, random=lambda: 0.5
        )
        self.operators.append(operator)
        return operator

    def wake(self) -> None:
        self.wakes += 1

    def on_unexpected(self) -> None:
        self.unexpected += 1


@pytest.fixture
async def smsc() -> AsyncIterator[ScriptedSmsc]:
    scripted = ScriptedSmsc()
    await scripted.listen()
    yield scripted
    await scripted.close()


@pytest.fixture
async def bench(smsc: ScriptedSmsc) -> AsyncIterator[Bench]:
    made = Bench(smsc)
    yield made
    made.outcomes.is_open.set()
    made.outcomes.unavailable = 0
    for operator in made.operators:
        stopping = asyncio.create_task(operator.stop())
        await advance(15)  # whatever it waits for
        await stopping
    assert made.unexpected == 0
