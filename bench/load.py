"""The load generator: keep-alive connections, one request under way on each, and a look at every answer.

Plain sockets on epoll, requests built beforehand: an HTTP client library costs more than the servers that are measured.
`Load.busy` says how much of its core it needed; near 1, the generator is what was measured.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import NamedTuple

from bench.figures import Void

CONNECTIONS = 64
BUSY_MAX = 0.95
_READ_BYTES_MAX = 65_536
_SILENCE_S_MAX = 10.0
_LENGTH = b"content-length: "
_HEAD_END = b"\r\n\r\n"


class Exchange(NamedTuple):
    """A request, and what a right answer to it begins with and has in it."""

    request: bytes
    begins: bytes
    holds: bytes


@dataclass(frozen=True)
class Load:
    """What a run came to; every answer counted was right."""

    answers: int
    seconds: float
    busy: float
    """The generator's processor time over the time of the run."""

    @property
    def per_second(self) -> float:
        return self.answers / self.seconds


def get(path: str, begins: bytes, holds: bytes) -> Exchange:
    """A plain GET as a small client sends it."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n"
    return Exchange(request.encode(), begins, holds)


class _Connection:
    """A socket and the exchange under way on it."""

    __slots__ = ("exchange", "pending", "recv", "send", "socket")

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=_SILENCE_S_MAX)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.recv, self.send = self.socket.recv, self.socket.send
        self.pending = b""
        self.exchange = Exchange(b"", b"", b"")


def drive(
    address: tuple[str, int],
    exchanges: Sequence[Exchange],
    *,
    seconds: float,
    answers_max: int = 10_000_000,
    connections: int = CONNECTIONS,
    first: int = 0,
) -> Load:
    """Sends `exchanges` round and round, from number `first`, until the time or the count is over.

    Raises `Void` on the first answer that is not right, on silence, and when the generator was too busy to measure.
    """
    following = cycle([*exchanges[first:], *exchanges[:first]]).__next__
    opened = [_Connection(address) for _ in range(connections)]
    by_fd = {connection.socket.fileno(): connection for connection in opened}
    with select.epoll() as poll:
        for fd in by_fd:
            poll.register(fd, select.EPOLLIN)
        cpu_before_s = time.process_time()
        begin_s = now_s = time.perf_counter()
        end_s = begin_s + seconds
        for connection in opened:
            _send(connection, following())
        answers = 0
        while now_s < end_s and answers < answers_max:
            events = poll.poll(_SILENCE_S_MAX)
            if not events:
                raise Void(f"no answer for {_SILENCE_S_MAX} s")
            for fd, _ in events:
                connection = by_fd[fd]
                if _read(connection):
                    answers += 1
                    _send(connection, following())
            now_s = time.perf_counter()
        busy = (time.process_time() - cpu_before_s) / (now_s - begin_s)
        _drain(poll, by_fd)
    for connection in opened:
        connection.socket.close()
    if busy > BUSY_MAX:
        raise Void(f"the load generator was busy {busy:.0%} of the time: it was measured, not the server")
    return Load(answers, now_s - begin_s, busy)


def _send(connection: _Connection, exchange: Exchange) -> None:
    connection.exchange = exchange
    # One request is under way on a connection, so the socket's buffer is empty and takes it whole.
    sent = connection.send(exchange.request)
    assert sent == len(exchange.request)


def _read(connection: _Connection) -> bool:
    """Reads what came; True when the answer is whole. Raises `Void` when it is not the right one."""
    answer = connection.recv(_READ_BYTES_MAX)
    if not answer:
        raise Void(f"the server closed a connection: {connection.pending[:200]!r}")
    if connection.pending:
        answer = connection.pending + answer
    head = answer.find(_HEAD_END)
    at = answer.find(_LENGTH, 0, head) + len(_LENGTH)
    if head < 0 or len(answer) < head + 4 + int(answer[at : answer.index(b"\r", at)]):
        connection.pending = answer
        return False
    connection.pending = b""
    exchange = connection.exchange
    if not answer.startswith(exchange.begins) or exchange.holds not in answer:
        raise Void(f"a wrong answer: {answer[:1000]!r} does not hold {exchange.holds!r}")
    return True


def _drain(poll: select.epoll, by_fd: dict[int, _Connection]) -> None:
    """Takes the answers still under way, so that no server meets a closed connection."""
    waiting = set(by_fd)
    while waiting:
        events = poll.poll(_SILENCE_S_MAX)
        if not events:
            raise Void(f"no answer for {_SILENCE_S_MAX} s")
        for fd, _ in events:
            if _read(by_fd[fd]):
                waiting.discard(fd)
                poll.unregister(fd)
