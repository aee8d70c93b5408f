"""What comes in on one stream goes out on another, packet for packet, in the sequence that this one has begun.

Straight through, neither put in order nor paced anew: whoever listens has a jitter buffer of his own, a second one
here would only add its delay to every word. A packet that is missing, late or twice is so for the listener too, and he
conceals it as on any call. SSRC, sequence and time are ours: a source may change behind us, and the listener need not
notice more than a jump.
"""

from __future__ import annotations

from typing import Final

from chappe.operators.sip.rtp.packet import HEADER, MARKER, VERSION, RtpPacket, RtpSender

PACKETS_MAX: Final = 300
"""In `WINDOW_MS`: three times what the shortest packets make. The rest of a flood stays here."""
WINDOW_MS: Final = 1000.0


class Relay:
    """The packets that go out as `sender`'s."""

    __slots__ = ("_count", "_sender", "_sequence", "_ssrc", "_timestamp", "_window_ms")

    def __init__(self, sender: RtpSender) -> None:
        self._sender = sender
        self._ssrc: int | None = None
        self._sequence = 0
        """From the source's to ours; the same for the time."""
        self._timestamp = 0
        self._window_ms = 0.0
        self._count = 0

    def rest(self) -> None:
        """`sender` has sent packets of its own: what comes next follows them."""
        self._ssrc = None

    def pass_on(
        self, packet: RtpPacket, payload_type: int, payload: bytes, now_ms: float, *, is_audio: bool
    ) -> bytes | None:
        """The packet to send; None for one of a flood."""
        if now_ms - self._window_ms >= WINDOW_MS:
            self._window_ms, self._count = now_ms, 0
        self._count += 1
        if self._count > PACKETS_MAX:
            return None
        sender = self._sender
        has_marker = packet.has_marker
        if packet.ssrc != self._ssrc:
            self._ssrc = packet.ssrc
            self._sequence = sender.sequence - packet.sequence
            self._timestamp = sender.timestamp - packet.timestamp
            has_marker = True
        sequence = (packet.sequence + self._sequence) & 0xFFFF
        timestamp = (packet.timestamp + self._timestamp) & 0xFFFFFFFF
        following = (sequence + 1) & 0xFFFF
        if (following - sender.sequence) & 0xFFFF < 0x8000:
            sender.sequence = following
            if is_audio:
                sender.timestamp = (timestamp + len(payload)) & 0xFFFFFFFF
        sender.packets += 1
        sender.octets += len(payload)
        head = HEADER.pack(
            VERSION, payload_type | MARKER if has_marker else payload_type, sequence, timestamp, sender.ssrc
        )
        return head + payload
