"""The cases of RFC 4475, rebuilt from its descriptions: what is unusual and good is read, what is bad is told apart."""

from __future__ import annotations

import pytest

from chappe.operators.sip.errors import MessageError, RemoteError
from chappe.operators.sip.syntax.message import Request, Response, parse_message, refusal
from chappe.operators.sip.syntax.uri import OtherUri, SipUri, is_same, parse_uri
from tests.unit.sip.messages import wire

SDP = b"v=0\r\no=cal 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"


def request(method: str, uri: str, headers: str, body: bytes = b"") -> Request:
    message = parse_message(wire(f"{method} {uri} SIP/2.0\n{headers.strip()}", body))
    assert isinstance(message, Request)
    return message


def refused(octets: bytes, status: int = 400) -> MessageError:
    with pytest.raises(MessageError) as caught:
        parse_message(octets)
    assert caught.value.status == status
    return caught.value


def answered(octets: bytes, status: int = 400) -> Response:
    """It is refused, and the refusal can be sent to whoever asked."""
    answer = refusal(refused(octets, status), "t9")
    assert answer is not None
    assert answer.encode().startswith(b"SIP/2.0 %d " % status)
    assert answer.status == status
    return answer


# What every message of this file has, besides what it is about.
REST = """
To: <sip:bea@two.example.org>
From: <sip:cal@one.example.org>;tag=4711
Call-ID: torture@one.example.org
"""
VIA = "Via: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bKx1"


# 3.1.1: valid messages


def test_a_short_tortuous_invite():
    """3.1.1.1"""
    message = request(
        "INVITE",
        "sip:bea@two.example.org;whatsthis",
        """
TO :
 sip:bea@two.example.org ;   tag    = 77x77
from   : "C Example \\\\\\""       <sip:cal@one.example.org>
  ;
  tag = ab12
MaX-fOrWaRdS: 0041
Call-ID: short.tortuous@192.0.2.1
Content-Length   : 88
cseq: 0012
  INVITE
Via  : SIP  /   2.0
 /UDP
    192.0.2.2;branch=old1
s :
BrandNewField:   a new value
 goes on here
FieldThatNobodyCanRead: ;;,,;;,;
Content-Type: application/sdp
Route:
 <sip:services.example.org;lr;odd=param;more>
v:  SIP  / 2.0  / TCP     edge.example.org   ;
  branch  =   z9hG4bK9ikj8  ,
 SIP  /    2.0   / UDP  192.168.255.111   ; branch=
 z9hG4bK30239
m:"Quoted \\"name\\"" <sip:cal@192.0.2.1> ; plain ; odd =
  value
""",
        SDP[:88],
    )
    assert message.to.tag == "77x77"
    assert message.from_.display == 'C Example \\"'
    assert message.from_.tag == "ab12"
    assert message.number("Max-Forwards") == 41
    assert message.cseq == (12, "INVITE")
    assert (message.via.transport, message.via.host, message.via.branch) == ("UDP", "192.0.2.2", "old1")
    assert message.all("Via")[1].startswith("SIP  / 2.0  / TCP")
    assert message.first("Subject") == ""
    assert message.first("brandnewfield") == "a new value goes on here"
    assert message.first("fieldthatnobodycanread") == ";;,,;;,;"
    (contact,) = message.contacts
    assert contact.display == 'Quoted "name"'
    assert contact.parameters == {"plain": None, "odd": "value"}
    assert len(message.body) == 88


