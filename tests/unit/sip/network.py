"""A network of sans-IO endpoints with a clock of its own: it may lose, double and reorder what it carries."""

from __future__ import annotations

import heapq
import itertools
import random
from dataclasses import dataclass
from typing import Protocol

from chappe.operators.sip.hop import Hop, Outgoing


class Endpoint(Protocol):
    def receive(self, data: bytes, hop: Hop, now_ms: int) -> object: ...
    def tick(self, now_ms: int) -> object: ...
    def next_timer_ms(self) -> int | None: ...
    def take(self) -> list[Outgoing]: ...
    def failed(self, outgoing: Outgoing, now_ms: int) -> object: ...


@dataclass
class Weather:
    """Probabilities from 0 to 1, delays in ms. Streams are neither lost nor doubled, and keep their order."""

    loss: float = 0.0
    doubling: float = 0.0
    delay_ms: tuple[int, int] = (5, 5)


class Network:
    """`add` puts an endpoint at an address; what `lost` says yes to is lost besides what the weather takes."""

    def __init__(self, seed: int = 0, weather: Weather | None = None) -> None:
        self.now_ms = 0
        self.weather = weather or Weather()
        self.random = random.Random(seed)
        self.carried: list[tuple[int, str, bytes]] = []
        """When, to which host, what."""
        self.lost = lambda data: False
        self._places: dict[tuple[str, int], Endpoint] = {}
        self._due: list[tuple[int, int, bytes, Hop, tuple[str, int]]] = []
        self._count = itertools.count()
        self._last_ms: dict[tuple[str, str], int] = {}

    def add(self, endpoint: Endpoint, host: str, port: int = 5060) -> None:
        self._places[host, port] = endpoint

    def remove(self, host: str, port: int = 5060) -> None:
        del self._places[host, port]

    def pump(self) -> None:
        """Carries off what the endpoints have to say."""
        for (host, port), endpoint in list(self._places.items()):
            for outgoing in endpoint.take():
                self._carry(outgoing, host, port, endpoint)

    def _carry(self, outgoing: Outgoing, host: str, port: int, endpoint: Endpoint) -> None:
        hop = outgoing.hop
        self.carried.append((self.now_ms, hop.host, outgoing.data))
        to = (hop.host, hop.port)
        if hop.is_reliable and to not in self._places:
            endpoint.failed(outgoing, self.now_ms)
            return
        if self.lost(outgoing.data):
            return
        came = Hop(hop.transport, host, port)
        weather = self.weather
        if hop.is_reliable:
            due_ms = max(
                self.now_ms + self.random.randint(*weather.delay_ms), self._last_ms.get((host, hop.host), 0)
            )
            self._last_ms[host, hop.host] = due_ms
            heapq.heappush(self._due, (due_ms, next(self._count), outgoing.data, came, to))
            return
        copies = 0 if self.random.random() < weather.loss else 1 + (self.random.random() < weather.doubling)
        for _ in range(copies):
            due_ms = self.now_ms + self.random.randint(*weather.delay_ms)
            heapq.heappush(self._due, (due_ms, next(self._count), outgoing.data, came, to))

    def step(self, until_ms: int) -> bool:
        """The next thing that happens up to `until_ms`; False if there is none, and then it is `until_ms`."""
        self.pump()
        timers = [due for endpoint in self._places.values() if (due := endpoint.next_timer_ms()) is not None]
        next_ms = min([*timers, *(self._due[0][:1] if self._due else ())], default=None)
        if next_ms is None or next_ms > until_ms:
            self.now_ms = max(self.now_ms, until_ms)
            return False
        self.now_ms = max(self.now_ms, next_ms)
        if self._due and self._due[0][0] <= self.now_ms:
            _, _, data, came, to = heapq.heappop(self._due)
            if to in self._places:
                self._places[to].receive(data, came, self.now_ms)
        else:
            for endpoint in list(self._places.values()):
                endpoint.tick(self.now_ms)
        self.pump()
        return True

    def run(self, for_ms: int) -> None:
        until_ms = self.now_ms + for_ms
        while self.step(until_ms):
            pass
