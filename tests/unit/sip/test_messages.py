"""Messages: read, written, answered, refused."""

from __future__ import annotations

import pytest
from hypothesis import given

from chappe.operators.sip.errors import LocalError, MessageError, RemoteError
from chappe.operators.sip.syntax.credentials import Credentials, parse_credentials, write_credentials
from chappe.operators.sip.syntax.fields import parse_cseq, parse_parametrised, parse_rack, parse_tokens
from chappe.operators.sip.syntax.grammar import split_list
from chappe.operators.sip.syntax.limits import BODY_OCTETS_MAX, FIELDS_MAX, HEAD_OCTETS_MAX
from chappe.operators.sip.syntax.message import Request, Response, parse_message, refusal
from chappe.operators.sip.syntax.uri import SipUri
from chappe.operators.sip.syntax.via import Via, parse_via
from tests.unit.sip.messages import request, requests, responses, wire

NEEDED = [
    ("Via", "SIP/2.0/UDP h;branch=z9hG4bK1"),
    ("From", "<sip:a@h>;tag=1"),
    ("To", "<sip:b@h>"),
    ("Call-ID", "x"),
]


def read(octets: bytes) -> Request:
    message = parse_message(octets)
    assert isinstance(message, Request)
    return message


@given(requests)
def test_a_request_reads_as_it_was_written(message):
    sent = Request(
        message.method,
        message.uri,
        [*NEEDED, ("CSeq", f"1 {message.method}"), *_others(message)],
        message.body,
    )
    received = read(sent.encode())
    assert (received.method, received.uri, received.body) == (sent.method, sent.uri, sent.body)
    assert received.headers == (*sent.headers, ("Content-Length", str(len(sent.body))))


@given(responses)
def test_a_response_reads_as_it_was_written(message):
    sent = Response(message.status, [*NEEDED, ("CSeq", "1 INVITE"), *_others(message)], message.body)
    received = parse_message(sent.encode())
    assert isinstance(received, Response)
    assert (received.status, received.reason, received.body) == (sent.status, sent.reason, sent.body)


def _others(message):
    return [(name, value) for name, value in message.headers if name not in ("Via", "From")]


def test_compact_names_are_the_long_ones():
    message = read(
        wire(
            "INVITE sip:b@h SIP/2.0\nv: SIP/2.0/UDP h\nf: <sip:a@h>;tag=1\nt: <sip:b@h>\ni: x\nCSEQ: 1 INVITE\n"
            "m: <sip:a@h>\nk: timer, 100rel\nx: 1800\nc: application/sdp\ns: hi\ne: gzip\nl: 0"
        )
    )
    assert [name for name, _ in message.headers] == [
        "Via",
        "From",
        "To",
        "Call-ID",
        "CSeq",
        "Contact",
        "Supported",
        "Session-Expires",
        "Content-Type",
        "Subject",
        "Content-Encoding",
        "Content-Length",
    ]
    assert message.supported == {"timer", "100rel"}


def test_line_ends_in_a_value_cannot_be_written():
    for value in ("a\r\nVia: x", "a\nb", "a\rb", "a\r\n b"):
        with pytest.raises(LocalError):
            Request("BYE", SipUri("h"), [("Subject", value)]).encode()
        with pytest.raises(LocalError):
            Response(200, [], reason=value).encode()
    with pytest.raises(LocalError):
        Request("B YE", SipUri("h"), []).encode()


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\r\n\r\n",
        b"\x00\x00",
        b"INVITE",
        request().replace(b"\r\n", b"\n"),
        request().replace(b"From", b"\nFrom", 1),
        request("OPTIONS", "Subject: a\rb"),
        request("OPTIONS", " starts with a fold").replace(b"Via", b" Via", 1),
        request("OPTIONS", "no colon"),
        request("OPTIONS", "bad name: x"),
        request("OPTIONS", "Call-ID:").replace(b"Call-ID: one@here.example.com\r\n", b""),
        request("OPTIONS", "Max-Forwards: many"),
        request().replace(b"OPTIONS sip", b"OPT(ONS sip"),
        request().replace(b"SIP/2.0\r\n", b"HTTP/1.1\r\n"),
    ],
)
def test_what_is_no_message_is_told_so(octets):
    with pytest.raises(MessageError):
        parse_message(octets)