def test_a_wide_range_of_valid_characters():
    """3.1.1.2"""
    method = "!odd-Method0123456789_*+`.%indeed'~"
    uri = "sip:1_odd.URI~(to-be!sure)&isn't+it$/mad?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.org"
    message = request(
        method,
        uri,
        f"""
Via: SIP/2.0/UDP host1.example.org;branch=z9hG4bK-.!%66*_+`'~
To: "BEL:\\\x07 NUL:\\\x00 DEL:\\\x7f" <{uri}>
From: word1~` word2'+_ word3*%!.- <sip:plain@example.org>;param''~+*_!.-%="работа";tag=_word~1'+`*%!-.
Call-ID: odd.word%@-()<>:\\/"][?}}{{
CSeq: 139122385 {method}
Max-Forwards: 255
extensionHeader-!.%*+_`'~:大停電
Content-Length: 0
""",
    )
    assert message.method == method
    assert str(message.uri) == uri
    assert message.to.display == "BEL:\x07 NUL:\x00 DEL:\x7f"
    assert message.from_.display == "word1~` word2'+_ word3*%!.-"
    assert message.from_.parameters["param''~+*_!.-%"] == "работа"
    assert message.call_id == 'odd.word%@-()<>:\\/"][?}{'
    assert message.first("extensionheader-!.%*+_`'~") == "大停電"
    # All of it can be answered, to the octet.
    answer = parse_message(message.respond(501, tag="t").encode())
    assert answer.first("To") == f"{message.first('To')};tag=t"


def test_valid_use_of_percent_escaping():
    """3.1.1.3"""
    message = request(
        "INVITE",
        "sip:sips%3Abea%40two.example.org@example.net",
        f"""
{VIA}
To: sip:%62ea@two.example.org
From: <sip:with%20a%20space@example.net>;tag=938
Max-Forwards: 87
i: esc01@example.net
CSeq: 234234 INVITE
Contact:
  <sip:b%65a@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31>
Content-Length: 0
""",
    )
    assert isinstance(message.uri, SipUri)
    assert (message.uri.user_text, message.uri.host) == ("sips:bea@two.example.org", "example.net")
    assert is_same(message.to.uri, parse_uri("sip:bea@two.example.org"))
    assert isinstance(message.from_.uri, SipUri)
    assert message.from_.uri.user_text == "with a space"
    contact = message.contacts[0].uri
    assert isinstance(contact, SipUri)
    assert not contact.is_loose  # "%6C%72" is lr to whoever unescapes names; nobody has to
    assert str(contact) == "sip:b%65a@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31"


def test_escaped_nulls_in_uris():
    """3.1.1.4"""
    message = request(
        "REGISTER",
        "sip:example.org",
        f"""
{VIA}
To: sip:a-%00-b@example.org
From: sip:a-%00-b@example.org;tag=839923423
Max-Forwards: 70
Call-ID: escnull@example.org
CSeq: 14398234 REGISTER
Contact: <sip:%00@host5.example.org>
Contact: <sip:%00%00@host5.example.org>
L:0
""",
    )
    first, second = (contact.uri for contact in message.contacts)
    assert isinstance(message.to.uri, SipUri)
    assert message.to.uri.user_text == "a-\0-b"
    assert not is_same(first, second)
    assert message.from_.tag == "839923423"


def test_percent_where_it_is_no_escape():
    """3.1.1.5: two method names that differ, and a header name that is not Contact."""
    message = request(
        "RE%47IST%45R",
        "sip:registrar.example.org",
        f"""
{VIA}{REST}CSeq: 234902 RE%47IST%45R
Max-Forwards: 70
Contact: <sip:alias1@host1.example.org>
C%6Fntact: <sip:alias2@host2.example.org>
Contact: <sip:alias3@host3.example.org>
l: 0
""",
    )
    assert message.method == "RE%47IST%45R"
    assert [str(contact.uri) for contact in message.contacts] == [
        "sip:alias1@host1.example.org",
        "sip:alias3@host3.example.org",
    ]


def test_no_blank_between_name_and_bracket():
    """3.1.1.6"""
    message = request(
        "OPTIONS",
        "sip:bea@two.example.org",
        f"{VIA}\nTo: sip:bea@two.example.org\nFrom: cal<sip:cal@one.example.org>;tag=323\n"
        "Max-Forwards: 70\nCall-ID: lwsdisp@one\nCSeq: 60 OPTIONS\nl: 0",
    )
    assert (message.from_.display, message.from_.tag) == ("cal", "323")


