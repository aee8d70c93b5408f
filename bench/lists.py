"""500 distinct numbers a request, a million opt-outs loaded, every recipient visible to the next bulk-status; beside
plain sqlite3 that inserts the same rows.

Every tenth request has a number that opted out. After every sixteenth answer, the same connection asks for its
bulk-status at once, and must find each number that was taken; the time of that counts.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, cast

from bench.figures import Context, Figure, Void, in_turns
from bench.filled import Filled
from bench.load import OK, Exchange, drive, get
from bench.raw_inserts import SIZE, raw_inserts_per_second
from bench.requests import FIRST_NUMBER, send, sending_folder, verify
from bench.servers import WINDOW, chappe, free_ports

REQUESTS = 400
OPTED_OUT = 1_000_000
FIRST_OPTED_OUT = 33_700_000_000
STOPPED_EVERY = 10
STATUS_EVERY = 16
RAW_S = 2.0


def run(context: Context) -> list[Figure]:
    """Messages a second and their ratio to raw inserts."""
    rounds, turn_s = (9, 10.0) if context.long else (5, 4.0)
    folder, data = context.folder, context.folder / "data"
    (nobody,) = free_ports(1)
    account = sending_folder(data, nobody, WINDOW)
    _opt_out(data, account)
    exchanges = [_request(account, number) for number in range(REQUESTS)]
    with chappe(data) as server:
        seen = _Seen(account)
        statuses_a_second: list[float] = []
        cpu_us: list[float] = []
        busy: list[float] = []

        def turn() -> float:
            before_s, taken_before, statuses_before = server.cpu_s, seen.recipients, seen.statuses
            load = drive(server.address, exchanges, seconds=turn_s, then=seen.then)
            taken = seen.recipients - taken_before
            statuses = seen.statuses - statuses_before
            # What came after the time was over was taken too, but does not count.
            share = load.answers / (load.answers + load.late)
            cpu_us.append((server.cpu_s - before_s) / taken * 1e6)
            busy.append(load.busy)
            statuses_a_second.append(statuses / load.seconds)
            return taken * share / load.seconds

        references, subjects, ratios = in_turns(lambda: raw_inserts_per_second(folder, RAW_S), turn, rounds)
    verify(data, account, seen.requests, seen.recipients)
    return [
        Figure("messages", "/s", subjects),
        Figure("messages / raw inserts", "x", ratios),
        Figure("raw inserts", "/s", references),
        Figure("bulk-status meanwhile", "/s", statuses_a_second),
        Figure("server CPU a message", "us", cpu_us),
        Figure("load generator busy", "of its core", busy),
    ]


class _Seen:
    """Counts what was taken, and looks at every sixteenth request by bulk-status."""

    def __init__(self, account: Filled) -> None:
        self.requests = self.recipients = self.statuses = 0
        self._account = account

    def then(self, exchange: Exchange, answer: bytes) -> Exchange | None:
        numbers = cast(frozenset[int] | tuple[frozenset[int]], exchange.about)
        if isinstance(numbers, tuple):
            self._see(numbers[0], answer)
            return None
        self.requests += 1
        self.recipients += len(numbers)
        if self.requests % STATUS_EVERY:
            return None
        message_id = _body(answer)["message_id"]
        path = f"/sms/v1/bulk-status?apiKey={self._account.api_key}&messageId={message_id}"
        return get(path, OK, b'"success":true', (numbers,))

    def _see(self, numbers: frozenset[int], answer: bytes) -> None:
        self.statuses += 1
        found = {int(item["phoneNumber"]) for item in _body(answer)["StatutResponse_List"]}
        if found != numbers:
            raise Void(
                f"bulk-status shows {len(found)} numbers, {len(found & numbers)} of the {len(numbers)} taken"
            )


def _body(answer: bytes) -> dict[str, Any]:
    return json.loads(answer.partition(b"\r\n\r\n")[2])


def _request(account: Filled, number: int) -> Exchange:
    first = FIRST_NUMBER + number * SIZE
    numbers = list(range(first, first + SIZE))
    stopped = [FIRST_OPTED_OUT + number * 2500] if number % STOPPED_EVERY == 0 else []
    numbers[: len(stopped)] = stopped
    exchange = send(account, numbers, opted_out=len(stopped))
    return exchange._replace(about=frozenset(numbers) - set(stopped))


def _opt_out(data: Path, account: Filled) -> None:
    with closing(sqlite3.connect(data / "chappe.db")) as database, database:
        database.executemany(
            "INSERT INTO optouts (account_id, number, id, source, created_at_ms) VALUES (?, ?, ?, 'api', 0)",
            ((account.account_id, FIRST_OPTED_OUT + place, place + 1) for place in range(OPTED_OUT)),
        )