def test_limits_of_a_message():
    many = ["Q: y"] * (FIELDS_MAX - 5)
    assert len(read(request("OPTIONS", *many)).headers) == FIELDS_MAX
    for octets, status in (
        (request("OPTIONS", *many, "Q: y"), 513),
        (request("OPTIONS", "Q: " + "y" * HEAD_OCTETS_MAX), 513),
        (request("OPTIONS", body=bytes(BODY_OCTETS_MAX + 1)), 413),
    ):
        with pytest.raises(MessageError) as caught:
            parse_message(octets)
        assert caught.value.status == status
    for line in (
        "Contact: " + ",".join(["<sip:a@h>"] * 129),
        "Contact: <sip:a@h>" + ";p" * 65,
    ):
        message = read(request("OPTIONS", line))
        with pytest.raises(RemoteError):
            _ = message.contacts


def test_a_message_without_the_empty_line_is_read_where_no_body_follows():
    assert read(request()[:-2]).method == "OPTIONS"


def test_the_body_of_a_datagram_without_content_length_is_the_rest():
    assert read(request(body=b"hello\r\n\r\nworld")).body == b"hello\r\n\r\nworld"
    assert read(request("OPTIONS", "l: 5", body=b"hello and more")).body == b"hello"


def test_a_response_repeats_what_it_must():
    message = read(
        wire(
            "INVITE sip:b@h SIP/2.0\nVia: SIP/2.0/UDP p;rport;branch=z9hG4bK1, SIP/2.0/UDP q;branch=z9hG4bK2\n"
            "v: SIP/2.0/TCP r;branch=z9hG4bK3\nRecord-Route: <sip:p;lr>\nRecord-Route: <sip:q;lr>\n"
            'From: "Ren\udce9" <sip:a@h>;tag=1\nTo: <sip:b@h>\nCall-ID: x\nCSeq: 7 INVITE\nSubject: hi\nl: 0'.replace(
                "\udce9", "é"
            )
        )
    )
    via = message.via.received_from("192.0.2.9", 4444)
    ringing = message.respond(180, tag="t1", headers=[("Contact", "<sip:b@me>")], via=via)
    assert ringing.headers == (
        ("Via", "SIP/2.0/UDP p;rport=4444;branch=z9hG4bK1;received=192.0.2.9, SIP/2.0/UDP q;branch=z9hG4bK2"),
        ("Via", "SIP/2.0/TCP r;branch=z9hG4bK3"),
        ("From", '"René" <sip:a@h>;tag=1'),
        ("To", "<sip:b@h>;tag=t1"),
        ("Call-ID", "x"),
        ("CSeq", "7 INVITE"),
        ("Record-Route", "<sip:p;lr>"),
        ("Record-Route", "<sip:q;lr>"),
        ("Contact", "<sip:b@me>"),
    )
    assert [name for name, _ in message.respond(486).headers].count("Record-Route") == 0
    assert message.respond(486).to.tag == ""


def test_octets_that_are_not_utf_8_come_back_as_they_were():
    octets = request("OPTIONS").replace(b"From: ", b'From: "Ren\xe9" ')
    assert b'From: "Ren\xe9" <sip:alice@here' in read(octets).respond(200, tag="t").encode()


def test_a_reason_phrase_is_safe_to_keep():
    octets = b"SIP/2.0 486 Occup\xe9 \x07" + b"x" * 5000 + request()[request().index(b"\r\nVia") :]
    message = parse_message(octets)
    assert isinstance(message, Response)
    assert message.reason.startswith("Occup� ?x")
    assert len(message.reason) == 200


def test_requests_that_cannot_be_read_are_refused_where_that_is_possible():
    def refused(octets: bytes) -> Response | None:
        with pytest.raises(MessageError) as caught:
            parse_message(octets)
        return refusal(caught.value, "t")

    good = request("INVITE", "Content-Length: 99")
    answer = refused(good)
    assert answer is not None
    assert answer.first("To") == "<sip:bob@there.example.com>;tag=t"
    tagged = refused(good.replace(b"there.example.com>\r", b"there.example.com> ; TAG = 5\r"))
    assert tagged is not None
    assert tagged.first("To") == "<sip:bob@there.example.com> ; TAG = 5"
    assert refused(request("ACK", "Content-Length: 99")) is None
    assert refused(good.replace(b"Via: SIP/2.0/UDP", b"Via: SIP/2.0/")) is None
    assert refused(good.replace(b"Call-ID", b"Call-XX")) is None
    assert refused(b"\r\nnonsense\r\n\r\n") is None
    # A bad line in the middle does not hide the good ones after it.
    assert refused(request("INVITE").replace(b"From", b"???\r\nFrom")) is not None