def test_long_values():
    """3.1.1.7"""
    long = "extremely" * 60
    vias = "\n".join(
        f"Via: SIP/2.0/TCP sip{number}.example.org;branch=z9hG4bK{number:x}" for number in range(33)
    )
    message = request(
        "INVITE",
        f"sip:bea@two.example.org;unknown{'name' * 100}={'value' * 150}",
        f"""
To: "{long} {long}" <sip:bea@two.example.org:5060;{"p" * 500}={"v" * 500}>
F: sip:{long}@one.example.org;tag=12982982982{"0" * 200}
Call-ID: {"longcallid" * 60}
CSeq: 3882340 INVITE
{vias}
Unknown-{"Long" * 100}-Name: unknown-{"long" * 100}-value; {long}={long}
Max-Forwards: 70
Contact: <sip:{long}:{long}@host5.example.net>
l: 0
""",
    )
    assert len(message.all("Via")) == 33
    assert isinstance(message.contacts[0].uri, SipUri)
    assert message.contacts[0].uri.password == long


def test_a_second_message_behind_the_first_in_a_datagram_is_left_out():
    """3.1.1.8"""
    first = wire(f"REGISTER sip:example.org SIP/2.0\n{VIA}{REST}CSeq: 8 REGISTER\nMax-Forwards: 70\nl: 0")
    message = parse_message(
        first + wire(f"INVITE sip:bea@example.org SIP/2.0\n{VIA}{REST}CSeq: 9 INVITE\nl: 0")
    )
    assert isinstance(message, Request)
    assert (message.method, message.body) == ("REGISTER", b"")


def test_a_semicolon_in_the_user_part_is_the_users():
    """3.1.1.9"""
    message = request(
        "OPTIONS",
        "sip:bea;par=u%40example.net@two.example.org",
        f"{VIA}\nTo: sip:c_user@example.org\nFrom: sip:c_user@example.org;tag=33242\nCall-ID: semi@one\n"
        "CSeq: 8 OPTIONS\nAccept: application/sdp, application/pkcs7-mime, multipart/mixed\nl: 0",
    )
    assert isinstance(message.uri, SipUri)
    assert (message.uri.user_text, message.uri.parameters) == ("bea;par=u@example.net", {})
    assert message.from_.tag == "33242"


def test_varied_and_unknown_transports():
    """3.1.1.10"""
    names = ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]
    vias = "\n".join(
        f"Via: SIP/2.0/{name} h{number}.example.org;branch=z9hG4bK{number}"
        for number, name in enumerate(names)
    )
    message = request("OPTIONS", "sip:bea@two.example.org", f"{vias}{REST}Max-Forwards: 70\nCSeq: 60 OPTIONS")
    assert message.via.transport == "UDP"
    assert len(message.all("Via")) == 5


def test_a_body_of_several_parts_and_any_octets():
    """3.1.1.11"""
    body = (
        b"--7a9\r\n\r\nHello\r\n--7a9\r\nContent-Type: x/y\r\n\r\n" + bytes(range(256)) + b"\r\n--7a9--\r\n"
    )
    message = request(
        "MESSAGE",
        "sip:bea@two.example.org",
        f"{VIA}{REST}CSeq: 127 MESSAGE\nContent-Type: multipart/mixed;boundary=7a9\nContent-Length: {len(body)}",
        body,
    )
    assert message.body == body
    assert message.content_type == "multipart/mixed"


def test_an_unusual_reason_phrase():
    """3.1.1.12"""
    octets = wire(
        "SIP/2.0 200 = 2**3 * 5**2 но сто девяносто девять - простое\n"
        f"{VIA}{REST}CSeq: 35 INVITE\nl: 0\nContact: <sip:bea@host198.example.org>"
    )
    message = parse_message(octets)
    assert isinstance(message, Response)
    assert message.reason.endswith("простое")
    assert isinstance(parse_message(message.encode()), Response)


