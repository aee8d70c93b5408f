"""The UDP ports of the media process: one for each stream, one for all reports."""

from __future__ import annotations

import errno
import socket
from typing import Final

TRIES_MAX: Final = 200


class Ports:
    """From `first` to `last`, in turn, so that a port rests before it is used again; 0 and 0: any that is free."""

    def __init__(self, host: str, first: int = 0, last: int = 0) -> None:
        assert 0 <= first <= last <= 65535
        self._host = host
        self._family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._first = first
        self._count = last - first + 1 if first else 0
        self._next = 0

    def open_rtp(self) -> socket.socket:
        """A bound socket that does not block. Raises OSError where none is free."""
        if not self._count:
            return self._bound(0)
        error = OSError(errno.EADDRINUSE, "no port of the range is free")
        for _ in range(min(self._count, TRIES_MAX)):
            port = self._first + self._next
            self._next = (self._next + 1) % self._count
            try:
                return self._bound(port)
            except OSError as taken:
                if taken.errno != errno.EADDRINUSE:
                    raise
        raise error

    def open_rtcp(self) -> socket.socket:
        return self.open_rtp()

    def _bound(self, port: int) -> socket.socket:
        sock = socket.socket(self._family, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            sock.bind((self._host, port))
        except OSError:
            sock.close()
            raise
        return sock
