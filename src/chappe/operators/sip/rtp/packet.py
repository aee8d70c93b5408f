"""RTP packets (RFC 3550, section 5): octets to values and back."""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

HEADER: Final = struct.Struct("!BBHII")
HEADER_OCTETS: Final = 12
PACKET_OCTETS_MAX: Final = 1500
"""More fits into no frame of ours; what is longer is dropped."""
VERSION: Final = 0x80
MARKER: Final = 0x80
_VERSION_MASK, _PADDING, _EXTENSION, _CSRC_MASK = 0xC0, 0x20, 0x10, 0x0F


class RtpPacket(NamedTuple):
    payload_type: int
    has_marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


def parse_packet(data: bytes) -> RtpPacket | None:
    """None for what is no RTP packet (section A.1): nothing is answered to those."""
    octets = len(data)
    if not HEADER_OCTETS <= octets <= PACKET_OCTETS_MAX:
        return None
    first, second, sequence, timestamp, ssrc = HEADER.unpack_from(data)
    if first == VERSION:  # as nearly all are: no padding, no extension, no contributing sources
        return RtpPacket(second & 0x7F, second >= MARKER, sequence, timestamp, ssrc, data[HEADER_OCTETS:])
    if first & _VERSION_MASK != VERSION:
        return None
    start = HEADER_OCTETS + 4 * (first & _CSRC_MASK)
    end = octets
    if first & _EXTENSION:
        if start + 4 > octets:
            return None
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    if first & _PADDING:
        padding = data[-1]
        if padding == 0:
            return None
        end -= padding
    if start > end:
        return None
    return RtpPacket(second & 0x7F, second >= MARKER, sequence, timestamp, ssrc, data[start:end])


class RtpSender:
    """The packets of one stream of ours. `sequence` and `timestamp` are random at the start (section 5.1)."""

    __slots__ = ("octets", "packets", "payload_type", "sequence", "ssrc", "timestamp")

    def __init__(self, ssrc: int, sequence: int, timestamp: int, payload_type: int) -> None:
        self.ssrc = ssrc & 0xFFFFFFFF
        self.sequence = sequence & 0xFFFF
        """Of the next packet."""
        self.timestamp = timestamp & 0xFFFFFFFF
        """Of the next frame."""
        self.payload_type = payload_type
        self.packets = 0
        self.octets = 0
        """Of payload, as sender reports count them."""

    def frame(self, payload: bytes, *, marker: bool = False) -> bytes:
        """The next packet of audio, one octet a sample."""
        sequence, timestamp = self.sequence, self.timestamp
        self.sequence = (sequence + 1) & 0xFFFF
        self.timestamp = (timestamp + len(payload)) & 0xFFFFFFFF
        self.packets += 1
        self.octets += len(payload)
        return (
            HEADER.pack(
                VERSION,
                self.payload_type | MARKER if marker else self.payload_type,
                sequence,
                timestamp,
                self.ssrc,
            )
            + payload
        )

    def event(self, payload: bytes, payload_type: int, timestamp: int, *, marker: bool) -> bytes:
        """A packet of another kind in the same sequence; the audio's timestamp does not move."""
        sequence = self.sequence
        self.sequence = (sequence + 1) & 0xFFFF
        self.packets += 1
        self.octets += len(payload)
        return (
            HEADER.pack(
                VERSION,
                payload_type | MARKER if marker else payload_type,
                sequence,
                timestamp & 0xFFFFFFFF,
                self.ssrc,
            )
            + payload
        )

    def skip(self, samples: int) -> None:
        """Time passes in which nothing is sent."""
        self.timestamp = (self.timestamp + samples) & 0xFFFFFFFF
