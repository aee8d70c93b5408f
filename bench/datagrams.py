"""Many datagrams with one system call: sendmmsg(2), recvmmsg(2), and the kernel's time of arrival (socket(7)).

What comes in is stamped by the kernel, so it does not matter how late this process reads it.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import socket
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

AT_ONCE: Final = 256
BUFFER_OCTETS: Final = 4 << 20
_TIMESTAMP_NS: Final = 35  # SO_TIMESTAMPNS of asm-generic/socket.h
_CONTROL_OCTETS: Final = 32  # a header of 16, a timespec of 16


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Head(ctypes.Structure):
    """`struct msghdr`."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("vectors", ctypes.c_void_p),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Message(ctypes.Structure):
    """`struct mmsghdr`."""

    _fields_ = (("head", _Head), ("length", ctypes.c_uint32))


_libc = ctypes.CDLL(ctypes.util.find_library("c"), use_errno=True)


def stamped_socket() -> socket.socket:
    """A UDP socket of 127.0.0.1 with much room, whose datagrams are stamped."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_OCTETS)
    sock.setsockopt(socket.SOL_SOCKET, _TIMESTAMP_NS, 1)
    sock.setblocking(False)
    sock.bind(("127.0.0.1", 0))
    return sock


class Inbox:
    """Reads a stamped socket. `room` has a row for each datagram, `octets` long at the most."""

    def __init__(self, sock: socket.socket, octets: int) -> None:
        self._fd = sock.fileno()
        self.room: NDArray[np.uint8] = np.zeros((AT_ONCE, octets), np.uint8)
        self._control = np.zeros((AT_ONCE, _CONTROL_OCTETS // 8), np.int64)
        self._vectors = (_Vector * AT_ONCE)()
        self._messages = (_Message * AT_ONCE)()
        for row, message in enumerate(self._messages):
            self._vectors[row] = _Vector(self.room.ctypes.data + row * octets, octets)
            message.head.vectors = ctypes.addressof(self._vectors[row])
            message.head.vector_count = 1
            message.head.control = self._control.ctypes.data + row * _CONTROL_OCTETS
            message.head.control_length = _CONTROL_OCTETS

    def read(self) -> tuple[int, NDArray[np.int64]]:
        """How many rows of `room` are new, and when those came, in nanoseconds."""
        count = max(0, _libc.recvmmsg(self._fd, self._messages, AT_ONCE, socket.MSG_DONTWAIT, None))
        stamps = self._control[:count]
        return count, stamps[:, 2] * 1_000_000_000 + stamps[:, 3]


class Outbox:
    """Sends row after row of `room`, each to a port of 127.0.0.1 of its own."""

    def __init__(self, sock: socket.socket, room: NDArray[np.uint8], ports: Sequence[int]) -> None:
        self._fd = sock.fileno()
        count, octets = room.shape
        assert count == len(ports)
        assert room.flags.c_contiguous
        self._room = room
        names = np.zeros((count, 4), np.uint32)
        self._names = names
        self._vectors = (_Vector * count)()
        self._messages = (_Message * count)()
        for row, (message, port) in enumerate(zip(self._messages, ports, strict=True)):
            family = int(socket.AF_INET).to_bytes(2, "little")
            address = family + port.to_bytes(2, "big") + bytes((127, 0, 0, 1)) + bytes(8)
            names[row] = np.frombuffer(address, np.uint32)
            self._vectors[row] = _Vector(room.ctypes.data + row * octets, octets)
            message.head.name = names.ctypes.data + row * 16
            message.head.name_length = 16
            message.head.vectors = ctypes.addressof(self._vectors[row])
            message.head.vector_count = 1

    def send(self) -> None:
        """All rows, as they are now."""
        start, count = 0, len(self._messages)
        while start < count:
            messages = ctypes.byref(self._messages, start * ctypes.sizeof(_Message))
            sent = _libc.sendmmsg(self._fd, messages, count - start, 0)
            # A datagram that cannot be sent is let go, as a network would.
            start += max(1, sent)
