"""RTP: packets, the order they are put into, digits, reports, and who is believed."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chappe.operators.sip.errors import LocalError
from chappe.operators.sip.rtp.digits import DIGITS, DigitReader, DigitSender
from chappe.operators.sip.rtp.latch import Latch
from chappe.operators.sip.rtp.packet import RtpPacket, RtpSender, parse_packet
from chappe.operators.sip.rtp.receiver import DEPTH_PACKETS, Receiver
from chappe.operators.sip.rtp.rtcp import (
    Goodbye,
    Report,
    ReportBlock,
    SenderInfo,
    block_of,
    blocks_of,
    middle_of,
    ntp_of,
    parse_compound,
    round_trip_ms,
    write_report,
)


def packets(count: int, *, sequence: int = 0, timestamp: int = 0, ssrc: int = 7) -> list[RtpPacket]:
    sender = RtpSender(ssrc, sequence, timestamp, 8)
    read = [parse_packet(sender.frame(bytes([number % 256]) * 160)) for number in range(count)]
    assert all(read)
    return read  # type: ignore[return-value]


def heard(receiver: Receiver, packets: list[RtpPacket]) -> list[tuple[int, int]]:
    """(gap, number of the frame) of what comes out, at the end too."""
    frames = [frame for number, packet in enumerate(packets) for frame in receiver.take(packet, 20 * number)]
    return [(frame.gap, frame.payload[0]) for frame in [*frames, *receiver.flush()]]


# Packets


def test_a_packet_is_as_the_rfc_says():
    sender = RtpSender(0x11223344, 65535, 0xFFFFFFF0, 8)
    assert sender.frame(b"abcd", marker=True) == bytes.fromhex("8088ffff fffffff0 11223344") + b"abcd"
    assert sender.frame(b"abcd") == bytes.fromhex("80080000 fffffff4 11223344") + b"abcd"
    assert (sender.packets, sender.octets) == (2, 8)
    sender.skip(160)
    assert sender.timestamp == 0xFFFFFFF8 + 160 - 2**32


@pytest.mark.parametrize(
    ("data", "payload"),
    [
        (bytes.fromhex("80080001 00000002 00000003") + b"ab", b"ab"),
        (bytes.fromhex("80080001 00000002 00000003"), b""),
        # Two contributing sources, an extension of one word, three octets of padding
        (
            bytes.fromhex("b2080001 00000002 00000003 0000000a 0000000b bede0001 12345678") + b"ab\0\0\3",
            b"ab",
        ),
        (bytes.fromhex("a0080001 00000002 00000003 01"), b""),
    ],
)
def test_packets_of_every_form(data, payload):
    assert parse_packet(data) == RtpPacket(8, False, 1, 2, 3, payload)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80" * 11,
        bytes.fromhex("40080001 00000002 00000003"),  # version 1
        bytes.fromhex("8f080001 00000002 00000003"),  # sources that are not there
        bytes.fromhex("90080001 00000002 00000003"),  # an extension that is not there
        bytes.fromhex("90080001 00000002 00000003 bede0002 12345678"),
        bytes.fromhex("a0080001 00000002 00000003 00"),  # padding of nothing
        bytes.fromhex("a0080001 00000002 00000003 ff"),
        bytes.fromhex("80080001 00000002 00000003") + b"x" * 1489,
    ],
)
def test_what_is_no_packet(data):
    assert parse_packet(data) is None


@given(st.binary(max_size=60))
@settings(max_examples=300)
def test_any_octets_are_a_packet_or_none(data):
    packet = parse_packet(data)
    assert packet is None or packet.payload in data
    for item in parse_compound(data):
        assert isinstance(item, (Report, Goodbye))


# Order


def test_packets_in_order_are_handed_on_at_once():
    receiver = Receiver()
    for number, packet in enumerate(packets(5, sequence=65533, timestamp=2**32 - 200)):
        (frame,) = receiver.take(packet, 20 * number)
        assert (frame.gap, frame.payload[0]) == (0, number)
    assert (receiver.lost, receiver.packets, receiver.flush()) == (0, 5, [])
    report = receiver.report()
    assert report is not None
    assert report.highest == 0x10001
    assert report.jitter == 0


@pytest.mark.parametrize("seed", range(10))
def test_reordered_and_repeated_packets_come_out_in_order(seed):
    seeded = random.Random(seed)
    sent = packets(200, sequence=65400, timestamp=2**32 - 1000)
    places = sorted(range(200), key=lambda number: number + seeded.random() * DEPTH_PACKETS)
    mixed = [sent[number] for number in places for _ in range(1 + (seeded.random() < 0.3))]
    receiver = Receiver()
    # The first that comes is the beginning: what was before it is late.
    expected = [(0, number) for number in range(places[0], 200)]
    assert heard(receiver, mixed) == expected
    assert receiver.duplicates + receiver.late == len(mixed) - len(expected)


def test_a_lost_packet_is_a_gap_and_is_waited_for_only_so_long():
    receiver = Receiver()
    sent = packets(20)
    lost = sent[5]
    out = []
    for number, packet in enumerate(sent):
        if packet is not lost:
            out += [(frame.gap, frame.payload[0]) for frame in receiver.take(packet, 20 * number)]
        if number == 5 + DEPTH_PACKETS:
            assert out[-1] == (0, 4)
    assert out == [(0, number) for number in range(5)] + [(160, 6)] + [(0, number) for number in range(7, 20)]
    assert receiver.lost == 1
    assert receiver.take(lost, 500) == []
    assert receiver.late == 1


@given(st.lists(st.integers(0, 60), max_size=120))
@settings(max_examples=200)
def test_whatever_is_lost_or_mixed_the_time_comes_out_right(numbers):
    sent = packets(61)
    receiver = Receiver()
    frames = []
    for number in numbers:
        frames += receiver.take(sent[number], 0)
        assert len(receiver._pending) <= DEPTH_PACKETS + 1
    frames += receiver.flush()
    out = [frame.payload[0] for frame in frames]
    assert out == sorted(set(out))
    if frames:
        total = sum(frame.gap + len(frame.payload) for frame in frames)
        assert total == 160 * (out[-1] - out[0] + 1)


def test_silence_that_is_not_sent_is_a_gap_and_a_jump_is_none():
    sent = packets(10)
    later = [packet._replace(timestamp=packet.timestamp + 800) for packet in sent[3:6]]
    jump = [packet._replace(timestamp=packet.timestamp + 10**9) for packet in sent[6:]]
    assert heard(Receiver(), [*sent[:3], *later, *jump]) == [
        (0, 0), (0, 1), (0, 2), (800, 3), (0, 4), (0, 5), (0, 6), (0, 7), (0, 8), (0, 9),
    ]  # fmt: skip


def test_another_source_takes_over_after_two_packets_in_a_row_and_a_stray_one_does_not():
    receiver = Receiver()
    first, second = packets(20), packets(20, sequence=9000, timestamp=77, ssrc=8)
    assert heard(receiver, [first[0], second[0], first[1], second[5], first[2]]) == [(0, 0), (0, 1), (0, 2)]
    assert heard(receiver, second[:4]) == [(0, 1), (0, 2), (0, 3)]
    assert receiver.ssrc == 8


def test_a_source_that_begins_anew_is_followed():
    receiver = Receiver()
    for start in (0, 30_000, 10_000):
        sent = packets(4, sequence=start)
        assert [number for _, number in heard(receiver, sent)] in ([0, 1, 2, 3], [1, 2, 3])


def test_jitter_and_loss_are_reported_as_the_rfc_says():
    receiver = Receiver()
    assert receiver.report() is None
    sent = packets(100)
    for number, packet in enumerate(sent):
        if number % 4:
            receiver.take(packet, 20 * number + (number % 2) * 10)
    statistics = receiver.report()
    assert statistics is not None
    assert statistics.lost == 24
    assert statistics.fraction == (24 << 8) // 99
    assert 20 < statistics.jitter < 80
    second = receiver.report()
    assert second is not None
    assert (second.fraction, second.lost) == (0, 24)


@given(st.lists(st.binary(min_size=12, max_size=20), max_size=40))
@settings(max_examples=200)
def test_a_receiver_takes_anything_and_does_not_grow(datagrams):
    receiver = Receiver()
    for data in datagrams:
        packet = parse_packet(b"\x80" + data[1:])
        assert packet is not None
        receiver.take(packet, 0)
        receiver.take(packet._replace(ssrc=1), 0)
        assert len(receiver._pending) <= DEPTH_PACKETS + 1
    receiver.report()
    assert len(receiver.flush()) <= DEPTH_PACKETS + 1


@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.sampled_from([0, 0, 0, 160, 50_000]), st.sampled_from([7, 7, 7, 8]))
    ),
    st.integers(0, 200),
)
@settings(max_examples=300)
def test_the_short_way_for_the_plain_packet_does_what_the_long_one_does(numbers, jitter_ms):
    sent = packets(41, sequence=65_520, timestamp=2**32 - 2000)
    # Some in order, some not; some that leap in time, some of another source.
    chosen = sent[:5] + [sent[number]._replace(ssrc=ssrc) for number, _, ssrc in numbers] + sent
    leaps = [0] * 5 + [leap for _, leap, _ in numbers] + [0] * len(sent)
    long, short = Receiver(), Receiver()
    gaps_of_long, gaps_of_short = [], []
    plain = 0
    for number, (packet, leap) in enumerate(zip(chosen, leaps, strict=True)):
        packet = packet._replace(timestamp=(packet.timestamp + leap) & 0xFFFFFFFF)
        now_ms = 20.0 * number + number % 3 * jitter_ms
        gaps_of_long += [frame.gap for frame in long.take(packet, now_ms)]
        gap = short.take_next(packet.sequence, packet.timestamp, packet.ssrc, len(packet.payload), now_ms)
        if gap < 0:
            gaps_of_short += [frame.gap for frame in short.take(packet, now_ms)]
        else:
            plain += 1
            gaps_of_short.append(gap)
        for name in Receiver.__slots__:
            assert getattr(long, name) == getattr(short, name), name
    assert gaps_of_long == gaps_of_short
    assert plain >= 4


# Digits


@pytest.mark.parametrize("loss", [0.0, 0.4])
@pytest.mark.parametrize("frame_ms", [10, 20, 30, 60])
def test_digits_that_are_sent_are_read_once_each(loss, frame_ms):
    seeded = random.Random(frame_ms)
    sender = RtpSender(7, 65530, 2**32 - 3000, 8)
    digits = DigitSender(DIGITS + "1122", sender, 101, frame_ms=frame_ms)
    reader, said, times = DigitReader(), "", 0
    while (batch := digits.next()) is not None:
        times += 1
        for data in batch:
            packet = parse_packet(data)
            assert packet is not None
            assert packet.payload_type == 101
            if seeded.random() >= loss:
                said += reader.take(packet) or ""
    assert said == DIGITS + "1122"
    assert times * frame_ms >= 20 * 180
    assert sender.timestamp == (2**32 - 3000 + times * frame_ms * 8) % 2**32


def test_a_digit_ends_with_three_packets_and_begins_with_a_marker():
    sender = RtpSender(7, 0, 1000, 8)
    digits = DigitSender("5", sender, 101)
    sent = [[parse_packet(data) for data in batch] for batch in iter(digits.next, None)]
    assert [len(batch) for batch in sent] == [1, 1, 1, 1, 3, 0, 0, 0, 0, 0]
    flat = [packet for batch in sent for packet in batch]
    assert [packet.has_marker for packet in flat] == [True, *[False] * 6]
    assert {packet.timestamp for packet in flat} == {1000}
    assert [packet.sequence for packet in flat] == list(range(7))
    assert [packet.payload.hex() for packet in flat] == [
        "050a00a0", "050a0140", "050a01e0", "050a0280", "058a0320", "058a0320", "058a0320",
    ]  # fmt: skip
    with pytest.raises(LocalError):
        DigitSender("5x", sender, 101)


def test_what_is_no_digit_is_none():
    reader = DigitReader()
    packet = RtpPacket(101, False, 1, 2, 3, b"")
    for payload in (b"", b"\1", b"\x10\0\0\0", b"\xff\xff\xff\xff"):
        assert reader.take(packet._replace(payload=payload)) is None
    assert reader.take(packet._replace(payload=b"\1\0\0\0")) == "1"
    assert reader.take(packet._replace(payload=b"\1\x80\0\0", timestamp=1)) is None  # a late one of the past
    assert reader.take(packet._replace(payload=b"\1\0\0\0", timestamp=900)) == "1"


# Reports


def test_reports_are_read_as_they_were_written():
    block = ReportBlock(9, 12, -3, 70_000, 55, 0x12345678, 65536)
    info = SenderInfo(ntp_of(1_700_000_000.5), 1234, 50, 8000)
    for sender in (info, None):
        data = write_report(Report(7, sender, (block,)), "x@192.0.2.1", goodbye=True)
        report, goodbye = parse_compound(data)
        assert report == Report(7, sender, (block,))
        assert goodbye == Goodbye((7,))
        assert len(data) % 4 == 0
    assert blocks_of(Report(7, None, (block,)), 9) == [block]
    assert blocks_of(Report(7, None, (block,)), 8) == []


def test_the_round_trip_is_what_was_not_spent_at_the_peer():
    sent = ntp_of(1_700_000_000.0)
    block = ReportBlock(9, 0, 0, 0, 0, middle_of(sent), 65536 // 2)
    assert round_trip_ms(block, ntp_of(1_700_000_000.6)) == pytest.approx(100, abs=1)
    assert round_trip_ms(ReportBlock(9, 0, 0, 0, 0), sent) is None
    assert round_trip_ms(block, ntp_of(1_699_999_999.0)) is None


def test_a_report_of_a_receiver():
    receiver = Receiver()
    for number, packet in enumerate(packets(3)):
        receiver.take(packet, 20 * number)
    statistics = receiver.report()
    assert statistics is not None
    assert block_of(statistics, 5, 6) == ReportBlock(7, 0, 0, 2, 0, 5, 6)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\xc8\0\0",
        bytes.fromhex("80ca0001 00000001"),  # begins with a source description
        bytes.fromhex("a0c90001 00000001"),  # padding in the first
        bytes.fromhex("80c90009 00000001"),
        bytes.fromhex("81c90001 00000001"),  # a block that is not there
        bytes.fromhex("80c80001 00000001"),
        bytes.fromhex("80c90001 00000001 40ca0000"),
        b"\x80\xc9\0\1" + bytes(1600),
    ],
)
def test_what_is_no_compound(data):
    assert parse_compound(data) == []


# Who is believed


AGREED, OTHER, STRANGER = ("192.0.2.9", 4000), ("198.51.100.1", 9000), ("203.0.113.5", 1)


def test_the_agreed_address_is_believed_at_once_and_nobody_else_then():
    latch = Latch(AGREED)
    assert latch.accepts(AGREED, 7, 0)
    assert latch.is_sure
    for now_ms in range(0, 2900, 20):
        assert not latch.accepts(OTHER, 7, now_ms)
    assert latch.remote == AGREED


def test_a_peer_behind_a_translator_is_believed_after_three_packets():
    latch = Latch(AGREED)
    assert [latch.accepts(OTHER, 7, now_ms) for now_ms in (0, 20, 40, 60)] == [False, False, True, True]
    assert latch.remote == OTHER
    assert not any(latch.accepts(STRANGER, 8, 80) for _ in range(10))
    # The agreed one still counts more, as soon as it speaks.
    assert latch.accepts(AGREED, 9, 100)
    assert latch.remote == AGREED


def test_packets_of_several_sources_do_not_add_up():
    latch = Latch(AGREED)
    for number in range(10):
        assert not latch.accepts(OTHER, number, 0)
        assert not latch.accepts(STRANGER, 7, 0)


def test_after_a_silence_the_same_source_may_come_from_elsewhere():
    latch = Latch(AGREED)
    assert latch.accepts(AGREED, 7, 0)
    assert [latch.accepts(OTHER, 7, 3000 + 20 * number) for number in range(3)] == [False, False, True]
    assert [latch.accepts(STRANGER, 8, 9000 + 20 * number) for number in range(3)] == [False] * 3


def test_policies():
    never, same = Latch(AGREED, "never"), Latch(AGREED, "same-host")
    moved = (AGREED[0], 5555)
    assert not any(never.accepts(moved, 7, 0) for _ in range(5))
    assert not any(same.accepts(OTHER, 7, 0) for _ in range(5))
    assert [same.accepts(moved, 7, 0) for _ in range(3)] == [False, False, True]


def test_a_new_answer_begins_anew_and_the_same_does_not():
    latch = Latch(AGREED)
    for _ in range(3):
        latch.accepts(OTHER, 7, 0)
    latch.agree(AGREED)
    assert latch.remote == OTHER
    latch.agree(STRANGER)
    assert latch.remote == STRANGER
    assert not latch.is_sure
