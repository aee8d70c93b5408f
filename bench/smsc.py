"""An SMSC for load: takes every submit_sm at once, sends its receipt, and costs a tenth of what it measures.

`python -m bench.smsc COUNTERS --window N --receipt-delay-ms N` prints `ready smpp://127.0.0.1:PORT`. Octets are cut and
put together by hand: a core that understands everything would need the processor time that belongs to the load
generator beside it. The tests have a faithful stand-in; this one ends on whatever a transceiver that only submits
does not say. What it counts stands in the shared file COUNTERS (`Counters`), so that asking costs it nothing.
"""

from __future__ import annotations

import argparse
import select
import signal
import socket
import struct
import sys
import time
from collections import deque
from pathlib import Path

from bench.counters import Counters

_HEADER = struct.Struct(">IIII")
_BIND_TRANSCEIVER, _SUBMIT_SM, _DELIVER_SM, _UNBIND, _ENQUIRE_LINK = 0x09, 0x04, 0x05, 0x06, 0x15
_RESPONSE = 0x80000000
_READ_BYTES_MAX = 1 << 18
_PDU_OCTETS_MAX = 4096
_POLL_S_MAX = 0.5
NAMES = ("binds", "submitted", "receipts", "acknowledged", "refused", "last_ns")
"""`binds` now, `submitted` submit_sm, `receipts` sent, `acknowledged` by a good deliver_sm_resp, `refused` by another
one; `last_ns`: when the last submit_sm or acknowledgement came.
"""


class _Esme:
    """A connection of an ESME: what was read and not understood yet, what is to be written."""

    __slots__ = ("in_flight", "out", "pending", "socket")

    def __init__(self, accepted: socket.socket) -> None:
        self.socket = accepted
        self.pending = b""
        self.out = bytearray()
        self.in_flight: dict[int, bytes] = {}
        """Receipts without an answer, by sequence number."""


