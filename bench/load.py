"""The load generator: keep-alive connections, one request under way on each, and a look at every answer.

Plain sockets on epoll, requests built beforehand: an HTTP client library costs more than the servers that are measured.
`Load.busy` says how much of its core it needed; near 1, the generator is what was measured.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import NamedTuple

from bench.figures import Void

CONNECTIONS = 64
BUSY_MAX = 0.95
_READ_BYTES_MAX = 65_536
SILENCE_S_MAX = 10.0
_LENGTHS = (b"content-length: ", b"Content-Length: ")
"""As servers write it: of some of them a header begins with a capital."""
_HEAD_END = b"\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\n"


class Exchange(NamedTuple):
    """A request, and what a right answer to it begins with and has in it; `about` is for who built it."""

    request: bytes
    begins: bytes
    holds: bytes
    about: object = None


Then = Callable[[Exchange, bytes], Exchange | None]
"""Looks at an answer that is right so far, body and all; the exchange it gives goes next on that connection."""


@dataclass(frozen=True)
class Load:
    """What a run came to; every answer counted was right."""

    answers: int
    seconds: float
    busy: float
    """The generator's processor time over the time of the run."""
    late: int
    """Answers after the time was over, to the requests that were under way then: right ones too, not in `answers`."""

    @property
    def per_second(self) -> float:
        return self.answers / self.seconds


def get(path: str, begins: bytes, holds: bytes, about: object = None) -> Exchange:
    """A plain GET as a small client sends it."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n"
    return Exchange(request.encode(), begins, holds, about)


def post(path: str, body: bytes, begins: bytes, holds: bytes, about: object = None) -> Exchange:
    """A POST of JSON as a small client sends it."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nAccept: */*\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return Exchange(head.encode() + body, begins, holds, about)


class Connection:
    """A socket and the exchange under way on it."""

    __slots__ = ("_pending", "_recv", "_send", "_socket", "answer", "exchange")

    def __init__(self, address: tuple[str, int]) -> None:
        self._socket = socket.create_connection(address, timeout=SILENCE_S_MAX)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)
        self._recv, self._send = self._socket.recv, self._socket.send
        self._pending = self.answer = b""
        self.exchange = Exchange(b"", b"", b"")

    def ask(self, exchange: Exchange) -> None:
        """Sends the request of `exchange`."""
        self.exchange = exchange
        # One request is under way on a connection, so the socket's buffer is empty and takes it whole.
        sent = self._send(exchange.request)
        assert sent == len(exchange.request)

    def answered(self) -> bool:
        """Reads what came; True when the answer is whole. Raises `Void` when it is not the right one."""
        answer = self._recv(_READ_BYTES_MAX)
        if not answer:
            raise Void(f"the server closed a connection: {self._pending[:200]!r}")
        if self._pending:
            answer = self._pending + answer
        head = answer.find(_HEAD_END)
        if head < 0 or len(answer) < head + 4 + _length(answer, head):
            self._pending = answer
            return False
        self._pending = b""
        self.answer = answer
        exchange = self.exchange
        if not answer.startswith(exchange.begins) or exchange.holds not in answer:
            raise Void(f"a wrong answer: {answer[:1000]!r} does not hold {exchange.holds!r}")
        return True

    def asked(self, exchange: Exchange) -> bytes:
        """Sends the request and waits for its answer."""
        self.ask(exchange)
        while True:
            if not select.select([self._socket], [], [], SILENCE_S_MAX)[0]:
                raise Void(f"no answer for {SILENCE_S_MAX} s")
            if self.answered():
                return self.answer

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()


def drive(
    address: tuple[str, int],
    exchanges: Sequence[Exchange],
    *,
    seconds: float,
    answers_max: int = 10_000_000,
    connections: int = CONNECTIONS,
    first: int = 0,
    then: Then | None = None,
) -> Load:
    """Sends `exchanges` round and round, from number `first`, until the time or the count is over.

    What `then` gives for an answer is sent before the next of them, until the time is over. Raises `Void` on the
    first answer that is not right, on silence, and when the generator was too busy to measure.
    """
    following = cycle([*exchanges[first:], *exchanges[:first]]).__next__
    opened = [Connection(address) for _ in range(connections)]
    by_fd = {connection.fileno(): connection for connection in opened}
    with select.epoll() as poll:
        for fd in by_fd:
            poll.register(fd, select.EPOLLIN)
        cpu_before_s = time.process_time()
        begin_s = now_s = time.perf_counter()
        end_s = begin_s + seconds
        for connection in opened:
            connection.ask(following())
        answers = 0
        while now_s < end_s and answers < answers_max:
            events = poll.poll(SILENCE_S_MAX)
            if not events:
                raise Void(f"no answer for {SILENCE_S_MAX} s")
            for fd, _ in events:
                connection = by_fd[fd]
                if connection.answered():
                    answers += 1
                    exchange = None if then is None else then(connection.exchange, connection.answer)
                    connection.ask(exchange or following())
            now_s = time.perf_counter()
        busy = (time.process_time() - cpu_before_s) / (now_s - begin_s)
        _drain(poll, by_fd, then)
    for connection in opened:
        connection.close()
    if busy > BUSY_MAX:
        raise Void(f"the load generator was busy {busy:.0%} of the time: it was measured, not the server")
    return Load(answers, now_s - begin_s, busy, connections)


def _length(answer: bytes, head: int) -> int:
    for name in _LENGTHS:
        at = answer.find(name, 0, head)
        if at >= 0:
            at += len(name)
            return int(answer[at : answer.index(b"\r", at)])
    raise Void(f"an answer without length: {answer[:head]!r}")


def _drain(poll: select.epoll, by_fd: dict[int, Connection], then: Then | None) -> None:
    """Takes the answers still under way, so that no server meets a closed connection."""
    waiting = set(by_fd)
    while waiting:
        events = poll.poll(SILENCE_S_MAX)
        if not events:
            raise Void(f"no answer for {SILENCE_S_MAX} s")
        for fd, _ in events:
            connection = by_fd[fd]
            if connection.answered():
                if then is not None:
                    then(connection.exchange, connection.answer)
                waiting.discard(fd)
                poll.unregister(fd)
