"""Between a request that comes and `success: true` that goes, the kernel has put it on disk: seen by strace."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.customer import Customer
from tests.support.peers import need
from tests.support.server import ChappeServer
from tests.support.wire import call

pytestmark = pytest.mark.peer

CALLS = "fdatasync,fsync,read,readv,recvfrom,recvmsg,write,writev,sendto,sendmsg"
STOP_S_MAX = 10.0
# `123 fdatasync(14</data/chappe.db-wal>) = 0`, or in two lines when another thread calls in between.
_BEGUN = re.compile(r"^(\d+) +(\w+)\((.*)$")
_RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>(.*)$")


@contextmanager
def traced(pid: int, trace: Path) -> Iterator[None]:
    """Writes the system calls of every thread of the process into `trace`; whole when the block ends."""
    command = [need("strace"), "-f", "-y", "-s", "8000", "-e", f"trace={CALLS}", "-o", str(trace)]
    strace = subprocess.Popen([*command, "-p", str(pid)], stderr=subprocess.PIPE, text=True)
    try:
        assert strace.stderr is not None
        said = (
            strace.stderr.readline()
        )  # one line a thread; the first comes when it is attached to all of them
        assert "attached" in said, f"strace cannot attach: {said}"
        yield
    finally:
        strace.send_signal(signal.SIGINT)
        strace.wait(STOP_S_MAX)
        assert strace.stderr is not None
        strace.stderr.close()


def places(trace: Path, marker: str) -> tuple[int, list[tuple[int, int]], int]:
    """The lines of: the read that brought `marker`, each sync of the log that went well (from, to), the answer."""
    came = went = -1
    syncs: list[tuple[int, int]] = []
    waiting: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(trace.read_text().splitlines()):
        begun, resumed = _BEGUN.match(line), _RESUMED.match(line)
        if begun is not None:
            thread, name, text = begun.groups()
            since = number
        elif resumed is not None:
            thread, name, rest = resumed.groups()
            since, text = waiting.pop(thread)
            text += rest
        else:
            continue
        if text.endswith("<unfinished ...>"):
            waiting[thread] = since, text.removesuffix("<unfinished ...>")
            # What is on its way to the client may be read before the call returns.
            is_answer = name in ("write", "writev", "sendto", "sendmsg")
        else:
            is_answer = begun is not None
        if name in ("fdatasync", "fsync") and "chappe.db-wal>" in text and text.rstrip().endswith("= 0"):
            syncs.append((since, number))
        elif came < 0 and marker in text and name in ("read", "readv", "recvfrom", "recvmsg"):
            came = number
        elif came >= 0 > went and is_answer and 'success\\":true' in text:
            went = number
    return came, syncs, went


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ChappeServer]:
    """One for each test: it syncs nothing but what the test makes it store."""
    with ChappeServer(tmp_path, rate_limits=False) as running:
        yield running


MANY = ",".join(f"06{number:08}" for number in range(500))


@pytest.mark.parametrize(
    ("body", "marker"),
    [
        ('{"apiKey":"KEY","phoneNumbers":"0600000001","message":"plainest"}', "plainest"),
        ("apiKey=KEY&phoneNumbers=0600000001&message=formerly", "formerly"),
        (f'{{"apiKey":"KEY","phoneNumbers":"{MANY}","message":"manifold"}}', "manifold"),
    ],
    ids=["the plainest", "a form", "500 numbers"],
)
def test_a_sync_of_the_log_stands_between_a_send_and_its_answer(
    server: ChappeServer, tmp_path: Path, body: str, marker: str
) -> None:
    ana = Customer(server)
    ana.send(scheduledDeliveryDate="31/12/2040", time=8, minute=0)  # ids are at hand, and nothing leaves
    trace = tmp_path / "trace"
    with traced(server.pid, trace):
        answer = call(server.base_url, "/sms/v1/send", method="POST", body=body.replace("KEY", ana.key))
    assert answer.json["success"] is True
    came, syncs, went = places(trace, marker)
    assert 0 <= came < went, (came, went)
    assert any(came < begin and end < went for begin, end in syncs), (came, syncs, went)
