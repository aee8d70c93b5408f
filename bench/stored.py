"""What ten million stored messages cost: end to end beside an empty database, and how long a status takes.

The same server twice, with the same load: one has delivered nothing yet, the other one has everything behind it.
"""

from __future__ import annotations

import random
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

from bench.delivered import Delivered
from bench.figures import Context, Figure, Void, in_turns
from bench.filled import Filled
from bench.load import Exchange
from bench.multiplied import multiply
from bench.paced import pace
from bench.requests import lists, message_status, sending_folder, singles
from bench.servers import CHAPPE, WINDOW, Smsc, chappe

STORED = 10_000_000
TEMPLATE = 20_000
REQUESTS = 20_000
SIZE = 100
STATUSES_A_SECOND = 500
STATUSES_S = 5.0
CHECK_S_MAX = 3600.0


def run(context: Context) -> list[Figure]:
    """Ratios of messages a second; milliseconds of a status."""
    rounds, stored_count = (5, STORED) if context.long else (2, STORED // 10)
    folder = context.folder
    with Smsc(folder / "empty-counters") as smsc_of_empty, Smsc(folder / "full-counters") as smsc_of_full:
        of_empty = sending_folder(folder / "empty", smsc_of_empty.port, WINDOW)
        of_full = sending_folder(folder / "full", smsc_of_full.port, WINDOW)
        begin_s = time.perf_counter()
        before = _fill(folder / "full", of_full, smsc_of_full, stored_count)
        print(f"  stored {stored_count:,} messages in {time.perf_counter() - begin_s:.0f} s", flush=True)
        asked = _statuses(folder / "full", of_full)
        figures: list[Figure] = []
        with chappe(folder / "empty") as empty, chappe(folder / "full") as full:
            smsc_of_empty.bound()
            smsc_of_full.bound()
            p50s, p99s = [], []
            for _ in range(rounds):
                paced = pace(full.address, asked, rate=STATUSES_A_SECOND, seconds=STATUSES_S)
                p50s.append(paced.percentile_ms(0.50))
                p99s.append(paced.percentile_ms(0.99))
            sent = {smsc_of_empty: 0, smsc_of_full: before}
            for name, size, count in (("singles", 1, 20_000), ("lists", SIZE, 50_000)):
                theirs = Delivered(
                    empty,
                    smsc_of_empty,
                    _exchanges(of_empty, size),
                    count,
                    size=size,
                    before=sent[smsc_of_empty],
                )
                ours = Delivered(
                    full, smsc_of_full, _exchanges(of_full, size), count, size=size, before=sent[smsc_of_full]
                )
                references, subjects, ratios = in_turns(theirs.turn, ours.turn, rounds)
                sent[smsc_of_empty] += theirs.messages
                sent[smsc_of_full] += ours.messages
                figures += [
                    Figure(f"{name}, full / empty", "x", ratios),
                    Figure(f"{name}, full", "/s", subjects),
                    Figure(f"{name}, empty", "/s", references),
                    Figure(f"{name}, full: server CPU a message", "us", ours.cpu_us),
                    Figure(f"{name}, empty: server CPU a message", "us", theirs.cpu_us),
                ]
            resident = Figure("resident, full", "MB", [full.resident_mb])
            ready = Figure("ready, full", "s", [full.ready_s])
        check = Figure("chappe check, full", "s", [_check(folder / "full")])
    return [
        Figure("message-status p99", "ms", p99s),
        Figure("message-status p50", "ms", p50s),
        *figures,
        resident,
        ready,
        check,
    ]


def _fill(data: Path, account: Filled, smsc: Smsc, count: int) -> int:
    """Delivers a few and multiplies them; gives how many the SMSC took."""
    with chappe(data) as server:
        smsc.bound()
        template = Delivered(server, smsc, singles(account, TEMPLATE), TEMPLATE)
        template.turn()
    stored = multiply(data, -(-count // template.messages))
    if stored < count:
        raise Void(f"{stored} messages are stored, not {count}")
    return template.messages


def _exchanges(account: Filled, size: int) -> list[Exchange]:
    return singles(account, REQUESTS) if size == 1 else lists(account, REQUESTS // size, size)


def _statuses(data: Path, account: Filled) -> list[Exchange]:
    """Calls for recipients all over the table."""
    with closing(sqlite3.connect(f"file:{data / 'chappe.db'}?mode=ro", uri=True)) as database:
        last = database.execute("SELECT MAX(id) FROM messages").fetchone()[0]
        chosen = random.Random(0)
        rows = [
            database.execute(
                "SELECT message_id, number FROM recipients WHERE message_id >= ? LIMIT 1",
                (chosen.randint(1, last),),
            ).fetchone()
            for _ in range(REQUESTS)
        ]
    return [message_status(account, *row) for row in rows if row is not None]


def _check(data: Path) -> float:
    """Seconds that `chappe check` takes; raises `Void` when it finds something."""
    begin_s = time.perf_counter()
    done = subprocess.run(
        [CHAPPE, "check", "--data", data], capture_output=True, text=True, timeout=CHECK_S_MAX, check=False
    )
    if done.returncode:
        raise Void(f"chappe check: {done.stdout[:1000]} {done.stderr[:1000]}")
    return time.perf_counter() - begin_s
