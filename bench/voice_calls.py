"""Calls that are answered and hung up at once, from the request over HTTP to the last one's end; and calls that last.

Each is a callee committed as being called, an INVITE, an answer committed, a BYE of the telephone's, and an end
committed. Beside it the SIP core alone: two user agents in memory, without sockets, audio and database.
"""

from __future__ import annotations

import gc
import itertools
import json
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path

from bench.counters import Counters
from bench.figures import Context, Figure, Void, in_turns
from bench.filled import Filled, sender
from bench.load import OK, Connection, Exchange, post
from bench.machine import cpu_s, pin_load, resident_mb
from bench.servers import POLL_S, STALLED_S_MAX, Server, chappe
from bench.telephones import NAMES
from chappe.calls.states import State
from chappe.operators.sip.agent.agent import UserAgent
from chappe.operators.sip.agent.events import Answered, Incoming
from chappe.operators.sip.agent.outgoing import Order
from chappe.operators.sip.hop import Hop
from chappe.operators.sip.sdp.audio import Endpoint
from chappe.operators.sip.syntax.address import Address
from chappe.operators.sip.syntax.uri import SipUri

SIZE = 500
"""Callees of a request, the most that are allowed."""
WARM_UP = 20
LASTING = 500
LASTING_S = 3.0
"""How long they stay up before they are counted: what comes late with a call is there by then."""
CORE_S = 1.5
CORE_CALL_MS = 2
"""The clock of the SIP core alone: 500 calls in a second of it, so that as many transactions linger as would then."""
FIRST_QUICK, FIRST_PATIENT = 33_611_000_000, 33_699_000_000
TEXT = (
    "Bonjour, ceci est un message de votre mairie. En raison de travaux dans votre rue, l'eau sera coupee demain matin de"
    " neuf heures a midi. Merci de votre patience, et bonne journee."
)
"""Some ten seconds."""
_CONFIGURATION = """[limits.pages]
"voice.tts/send" = "1000000/1"

[voice]
sip_host = "127.0.0.1"
account_calls_max = 5000

[[operators]]
name = "trunk1"
kind = "sip"
host = "127.0.0.1"
port = {port}
calls_per_second = 1000
concurrent_calls = 1000

[[operators]]
name = "trunk2"
kind = "sip"
host = "127.0.0.1"
port = {port}
calls_per_second = 1000
concurrent_calls = 1000

[[routes]]
product = "voice"
operators = ["trunk1", "trunk2"]
"""
"""Two trunks, for one may begin no more than a thousand calls a second."""


def run(context: Context) -> list[Figure]:
    """Calls a second, what one costs, and what it takes in memory while it is up."""
    rounds, count = (9, 5_000) if context.long else (3, 2_000)
    data = context.folder / "data"
    with _Telephones(context.folder / "counters") as telephones:
        data.mkdir()
        (data / "chappe.toml").write_text(_CONFIGURATION.format(port=telephones.address[1]))
        account = sender(data)
        with chappe(data) as server:
            calls = _Calls(server, telephones, account)
            calls.turn(WARM_UP)
            kilobytes = calls.lasting(LASTING)
            cores, attempts, ratios = in_turns(_core, lambda: calls.turn(count), rounds)
        _verify(data, account, calls.made)
    return [
        Figure("calls / SIP core alone", "x", ratios),
        Figure("calls", "/s", attempts),
        Figure("CPU a call, server and media", "us", calls.cpu_us[1:]),
        Figure("SIP core alone, both ends", "calls/s", cores),
        Figure("SIP core alone", "transactions/s", [4 * core for core in cores]),
        Figure("memory a call, server and media", "kB", [kilobytes]),
        Figure("telephones busy", "of their core", calls.busy[1:]),
        Figure("messages repeated", "", [telephones.counters["repeated"]]),
    ]


class _Telephones(Server):
    """bench/telephones.py on the load's core, and what it counts."""

    def __init__(self, counters: Path) -> None:
        self.counters = Counters(counters, NAMES)
        command = [sys.executable, "-m", "bench.telephones", counters]
        super().__init__(command, "the telephones", pin=pin_load)

    def until(self, name: str, count: int, stalled_s_max: float = STALLED_S_MAX) -> None:
        """Returns when it has counted so many; raises `Void` when nothing moves, or when it has counted more."""
        before, at_s = -1, time.monotonic()
        while (now := self.counters[name]) < count:
            if now != before:
                before, at_s = now, time.monotonic()
            elif time.monotonic() > at_s + stalled_s_max:
                raise Void(f"the telephones count {now} {name} of {count}, and nothing moves")
            time.sleep(POLL_S)
        if self.counters[name] != count:
            raise Void(f"the telephones count {self.counters[name]} {name} instead of {count}")


