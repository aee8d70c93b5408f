"""A stream of octets -> the messages in it with their borders, whatever pieces it comes in (RFC 3261, 18.3)."""

from __future__ import annotations

import re
from typing import Final

from chappe.operators.sip.errors import FramingError
from chappe.operators.sip.syntax.limits import BODY_OCTETS_MAX, HEAD_OCTETS_MAX

PING: Final = b"\r\n\r\n"
PONG: Final = b"\r\n"
"""The keep-alive of RFC 5626, 3.5.1, between messages."""

_LENGTH: Final = re.compile(
    rb"\r\n(?:content-length|l)[ \t]*+:(?:[ \t]|\r\n(?=[ \t]))*+([0-9]{1,9})[ \t]*+(?=\r\n)",
    re.IGNORECASE,
)

_BLANK_LINES: Final = re.compile(rb"(?:\r\n)++")


class StreamReader:
    """Keeps at most one incomplete message, so never more than the limits of `limits.py`."""

    __slots__ = ("_needed", "_pending", "_scanned", "failure", "pings")

    def __init__(self) -> None:
        self._pending = bytearray()
        self._scanned = 0
        """The end of the head is not in the octets up to here: one that drips in is not searched each time."""
        self._needed = 0
        """The octets of the message whose head is known; 0 while it is not."""
        self.pings = 0
        """How many keep-alives came since the owner looked: each is answered with `PONG`."""
        self.failure: FramingError | None = None
        """Set once the stream cannot be cut any more; what came before it is still in the answer of `feed`."""

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that `data` completes, in order. Never raises; look at `failure` and `pings` afterwards."""
        messages: list[bytes] = []
        if self.failure is not None:
            return messages
        pending = self._pending
        pending += data
        position = 0
        while True:
            if not self._needed:
                position = self._skip_blank_lines(position)
                self._scanned = max(self._scanned, position)
                end = pending.find(b"\r\n\r\n", self._scanned, position + HEAD_OCTETS_MAX + 4)
                if end < 0:
                    if len(pending) - position > HEAD_OCTETS_MAX:
                        self._fail("a head is over the limit")
                    self._scanned = max(position, len(pending) - 3)
                    break
                length = self._body_octets(position, end)
                if length is None:
                    break
                self._needed = end + 4 + length - position
            if len(pending) - position < self._needed:
                break
            messages.append(bytes(pending[position : position + self._needed]))
            position += self._needed
            self._needed = 0
            self._scanned = position
        if position:
            del pending[:position]
            self._scanned = max(0, self._scanned - position)
        if self.failure is not None:
            pending.clear()
        return messages

    def _skip_blank_lines(self, position: int) -> int:
        pending = self._pending
        blank = _BLANK_LINES.match(pending, position)
        if blank is None:
            return position
        lines = (blank.end() - position) // 2
        self.pings += lines // 2
        is_half = lines % 2 == 1 and len(pending) - blank.end() <= 1 and pending.endswith((b"\n", b"\r"))
        # Perhaps the first half of a keep-alive.
        return blank.end() - 2 if is_half else blank.end()

    def _body_octets(self, start: int, end: int) -> int | None:
        lengths = _LENGTH.findall(self._pending, start, end + 2)
        if len(set(lengths)) != 1:
            self._fail("a head has no Content-Length, or several")
            return None
        length = int(lengths[0])
        if length > BODY_OCTETS_MAX:
            self._fail("a body is over the limit")
            return None
        return length

    def _fail(self, reason: str) -> None:
        self.failure = FramingError(reason)
