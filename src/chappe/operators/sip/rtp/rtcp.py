"""RTCP (RFC 3550, section 6): sender and receiver reports, the name of the source, the end of a source."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chappe.operators.sip.rtp.receiver import Statistics

SENDER_REPORT, RECEIVER_REPORT, SOURCE_DESCRIPTION, GOODBYE = 200, 201, 202, 203
COMPOUND_OCTETS_MAX: Final = 1500
PACKETS_MAX: Final = 16
"""In one compound."""
NTP_EPOCH_S: Final = 2_208_988_800
"""From 1900 to 1970."""

_HEAD: Final = struct.Struct("!BBHI")
_SENDER: Final = struct.Struct("!IIIII")
_BLOCK: Final = struct.Struct("!IIIIII")


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What somebody says of what it receives from `ssrc`. `last_report` and `delay` (in 65536ths of a second) are of
    our last sender report, 0 before one came.
    """

    ssrc: int
    fraction: int
    lost: int
    highest: int
    jitter: int
    last_report: int = 0
    delay: int = 0


@dataclass(frozen=True, slots=True)
class SenderInfo:
    """`ntp` in 2^-32 seconds since 1900."""

    ntp: int
    timestamp: int
    packets: int
    octets: int


@dataclass(frozen=True, slots=True)
class Report:
    """A sender report, or a receiver report where `sender` is None."""

    ssrc: int
    sender: SenderInfo | None
    blocks: tuple[ReportBlock, ...]


@dataclass(frozen=True, slots=True)
class Goodbye:
    ssrcs: tuple[int, ...]


def parse_compound(data: bytes) -> list[Report | Goodbye]:
    """What a compound packet says; empty for what is none (section A.2). Other kinds of packet are skipped."""
    if not 8 <= len(data) <= COMPOUND_OCTETS_MAX or data[0] & 0xE0 != 0x80 or data[1] not in (200, 201):
        return []
    found: list[Report | Goodbye] = []
    position = 0
    for _ in range(PACKETS_MAX):
        if position + 4 > len(data):
            break
        first, kind = data[position], data[position + 1]
        end = position + 4 + 4 * int.from_bytes(data[position + 2 : position + 4], "big")
        if first & 0xC0 != 0x80 or end > len(data):
            return []
        count = first & 0x1F
        body = data[position + 4 : end]
        if kind in (SENDER_REPORT, RECEIVER_REPORT):
            report = _read_report(kind, count, body)
            if report is None:
                return []
            found.append(report)
        elif kind == GOODBYE and len(body) >= 4 * count:
            found.append(Goodbye(struct.unpack_from(f"!{count}I", body)))
        position = end
    return found


def _read_report(kind: int, count: int, body: bytes) -> Report | None:
    start = 4 + (_SENDER.size if kind == SENDER_REPORT else 0)
    if len(body) < start + _BLOCK.size * count:
        return None
    ssrc = int.from_bytes(body[:4], "big")
    sender = None
    if kind == SENDER_REPORT:
        high, low, timestamp, packets, octets = _SENDER.unpack_from(body, 4)
        sender = SenderInfo((high << 32) | low, timestamp, packets, octets)
    blocks: list[ReportBlock] = []
    for number in range(count):
        source, loss, highest, jitter, last, delay = _BLOCK.unpack_from(body, start + _BLOCK.size * number)
        lost = loss & 0xFFFFFF
        if lost >= 0x800000:
            lost -= 0x1000000
        blocks.append(ReportBlock(source, loss >> 24, lost, highest, jitter, last, delay))
    return Report(ssrc, sender, tuple(blocks))


def write_report(report: Report, name: str, *, goodbye: bool = False) -> bytes:
    """A compound packet: the report, the source's name (CNAME), and its end if that is meant."""
    body = struct.pack("!I", report.ssrc)
    kind = RECEIVER_REPORT
    if report.sender is not None:
        sender = report.sender
        kind = SENDER_REPORT
        body += _SENDER.pack(
            sender.ntp >> 32 & 0xFFFFFFFF,
            sender.ntp & 0xFFFFFFFF,
            sender.timestamp & 0xFFFFFFFF,
            sender.packets & 0xFFFFFFFF,
            sender.octets & 0xFFFFFFFF,
        )
    for block in report.blocks:
        loss = (block.fraction & 0xFF) << 24 | (block.lost & 0xFFFFFF)
        body += _BLOCK.pack(
            block.ssrc, loss, block.highest & 0xFFFFFFFF, block.jitter, block.last_report, block.delay
        )
    packets = [_packet(kind, len(report.blocks), body), _description(report.ssrc, name)]
    if goodbye:
        packets.append(_packet(GOODBYE, 1, struct.pack("!I", report.ssrc)))
    return b"".join(packets)


def block_of(statistics: Statistics, last_report: int = 0, delay: int = 0) -> ReportBlock:
    return ReportBlock(
        statistics.ssrc,
        statistics.fraction,
        statistics.lost,
        statistics.highest,
        statistics.jitter,
        last_report,
        delay,
    )


def ntp_of(unix_s: float) -> int:
    """Seconds since 1970 as reports give them."""
    return int((unix_s + NTP_EPOCH_S) * (1 << 32))


def middle_of(ntp: int) -> int:
    """The 32 bits in the middle, as `last_report` names a sender report."""
    return ntp >> 16 & 0xFFFFFFFF


def round_trip_ms(block: ReportBlock, now_ntp: int) -> float | None:
    """How long a packet is under way to the peer and back (section 6.4.1); None where it cannot be told."""
    if not block.last_report:
        return None
    elapsed = (middle_of(now_ntp) - block.last_report - block.delay) & 0xFFFFFFFF
    return elapsed * 1000 / 65536 if elapsed < 0x80000000 else None


def _packet(kind: int, count: int, body: bytes) -> bytes:
    assert len(body) % 4 == 0
    assert count < 32
    return bytes((0x80 | count, kind)) + (len(body) // 4).to_bytes(2, "big") + body


def _description(ssrc: int, name: str) -> bytes:
    octets = name.encode()[:255]
    item = struct.pack("!I", ssrc) + bytes((1, len(octets))) + octets
    return _packet(SOURCE_DESCRIPTION, 1, item + bytes(4 - len(item) % 4))


def blocks_of(report: Report, ssrc: int) -> Sequence[ReportBlock]:
    """What a report says of one source."""
    return [block for block in report.blocks if block.ssrc == ssrc]