def test_an_empty_reason_phrase():
    """3.1.1.13"""
    octets = wire(f"SIP/2.0 100 \n{VIA}{REST}CSeq: 35 INVITE\nl: 0")
    message = parse_message(octets)
    assert isinstance(message, Response)
    assert message.status == 100


# 3.1.2: invalid messages


def test_separators_too_many():
    """3.1.2.1"""
    answer = refused(
        wire(
            "INVITE sip:bea@two.example.org SIP/2.0\n"
            f'Via: SIP/2.0/UDP 192.0.2.15;;,;,,{REST}CSeq: 7 INVITE\nContact: "Joe" <sip:joe@example.org>;;;;'
        )
    )
    assert refusal(answer, "t") is None  # there is no way back
    message = request(
        "INVITE",
        "sip:bea@two.example.org",
        f'{VIA}{REST}CSeq: 7 INVITE\nContact: "Joe" <sip:joe@example.org>;;;;',
    )
    with pytest.raises(RemoteError):
        _ = message.contacts


def test_content_length_larger_than_the_datagram():
    """3.1.2.2"""
    answer = answered(
        wire(f"INVITE sip:bea@two.example.org SIP/2.0\n{VIA}{REST}CSeq: 8 INVITE\nContent-Length: 9999", SDP)
    )
    answer = parse_message(answer.encode())
    assert (answer.call_id, answer.to.tag) == ("torture@one.example.org", "t9")


def test_negative_content_length():
    """3.1.2.3"""
    answered(
        wire(f"INVITE sip:bea@two.example.org SIP/2.0\n{VIA}{REST}CSeq: 8 INVITE\nContent-Length: -999", SDP)
    )


def test_scalars_too_large_in_a_request():
    """3.1.2.4"""
    answered(
        wire(
            f"REGISTER sip:example.org SIP/2.0\n{VIA}{REST}CSeq: 36893488147419103232 REGISTER\n"
            "Max-Forwards: 300\nExpires: 10000000000000000000000\nl: 0"
        )
    )
    message = request(
        "REGISTER",
        "sip:example.org",
        f"{VIA}{REST}CSeq: 1 REGISTER\nExpires: 10000000000000000000000",
    )
    with pytest.raises(RemoteError):
        message.number("Expires")


def test_scalars_too_large_in_a_response():
    """3.1.2.5"""
    error = refused(
        wire(f"SIP/2.0 503 Service Unavailable\n{VIA}{REST}CSeq: 9292394834772304023312 OPTIONS\nl: 0")
    )
    assert refusal(error, "t") is None


def test_a_quote_that_does_not_end():
    """3.1.2.6"""
    octets = wire(
        f'INVITE sip:bea@two.example.org SIP/2.0\n{VIA}\nTo: "Mr. J. User <sip:j.user@example.org>\n'
        "From: sip:cal@one.example.org;tag=93334\nCall-ID: quotbal@one\nCSeq: 8 INVITE"
    )
    answered(octets)


@pytest.mark.parametrize(
    "line",
    [
        "INVITE <sip:bea@two.example.org> SIP/2.0",  # 3.1.2.7: in angle brackets
        "INVITE sip:bea@two.example.org; lr SIP/2.0",  # 3.1.2.8: blanks inside
        "INVITE  sip:bea@two.example.org  SIP/2.0",  # 3.1.2.9: blanks twice
        "INVITE sip:bea@two.example.org SIP/2.0  ",  # 3.1.2.10: blanks at the end
        "INVITE sip:bea@two.example.org?Route=%3Csip:example.org%3E SIP/2.0",  # 3.1.2.11: headers in it
    ],
)
def test_request_lines_that_are_none(line):
    answered(wire(f"{line}\n{VIA}{REST}CSeq: 8 INVITE\nl: 0"))


def test_a_date_that_is_not_gmt_is_nobodys_business():
    """3.1.2.12"""
    message = request(
        "INVITE",
        "sip:bea@two.example.org",
        f"{VIA}{REST}CSeq: 4 INVITE\nDate: Fri, 01 Jan 2010 16:00:00 EST",
    )
    assert message.first("Date") == "Fri, 01 Jan 2010 16:00:00 EST"


