"""The stream is cut into PDUs the same way whatever pieces it comes in."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chappe.operators import smpp
from chappe.operators.smpp.framing import FrameReader
from tests.unit.smpp.pdus import chunks, mutated, pdus

streams = st.lists(
    st.one_of(pdus.map(lambda pdu: pdu.encode()), mutated(), st.binary(max_size=30)), max_size=5
)


def read(pieces):
    reader = FrameReader()
    frames = [frame for piece in pieces for frame in reader.feed(piece)]
    return frames, str(reader.failure), reader.failure and reader.failure.sequence_number


@given(streams.map(b"".join), st.data())
@settings(max_examples=150, deadline=None)
def test_an_octet_at_a_time_and_any_pieces_give_what_the_whole_gives(stream, data):
    whole, failure, _ = read([stream])
    assert read(stream[index : index + 1] for index in range(len(stream)))[:2] == (whole, failure)
    assert read(data.draw(chunks(stream)))[:2] == (whole, failure)


def test_half_a_pdu_waits_and_nothing_else_does():
    octets = smpp.EnquireLink(sequence_number=1).encode()
    reader = FrameReader()
    assert reader.feed(octets + octets[:7]) == [(0x15, 0, 1, b"")]
    assert reader.pending_octets == 7
    assert reader.feed(octets[7:]) == [(0x15, 0, 1, b"")]
    assert reader.pending_octets == 0


@pytest.mark.parametrize("length", [0, 1, 15, 65_537, 0x48545450, 0xFFFFFFFF])
@pytest.mark.parametrize("octets_after", [0, 4, 12, 100])
def test_a_length_that_cannot_be_is_known_from_its_four_octets(length, octets_after):
    reader = FrameReader()
    assert reader.feed(length.to_bytes(4) + b"\x07" * octets_after) == []
    assert isinstance(reader.failure, smpp.FramingError)
    assert reader.failure.sequence_number == (0x07070707 if octets_after >= 12 else 0)


def test_pdus_before_the_broken_one_are_not_lost_and_nothing_after_it_is_read():
    good = smpp.EnquireLink(sequence_number=1).encode()
    reader = FrameReader()
    assert len(reader.feed(good * 3 + b"GET / HTTP/1.1\r\n\r\n" + good)) == 3
    assert reader.failure is not None
    assert reader.feed(good) == []


def test_the_longest_pdu_is_taken_and_one_octet_more_is_not():
    reader = FrameReader(octets_max=100)
    assert reader.feed((100).to_bytes(4) + bytes(96)) == [(0, 0, 0, bytes(84))]
    reader.feed((101).to_bytes(4))
    assert reader.failure is not None


def test_a_large_pdu_that_drips_in_is_put_together_once():
    body = bytes(65_000)
    octets = smpp.SubmitSm(tlvs=((0x424, body),), sequence_number=1).encode()
    reader = FrameReader()
    frames = [frame for index in range(len(octets)) for frame in reader.feed(octets[index : index + 1])]
    assert [smpp.SubmitSm.from_body(frame[3], 0, 1).tlvs for frame in frames] == [((0x424, body),)]
