"""Bad weather for UDP: a relay that drops, doubles, delays and so reorders datagrams, both ways, by a seed."""

from __future__ import annotations

import heapq
import itertools
import random
import select
import socket
import threading
import time
from collections import Counter
from typing import Self

LOST_MAX = 2


class BadWeather:
    """A context manager. Who sends to `port` of 127.0.0.1 reaches `to_port`, and the answers come back to whoever sent
    last. `loss` and `doubling` are probabilities; every datagram takes up to `delay_s_max`. The same octets are lost twice
    at the most: what is repeated comes through in a time that a test can wait for.
    """

    def __init__(
        self,
        to_port: int,
        *,
        port: int = 0,
        seed: int,
        loss: float = 0.15,
        doubling: float = 0.15,
        delay_s_max: float = 0.2,
    ) -> None:
        self._to = ("127.0.0.1", to_port)
        self._random = random.Random(seed)
        self._loss, self._doubling, self._delay_s_max = loss, doubling, delay_s_max
        self._near, self._far, self._bell = (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(3)
        )
        self._near.bind(("127.0.0.1", port))
        self._far.bind(("127.0.0.1", 0))
        self._bell.bind(("127.0.0.1", 0))
        self.port: int = self._near.getsockname()[1]
        self.dropped = self.doubled = 0
        self._lost: Counter[bytes] = Counter()
        self._thread = threading.Thread(target=self._relay, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._near.sendto(b"", self._bell.getsockname())
        self._thread.join()
        for each in (self._near, self._far, self._bell):
            each.close()

    def _relay(self) -> None:
        due: list[tuple[float, int, socket.socket, bytes, tuple[str, int]]] = []
        count = itertools.count()
        back: tuple[str, int] | None = None
        while True:
            wait_s = max(0.0, due[0][0] - time.monotonic()) if due else None
            readable, _, _ = select.select([self._near, self._far, self._bell], [], [], wait_s)
            if self._bell in readable:
                return
            for each in readable:
                data, sender = each.recvfrom(65_535)
                if each is self._near:
                    back = sender
                out, to = (self._far, self._to) if each is self._near else (self._near, back)
                for _ in range(self._copies(data)):
                    if to is not None:
                        at_s = time.monotonic() + self._random.uniform(0, self._delay_s_max)
                        heapq.heappush(due, (at_s, next(count), out, data, to))
            while due and due[0][0] <= time.monotonic():
                _, _, out, data, to = heapq.heappop(due)
                out.sendto(data, to)

    def _copies(self, data: bytes) -> int:
        if self._random.random() < self._loss and self._lost[data] < LOST_MAX:
            self._lost[data] += 1
            self.dropped += 1
            return 0
        if self._random.random() < self._doubling:
            self.doubled += 1
            return 2
        return 1