def test_via_with_and_without_rport():
    """RFC 3261, 18.2.1 and 18.2.2; RFC 3581, section 4"""
    plain = parse_via("SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKx")
    assert plain.received_from("192.0.2.1", 9) is plain
    assert plain.received_from("192.0.2.2", 9).reply_to() == ("192.0.2.2", 5070)
    asked = parse_via("SIP/2.0/UDP host.example.com;rport;branch=z9hG4bKx")
    assert asked.reply_to() == ("host.example.com", 5060)
    assert asked.received_from("192.0.2.2", 9).reply_to() == ("192.0.2.2", 9)
    six = parse_via("SIP/2.0/TLS [2001:db8::1];branch=z9hG4bKx")
    assert (six.sent_by, six.reply_to()) == (("[2001:db8::1]", 5061), ("2001:db8::1", 5061))
    assert six.received_from("2001:db8::1", 1) is six
    # Whoever asks does not choose who is answered.
    assert parse_via("SIP/2.0/UDP h;maddr=224.0.1.75;received=1.2.3.4").reply_to() == ("1.2.3.4", 5060)
    forged = parse_via("SIP/2.0/UDP 192.0.2.1;received=192.0.2.9;maddr=192.0.2.9;branch=z9hG4bKx")
    assert forged.received_from("192.0.2.1", 9).reply_to() == ("192.0.2.1", 5060)
    assert parse_via("SIP/2.0/UDP h;rport=99999;received=1.2.3.4").reply_to() == ("1.2.3.4", 5060)
    assert str(Via("UDP", "h", 1, {"branch": "z9hG4bKx", "rport": None})) == (
        "SIP/2.0/UDP h:1;branch=z9hG4bKx;rport"
    )


@pytest.mark.parametrize(
    "text", ["", "SIP/2.0/UDP", "SIP/3.0/UDP h", "SIP/2.0/UDP h:0", "SIP/2.0/UDP h x", "SIP/2.0/UDP h;=1"]
)
def test_what_is_no_via_is_told_so(text):
    with pytest.raises(RemoteError):
        parse_via(text)


def test_smaller_fields():
    assert parse_cseq("0042 INVITE") == (42, "INVITE")
    assert parse_rack("1 2 INVITE") == (1, 2, "INVITE")
    assert str(parse_rack("1 2 INVITE")) == "1 2 INVITE"
    assert parse_parametrised('Q.850 ;cause=17 ;text="User busy"', "Reason") == (
        "Q.850",
        {"cause": "17", "text": "User busy"},
    )
    assert parse_parametrised("120 (in a meeting);duration=3600", "Retry-After").parameters == {
        "duration": "3600"
    }
    assert parse_tokens(["INVITE, ACK", "b@d", " BYE"]) == {"invite", "ack", "bye"}
    assert split_list('a, "b, c" <d, e>, , f') == ["a", '"b, c" <d, e>', "f"]
    for wrong in ("1", "1 IN VITE", "-1 INVITE", "4294967296 INVITE"):
        with pytest.raises(RemoteError):
            parse_cseq(wrong)
    for wrong in ("1 INVITE", "x 1 INVITE", "1 4294967296 INVITE"):
        with pytest.raises(RemoteError):
            parse_rack(wrong)
    for wrong in ("", "(x)", "a b", "a;b c"):
        with pytest.raises(RemoteError):
            parse_parametrised(wrong, "Reason")


def test_challenges_and_answers():
    text = (
        'Digest realm="a, \\"b\\"",nonce="x" , algorithm=SHA-256, qop="auth,auth-int",stale=TRUE , opaque=""'
    )
    challenge = parse_credentials(text)
    assert challenge.scheme == "digest"
    assert challenge.parameters == {
        "realm": 'a, "b"',
        "nonce": "x",
        "algorithm": "SHA-256",
        "qop": "auth,auth-int",
        "stale": "TRUE",
        "opaque": "",
    }
    assert parse_credentials(write_credentials(challenge, is_challenge=True)) == challenge
    answer = Credentials("digest", {"username": 'x"y', "qop": "auth", "nc": "00000001"})
    assert write_credentials(answer) == 'Digest username="x\\"y", qop=auth, nc=00000001'
    with pytest.raises(LocalError):
        write_credentials(Credentials("digest", {"username": "a\r\nb"}))
    for wrong in (
        "",
        "Digest realm",
        'Digest realm="x',
        'Digest a="x"b="y"',
        "Digest" + " a=b," + ",".join(f"p{n}=1" for n in range(65)),
    ):
        with pytest.raises(RemoteError):
            parse_credentials(wrong)


def test_a_tag_follows_a_semicolon_without_a_parameter_and_can_be_read():
    octets = (
        b"BYE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\n"
        b"To: <sip:b@h> ; \r\nCall-ID: x\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n"
    )
    answer = read(octets).respond(481, tag="t1")
    assert answer.first("To") == "<sip:b@h>;tag=t1"
    assert parse_message(answer.encode()) is not None
