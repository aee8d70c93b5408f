"""The parts of the media process, each by itself."""

from __future__ import annotations

import itertools
import socket

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chappe.operators.sip.media import library as libraries
from chappe.operators.sip.media.detector import Piece
from chappe.operators.sip.media.ear import STREAMS, Ear, ear_for_one_more
from chappe.operators.sip.media.lateness import Lateness
from chappe.operators.sip.media.library import Library
from chappe.operators.sip.media.messages import (
    MESSAGE_OCTETS_MAX,
    Command,
    Connect,
    Digit,
    DigitsSent,
    FirstAudio,
    Heard,
    Load,
    Open,
    Play,
    Played,
    Silent,
    Talk,
)
from chappe.operators.sip.media.pipe import PipeBroken, PipeReader, written
from chappe.operators.sip.media.ports import Ports
from chappe.operators.sip.media.stream import Stream
from chappe.operators.sip.media.wheel import SLOTS, Wheel
from chappe.operators.sip.rtp.digits import DigitSender
from chappe.operators.sip.rtp.packet import RtpSender, parse_packet
from chappe.operators.sip.rtp.rtcp import Report, SenderInfo, ntp_of, parse_compound

PEER = ("192.0.2.9", 4000)


class FakeSocket:
    def __init__(self) -> None:
        self.sent: list[tuple[bytes, tuple[str, int]]] = []
        self.error: OSError | None = None

    def sendto(self, data: bytes, to: tuple[str, int]) -> None:
        if self.error is not None:
            raise self.error
        self.sent.append((data, to))


class FakeOwner:
    def __init__(self) -> None:
        self.library = Library()
        self.told: list[object] = []
        self.pieces: list[Piece] = []

    def tell(self, event) -> None:
        self.told.append(event)

    def unix_s(self) -> float:
        return 1_700_000_000.0

    def listened(self, piece) -> None:
        self.pieces.append(piece)


def stream(**changes) -> tuple[Stream, FakeSocket, FakeOwner]:
    """A connected stream that may talk."""
    owner, sock = FakeOwner(), FakeSocket()
    made = Stream(owner, 1, sock, lambda bits: 5, 0.0)  # type: ignore[arg-type]
    made.connect(agreed(**changes))
    made.is_talking = True
    return made, sock, owner


def agreed(**changes) -> Connect:
    return Connect(
        **{
            "stream": 1,
            "host": PEER[0],
            "port": PEER[1],
            "rtcp_port": 4001,
            "codec": "PCMA",
            "payload_type": 8,
            "receives": {8: "PCMA", 0: "PCMU"},
            "events_send": 101,
            "events_receive": 101,
            "ptime_ms": 20,
            "may_send": True,
            **changes,
        }
    )


def payloads(sock: FakeSocket) -> list[bytes]:
    return [parse_packet(data).payload for data, _ in sock.sent]


SOUND = bytes(range(256)) * 2


# Sending


def test_a_stream_sends_silence_then_a_sound_then_silence():
    made, sock, owner = stream()
    owner.library.load(7, "PCMA", SOUND, is_last=True)
    made.turn()
    made.play(7)
    for _ in range(5):
        made.turn()
    assert b"".join(payloads(sock)) == b"\xd5" * 160 + SOUND + b"\xd5" * (640 - 512) + b"\xd5" * 160
    assert owner.told == [Played(1, 7, 80, True)]
    assert {to for _, to in sock.sent} == {PEER}
    assert [parse_packet(data).sequence for data, _ in sock.sent] == list(range(5, 11))


@pytest.mark.parametrize("ptime_ms", [10, 20, 30, 40, 60])
def test_every_packet_time_and_both_codecs(ptime_ms):
    made, sock, owner = stream(ptime_ms=ptime_ms, codec="PCMU", payload_type=0)
    owner.library.load(7, "PCMA", b"no", is_last=True)
    owner.library.load(7, "PCMU", SOUND[:300], is_last=False)
    owner.library.load(7, "PCMU", SOUND[300:], is_last=True)
    made.play(7)
    while not owner.told:
        made.turn()
    sent = b"".join(payloads(sock))
    assert sent[:512] == SOUND
    assert set(sent[512:]) <= {0xFF}
    assert {len(payload) for payload in payloads(sock)} == {8 * ptime_ms}


