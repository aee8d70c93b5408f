"""One call's audio: what it sends in its turn, what it makes of what comes in."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Final, Protocol

from chappe.operators.sip.errors import LocalError
from chappe.operators.sip.media.detector import Piece
from chappe.operators.sip.media.library import OCTETS_PER_MS, SILENCE, Library
from chappe.operators.sip.media.messages import (
    Connect,
    Digit,
    DigitsSent,
    Event,
    FirstAudio,
    Heard,
    Played,
    Silent,
)
from chappe.operators.sip.rtp.digits import DigitReader, DigitSender
from chappe.operators.sip.rtp.latch import Latch
from chappe.operators.sip.rtp.laws import TO_OTHER
from chappe.operators.sip.rtp.packet import (
    HEADER,
    HEADER_OCTETS,
    PACKET_OCTETS_MAX,
    VERSION,
    RtpPacket,
    RtpSender,
    parse_packet,
)
from chappe.operators.sip.rtp.receiver import Receiver
from chappe.operators.sip.rtp.relay import Relay
from chappe.operators.sip.rtp.rtcp import (
    Report,
    ReportBlock,
    SenderInfo,
    block_of,
    middle_of,
    ntp_of,
    round_trip_ms,
    write_report,
)
from chappe.operators.sip.sdp.audio import CodecName

CHUNK_OCTETS: Final = 8000
"""A second of a recording."""
SILENT_MS: Final = 10_000
PACE_MS: Final = 200
"""How far a paced recording may lag behind the clock before silence is put in: networks are late by less."""
QUIET_TURNS: Final = 5
"""Turns of a bridged stream in which nothing came for it, before it sends silence: gaps of the network are not filled."""


class Owner(Protocol):
    """The engine."""

    library: Library

    def tell(self, event: Event) -> None: ...
    def unix_s(self) -> float: ...
    def listened(self, piece: Piece) -> None: ...


class Stream:
    """Nothing that comes in makes it raise."""

    __slots__ = (
        "_digit_reader",
        "_digits",
        "_frames",
        "_heard_ms",
        "_index",
        "_last_report",
        "_last_report_ms",
        "_latch",
        "_other",
        "_owner",
        "_peer_lost",
        "_played_sound",
        "_quiet_turns",
        "_receiver",
        "_record_began_ms",
        "_record_left",
        "_record_max",
        "_recorded",
        "_recorded_codec",
        "_relay",
        "_round_trip_ms",
        "_send",
        "_sender",
        "_silence",
        "_silent_told_ms",
        "connected",
        "is_listening",
        "is_talking",
        "number",
        "rtcp_remote",
        "socket",
    )

    def __init__(
        self, owner: Owner, number: int, sock: socket.socket, random: Callable[[int], int], now_ms: float
    ) -> None:
        self._owner = owner
        self.number = number
        self.socket = sock
        self._send = sock.sendto
        self.connected: Connect | None = None
        self.is_talking = False
        self.is_listening = False
        self.rtcp_remote: tuple[str, int] | None = None
        self._sender = RtpSender(random(32), random(16), random(32), 0)
        self._receiver = Receiver()
        self._digit_reader = DigitReader()
        self._latch: Latch | None = None
        self._frames: tuple[bytes, ...] | None = None
        """Of the sound that is played."""
        self._index = 0
        self._played_sound = 0
        self._silence = b""
        self._digits: DigitSender | None = None
        self._recorded = bytearray()
        self._recorded_codec: CodecName = "PCMA"
        self._record_left = 0
        """Octets still to be recorded."""
        self._record_max = 0
        self._record_began_ms: float | None = None
        """Of a recording that keeps to the clock."""
        self._other: Stream | None = None
        """The stream that this one is bridged with."""
        self._relay = Relay(self._sender)
        self._quiet_turns = 0
        self._heard_ms = now_ms
        self._silent_told_ms = now_ms
        self._last_report = 0
        self._last_report_ms = 0.0
        self._peer_lost = -1
        self._round_trip_ms = -1.0

    @property
    def ssrc(self) -> int:
        return self._sender.ssrc

    @property
    def ptime_ms(self) -> int:
        return 20 if self.connected is None else self.connected.ptime_ms

    # What the server wants

    def connect(self, connect: Connect) -> None:
        remote = (connect.host, connect.port)
        if self._latch is None:
            self._latch = Latch(remote, connect.policy)
        else:
            self._latch.agree(remote)
        before = self.connected
        if before is not None and (before.codec, before.ptime_ms) != (connect.codec, connect.ptime_ms):
            self.stop_playing()
        self.connected = connect
        self.rtcp_remote = (connect.host, connect.rtcp_port)
        self._sender.payload_type = connect.payload_type
        self._silence = self._owner.library.silence(connect.codec, connect.ptime_ms)

    def play(self, sound: int) -> None:
        self.stop_playing()
        connect = self.connected
        frames = None
        if connect is not None:
            frames = self._owner.library.frames(sound, connect.codec, connect.ptime_ms)
        if not frames:
            self._owner.tell(Played(self.number, sound, 0, is_complete=frames is not None))
            return
        self._frames, self._index, self._played_sound = frames, 0, sound

    def stop_playing(self) -> None:
        if self._frames is not None:
            self._end_playing(is_complete=False)

    def send_digits(self, digits: str) -> None:
        connect = self.connected
        if connect is None or connect.events_send is None or not self.is_talking:
            self._owner.tell(DigitsSent(self.number))
            return
        try:
            self._digits = DigitSender(digits, self._sender, connect.events_send, frame_ms=connect.ptime_ms)
        except LocalError:
            self._owner.tell(DigitsSent(self.number))

    def record(self, ms_max: int, paced_from_ms: float | None = None) -> None:
        self._record_left = self._record_max = ms_max * OCTETS_PER_MS
        self._record_began_ms = paced_from_ms

    def bridge(self, other: Stream) -> None:
        """Either end hears the other; whoever they were bridged with before hears nothing."""
        for stream, partner in ((self, other), (other, self)):
            if stream._other is not None:
                stream._other._other = None
            stream.stop_playing()
            stream._other = partner
            stream._relay.rest()

    # Its turn: once in every packet time

    def turn(self) -> None:
        connect = self.connected
        if not self.is_talking or connect is None or not connect.may_send:
            return
        latch = self._latch
        assert latch is not None
        if self._digits is not None:
            self._send_digit(latch)
            return
        if self._other is not None:
            self._quiet_turns += 1
            if self._quiet_turns <= QUIET_TURNS:
                return
            self._relay.rest()
        frames = self._frames
        if frames is None:
            payload = self._silence
        else:
            index = self._index
            payload = frames[index]
            self._index = index + 1
        try:
            self._send(self._sender.frame(payload), latch.remote)
        except OSError:
            pass  # a full buffer, or an ICMP message: the next frame goes on
        if frames is not None and self._index == len(frames):
            self._end_playing(is_complete=True)

    def report(self, now_ms: float) -> bytes:
        """The RTCP that is due now (the engine asks once in 5 s)."""
        blocks: tuple[ReportBlock, ...] = ()
        statistics = self._receiver.report()
        if statistics is not None:
            delay = int((now_ms - self._last_report_ms) * 65.536) if self._last_report else 0
            blocks = (block_of(statistics, self._last_report, delay),)
        sender = self._sender
        info = None
        if sender.packets:
            info = SenderInfo(ntp_of(self._owner.unix_s()), sender.timestamp, sender.packets, sender.octets)
        return write_report(Report(sender.ssrc, info, blocks), "chappe")

    def watch(self, now_ms: float) -> None:
        """Tells when nothing comes, each time it has been so for another `SILENT_MS`. Once in some seconds."""
        self._keep_pace(now_ms)
        if self.connected is not None and now_ms - self._silent_told_ms >= SILENT_MS:
            self._silent_told_ms = now_ms
            self._owner.tell(Silent(self.number, int(now_ms - self._heard_ms)))

    # What comes in

    def receive(self, data: bytes, source: tuple[str, int], now_ms: float) -> None:
        connect, latch = self.connected, self._latch
        if connect is None or latch is None or self._receive_next(connect, latch, data, source, now_ms):
            return
        packet = parse_packet(data)
        if packet is None:
            return
        codec = connect.receives.get(packet.payload_type)
        is_event = packet.payload_type == connect.events_receive
        if (codec is None and not is_event) or not latch.accepts(source, packet.ssrc, now_ms):
            return
        self._heard_ms = self._silent_told_ms = now_ms
        receiver = self._receiver
        if receiver.packets == 0:
            self._owner.tell(FirstAudio(self.number))
        if is_event:
            digit = self._digit_reader.take(packet)
            if digit is not None:
                self._owner.tell(Digit(self.number, digit))
        if self._other is not None:
            self._other.pass_on(packet, codec, now_ms)
        for frame in receiver.take(packet, now_ms):
            frame_codec = connect.receives.get(frame.payload_type)
            if frame_codec is not None and (self.is_listening or self._record_left):
                self._take_audio(frame_codec, frame.gap, frame.payload)

    def _receive_next(
        self, connect: Connect, latch: Latch, data: bytes, source: tuple[str, int], now_ms: float
    ) -> bool:
        """The same for the plainest packet, which nearly all are, at half the cost. False: it is another one, and
        nothing has happened.
        """
        if (
            source != latch.remote
            or self._other is not None
            or not HEADER_OCTETS <= len(data) <= PACKET_OCTETS_MAX
        ):
            return False
        first, second, sequence, timestamp, ssrc = HEADER.unpack_from(data)
        # With a marker, `second` is no payload type.
        codec = connect.receives.get(second)
        if first != VERSION or codec is None or second == connect.events_receive:
            return False
        gap = self._receiver.take_next(sequence, timestamp, ssrc, len(data) - HEADER_OCTETS, now_ms)
        if gap < 0:
            return False
        latch.accepts(source, ssrc, now_ms)
        self._heard_ms = self._silent_told_ms = now_ms
        if self.is_listening or self._record_left:
            self._take_audio(codec, gap, data[HEADER_OCTETS:])
        return True

    def pass_on(self, packet: RtpPacket, codec: CodecName | None, now_ms: float) -> None:
        """What came in on the other stream of a bridge goes out on this one. `codec` is None for a digit."""
        connect, latch = self.connected, self._latch
        if connect is None or latch is None or not connect.may_send or self._digits is not None:
            return
        payload_type: int | None = connect.payload_type
        payload = packet.payload
        if codec is None:
            payload_type = connect.events_send
            if payload_type is None:
                return
        elif codec != connect.codec:
            payload = payload.translate(TO_OTHER[codec])
        data = self._relay.pass_on(packet, payload_type, payload, now_ms, is_audio=codec is not None)
        if data is None:
            return
        self._quiet_turns = 0
        try:
            self._send(data, latch.remote)
        except OSError:
            pass

    def take_report(self, report: Report, now_ms: float) -> None:
        """An RTCP report of the peer's that is about us, or from whom we hear."""
        if report.sender is not None and report.ssrc == self._receiver.ssrc:
            self._last_report = middle_of(report.sender.ntp)
            self._last_report_ms = now_ms
        for block in report.blocks:
            if block.ssrc == self._sender.ssrc:
                self._peer_lost = block.lost
                trip_ms = round_trip_ms(block, ntp_of(self._owner.unix_s()))
                if trip_ms is not None:
                    self._round_trip_ms = trip_ms

    def finish(self, now_ms: float) -> tuple[int, int, int, float, int, float]:
        """The end: what waits is told. Gives the counts for `Closed`."""
        if self._other is not None:
            self._other._other = self._other = None
        connect = self.connected
        if connect is not None:
            for frame in self._receiver.flush():
                codec = connect.receives.get(frame.payload_type)
                if codec is not None and self._record_left:
                    self._take_audio(codec, frame.gap, frame.payload)
        self.stop_playing()
        self._keep_pace(now_ms)
        if self._record_left or self._recorded:
            self._record_left = 0
            self._tell_heard(is_last=True)
        statistics = self._receiver.report()
        jitter_ms = 0.0 if statistics is None else statistics.jitter / OCTETS_PER_MS
        return (
            self._sender.packets,
            self._receiver.packets,
            self._receiver.lost,
            jitter_ms,
            self._peer_lost,
            self._round_trip_ms,
        )

    # Inside

    def _send_digit(self, latch: Latch) -> None:
        digits = self._digits
        assert digits is not None
        batch = digits.next()
        if batch is None:
            self._digits = None
            self._relay.rest()
            self._owner.tell(DigitsSent(self.number))
            return
        for data in batch:
            try:
                self._send(data, latch.remote)
            except OSError:
                pass

    def _end_playing(self, *, is_complete: bool) -> None:
        played_ms = self._index * self.ptime_ms
        self._frames = None
        self._owner.tell(Played(self.number, self._played_sound, played_ms, is_complete=is_complete))

    def _take_audio(self, codec: CodecName, gap: int, payload: bytes) -> None:
        if self.is_listening:
            self._owner.listened(Piece(self.number, codec, gap, payload))
        left = self._record_left
        if not left:
            return
        recorded = self._recorded
        if codec != self._recorded_codec:
            self._tell_heard(is_last=False)
            self._recorded_codec = codec
        if self._record_began_ms is not None:
            gap = self._paced_gap(gap, len(payload))
        if gap:
            recorded += bytes([SILENCE[codec]]) * min(gap, left)
        recorded += payload[: max(0, left - gap)]
        self._record_left = left = max(0, left - gap - len(payload))
        if len(recorded) >= CHUNK_OCTETS or not left:
            self._tell_heard(is_last=not left)

    def _behind(self, now_ms: float) -> int:
        """How many octets a paced recording has less than have passed."""
        assert self._record_began_ms is not None
        return int((now_ms - self._record_began_ms) * OCTETS_PER_MS) - (self._record_max - self._record_left)

    def _paced_gap(self, gap: int, octets: int) -> int:
        """The silence before a payload: as the peer counts it, but neither ahead of the clock nor far behind."""
        behind = self._behind(self._heard_ms) - octets
        if behind > PACE_MS * OCTETS_PER_MS:
            return behind
        return max(0, min(gap, behind))

    def _keep_pace(self, now_ms: float) -> None:
        """Nothing came for a while."""
        if self._record_began_ms is None or not self._record_left:
            return
        behind = self._behind(now_ms)
        if behind > PACE_MS * OCTETS_PER_MS:
            # Half of it is left: somebody may be about to speak.
            missing = min(behind - PACE_MS * OCTETS_PER_MS // 2, self._record_left)
            self._recorded += bytes([SILENCE[self._recorded_codec]]) * missing
            self._record_left -= missing
            self._tell_heard(is_last=not self._record_left)

    def _tell_heard(self, *, is_last: bool) -> None:
        recorded = self._recorded
        if recorded or is_last:
            self._owner.tell(Heard(self.number, self._recorded_codec, bytes(recorded), is_last))
            recorded.clear()
