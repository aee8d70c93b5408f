"""Telephones for load: they answer at once, and hang up at once, or listen until they are hung up on.

`python -m bench.telephones COUNTERS` prints `ready sip://127.0.0.1:PORT` (UDP). Octets are cut and put together by hand, for
the same reason as in `smsc.py`; it ends on whatever a user agent that only calls does not say. Numbers that begin with
`PATIENT` listen. Audio goes to a socket that nobody reads. What it counts stands in the shared file COUNTERS.
"""

from __future__ import annotations

import argparse
import contextlib
import select
import signal
import socket
import sys
import time
from pathlib import Path
from typing import NamedTuple

from bench.counters import Counters

NAMES = ("invites", "up", "ended", "repeated", "last_ns")
"""`invites` of calls, `up` answered and acknowledged so far, `ended` of them, `repeated` requests of either side's; `last_ns`:
when the last one ended.
"""
PATIENT = b"+33699"
READ_OCTETS = 65_536
BUFFER_OCTETS = 4 << 20
REPEAT_S = 0.5
_ECHOED = (b"via:", b"from:", b"call-id:", b"cseq:")


class _Bye(NamedTuple):
    """A BYE without an answer, and when it is sent again."""

    data: bytes
    address: tuple[str, int]
    due_s: float


class _Telephones:
    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_OCTETS)
        self._socket.bind(("127.0.0.1", 0))
        self._audio = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._audio.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._description = (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {self._audio.getsockname()[1]} RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
        ).encode()
        self._contact = b"Contact: <sip:%b:%d>\r\n" % (b"bench@127.0.0.1", self.port)
        self._ringing: dict[bytes, bytes | None] = {}
        """Calls whose ACK has not come: the BYE that follows it, None for one who listens."""
        self._leaving: dict[bytes, _Bye] = {}
        self._invites = self._up = self._ended = self._repeated = self._last_ns = 0
        self._repeat_s = 0.0

    def serve(self) -> None:
        """Until the process is ended."""
        receive = self._socket.recvfrom
        while True:
            if select.select([self._socket], [], [], REPEAT_S)[0]:
                self._take(*receive(READ_OCTETS))
            now_s = time.monotonic()
            if now_s >= self._repeat_s:
                self._repeat(now_s)
            self._counters.put(self._invites, self._up, self._ended, self._repeated, self._last_ns)

    def _take(self, data: bytes, address: tuple[str, int]) -> None:
        head, _, _ = data.partition(b"\r\n\r\n")
        start, *lines = head.split(b"\r\n")
        fields = {line.partition(b":")[0].lower(): line.partition(b":")[2].strip() for line in lines}
        call_id = fields[b"call-id"]
        method = start.partition(b" ")[0]
        if method == b"INVITE":
            self._answer(start, lines, fields, address)
        elif method == b"ACK":
            bye = self._ringing.pop(call_id, b"")
            if bye != b"":
                self._up += 1
            if bye:
                self._leaving[call_id] = _Bye(bye, address, time.monotonic() + REPEAT_S)
                self._socket.sendto(bye, address)
        elif method == b"BYE":
            self._respond(lines, b"", b"", address)
            self._end()
        elif method == b"OPTIONS":
            self._respond(lines, b";tag=bench", b"", address)
        elif start.startswith(b"SIP/2.0 200"):
            if self._leaving.pop(call_id, None) is not None:
                self._end()
        else:
            raise SystemExit(f"unexpected: {start!r}")

    def _answer(
        self, start: bytes, lines: list[bytes], fields: dict[bytes, bytes], address: tuple[str, int]
    ) -> None:
        call_id = fields[b"call-id"]
        if call_id in self._ringing:
            self._repeated += 1
        else:
            self._invites += 1
            self._ringing[call_id] = None if PATIENT in start else self._bye(call_id, fields)
        self._respond(
            lines,
            b";tag=bench",
            self._contact + b"Content-Type: application/sdp\r\n",
            address,
            self._description,
        )

    def _respond(
        self, lines: list[bytes], tag: bytes, more: bytes, address: tuple[str, int], body: bytes = b""
    ) -> None:
        out = [b"SIP/2.0 200 OK"]
        for line in lines:
            name = line[:8].lower()
            if name.startswith(_ECHOED):
                out.append(line)
            elif name.startswith(b"to:"):
                out.append(line + tag)
        head = b"\r\n".join(out)
        self._socket.sendto(b"%b\r\n%bContent-Length: %d\r\n\r\n%b" % (head, more, len(body), body), address)

    def _bye(self, call_id: bytes, fields: dict[bytes, bytes]) -> bytes:
        target = fields[b"contact"].partition(b"<")[2].partition(b">")[0]
        return (
            b"BYE %b SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%d;branch=z9hG4bK%b\r\nMax-Forwards: 70\r\nFrom: %b;tag=bench\r\n"
            b"To: %b\r\nCall-ID: %b\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n"
        ) % (target, self.port, call_id.partition(b"@")[0], fields[b"to"], fields[b"from"], call_id)

    def _repeat(self, now_s: float) -> None:
        self._repeat_s = now_s + REPEAT_S
        for call_id, bye in self._leaving.items():
            if bye.due_s <= now_s:
                self._repeated += 1
                self._leaving[call_id] = bye._replace(due_s=now_s + REPEAT_S)
                self._socket.sendto(bye.data, bye.address)

    def _end(self) -> None:
        self._ended += 1
        self._last_ns = time.monotonic_ns()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.telephones")
    parser.add_argument("counters", type=Path)
    arguments = parser.parse_args()
    telephones = _Telephones(Counters(arguments.counters, NAMES))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(f"ready sip://127.0.0.1:{telephones.port}", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        telephones.serve()


if __name__ == "__main__":
    main()