def test_nothing_is_sent_before_it_may_talk_and_while_the_peer_does_not_listen():
    made, sock, _ = stream(may_send=False)
    made.turn()
    made.connect(agreed())
    made.is_talking = False
    made.turn()
    assert sock.sent == []


def test_a_sound_that_is_stopped_or_replaced_tells_how_much_was_played():
    made, _, owner = stream()
    owner.library.load(7, "PCMA", b"x" * 1600, is_last=True)
    made.play(7)
    made.turn()
    made.play(7)
    made.turn()
    made.turn()
    made.stop_playing()
    made.stop_playing()
    assert owner.told == [Played(1, 7, 20, False), Played(1, 7, 40, False)]


def test_a_sound_that_is_not_there_or_empty_is_over_at_once():
    made, _, owner = stream()
    made.play(9)
    owner.library.load(7, "PCMA", b"", is_last=True)
    made.play(7)
    assert owner.told == [Played(1, 9, 0, False), Played(1, 7, 0, True)]


def test_another_codec_in_the_middle_ends_the_sound():
    made, sock, owner = stream()
    owner.library.load(7, "PCMA", b"x" * 1600, is_last=True)
    made.play(7)
    made.turn()
    made.connect(agreed(codec="PCMU", payload_type=0, port=5000))
    made.turn()
    assert owner.told == [Played(1, 7, 20, False)]
    packet = parse_packet(sock.sent[-1][0])
    assert (packet.payload_type, packet.payload) == (0, b"\xff" * 160)
    assert sock.sent[-1][1] == (PEER[0], 5000)


def test_a_socket_that_cannot_send_stops_nothing():
    made, sock, owner = stream()
    owner.library.load(7, "PCMA", b"x" * 320, is_last=True)
    made.play(7)
    sock.error = ConnectionRefusedError()
    made.turn()
    made.turn()
    assert owner.told == [Played(1, 7, 40, True)]


def test_digits_are_sent_between_sounds():
    made, sock, owner = stream()
    made.send_digits("12")
    for _ in range(25):
        made.turn()
    events = [parse_packet(data) for data, _ in sock.sent]
    assert [packet.payload[0] for packet in events if packet.payload_type == 101 and packet.has_marker] == [
        1,
        2,
    ]
    assert owner.told == [DigitsSent(1)]
    for changes in ({"events_send": None}, {}):
        made, sock, owner = stream(**changes)
        made.send_digits("x" if not changes else "1")
        assert owner.told == [DigitsSent(1)]


# Receiving


def incoming(made: Stream, *packets: bytes, source=PEER, now_ms: float = 0.0) -> None:
    for data in packets:
        made.receive(data, source, now_ms)


def test_the_first_audio_is_told_and_what_is_said_recorded_in_seconds():
    made, _, owner = stream()
    made.record(1500)
    sender = RtpSender(9, 0, 0, 8)
    sent = [sender.frame(bytes([number]) * 160) for number in range(100)]
    del sent[10]
    incoming(made, *sent)
    made.finish(0.0)
    assert owner.told[0] == FirstAudio(1)
    first, second = owner.told[1:]
    assert isinstance(first, Heard)
    assert isinstance(second, Heard)
    assert (len(first.octets), first.is_last, second.is_last) == (8000, False, True)
    whole = first.octets + second.octets
    expected = b"".join(bytes([number]) * 160 if number != 10 else b"\xd5" * 160 for number in range(75))
    assert whole == expected


def test_a_recording_ends_with_the_stream():
    made, _, owner = stream()
    made.record(60_000)
    sender = RtpSender(9, 0, 0, 8)
    incoming(made, *[sender.frame(b"a" * 160) for _ in range(3)])
    made.finish(0.0)
    assert owner.told[-1] == Heard(1, "PCMA", b"a" * 480, True)


