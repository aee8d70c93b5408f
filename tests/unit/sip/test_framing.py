"""A stream is cut into messages, whole or an octet at a time."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chappe.operators.sip.syntax.framing import StreamReader
from chappe.operators.sip.syntax.limits import BODY_OCTETS_MAX, HEAD_OCTETS_MAX
from chappe.operators.sip.syntax.message import parse_message
from tests.unit.sip.messages import mutated, request

ONE = request("OPTIONS", "Content-Length: 5", body=b"hello")
TWO = request("BYE", "l :  0", cseq=2)
THREE = request("INFO", "Content-Length:\n  7", body=b"\r\n\r\n\r\n\r")


def fed(pieces: list[bytes]) -> tuple[StreamReader, list[bytes]]:
    reader = StreamReader()
    return reader, [message for piece in pieces for message in reader.feed(piece)]


@given(st.lists(st.integers(0, 1500), max_size=6))
def test_messages_come_out_whatever_pieces_they_come_in(cuts):
    stream = b"\r\n" + ONE + b"\r\n\r\n" + TWO + THREE + b"\r\n\r\n\r\n" + ONE
    places = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
    pieces = [stream[start:end] for start, end in itertools.pairwise(places)]
    reader, messages = fed(pieces)
    assert messages == [ONE, TWO, THREE, ONE]
    assert reader.failure is None
    dripping, messages = fed([bytes([octet]) for octet in stream])
    assert messages == [ONE, TWO, THREE, ONE]
    assert reader.pings >= 2
    assert dripping.pings >= 2


def test_a_keep_alive_is_counted():
    reader, messages = fed([b"\r\n", b"\r\n"])
    assert (messages, reader.pings) == ([], 1)
    assert reader.feed(ONE[:10]) == []
    assert reader.feed(ONE[10:]) == [ONE]


@pytest.mark.parametrize(
    "octets",
    [
        request(),  # no Content-Length
        request("OPTIONS", "l: 5", "Content-Length: 6"),
        request("OPTIONS", "l: -5"),
        request("OPTIONS", "l: 5 5"),
        request("OPTIONS", f"l: {BODY_OCTETS_MAX + 1}"),
        request("OPTIONS", "l: 99999999999999999999"),
        b"x" * (HEAD_OCTETS_MAX + 5),
        b"\x16\x03\x01\x02\x00\x01" * 10_000,
    ],
)
def test_a_stream_that_cannot_be_cut_ends_and_keeps_nothing(octets):
    reader, messages = fed([ONE + octets])
    assert messages == [ONE]
    assert reader.failure is not None
    assert reader.feed(ONE) == []
    _, messages = fed([ONE, *(octets[start : start + 100] for start in range(0, len(octets), 100))])
    assert messages == [ONE]


def test_a_head_over_the_limit_is_told_before_it_ends():
    reader = StreamReader()
    total = 0
    while reader.failure is None:
        reader.feed(b"a" * 1000)
        total += 1000
        assert total < HEAD_OCTETS_MAX + 2000


def test_a_head_that_drips_in_is_not_searched_each_time():
    # 33,000 pieces: quadratic work would be seen to hang.
    stream = request("OPTIONS", *["X: " + "y" * 900] * 34, "l: 0")
    _, messages = fed([bytes([octet]) for octet in stream])
    assert messages == [stream]


@given(st.lists(st.one_of(mutated(), st.just(ONE), st.binary(max_size=30)), max_size=5).map(b"".join))
def test_whole_and_dripping_streams_are_cut_alike(stream):
    whole, messages = fed([stream])
    dripping, dripped = fed([bytes([octet]) for octet in stream])
    assert messages == dripped
    assert (whole.failure is None) == (dripping.failure is None)
    for message in messages:
        assert message in stream


def test_framing_and_reading_agree_about_the_length():
    (message,) = StreamReader().feed(THREE)
    assert parse_message(message).body == b"\r\n\r\n\r\n\r"
