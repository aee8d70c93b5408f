"""The yardstick of lists: `python -m bench.raw_inserts FOLDER SECONDS` prints recipients a second.

Plain sqlite3 puts the rows of requests of 500 numbers into the tables and indexes of a new Chappe database, one durable
transaction a request, and does nothing else: no HTTP, no numbers to be read, no opt-outs, no answer.
"""

from __future__ import annotations

import subprocess
import sys
import time
from itertools import count
from pathlib import Path

from bench.machine import pin_server
from bench.requests import FIRST_NUMBER, PRICE_MICRO, TEXT
from chappe.storage.schema import bring_up_to_date
from chappe.storage.sqlite_connection import open_writer

SIZE = 500
_STATEMENTS = (
    "INSERT INTO messages (id, account_id, product, text, is_unicode, segments, sender, tag, url_dlr, url_response,"
    " is_sandbox, is_marketing, due_at_ms, is_date_explicit, cost_micro, recipient_count, created_at_ms)"
    " VALUES (?, 1, 'sms', ?, 0, 1, '', '', '', '', 0, 0, NULL, 0, ?, ?, ?)",
    "INSERT INTO recipients"
    " (message_id, number, state, cost_micro, refund_micro, attempts, operator, changed_at_ms)"
    " VALUES (?, ?, 0, ?, 0, 0, '', ?)",
    "INSERT INTO outbox (message_id, route, account_id, due_at_ms, leased_until_ms, lease_owner)"
    " VALUES (?, '', 1, ?, 0, '')",
)


def raw_inserts_per_second(folder: Path, seconds: float) -> float:
    """Runs it on the servers' core, in a process of its own and a new database in `folder`."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.raw_inserts", folder, str(seconds)],
        capture_output=True,
        check=True,
        preexec_fn=pin_server,
        timeout=seconds + 60,
    )
    for file in folder.glob("raw.db*"):
        file.unlink()
    return float(done.stdout)


def _insert(path: Path, seconds: float) -> float:
    bring_up_to_date(path)
    connection = open_writer(path)
    connection.execute("PRAGMA foreign_keys = OFF")  # there is no account
    message, recipient, outbox = _STATEMENTS
    begin_s = time.perf_counter()
    for message_id in count(1):
        now_ms = time.time_ns() // 1_000_000
        first = FIRST_NUMBER + message_id * SIZE
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(message, (message_id, TEXT, SIZE * PRICE_MICRO, SIZE, now_ms))
        connection.executemany(
            recipient, [(message_id, number, PRICE_MICRO, now_ms) for number in range(first, first + SIZE)]
        )
        connection.execute(outbox, (message_id, now_ms))
        connection.execute("COMMIT")
        if time.perf_counter() > begin_s + seconds:
            break
    rate = message_id * SIZE / (time.perf_counter() - begin_s)
    connection.close()
    return rate


if __name__ == "__main__":
    print(_insert(Path(sys.argv[1]) / "raw.db", float(sys.argv[2])))
