"""What the tests of messages share: a store, an account, an operator in memory, and the delivery between them."""

from __future__ import annotations

import asyncio

from chappe.accounts.create import Created
from chappe.administration.commands import Administration, Check
from chappe.delivery import SmsDelivery
from chappe.messages.request import Accepted, SendRequest
from chappe.messages.routes import Route, Routes
from chappe.messages.states import State
from chappe.storage.postgres_presence import PostgresPresence
from chappe.storage.store import Store
from tests.support.moved_clock import MovedClock
from tests.support.operators import MemoryOperator

PRICE = 38_000
NUMBER = 33600000001


class World:
    """A store, an account with 10 euros, an operator in memory and the delivery between them."""

    def __init__(self, store: Store, account: Created, clock: MovedClock) -> None:
        self.store, self.account, self.clock = store, account, clock
        self.operator = MemoryOperator()
        self.prefixes: tuple[str, ...] = ("33",)
        self.unexpected = 0
        self.events = 0
        self.delivery = self._deliver()

    def _deliver(self) -> SmsDelivery:
        def count_unexpected() -> None:
            self.unexpected += 1

        def count_events() -> None:
            self.events += 1

        return SmsDelivery(
            self.store,
            Routes([Route(prefix, (self.operator,), "36000") for prefix in self.prefixes]),
            holds_lost=(),
            on_events=count_events,
            on_unexpected=count_unexpected,
        )

    async def restart(self, operator: MemoryOperator, *prefixes: str) -> None:
        """As after a kill: nothing of the old delivery says goodbye. `prefixes`: the routes from now on."""
        old = self.delivery
        assert old._dispatcher._task is not None
        old._dispatcher._task.cancel()
        await asyncio.gather(old._dispatcher._task, return_exceptions=True)
        await old._sweep.stop()
        if old._rematch is not None:
            await old._rematch.stop()
        presence = self.store.database.presence
        if isinstance(presence, PostgresPresence):
            await presence.stop()  # its session ends with the process
            presence._id, presence._stopping = 0, False
            await presence.start("all")
        self.operator = operator
        self.prefixes = prefixes or self.prefixes
        self.delivery = self._deliver()
        await self.delivery.start()

    async def send(self, *numbers: int, text: str = "hello", **more: object) -> Accepted:
        fields: dict[str, object] = {
            "account_id": self.account.account_id,
            "text": text,
            "is_unicode": False,
            "segments": 1,
            "sender": "Chappe",
            "tag": "",
            "url_dlr": "http://example.org/dlr",
            "url_response": "http://example.org/reply",
            "numbers": list(numbers),
            "costs_micro": [PRICE] * len(numbers),
            "routes": ["33"] * len(numbers),
            "due_at_ms": None,
            "is_date_explicit": False,
            "is_sandbox": False,
            "is_marketing": False,
        }
        return await self.delivery.acceptor.accept(SendRequest(**{**fields, **more}))  # type: ignore[arg-type]

    async def until_taken(self, count: int) -> None:
        """Waits until the operator has taken `count` departures in all."""
        async with asyncio.timeout(10):
            while len(self.operator.taken) < count:
                await asyncio.sleep(0.001)

    async def one(self, sql: str, *params: object) -> object:
        row = await self.store.database.read(lambda reader: reader.one(sql, params))
        return None if row is None else row[0]

    async def states(self, message_id: int) -> dict[int, State]:
        rows = await self.store.database.read(
            lambda reader: reader.all(
                "SELECT number, state FROM recipients WHERE message_id = ?", (message_id,)
            )
        )
        return {number: State(state) for number, state in rows}

    async def until_states(self, message_id: int, expected: dict[int, State]) -> None:
        """Waits until the recipients of a message have these states."""
        async with asyncio.timeout(10):
            while await self.states(message_id) != expected:
                await asyncio.sleep(0.001)

    async def balance(self) -> object:
        return await self.one("SELECT balance_micro FROM accounts WHERE id = ?", self.account.account_id)

    async def payloads(self) -> list[str]:
        rows = await self.store.database.read(
            lambda reader: reader.all("SELECT payload FROM events ORDER BY id")
        )
        return [payload for (payload,) in rows]

    async def check(self) -> list[str]:
        result = await Administration(self.store).carry_out(Check())
        return result["breaches"]