def test_a_contact_with_headers_needs_brackets():
    """3.1.2.13"""
    message = request(
        "REGISTER",
        "sip:example.org",
        f"{VIA}{REST}CSeq: 99 REGISTER\nContact: sip:bea@example.org?Route=%3Csip:sip.example.org%3E",
    )
    with pytest.raises(RemoteError):
        _ = message.contacts


def test_blanks_inside_an_address():
    """3.1.2.14"""
    answered(
        wire(
            f'OPTIONS sip:bea@two.example.org SIP/2.0\n{VIA}\nTo: "Watts, Tom" < sip:t.watts@example.org >\n'
            'From: "Bell, Al" <sip:a.bell@example.org>;tag=43\nCall-ID: badaspec@one\nCSeq: 3923239 OPTIONS'
        )
    )


def test_a_name_without_quotes_that_needs_them():
    """3.1.2.15"""
    answered(
        wire(
            f'OPTIONS sip:bea@two.example.org SIP/2.0\n{VIA}\nTo: "Watts, Tom" <sip:t.watts@example.org>\n'
            "From: Bell, Alexander <sip:a.bell@example.org>;tag=43\nCall-ID: baddn@one\nCSeq: 3923239 OPTIONS"
        )
    )


def test_an_unknown_version():
    """3.1.2.16"""
    answered(
        wire(
            f"OPTIONS sip:t.watts@example.org SIP/7.0\n{VIA.replace('2.0', '7.0', 1)}{REST}CSeq: 1 OPTIONS\n{VIA}"
        ).replace(b"Via: SIP/7.0/UDP 192.0.2.7:5060;branch=z9hG4bKx1\r\n", b""),
        505,
    )


@pytest.mark.parametrize("method", ["OPTIONS", "NEWMETHOD"])
def test_the_method_and_that_of_cseq_differ(method):
    """3.1.2.17 and 3.1.2.18"""
    answered(wire(f"{method} sip:bea@two.example.org SIP/2.0\n{VIA}{REST}CSeq: 8 INVITE\nl: 0"))


def test_a_status_code_too_long():
    """3.1.2.19"""
    error = refused(wire(f"SIP/2.0 4294967301 better not break the receiver\n{VIA}{REST}CSeq: 35 INVITE"))
    assert refusal(error, "t") is None


# 3.2 and 3.3: what the transaction and application layers make of well-formed messages


def test_a_branch_of_nothing_but_the_cookie():
    """3.2.1"""
    message = request(
        "OPTIONS",
        "sip:bea@two.example.org",
        f"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{REST}CSeq: 8 OPTIONS\nl: 0",
    )
    assert not message.via.is_unique


@pytest.mark.parametrize("missing", ["Call-ID", "From", "To", "CSeq", "Via"])
def test_a_header_that_is_needed_is_missing(missing):
    """3.3.1"""
    lines = f"INVITE sip:bea@two.example.org SIP/2.0\n{VIA}{REST}CSeq: 193942 INVITE\nl: 0".splitlines()
    error = refused(wire("\n".join(line for line in lines if not line.startswith(f"{missing}:"))))
    assert error.reason == f"{missing} is missing"


@pytest.mark.parametrize(
    ("uri", "scheme"),
    [
        ("nobodyKnowsThis:opaque,content;here", "nobodyknowsthis"),  # 3.3.2
        ("soap.beep://192.0.2.103:3002", "soap.beep"),  # 3.3.3
    ],
)
def test_schemes_that_are_unknown_are_kept(uri, scheme):
    message = request("OPTIONS", uri, f"{VIA}{REST}CSeq: 3923423 OPTIONS")
    assert isinstance(message.uri, OtherUri)
    assert message.uri.scheme == scheme


