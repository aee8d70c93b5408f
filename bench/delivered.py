"""A gateway and the bench's SMSC behind it: messages a second from the first request to the last receipt stored."""

from __future__ import annotations

import time
from collections.abc import Sequence

from bench.figures import Void
from bench.load import BUSY_MAX, Exchange, drive
from bench.machine import cpu_s
from bench.servers import Addressed, Smsc

ACCEPT_S_MAX = 120.0


class Delivered:
    """Turns of `count` messages, `size` in each request; keeps what they cost."""

    def __init__(
        self,
        gateway: Addressed,
        smsc: Smsc,
        exchanges: Sequence[Exchange],
        count: int,
        *,
        size: int = 1,
        before: int = 0,
    ) -> None:
        """`before`: what the SMSC took already."""
        self.requests = self.messages = 0
        """Of all turns."""
        self.accepted: list[float] = []
        """Messages accepted a second, while others were sent."""
        self.cpu_us: list[float] = []
        """Processor time a message."""
        self.busy: list[float] = []
        """Of the core that SMSC and generator share."""
        self._gateway, self._smsc, self._exchanges = gateway, smsc, exchanges
        self._count, self._size, self._before = count, size, before

    def turn(self) -> float:
        """Messages a second, over everything that the turn sent."""
        smsc, gateway = self._smsc, self._gateway
        cpu_before_s, smsc_before_s, load_before_s = gateway.cpu_s, cpu_s(smsc.pid), time.process_time()
        begin_ns = time.monotonic_ns()
        load = drive(
            gateway.address,
            self._exchanges,
            seconds=ACCEPT_S_MAX,
            answers_max=self._count // self._size,
            first=self.requests % len(self._exchanges),
        )
        requests = load.answers + load.late
        self.requests += requests
        self.messages += requests * self._size
        smsc.done(self._before + self.messages, receipts=True)
        seconds = (smsc.counters["last_ns"] - begin_ns) / 1e9
        busy = (cpu_s(smsc.pid) - smsc_before_s + time.process_time() - load_before_s) / seconds
        if busy > BUSY_MAX:
            raise Void(f"SMSC and load generator were busy {busy:.0%} of the time: they were measured")
        self.accepted.append(load.per_second * self._size)
        self.cpu_us.append((gateway.cpu_s - cpu_before_s) / (requests * self._size) * 1e6)
        self.busy.append(busy)
        return requests * self._size / seconds
