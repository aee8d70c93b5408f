"""Packets passed on from one leg to the other, and the laws of G.711 into each other."""

from __future__ import annotations

import numpy as np

from chappe.audio import g711
from chappe.operators.sip.rtp.laws import MAGNITUDES, TO_OTHER
from chappe.operators.sip.rtp.packet import RtpPacket, RtpSender, parse_packet
from chappe.operators.sip.rtp.relay import PACKETS_MAX, Relay

EVERY = bytes(range(256))


def source(sequence: int, *, ssrc: int = 7, timestamp: int | None = None) -> RtpPacket:
    at = sequence * 160 if timestamp is None else timestamp
    return RtpPacket(8, False, sequence & 0xFFFF, at & 0xFFFFFFFF, ssrc, b"\xd5" * 160)


def passed(relay: Relay, packet: RtpPacket, now_ms: float = 0.0, *, is_audio: bool = True) -> RtpPacket:
    data = relay.pass_on(packet, 0, packet.payload, now_ms, is_audio=is_audio)
    assert data is not None
    parsed = parse_packet(data)
    assert parsed is not None
    return parsed


def test_a_law_becomes_mu_law_and_back_within_half_a_step_of_what_it_was():
    there = g711.decode(EVERY.translate(TO_OTHER["PCMA"]), "ulaw").astype(int)
    was = g711.decode(EVERY, "alaw").astype(int)
    assert np.all(np.abs(there - was) <= np.maximum(8, np.abs(was) // 32))
    back = g711.decode(EVERY.translate(TO_OTHER["PCMU"]), "alaw").astype(int)
    was = g711.decode(EVERY, "ulaw").astype(int)
    assert np.all(np.abs(back - was) <= np.maximum(16, np.abs(was) // 32))


def test_the_table_does_what_decoding_and_encoding_does():
    # The recommendation's own samples lie exactly between two of the other law's here and there.
    for codec, law, other in (("PCMA", "alaw", "ulaw"), ("PCMU", "ulaw", "alaw")):
        table = TO_OTHER[codec]
        was = g711.decode(EVERY, law).astype(int)
        ours = np.abs(g711.decode(table, other).astype(int) - was)
        theirs = np.abs(g711.decode(g711.encode(g711.decode(EVERY, law), other), other).astype(int) - was)
        assert np.all(ours <= theirs)


def test_silence_has_no_magnitude_and_the_loudest_has_all_of_it():
    assert MAGNITUDES["PCMA"][0xD5] == 0
    assert MAGNITUDES["PCMU"][0xFF] == 0
    assert MAGNITUDES["PCMA"][0x2A] == MAGNITUDES["PCMU"][0x00] == 255


def test_what_is_passed_on_goes_on_in_our_own_sequence_and_time():
    sender = RtpSender(99, 65534, 4_000_000_000, 0)
    relay = Relay(sender)
    one = passed(relay, source(10))
    two = passed(relay, source(11))
    three = passed(relay, source(12))
    assert [packet.sequence for packet in (one, two, three)] == [65534, 65535, 0]
    assert (one.timestamp, two.timestamp) == (4_000_000_000, 4_000_000_160)
    assert {packet.ssrc for packet in (one, two, three)} == {99}
    assert (one.has_marker, two.has_marker) == (True, False)
    assert (sender.packets, sender.octets, sender.sequence) == (3, 480, 1)


def test_loss_and_reordering_stay_as_they_are():
    relay = Relay(RtpSender(99, 100, 0, 0))
    sequences = [passed(relay, source(number)).sequence for number in (5, 6, 9, 8, 10)]
    assert sequences == [100, 101, 104, 103, 105]


def test_another_source_goes_on_where_the_last_one_was():
    sender = RtpSender(99, 0, 0, 0)
    relay = Relay(sender)
    passed(relay, source(5))
    passed(relay, source(6))
    other = passed(relay, source(40_000, ssrc=8))
    assert (other.sequence, other.timestamp, other.has_marker) == (2, 320, True)


def test_what_was_sent_in_between_is_gone_on_from():
    sender = RtpSender(99, 0, 0, 0)
    relay = Relay(sender)
    passed(relay, source(5))
    sender.frame(b"\xd5" * 160)
    relay.rest()
    after = passed(relay, source(9))
    assert (after.sequence, after.timestamp) == (2, 320)


def test_digits_keep_their_one_time_and_the_audio_goes_on_behind_them():
    sender = RtpSender(99, 0, 0, 0)
    relay = Relay(sender)
    passed(relay, source(5, timestamp=800))
    digits = [passed(relay, source(6 + n, timestamp=960), is_audio=False) for n in range(3)]
    assert {packet.timestamp for packet in digits} == {160}
    assert [packet.sequence for packet in digits] == [1, 2, 3]
    assert passed(relay, source(9, timestamp=1440)).timestamp == 640


def test_a_flood_is_not_passed_on():
    relay = Relay(RtpSender(99, 0, 0, 0))
    sent = [relay.pass_on(source(n), 0, b"x", 5.0, is_audio=True) for n in range(PACKETS_MAX + 50)]
    assert sum(data is not None for data in sent) == PACKETS_MAX
    assert relay.pass_on(source(9000), 0, b"x", 1006.0, is_audio=True) is not None