class _Calls:
    """Turns of so many calls; keeps what they cost."""

    def __init__(self, server: Server, telephones: _Telephones, account: Filled) -> None:
        self.made = 0
        self.cpu_us: list[float] = []
        self.busy: list[float] = []
        self._server, self._telephones, self._account = server, telephones, account
        self._media = _child(server.pid)

    def turn(self, count: int) -> float:
        """Calls a second that are answered and hung up."""
        cpu_before_s, far_before_s = self._cpu_s(), cpu_s(self._telephones.pid)
        begin_ns = time.monotonic_ns()
        self._send(FIRST_QUICK, count)
        self._telephones.until("ended", self.made)
        seconds = (self._telephones.counters["last_ns"] - begin_ns) / 1e9
        self.busy.append((cpu_s(self._telephones.pid) - far_before_s) / seconds)
        self.cpu_us.append((self._cpu_s() - cpu_before_s) / count * 1e6)
        return count / seconds

    def lasting(self, count: int) -> float:
        """Kilobytes that each of so many calls takes while it is up."""
        before_mb = self._resident_mb()
        self._send(FIRST_PATIENT, count)
        self._telephones.until("up", self.made)
        time.sleep(LASTING_S)
        if self._telephones.counters["ended"] > self.made - count:
            raise Void("calls that were to last have ended")
        kilobytes = (self._resident_mb() - before_mb) / count * 1000
        self._telephones.until("ended", self.made, 2 * STALLED_S_MAX)
        return kilobytes

    def _send(self, first: int, count: int) -> None:
        end = self.made + count
        requests = [
            _request(self._account, range(first + start, first + min(start + SIZE, end)))
            for start in range(self.made, end, SIZE)
        ]
        self.made = end
        connection = Connection(self._server.address)
        for request in requests:
            connection.asked(request)
        connection.close()

    def _cpu_s(self) -> float:
        return self._server.cpu_s + cpu_s(self._media)

    def _resident_mb(self) -> float:
        return self._server.resident_mb + resident_mb(self._media)


def _request(account: Filled, numbers: range) -> Exchange:
    joined = ",".join(f"+{number}" for number in numbers)
    body = json.dumps({"apiKey": account.api_key, "phoneNumbers": joined, "text": TEXT})
    return post("/voice/v1/tts/send", body.encode(), OK, b'"success":true')


def _child(pid: int) -> int:
    """The media process: the server's only child that is one."""
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        if b"chappe.operators.sip.media" in Path(f"/proc/{child}/cmdline").read_bytes():
            return int(child)
    raise Void("the server has no media process")


def _verify(data: Path, account: Filled, made: int) -> None:
    """Every callee was called once and reached, and what was charged is what the balance lacks."""
    with closing(sqlite3.connect(f"file:{data / 'chappe.db'}?mode=ro", uri=True)) as database:
        (delivered,) = database.execute(
            "SELECT COUNT(*) FROM callees WHERE state = ? AND attempts = 1", (State.DELIVERED,)
        ).fetchone()
        (kept,) = database.execute("SELECT SUM(cost_micro - refund_micro) FROM callees").fetchone()
        (balance,) = database.execute(
            "SELECT balance_micro FROM accounts WHERE id = ?", (account.account_id,)
        ).fetchone()
    if delivered != made:
        raise Void(f"{delivered} callees were reached by one call, not {made}")
    if account.balance_micro - balance != kept:
        raise Void(f"{account.balance_micro - balance} micro-euros are gone, {kept} were charged")


def _core() -> float:
    """Calls a second between two user agents in memory, in processor time of both."""
    hosts = ("192.0.2.1", "192.0.2.9")
    numbers = itertools.count()
    caller, callee = (
        UserAgent(
            address_of=lambda hop, host=host: (host, 5060),
            ids=lambda: f"{next(numbers):020x}",
            random=lambda least, most: least,
        )
        for host in hosts
    )
    offer = Endpoint(hosts[0], 20000, ("PCMA", "PCMU"), 20001).offer(1).encode()
    answer = Endpoint(hosts[1], 20000, ("PCMA",), 20001).offer(1).encode()
    to_callee, to_caller = Hop("udp", hosts[1], 5060), Hop("udp", hosts[0], 5060)
    address = Address(SipUri(hosts[0], "+33162001122"))
    now_ms, calls = 0, 0
    gc.collect()  # what an earlier turn left is not this one's
    begin_s = time.process_time()
    while (seconds := time.process_time() - begin_s) < CORE_S:
        now_ms += CORE_CALL_MS
        caller.call(Order(SipUri(hosts[1], f"+{FIRST_QUICK + calls}"), address, to_callee, offer), now_ms)
        is_moving = True
        while is_moving:
            is_moving = False
            for outgoing in caller.take():
                is_moving = True
                for event in callee.receive(outgoing.data, to_caller, now_ms):
                    if isinstance(event, Incoming):
                        event.call.accept(answer, now_ms)
            for outgoing in callee.take():
                is_moving = True
                for event in caller.receive(outgoing.data, to_callee, now_ms):
                    if isinstance(event, Answered):
                        event.call.hang_up(now_ms)
                        calls += 1
        caller.tick(now_ms)
        callee.tick(now_ms)
    return calls / seconds