def test_a_paced_recording_keeps_to_the_clock_and_puts_nothing_between_what_is_said_without_a_pause():
    made, _, owner = stream()
    made.record(60_000, 0.0)
    sender = RtpSender(9, 0, 0, 8)
    # The first word comes after a second; then packets come 60 ms late and early.
    for number in range(50):
        late_ms = (0, 60, -20)[number % 3]
        made.receive(sender.frame(b"a" * 160), PEER, 1000.0 + 20 * number + late_ms)
    # Nobody speaks for three seconds, and what the peer counts for it is not put in once more.
    made.watch(4000.0)
    sender.timestamp += 8000 * 2
    made.receive(sender.frame(b"b" * 160), PEER, 4000.0)
    made.finish(5000.0)
    recorded = b"".join(event.octets for event in owner.told if isinstance(event, Heard))
    silence = b"\xd5"
    begins, ends = recorded.index(b"a"), recorded.index(b"b")
    assert recorded[begins : begins + 8000] == b"a" * 8000
    assert abs(begins - 8000) <= 1600
    assert abs(ends - 32000) <= 1600
    assert abs(len(recorded) - 40000) <= 1600
    assert recorded.replace(b"a", b"").replace(b"b", b"").strip(silence) == b""


def test_another_codec_begins_another_piece():
    made, _, owner = stream()
    made.record(60_000)
    sender = RtpSender(9, 0, 0, 8)
    first = sender.frame(b"a" * 160)
    sender.payload_type = 0
    incoming(made, first, sender.frame(b"b" * 160))
    made.finish(0.0)
    assert owner.told[1:] == [Heard(1, "PCMA", b"a" * 160, False), Heard(1, "PCMU", b"b" * 160, True)]


def test_digits_are_told_once_and_are_no_audio():
    made, _, owner = stream()
    made.record(60_000)
    made.is_listening = True
    sender = RtpSender(9, 0, 0, 8)
    digits = DigitSender("7#", sender, 101)
    batches = [data for batch in iter(digits.next, None) for data in batch]
    incoming(made, *batches, sender.frame(b"a" * 160))
    assert [event.digit for event in owner.told if isinstance(event, Digit)] == ["7", "#"]
    assert [piece.octets for piece in owner.pieces] == [b"a" * 160]


def test_strangers_and_other_payloads_are_not_heard():
    made, _, owner = stream(policy="never")
    sender = RtpSender(9, 0, 0, 8)
    incoming(made, *[sender.frame(b"a" * 160) for _ in range(5)], source=("203.0.113.1", 1))
    sender.payload_type = 96
    incoming(made, sender.frame(b"a" * 160), b"", b"\x80", b"x" * 3000)
    assert owner.told == []


def test_audio_goes_back_to_where_it_really_comes_from():
    made, sock, _ = stream()
    sender = RtpSender(9, 0, 0, 8)
    incoming(made, *[sender.frame(b"a" * 160) for _ in range(3)], source=("198.51.100.1", 9))
    made.turn()
    assert sock.sent[-1][1] == ("198.51.100.1", 9)
    made.connect(agreed())  # a re-INVITE that changes nothing
    made.turn()
    assert sock.sent[-1][1] == ("198.51.100.1", 9)


def test_silence_is_told_again_and_again():
    made, _, owner = stream()
    made.watch(9_999)
    made.watch(10_000)
    made.watch(15_000)
    made.watch(20_000)
    incoming(made, RtpSender(9, 0, 0, 8).frame(b"a" * 160), now_ms=21_000)
    made.watch(30_999)
    assert [event for event in owner.told if isinstance(event, Silent)] == [
        Silent(1, 10_000),
        Silent(1, 20_000),
    ]


def test_reports_say_what_was_sent_and_heard():
    made, _, _ = stream()
    for _ in range(3):
        made.turn()
    sender = RtpSender(9, 0, 0, 8)
    for number in range(4):
        incoming(made, sender.frame(b"a" * 160), now_ms=20 * number)
    made.take_report(Report(9, SenderInfo(ntp_of(5.0), 0, 4, 640), ()), 100.0)
    (report,) = parse_compound(made.report(1100.0))
    assert isinstance(report, Report)
    assert report.sender is not None
    assert (report.sender.packets, report.sender.octets) == (3, 480)
    (block,) = report.blocks
    assert (block.ssrc, block.highest, block.lost, block.delay) == (9, 3, 0, 65536)
    made.take_report(parse_compound(made.report(1100.0))[0], 1200.0)  # not about us
    counts = made.finish(0.0)
    assert counts == (3, 4, 0, 0.0, -1, -1.0)


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_a_stream_takes_any_datagram(datagrams):
    made, _, _ = stream()
    made.record(1000)
    made.is_listening = True
    for data in datagrams:
        made.receive(data, PEER, 0.0)
        made.receive(b"\x80\x08" + data, PEER, 0.0)
        made.receive(b"\x80\x65" + data, PEER, 0.0)
    made.finish(0.0)


