"""What comes in on a stream: put in order, without repetitions, gaps counted (RFC 3550, sections 6.4.1, A.1, A.3, A.8).

There is no playout clock: audio is handed on as soon as it is in order, and a missing packet is waited for until
`DEPTH_PACKETS` later ones have come. So reordering costs no delay where there is none.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from chappe.operators.sip.rtp.packet import RtpPacket

DEPTH_PACKETS: Final = 5
"""Later packets that are kept while one is missing: 100 ms at 20 ms each."""
MISORDER_MAX: Final = 100
"""A sequence number so much lower is an old packet, one further off a new beginning (section A.1)."""
DROPOUT_MAX: Final = 3000
GAP_SAMPLES_MAX: Final = 16_000
"""2 s: longer silence is not filled, it is another timeline."""
RATE_PER_MS: Final = 8
TIMELINE_SAMPLES: Final = 80_000
"""10 s: two packets so far apart in transit are of two timelines, it is no jitter."""


class Frame(NamedTuple):
    """Audio in order. `gap` are the samples that are missing before it."""

    gap: int
    payload: bytes
    payload_type: int


class Statistics(NamedTuple):
    """For a report block; `lost` since the start, `fraction` of the last interval in 256ths, `jitter` in samples."""

    ssrc: int
    fraction: int
    lost: int
    highest: int
    jitter: int


class Receiver:
    """One remote end. `take` gives what is in order now; nothing of what a peer sends makes it raise or grow."""

    __slots__ = (
        "_base",
        "_candidate",
        "_candidate_sequence",
        "_cycles",
        "_expected_prior",
        "_jitter",
        "_next",
        "_next_timestamp",
        "_pending",
        "_received",
        "_received_prior",
        "_transit",
        "duplicates",
        "late",
        "packets",
        "ssrc",
    )

    def __init__(self) -> None:
        self.ssrc: int | None = None
        self.packets = 0
        """All that were taken, of every source."""
        self.duplicates = 0
        self.late = 0
        """Came after their place was given up."""
        self._pending: dict[int, RtpPacket] = {}
        self._candidate: int | None = None
        self._candidate_sequence = 0
        self._begin(0)

    def take(self, packet: RtpPacket, now_ms: float) -> list[Frame]:
        """A packet of any payload type: each has a place in the order."""
        if packet.ssrc != self.ssrc and not self._is_new_source(packet):
            return []
        self.packets += 1
        self._received += 1
        sequence = packet.sequence
        ahead = (sequence - self._next) & 0xFFFF
        if ahead == 0 and not self._pending:
            self._measure(packet, now_ms)
            self._advance()
            return [self._frame(packet)]
        if ahead >= 0x8000:
            return self._old(packet, 0x10000 - ahead)
        if ahead >= DROPOUT_MAX:
            # Either the peer began anew, or this is garbage: two in a row decide.
            if self._candidate_sequence != sequence or self._candidate != packet.ssrc:
                self._candidate, self._candidate_sequence = packet.ssrc, (sequence + 1) & 0xFFFF
                return []
            frames = self.flush()
            self._begin(sequence)
            self._received += 1
            self._advance()
            return [*frames, self._frame(packet)]
        if sequence in self._pending:
            self.duplicates += 1
            return []
        self._measure(packet, now_ms)
        self._pending[sequence] = packet
        return self._in_order(DEPTH_PACKETS)

    def take_next(self, sequence: int, timestamp: int, ssrc: int, octets: int, now_ms: float) -> int:
        """`take` of the packet that nearly all are, the next one of the source that is there, without an object made.

        Gives the gap before its `octets` of payload; -1 where it is not that plain, and then nothing has happened.
        """
        if sequence != self._next or ssrc != self.ssrc or self._pending:
            return -1
        self.packets += 1
        self._received += 1
        transit = now_ms * RATE_PER_MS - timestamp
        if self._transit is not None:
            difference = abs(transit - self._transit)
            if difference < TIMELINE_SAMPLES:
                self._jitter += (difference - self._jitter) / 16
        self._transit = transit
        if sequence == 0xFFFF:
            self._advance()
        else:
            self._next = sequence + 1
        gap = 0 if self._next_timestamp is None else (timestamp - self._next_timestamp) & 0xFFFFFFFF
        self._next_timestamp = (timestamp + octets) & 0xFFFFFFFF
        return gap if gap <= GAP_SAMPLES_MAX else 0

    def flush(self) -> list[Frame]:
        """What still waits for a missing packet: none will come any more."""
        return self._in_order(0)

    @property
    def lost(self) -> int:
        """Packets that were expected and did not come (section A.3); negative where some came twice."""
        return self._expected - self._received if self.ssrc is not None else 0

    def report(self) -> Statistics | None:
        """The report block of the interval since the last one; None before anything came."""
        if self.ssrc is None:
            return None
        expected = self._expected
        expected_interval = expected - self._expected_prior
        lost_interval = expected_interval - (self._received - self._received_prior)
        self._expected_prior, self._received_prior = expected, self._received
        fraction = 0
        if expected_interval > 0 and lost_interval > 0:
            fraction = min(255, (lost_interval << 8) // expected_interval)
        lost = max(-0x800000, min(0x7FFFFF, expected - self._received))
        highest = (self._cycles + self._next + self._ahead - 1) & 0xFFFFFFFF
        return Statistics(self.ssrc, fraction, lost, highest, int(self._jitter))

    # Inside

    @property
    def _expected(self) -> int:
        return self._cycles + self._next + self._ahead - self._base

    @property
    def _ahead(self) -> int:
        """How far what waits reaches beyond what is in order."""
        return 1 + max(map(self._distance, self._pending)) if self._pending else 0

    def _begin(self, sequence: int) -> None:
        self._base = self._next = sequence
        self._cycles = 0
        self._received = self._received_prior = self._expected_prior = 0
        self._next_timestamp: int | None = None
        self._jitter = 0.0
        self._transit: float | None = None
        self._pending.clear()

    def _is_new_source(self, packet: RtpPacket) -> bool:
        """The first source counts at once; another one once two of its packets follow each other: a stray packet must
        not end the stream that is there.
        """
        if self.ssrc is not None:
            expected = self._candidate_sequence
            is_second = self._candidate == packet.ssrc and packet.sequence == expected
            self._candidate, self._candidate_sequence = packet.ssrc, (packet.sequence + 1) & 0xFFFF
            if not is_second:
                return False
        self.ssrc = packet.ssrc
        self._candidate = None
        self._begin(packet.sequence)
        return True

    def _old(self, packet: RtpPacket, behind: int) -> list[Frame]:
        if behind <= MISORDER_MAX:
            self.late += 1
            return []
        if self._candidate == packet.ssrc and self._candidate_sequence == packet.sequence:
            self._begin(packet.sequence)
            self._received += 1
            self._advance()
            return [self._frame(packet)]
        self._candidate, self._candidate_sequence = packet.ssrc, (packet.sequence + 1) & 0xFFFF
        return []

    def _in_order(self, depth: int) -> list[Frame]:
        """Everything up to the first missing packet; that one is given up while more than `depth` wait behind it."""
        frames: list[Frame] = []
        pending = self._pending
        while pending:
            packet = pending.pop(self._next, None)
            if packet is None:
                if len(pending) <= depth:
                    break
                self._advance(self._distance(min(pending, key=self._distance)))
                continue
            self._advance()
            frames.append(self._frame(packet))
        return frames

    def _distance(self, sequence: int) -> int:
        return (sequence - self._next) & 0xFFFF

    def _advance(self, count: int = 1) -> None:
        self._next += count
        if self._next >= 0x10000:
            self._next -= 0x10000
            self._cycles += 0x10000

    def _frame(self, packet: RtpPacket) -> Frame:
        timestamp, payload = packet.timestamp, packet.payload
        gap = 0
        if self._next_timestamp is not None:
            gap = (timestamp - self._next_timestamp) & 0xFFFFFFFF
            if gap > GAP_SAMPLES_MAX:
                gap = 0
        self._next_timestamp = (timestamp + len(payload)) & 0xFFFFFFFF
        return Frame(gap, payload, packet.payload_type)

    def _measure(self, packet: RtpPacket, now_ms: float) -> None:
        """Section A.8."""
        transit = now_ms * RATE_PER_MS - packet.timestamp
        if self._transit is not None:
            difference = abs(transit - self._transit)
            if difference < TIMELINE_SAMPLES:
                self._jitter += (difference - self._jitter) / 16
        self._transit = transit