def test_unknown_schemes_in_addresses():
    """3.3.4"""
    message = request(
        "REGISTER",
        "sip:example.org",
        f"{VIA}\nTo: isbn:2983792873\nFrom: <http://www.example.org>;tag=323\nCall-ID: unksm2@one\n"
        "CSeq: 234902 REGISTER\nContact: <name:John_Smith>",
    )
    assert str(message.to.uri) == "isbn:2983792873"
    assert str(message.contacts[0].uri) == "name:John_Smith"


def test_extensions_that_are_demanded():
    """3.3.5"""
    message = request(
        "OPTIONS",
        "sip:bea@two.example.org",
        f"{VIA}{REST}CSeq: 8 OPTIONS\nRequire: nothingHasThis, norThis\nProxy-Require: alsoNotThis",
    )
    assert message.required == {"nothinghasthis", "northis"}


def test_an_authorization_of_an_unknown_scheme():
    """3.3.7"""
    message = request(
        "REGISTER",
        "sip:example.org",
        f"{VIA}{REST}CSeq: 9338 REGISTER\nAuthorization: NobodyKnows opaque-data=here",
    )
    (credentials,) = message.credentials("Authorization")
    assert (credentials.scheme, credentials.parameters) == ("nobodyknows", {"opaque-data": "here"})


@pytest.mark.parametrize(
    "twice",
    ["CSeq: 5 INVITE", "Call-ID: other", "From: <sip:x@y>;tag=1", "To: <sip:x@y>", "Max-Forwards: 5"],
)
def test_values_that_may_stand_once_only(twice):
    """3.3.8 and 3.3.9: whoever reads the first would disagree with whoever reads the last."""
    answered(
        wire(
            f"INVITE sip:bea@two.example.org SIP/2.0\n{VIA}{REST}CSeq: 5 INVITE\nMax-Forwards: 5\n{twice}\nl: 0"
        )
    )


def test_two_content_lengths():
    """3.3.9"""
    answered(
        wire(
            f"OPTIONS sip:bea@two.example.org SIP/2.0\n{VIA}{REST}CSeq: 5 OPTIONS\nContent-Length: 13\nl: 5",
            b"There's no way",
        )
    )


def test_no_hops_left_is_for_proxies_to_refuse():
    """3.3.11"""
    message = request("OPTIONS", "sip:bea@two.example.org", f"{VIA}{REST}CSeq: 5 OPTIONS\nMax-Forwards: 0")
    assert message.number("Max-Forwards") == 0


def test_parameters_of_a_contact_and_of_the_uri_in_it():
    """3.3.12 to 3.3.14"""
    message = request(
        "REGISTER",
        "sip:example.org",
        f"""
{VIA}{REST}CSeq: 9 REGISTER
Contact: sip:+19725552222@gw1.example.net;unknownparam
Contact: <sip:+19725552222@gw1.example.net;unknownparam>
Contact: <sip:user@example.org?Route=%3Csip:sip.example.org%3E>
""",
    )
    outside, inside, with_headers = message.contacts
    assert outside.parameters == {"unknownparam": None}
    assert isinstance(outside.uri, SipUri)
    assert outside.uri.parameters == {}
    assert inside.parameters == {}
    assert isinstance(inside.uri, SipUri)
    assert inside.uri.parameters == {"unknownparam": None}
    assert isinstance(with_headers.uri, SipUri)
    assert with_headers.uri.headers == "Route=%3Csip:sip.example.org%3E"
    assert str(with_headers.uri.bare()) == "sip:user@example.org"


# 3.4: backward compatibility


def test_an_invite_of_rfc_2543():
    """3.4.1"""
    message = request(
        "INVITE",
        "sip:bea@example.org",
        "Via: SIP/2.0/UDP iftgw.example.org\nFrom: <sip:+13035551111@ift.client.example.net;user=phone>\n"
        "To: sip:+16505552222@ss1.example.net;user=phone\nCall-ID: inv2543@example.org\nCSeq: 56 INVITE",
    )
    assert not message.via.is_unique
    assert message.from_.tag == ""
    assert message.to.parameters == {"user": "phone"}
