"""Session descriptions: read, written, offered, answered."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chappe.operators.sip.errors import LocalError, RemoteError
from chappe.operators.sip.sdp.audio import Endpoint
from chappe.operators.sip.sdp.description import Media, Origin, SessionDescription, parse_description

OURS = Endpoint("192.0.2.1", 40000, rtcp_port=39999)
THEIRS = Endpoint("192.0.2.9", 50000, codecs=("PCMU", "PCMA"))


def described(*lines: str, host: str = "c=IN IP4 192.0.2.9") -> SessionDescription:
    head = ["v=0", "o=bob 1 1 IN IP4 192.0.2.9", "s=-", host, "t=0 0"]
    return parse_description("\r\n".join([*head, *lines, ""]).encode())


def test_our_offer_is_as_it_should_be():
    assert OURS.offer(77).encode().decode() == (
        "v=0\r\no=- 77 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
        "m=audio 40000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
        "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\na=rtcp:39999\r\n"
    )


def test_offer_and_answer_agree():
    offer = OURS.offer(77)
    answer, theirs = THEIRS.answer(parse_description(offer.encode()), 88)
    ours = OURS.accept_answer(offer, parse_description(answer.encode()))
    # The offerer's preference counts (RFC 3264, 6.1).
    assert (ours.codec, theirs.codec) == ("PCMA", "PCMA")
    assert (ours.host, ours.port, ours.rtcp_port) == ("192.0.2.9", 50000, 50001)
    assert (theirs.host, theirs.port, theirs.rtcp_port) == ("192.0.2.1", 40000, 39999)
    assert ours.events_send == ours.events_receive == theirs.events_send == theirs.events_receive == 101
    assert ours.may_send
    assert ours.may_receive
    assert not ours.is_held
    assert dict(ours.receives) == {8: "PCMA", 0: "PCMU"}


def test_the_answer_decides_what_is_sent():
    offer = OURS.offer(77)
    session = OURS.accept_answer(
        offer, described("m=audio 5004 RTP/AVP 0 96", "a=rtpmap:96 Telephone-Event/8000")
    )
    assert (session.codec, session.payload_type, session.events_send, session.events_receive) == (
        "PCMU",
        0,
        96,
        101,
    )
    session = OURS.accept_answer(offer, described("m=audio 5004 RTP/AVP 8"))
    assert (session.codec, session.events_send) == ("PCMA", None)


@pytest.mark.parametrize(
    "lines",
    [
        ["m=audio 0 RTP/AVP 8"],
        ["m=audio 5004 RTP/AVP 18"],
        ["m=audio 5004 RTP/AVP 96", "a=rtpmap:96 PCMA/16000"],
        ["m=audio 5004 RTP/AVP 96", "a=rtpmap:96 PCMA/8000/2"],
        ["m=video 5004 RTP/AVP 31"],
        [],
    ],
)
def test_an_answer_that_rejects_or_does_not_fit(lines):
    with pytest.raises(RemoteError) as caught:
        OURS.accept_answer(OURS.offer(1), described(*lines))
    assert caught.value.status == 488


def test_everything_but_one_audio_is_rejected():
    """RFC 3264, section 6: as many m= lines as were offered, in their order."""
    offer = described(
        "m=audio 5000 RTP/SAVP 8",
        "m=video 5002 RTP/AVP 31",
        "m=audio 5004 RTP/AVP 18 97 8 101",
        "a=rtpmap:97 PCMU/8000",
        "a=rtpmap:101 telephone-event/8000",
        "m=audio 5006 RTP/AVP 8",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
    )
    answer, session = OURS.answer(offer, 1)
    assert [(media.kind, media.port) for media in answer.media] == [
        ("audio", 0),
        ("video", 0),
        ("audio", 40000),
        ("audio", 0),
        ("application", 0),
    ]
    assert answer.media[2].formats == ("97", "8", "101")
    assert (session.port, session.codec, session.payload_type) == (5004, "PCMU", 97)
    parse_description(answer.encode())


@pytest.mark.parametrize(
    "lines", [[], ["m=audio 5000 RTP/AVP 18"], ["m=audio 0 RTP/AVP 8"], ["m=video 5000 RTP/AVP 31"]]
)
def test_an_offer_of_nothing_that_can_be_done_is_refused(lines):
    with pytest.raises(RemoteError) as caught:
        OURS.answer(described(*lines), 1)
    assert caught.value.status == 488


@pytest.mark.parametrize(
    ("theirs", "answered", "may_send", "may_receive"),
    [
        ("sendrecv", "sendrecv", True, True),
        ("sendonly", "recvonly", False, True),
        ("recvonly", "sendonly", True, False),
        ("inactive", "inactive", False, False),
    ],
)
def test_directions_and_hold(theirs, answered, may_send, may_receive):
    for offer in (
        described("m=audio 5004 RTP/AVP 8", f"a={theirs}"),
        described(f"a={theirs}", "m=audio 5004 RTP/AVP 8"),
    ):
        answer, session = OURS.answer(offer, 1)
        assert answer.direction_of(answer.media[0]) == answered
        assert (session.may_send, session.may_receive) == (may_send, may_receive)
        assert session.is_held == (not may_send)
    session = OURS.accept_answer(OURS.offer(1), described("m=audio 5004 RTP/AVP 8", f"a={theirs}"))
    assert (session.may_send, session.may_receive) == (may_send, may_receive)


def test_a_direction_of_ours_that_is_narrower_counts():
    answer, session = OURS.answer(described("m=audio 5004 RTP/AVP 8"), 1, direction="recvonly")
    assert answer.direction_of(answer.media[0]) == "recvonly"
    assert (session.may_send, session.may_receive) == (False, True)
    answer, session = OURS.answer(described("m=audio 5004 RTP/AVP 8", "a=sendonly"), 1, direction="sendonly")
    assert answer.direction_of(answer.media[0]) == "inactive"


def test_a_call_on_hold_by_an_address_that_is_none():
    """RFC 2543"""
    _, session = OURS.answer(described("m=audio 5004 RTP/AVP 8", host="c=IN IP4 0.0.0.0"), 1)
    assert session.is_held
    _, session = OURS.answer(
        described("m=audio 5004 RTP/AVP 8", "c=IN IP4 198.51.100.1", host="c=IN IP4 0.0.0.0"), 1
    )
    assert session.host == "198.51.100.1"


@pytest.mark.parametrize(
    ("lines", "ptime_ms"),
    [
        ([], 20),
        (["a=ptime:30"], 30),
        (["a=ptime:25"], 20),
        (["a=ptime:60", "a=maxptime:40"], 40),
        (["a=ptime:5"], 10),
        (["a=ptime:1000"], 60),
        (["a=ptime:x"], 20),
        (["a=ptime:0"], 20),
        (["a=ptime:20.0"], 20),
    ],
)
def test_packet_times(lines, ptime_ms):
    _, session = OURS.answer(described("m=audio 5004 RTP/AVP 8", *lines), 1)
    assert session.ptime_ms == ptime_ms


@pytest.mark.parametrize(
    ("lines", "port"),
    [
        ([], 5005),
        (["a=rtcp:6000"], 6000),
        (["a=rtcp:6000 IN IP4 192.0.2.7"], 6000),
        (["a=rtcp:70000"], 5005),
        (["a=rtcp:"], 5005),
        (["a=rtcp-mux"], 5004),
    ],
)
def test_rtcp_ports(lines, port):
    _, session = OURS.answer(described("m=audio 5004 RTP/AVP 8", *lines), 1)
    assert session.rtcp_port == port


def test_ipv6_and_line_ends_of_others():
    description = parse_description(
        b"v=0\no=x 1 1 IN IP6 ::1\ns= \nc=IN IP6 2001:db8::1\nt=0 0\nm=audio 5004 RTP/AVP 8\n"
    )
    _, session = Endpoint("2001:db8::2", 4000).answer(description, 1)
    assert session.host == "2001:db8::1"
    assert b"c=IN IP6 2001:db8::1\r\n" in Endpoint("2001:db8::1", 1).offer(1).encode()
    assert description.origin == Origin("x", 1, 1, "::1")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"v=1\r\n",
        b"hello",
        b"v=0\r\nm=audio RTP/AVP 8\r\n",
        b"v=0\r\nm=audio 70000 RTP/AVP 8\r\n",
        b"v=0\r\nm=audio 5 RTP/AVP\r\n",
        b"v=0\r\n" + b"m=audio 5 RTP/AVP 8\r\n" * 33,
        b"v=0\r\n" + b"a=x\r\n" * 257,
        b"v=0\r\n" + b"b=x\r\n" * 1025,
        b"v=0\r\nm=audio 5 RTP/AVP" + b" 8" * 65,
        b"v=0\r\n" + b"x" * 16_384,
    ],
)
def test_what_is_no_session_description_or_too_much(data):
    with pytest.raises(RemoteError) as caught:
        parse_description(data)
    assert caught.value.status == 488


def test_a_medium_that_nobody_says_where_to_send():
    description = parse_description(b"v=0\r\nm=audio 5004 RTP/AVP 8\r\n")
    with pytest.raises(RemoteError):
        OURS.answer(description, 1)


@pytest.mark.parametrize(
    "address",
    [
        "IP4 media.example.com",
        "IP4 1",
        "IP4 0x7f.1",
        "IP4 224.0.0.1",
        "IP4 239.1.2.3/127",
        "IP4 255.255.255.255",
        "IP6 ff02::1",
        "IP6 2001:db8::1",
    ],
)
def test_audio_goes_to_one_address_of_our_version_and_to_no_name(address):
    """A name would be looked up for each frame, and all calls would wait."""
    offer = described("m=audio 5004 RTP/AVP 8", host=f"c=IN {address}")
    for result in (lambda: OURS.answer(offer, 1), lambda: OURS.accept_answer(OURS.offer(1), offer)):
        with pytest.raises(RemoteError) as caught:
            result()
        assert caught.value.status == 488
    # Where nothing is sent to counts for nothing.
    own = described("m=audio 5004 RTP/AVP 8", "c=IN IP4 198.51.100.1", host=f"c=IN {address}")
    assert OURS.answer(own, 1)[1].host == "198.51.100.1"


def test_an_address_is_written_as_sockets_write_it():
    offer = described("m=audio 5004 RTP/AVP 8", host="c=IN IP6 2001:DB8:0::1")
    assert Endpoint("2001:db8::2", 4000).answer(offer, 1)[1].host == "2001:db8::1"


def test_a_description_of_ours_without_control_characters_only():
    for description in (
        SessionDescription(),
        SessionDescription(Origin("a\r\nb", 1, 1, "h")),
        SessionDescription(
            Origin("-", 1, 1, "h"), "h", (), (Media("audio", 1, "RTP/AVP", ("8",), None, (("x", "\n"),)),)
        ),
    ):
        with pytest.raises(LocalError):
            description.encode()


texts = st.text(
    st.characters(codec="utf-8", exclude_characters="\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"), max_size=8
)
sdp_lines = st.one_of(
    st.sampled_from(
        [
            "v=0",
            "c=IN IP4 192.0.2.1",
            "c=IN IP6 ::1",
            "m=audio 5004 RTP/AVP 8 0 101",
            "m=audio 5004 RTP/AVP 96",
            "m=video 0 RTP/AVP 31",
            "a=rtpmap:96 PCMA/8000",
            "a=rtpmap:101 telephone-event/8000",
            "a=sendonly",
            "a=ptime:30",
            "a=rtcp:1",
            "a=:",
            "a=",
            "m=",
            "o=a 1 1 IN IP4 h",
        ]
    ),
    texts,
    st.tuples(st.sampled_from("vosctma"), texts).map("=".join),
)


@given(
    st.one_of(
        st.binary(max_size=200),
        st.lists(sdp_lines, max_size=20).map(lambda lines: "\r\n".join(["v=0", *lines]).encode()),
    )
)
@settings(max_examples=500, deadline=None)
def test_any_octets_are_a_description_or_a_protocol_error(data):
    try:
        description = parse_description(data)
    except RemoteError:
        return
    with contextlib.suppress(RemoteError):
        OURS.accept_answer(OURS.offer(1), description)
    try:
        answer, _ = OURS.answer(description, 1)
    except RemoteError:
        return
    # Our answer to anything can be written and read.
    assert len(parse_description(answer.encode()).media) == len(description.media)


@pytest.mark.parametrize(
    "text",
    [
        "m=audio 1 " + "A" * 15_000,
        "m=" + "a" * 15_000,
        "c=IN IP4 " + " " * 15_000,
        "a=rtpmap:" + "9" * 15_000,
        "o=" + "x " * 7_000,
    ],
)
def test_lines_made_to_be_slow_are_read_in_no_time(text):
    for _ in range(20):
        with contextlib.suppress(RemoteError):
            OURS.answer(parse_description(f"v=0\r\nm=audio 5004 RTP/AVP 8\r\n{text}".encode()), 1)
