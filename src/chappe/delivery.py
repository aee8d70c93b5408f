"""Delivery put together: routes, operators, dispatcher, outcomes, sweep. Part of the application (app.py)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b

from chappe.messages.accept import Acceptor
from chappe.messages.dispatcher import Dispatcher
from chappe.messages.meta import MessageCache
from chappe.messages.outcomes import CommittedOutcomes
from chappe.messages.port import Operator
from chappe.messages.rematch import Rematch
from chappe.messages.routes import Route, Routes
from chappe.messages.sweep import Sweep
from chappe.settings import OperatorSettings, RouteSettings
from chappe.storage.store import Store

SIMULATOR = "simulator"


class SmsDelivery:
    """Everything between an accepted SMS and the operators' answers."""

    def __init__(
        self,
        store: Store,
        routes: Routes,
        *,
        holds_lost: Sequence[str],
        on_events: Callable[[], None],
        on_unexpected: Callable[[], None],
    ) -> None:
        self.routes = routes
        messages = MessageCache()
        self._dispatcher = Dispatcher(
            store,
            routes,
            messages,
            holds_lost=holds_lost,
            on_events=on_events,
            on_unexpected=on_unexpected,
        )
        self._outcomes = CommittedOutcomes(store, messages, on_events, self._dispatcher.lost)
        self._sweep = Sweep(store, routes, messages, on_events, on_unexpected)
        self._rematch = Rematch(self._outcomes, on_unexpected) if store.database.is_shared else None
        self._store = store
        self.acceptor = Acceptor(store, self._accepted)
        self._is_running = False

    async def start(self) -> None:
        """Takes up what an earlier process left, connects the operators, begins to dispatch."""
        self._is_running = True
        await self._dispatcher.start()
        for operator in self.routes.operators:
            await operator.start(self._outcomes, self._dispatcher.has_slots)
        self._sweep.start()
        if self._rematch is not None:
            self._rematch.start()

    async def stop(self) -> None:
        """Nothing leaves any more; the operators say what they still have to say. Once; then nothing more happens."""
        if not self._is_running:
            return
        self._is_running = False
        await self._dispatcher.stop()
        await asyncio.gather(*(operator.stop() for operator in self.routes.operators))
        await self._sweep.stop()
        if self._rematch is not None:
            await self._rematch.stop()

    def _accepted(self, due_at_ms: int) -> None:
        if due_at_ms <= self._store.clock.now_ms():
            self._dispatcher.wake()


def sms_routes(configured: Sequence[RouteSettings], operators: Mapping[str, tuple[Operator, str]]) -> Routes:
    """The SMS routes of the configuration; without any, the simulator takes everything, if it is on.

    `operators` has each operator with its short number, by name.
    """
    routes: list[Route] = []
    for route in configured:
        if route.product == "sms":
            chosen = [operators[name] for name in route.operators]
            routes.append(Route(route.prefix, tuple(operator for operator, _ in chosen), chosen[0][1]))
    if not routes and SIMULATOR in operators:
        operator, short_number = operators[SIMULATOR]
        routes.append(Route("", (operator,), short_number))
    return Routes(routes)


def configuration_fingerprint(operators: Sequence[OperatorSettings], routes: Sequence[RouteSettings]) -> str:
    """Says whether two processes send alike; no secret is in it, nor what may differ from machine to machine (an
    operator's address, windows, binds)."""
    said = [
        sorted((route.product, route.prefix, list(route.operators)) for route in routes),
        sorted(
            (o.name, o.kind, o.smsc, o.on_lost_response or "", o.short_number, o.throughput)
            for o in operators
        ),
    ]
    return blake2b(json.dumps(said).encode(), digest_size=8).hexdigest()


def holding_operators(configured: Sequence[OperatorSettings]) -> list[str]:
    """Names of SMS operators whose lost answers are held instead of sent again."""
    return [o.name for o in configured if o.kind == "smpp" and o.on_lost_response == "hold"]
