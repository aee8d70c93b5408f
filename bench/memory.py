"""Resident memory after 10,000 messages and after 1,000,000: accepted as fast as they come, sent, and asked for.

The million is taken in at once, so that almost all of it waits: a queue that lived in memory would show. Status calls
over all of them follow both times, because a cache that grows with what is stored would show there.
"""

from __future__ import annotations

import json
import random
import threading

from bench.figures import Context, Figure
from bench.filled import Filled
from bench.load import Exchange, drive
from bench.machine import resident_parts_mb
from bench.requests import lists, message_status, sending_folder, verify
from bench.servers import WINDOW, Server, Smsc, chappe

SIZE = 100
FEW = 10_000
MANY = 1_000_000
EXCHANGES = 2_000
STATUSES = 5_000
SAMPLE_S = 0.05


def run(context: Context) -> list[Figure]:
    """Megabytes; one value each, because a server has one past."""
    data = context.folder / "data"
    with Smsc(context.folder / "counters") as smsc:
        account = sending_folder(data, smsc.port, WINDOW)
        with chappe(data) as server:
            smsc.bound()
            sent = _Sent(server, smsc, account)
            with _Peak(server) as of_few:
                sent.up_to(FEW)
            few = resident_parts_mb(server.pid)
            with _Peak(server) as of_many:
                sent.up_to(MANY)
            many = resident_parts_mb(server.pid)
        verify(data, account, sent.requests, sent.requests * SIZE, delivered=True)
    return [
        Figure("grows by", "MB", [sum(many) - sum(few)]),
        Figure("peak grows by", "MB", [of_many.mb - of_few.mb]),
        Figure(f"resident after {FEW:,}", "MB", [sum(few)]),
        Figure(f"resident after {MANY:,}", "MB", [sum(many)]),
        Figure("peak on the way there", "MB", [of_many.mb]),
        Figure("of the growth, mapped files", "MB", [many[1] - few[1]]),
    ]


class _Sent:
    """What went out so far, and a status for some of it."""

    def __init__(self, server: Server, smsc: Smsc, account: Filled) -> None:
        self.requests = 0
        self._server, self._smsc, self._account = server, smsc, account
        self._exchanges = lists(account, EXCHANGES, SIZE)
        self._recipients: list[tuple[int, int]] = []
        self._random = random.Random(0)

    def up_to(self, messages: int) -> None:
        """Sends until so many were sent (and a few more, of the other connections), waits for their receipts, asks."""
        load = drive(
            self._server.address,
            self._exchanges,
            seconds=120.0,
            answers_max=max(1, messages // SIZE - self.requests),
            first=self.requests % EXCHANGES,
            connections=16,
            then=self._keep,
        )
        self.requests += load.answers + load.late
        self._smsc.done(self.requests * SIZE, receipts=True)
        asked = [
            message_status(self._account, *self._random.choice(self._recipients)) for _ in range(STATUSES)
        ]
        drive(self._server.address, asked, seconds=30.0, answers_max=STATUSES)

    def _keep(self, exchange: Exchange, answer: bytes) -> None:
        message_id = json.loads(answer.partition(b"\r\n\r\n")[2])["message_id"]
        numbers = exchange.about
        assert isinstance(numbers, range)
        self._recipients.append((message_id, self._random.choice(numbers)))


class _Peak:
    """The most that was resident while the block ran, looked at every now and then."""

    def __init__(self, server: Server) -> None:
        self.mb = 0.0
        self._server = server
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> _Peak:
        self._thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(SAMPLE_S):
            self.mb = max(self.mb, self._server.resident_mb)
