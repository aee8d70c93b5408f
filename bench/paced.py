"""Requests at a fixed rate, whatever the server does, and how long each took from the instant it was due.

A generator that waits for answers before it asks again hides the waiting of those who would have come meanwhile.
"""

from __future__ import annotations

import select
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle

from bench.figures import Void
from bench.load import BUSY_MAX, CONNECTIONS, SILENCE_S_MAX, Connection, Exchange

TICK_S = 0.001


@dataclass(frozen=True)
class Paced:
    """How long every answer took, in milliseconds, in order; all of them were right."""

    latencies_ms: Sequence[float]

    @property
    def answers(self) -> int:
        return len(self.latencies_ms)

    def percentile_ms(self, share: float) -> float:
        return self.latencies_ms[min(self.answers - 1, int(self.answers * share))]


def pace(
    address: tuple[str, int],
    exchanges: Sequence[Exchange],
    *,
    rate: float,
    seconds: float,
    connections: int = CONNECTIONS,
) -> Paced:
    """Asks `rate` times a second on whatever connection is free; a request without one waits, and its time counts.

    Raises `Void` as `drive` does.
    """
    following = cycle(exchanges).__next__
    opened = [Connection(address) for _ in range(connections)]
    by_fd = {connection.fileno(): connection for connection in opened}
    free = list(opened)
    due_s: dict[Connection, float] = {}
    waiting: deque[float] = deque()
    latencies_s: list[float] = []
    planned, total = 0, int(rate * seconds)
    cpu_before_s = time.process_time()
    with select.epoll() as poll:
        for fd in by_fd:
            poll.register(fd, select.EPOLLIN)
        begin_s = heard_s = time.perf_counter()
        while len(latencies_s) < total:
            now_s = time.perf_counter()
            while planned < total and begin_s + planned / rate <= now_s:
                waiting.append(begin_s + planned / rate)
                planned += 1
            while waiting and free:
                connection = free.pop()
                due_s[connection] = waiting.popleft()
                connection.ask(following())
            for fd, _ in poll.poll(TICK_S):
                connection = by_fd[fd]
                if connection.answered():
                    heard_s = time.perf_counter()
                    latencies_s.append(heard_s - due_s.pop(connection))
                    free.append(connection)
            if due_s and time.perf_counter() > heard_s + SILENCE_S_MAX:
                raise Void(f"no answer for {SILENCE_S_MAX} s")
        busy = (time.process_time() - cpu_before_s) / (time.perf_counter() - begin_s)
    for connection in opened:
        connection.close()
    if busy > BUSY_MAX:
        raise Void(f"the load generator was busy {busy:.0%} of the time: it was measured, not the server")
    return Paced(sorted(latency_s * 1000 for latency_s in latencies_s))
