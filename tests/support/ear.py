"""An ear at the far end of a trunk: a port for RTP that keeps what comes, and can speak. It knows RFC 3550 by itself."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self

WAIT_S_MAX: Final = 30.0


@dataclass(frozen=True)
class Packet:
    """`at_s`: when it came, by a clock that does not go back."""

    at_s: float
    payload_type: int
    sequence: int
    timestamp: int
    source: int
    payload: bytes
    sender: tuple[str, int]


class Ear:
    """A context manager with a thread of its own. `port` is where it listens."""

    def __init__(self, port: int = 0) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.bind(("127.0.0.1", port))
        self.port: int = self._socket.getsockname()[1]
        self._packets: list[Packet] = []
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as goodbye:
            goodbye.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()

    @property
    def packets(self) -> list[Packet]:
        with self._changed:
            return list(self._packets)

    def heard(self, payload_type: int = 8) -> bytes:
        """What was said, in the order of its sequence numbers, each once; of the newest source."""
        packets = [packet for packet in self.packets if packet.payload_type == payload_type]
        if not packets:
            return b""
        first, source = packets[0].sequence, packets[-1].source
        by_place = {
            (packet.sequence - first + 0x8000) & 0xFFFF: packet.payload
            for packet in packets
            if packet.source == source
        }
        return b"".join(by_place[place] for place in sorted(by_place))

    def until(self, condition: Callable[[list[Packet]], object], what: str) -> None:
        deadline = time.monotonic() + WAIT_S_MAX
        with self._changed:
            while not condition(self._packets):
                left = deadline - time.monotonic()
                assert left > 0, f"{what}: {len(self._packets)} packets in {WAIT_S_MAX} s"
                self._changed.wait(left)

    def say(self, port: int, payloads: list[bytes], *, payload_type: int = 8) -> None:
        """To a port of 127.0.0.1, all at once."""
        for number, payload in enumerate(payloads):
            head = struct.pack("!BBHII", 0x80, payload_type, number, number * 160, 0x5EED)
            self._socket.sendto(head + payload, ("127.0.0.1", port))

    def _listen(self) -> None:
        while data_from := self._socket.recvfrom(4096):
            data, sender = data_from
            if not data:
                return
            if len(data) < 12 or data[0] != 0x80:
                continue
            _, kind, sequence, timestamp, source = struct.unpack("!BBHII", data[:12])
            packet = Packet(time.monotonic(), kind & 0x7F, sequence, timestamp, source, data[12:], sender)
            with self._changed:
                self._packets.append(packet)
                self._changed.notify_all()
