"""Digits as named events (RFC 4733): a digit is a run of packets with one timestamp, the last one sent three times."""

from __future__ import annotations

import struct
from typing import Final

from chappe.operators.sip.errors import LocalError
from chappe.operators.sip.rtp.packet import RtpPacket, RtpSender

DIGITS: Final = "0123456789*#ABCD"
EVENT: Final = struct.Struct("!BBH")
END: Final = 0x80
VOLUME: Final = 10
"""-10 dBm0."""
DIGIT_MS: Final = 100
PAUSE_MS: Final = 100
END_REPEATS: Final = 3
RATE_PER_MS: Final = 8


class DigitReader:
    """Tells each digit once, at the first of its packets that comes."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: tuple[int, int] | None = None

    def take(self, packet: RtpPacket) -> str | None:
        """The digit that begins here; None for a repetition, for other events and for what cannot be read."""
        if len(packet.payload) < EVENT.size:
            return None
        code, _, _ = EVENT.unpack_from(packet.payload)
        if code >= len(DIGITS):
            return None
        key = (packet.ssrc, packet.timestamp)
        if key == self._last:
            return None
        if self._last is not None and self._last[0] == packet.ssrc:
            behind = (self._last[1] - packet.timestamp) & 0xFFFFFFFF
            if behind < 0x8000:  # of the digit before, late: 4 s back at most
                return None
        self._last = key
        return DIGITS[code]


class DigitSender:
    """Sends digits one after the other: `next` gives the packet of each frame's time, b"" in a pause, None at the
    end. The audio stands still meanwhile; the timestamp goes on.
    """

    __slots__ = ("_codes", "_elapsed", "_ends", "_frame", "_pause", "_payload_type", "_sender", "_start")

    def __init__(self, digits: str, sender: RtpSender, payload_type: int, *, frame_ms: int = 20) -> None:
        for digit in digits.upper():
            if digit not in DIGITS:
                raise LocalError("digits are 0 to 9, *, # and A to D")
        self._codes = [DIGITS.index(digit) for digit in digits.upper()]
        self._sender = sender
        self._payload_type = payload_type
        self._frame = frame_ms * RATE_PER_MS
        self._elapsed = 0
        self._ends = 0
        self._pause = 0
        self._start = 0

    def next(self) -> list[bytes] | None:
        """The packets of one frame's time: several at the end of a digit; none in a pause; None when all is said."""
        sender, frame = self._sender, self._frame
        if self._pause > 0:
            self._pause -= frame
            sender.skip(frame)
            return []
        if not self._codes:
            return None
        if self._elapsed == 0:
            self._start = sender.timestamp
        self._elapsed += frame
        is_over = self._elapsed >= DIGIT_MS * RATE_PER_MS
        payload = EVENT.pack(self._codes[0], VOLUME | (END if is_over else 0), min(self._elapsed, 0xFFFF))
        packets = [
            sender.event(
                payload, self._payload_type, self._start, marker=self._elapsed == frame and repeat == 0
            )
            for repeat in range(END_REPEATS if is_over else 1)
        ]
        sender.skip(frame)
        if is_over:
            del self._codes[0]
            self._elapsed = 0
            self._pause = PAUSE_MS * RATE_PER_MS
        return packets