class _Smsc:
    def __init__(self, counters: Counters, window: int, delay_s: float) -> None:
        self._counters = counters
        self._window, self._delay_s = window, delay_s
        self._esmes: dict[int, _Esme] = {}
        self._owed: deque[tuple[float, bytes]] = deque()
        """Receipts with the time they are due, in that order."""
        self._message_id = self._sequence_number = 0
        self._binds = self._submitted = self._receipts = self._acknowledged = self._refused = 0
        self._last_ns = 0
        self._poll = select.epoll()
        self._date = b""
        self._date_s = 0.0
        self._listening = socket.create_server(("127.0.0.1", 0))

    @property
    def port(self) -> int:
        return self._listening.getsockname()[1]

    def serve(self) -> None:
        """Until the process is ended."""
        self._poll.register(self._listening, select.EPOLLIN)
        while True:
            timeout_s = _POLL_S_MAX
            if self._owed and self._binds:
                timeout_s = min(timeout_s, max(0.001, self._owed[0][0] - time.monotonic()))
            for fd, event in self._poll.poll(timeout_s):
                if fd == self._listening.fileno():
                    self._accept()
                    continue
                esme = self._esmes[fd]
                if event & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR) and not self._read(esme):
                    self._gone(esme)
                elif event & select.EPOLLOUT:
                    self._write(esme)
            for esme in self._esmes.values():
                self._deliver(esme)
            self._counters.put(
                self._binds,
                self._submitted,
                self._receipts,
                self._acknowledged,
                self._refused,
                self._last_ns,
            )

    def _accept(self) -> None:
        accepted, _ = self._listening.accept()
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        accepted.setblocking(False)
        self._esmes[accepted.fileno()] = _Esme(accepted)
        self._poll.register(accepted, select.EPOLLIN)

    def _gone(self, esme: _Esme) -> None:
        self._poll.unregister(esme.socket)
        del self._esmes[esme.socket.fileno()]
        esme.socket.close()
        self._binds -= 1
        self._owed.extendleft((0.0, receipt) for receipt in esme.in_flight.values())

    def _read(self, esme: _Esme) -> bool:
        """False when the connection has ended."""
        try:
            data = esme.socket.recv(_READ_BYTES_MAX)
        except BlockingIOError:
            return True
        except ConnectionError:
            return False
        if not data:
            return False
        self._last_ns = time.monotonic_ns()
        due_s = self._last_ns / 1e9 + self._delay_s
        data = esme.pending + data
        position, end = 0, len(data)
        out = esme.out
        while end - position >= 16:
            length, command, status, sequence_number = _HEADER.unpack_from(data, position)
            if not 16 <= length <= _PDU_OCTETS_MAX:
                raise SystemExit(f"a PDU of {length} octets")
            if end - position < length:
                break
            if command == _SUBMIT_SM:
                self._message_id += 1
                message_id = b"%d\0" % self._message_id
                out += _HEADER.pack(16 + len(message_id), _SUBMIT_SM | _RESPONSE, 0, sequence_number)
                out += message_id
                self._submitted += 1
                receipt = self._receipt(data, position + 16, message_id)
                if receipt is not None:
                    self._owed.append((due_s, receipt))
            elif command == _DELIVER_SM | _RESPONSE:
                receipt = esme.in_flight.pop(sequence_number)
                if status:
                    self._refused += 1
                    self._owed.append((due_s, receipt))
                else:
                    self._acknowledged += 1
            elif command == _ENQUIRE_LINK:
                out += _HEADER.pack(16, _ENQUIRE_LINK | _RESPONSE, 0, sequence_number)
            elif command == _BIND_TRANSCEIVER:
                out += _HEADER.pack(22, _BIND_TRANSCEIVER | _RESPONSE, 0, sequence_number) + b"bench\0"
                self._binds += 1
            elif command == _UNBIND:
                out += _HEADER.pack(16, _UNBIND | _RESPONSE, 0, sequence_number)
            elif command != _ENQUIRE_LINK | _RESPONSE:
                raise SystemExit(f"an unexpected PDU: {command:#x}")
            position += length
        esme.pending = data[position:]
        self._write(esme)
        return True

    def _receipt(self, data: bytes, position: int, message_id: bytes) -> bytes | None:
        """The body of the deliver_sm that submit_sm at `position` asks for (SMPP 3.4 sections 4.4.1 and 4.6.1)."""
        source = data.index(b"\0", position) + 3
        source_end = data.index(b"\0", source)
        destination = source_end + 3
        destination_end = data.index(b"\0", destination)
        schedule_end = data.index(b"\0", destination_end + 4)
        validity_end = data.index(b"\0", schedule_end + 1)
        if not data[validity_end + 1] & 0x03:
            return None
        text = b"id:%b sub:001 dlvrd:001 submit date:%b done date:%b stat:DELIVRD err:000 text:" % (
            message_id[:-1],
            self._date,
            self._date,
        )
        return b"\0\1\1%b\0\1\1%b\0\4\0\0\0\0\0\0\0\0%c%b" % (
            data[destination:destination_end],
            data[source:source_end],
            len(text),
            text,
        )

    def _deliver(self, esme: _Esme) -> None:
        """Receipts that are due, while the window and the socket have room."""
        now_s = time.monotonic()
        if now_s >= self._date_s + 1:
            self._date, self._date_s = time.strftime("%y%m%d%H%M", time.gmtime()).encode(), now_s
        owed, in_flight, out = self._owed, esme.in_flight, esme.out
        if out:
            return
        while owed and owed[0][0] <= now_s and len(in_flight) < self._window:
            _, receipt = owed.popleft()
            self._sequence_number += 1
            out += _HEADER.pack(16 + len(receipt), _DELIVER_SM, 0, self._sequence_number)
            out += receipt
            in_flight[self._sequence_number] = receipt
            self._receipts += 1
        if out:
            self._write(esme)

    def _write(self, esme: _Esme) -> None:
        if not esme.out:
            return
        try:
            del esme.out[: esme.socket.send(esme.out)]
        except BlockingIOError:
            pass
        except ConnectionError:
            esme.out.clear()  # the next read says that it has ended
        self._poll.modify(esme.socket, select.EPOLLIN | (select.EPOLLOUT if esme.out else 0))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.smsc")
    parser.add_argument("counters", type=Path)
    parser.add_argument("--window", type=int, required=True)
    parser.add_argument("--receipt-delay-ms", type=int, required=True)
    arguments = parser.parse_args()
    smsc = _Smsc(Counters(arguments.counters, NAMES), arguments.window, arguments.receipt_delay_ms / 1000)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(f"ready smpp://127.0.0.1:{smsc.port}", flush=True)
    smsc.serve()


if __name__ == "__main__":
    main()