# The wheel, the library, the pipe, ports


def test_streams_are_spread_and_each_has_its_turn_in_time():
    wheel: Wheel[str] = Wheel()
    for number in range(40):
        wheel.add(number, f"s{number}", 20)
    wheel.add(100, "slow", 60)
    assert {len([item for item in wheel.at(tick) if item != "slow"]) for tick in range(SLOTS)} == {2}
    turns = [tick for tick in range(1000, 1000 + 2 * SLOTS) if "s7" in wheel.at(tick)]
    assert {later - earlier for earlier, later in itertools.pairwise(turns)} == {20}
    assert sum("slow" in wheel.at(tick) for tick in range(SLOTS)) == 2
    for number in (*range(40), 100):
        wheel.remove(number)
    assert not any(wheel.at(tick) for tick in range(SLOTS))


def test_detectors_are_filled_one_after_the_other_and_then_alike():
    class Nothing:
        def begin(self, stream): ...
        def feed(self, pieces):
            return []

        def end(self, stream): ...

    ears = [Ear(Nothing()) for _ in range(3)]
    for number in range(3 * STREAMS + 30):
        ear_for_one_more(ears).streams.add(number)
        if number == STREAMS:
            assert [len(ear.streams) for ear in ears] == [STREAMS, 1, 0]
    assert [len(ear.streams) for ear in ears] == [STREAMS + 10] * 3
    ears[1].streams -= set(list(ears[1].streams)[:20])
    assert ear_for_one_more(ears) is ears[1]


def test_the_library_has_a_limit_and_gives_room_back(monkeypatch):
    monkeypatch.setattr(libraries, "OCTETS_MAX", 1000)
    library = Library()
    assert library.load(1, "PCMA", b"x" * 600, is_last=True)
    assert library.frames(1, "PCMA", 20) is library.frames(1, "PCMA", 20)
    assert not library.load(2, "PCMA", b"x" * 600, is_last=False)
    assert library.load(2, "PCMA", b"x" * 300, is_last=False)
    assert library.frames(2, "PCMA", 20) is None
    library.unload(1)
    library.unload(2)
    assert library.frames(1, "PCMA", 20) is None
    assert library.load(3, "PCMA", b"x" * 1000, is_last=True)
    assert library.load(3, "PCMU", b"", is_last=True)


def test_messages_go_through_the_pipe_in_whatever_pieces():
    messages = [Open(1), Talk(1), Load(3, "PCMA", b"x" * 1000, is_last=True), Play(1, 3), agreed()]
    octets = b"".join(map(written, messages))
    reader = PipeReader(msgspec.msgpack.Decoder(Command))
    assert reader.feed(octets) == messages
    assert [message for octet in octets for message in reader.feed(bytes([octet]))] == messages
    for wrong in (b"\0\0\0\1\xc1", (MESSAGE_OCTETS_MAX + 1).to_bytes(4, "big"), b"\0\0\0\1\x01"):
        with pytest.raises(PipeBroken):
            PipeReader(msgspec.msgpack.Decoder(Command)).feed(wrong)


def test_ports_of_a_range_are_used_in_turn_until_none_is_left():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        if port > 65500:
            port = taken.getsockname()[1] - 10
        ports = Ports("127.0.0.1", port, port)
        with pytest.raises(OSError, match="no port"):
            ports.open_rtp()
    with Ports("127.0.0.1").open_rtp() as any_port:
        assert any_port.getsockname()[1] > 0


def test_lateness_is_told_in_quantiles():
    lateness = Lateness()
    assert lateness.quantile_ms(0.5) == 0
    lateness.add(100, 98)
    lateness.add(7000, 1)
    lateness.add(10**6, 1)
    assert lateness.quantile_ms(0.5) == pytest.approx(0.15)
    assert lateness.quantile_ms(0.99) == pytest.approx(7.05)
    assert lateness.max_us == 10**6
