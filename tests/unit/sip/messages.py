"""Messages to take apart, and strategies that make them."""

from __future__ import annotations

from hypothesis import strategies as st

from chappe.operators.sip.syntax.message import Request, Response
from chappe.operators.sip.syntax.uri import SipUri


def wire(text: str, body: bytes = b"") -> bytes:
    """A message written with plain line ends, as it goes over the wire; the empty line and the body follow."""
    return text.strip("\n").encode().replace(b"\n", b"\r\n") + b"\r\n\r\n" + body


def request(method: str = "OPTIONS", *more: str, cseq: int = 1, body: bytes = b"") -> bytes:
    """A request with all that it must have, and `more` header lines."""
    return wire(
        "\n".join(
            [
                f"{method} sip:bob@there.example.com SIP/2.0",
                "Via: SIP/2.0/UDP here.example.com:5070;branch=z9hG4bKabc123",
                "From: <sip:alice@here.example.com>;tag=a1",
                "To: <sip:bob@there.example.com>",
                "Call-ID: one@here.example.com",
                f"CSeq: {cseq} {method}",
                *more,
            ]
        ),
        body,
    )


pieces = st.sampled_from(
    [
        b"\r\n",
        b"\r\n\r\n",
        b" ",
        b"\t",
        b":",
        b";",
        b",",
        b"=",
        b"<",
        b">",
        b'"',
        b"\\",
        b"%",
        b"@",
        b"?",
        b"\x00",
        b"\xff",
        b"sip:",
        b"SIP/2.0",
        b"INVITE",
        b"Via: ",
        b"SIP/2.0/UDP h",
        b"branch=z9hG4bK1",
        b"From: ",
        b"To: ",
        b"Contact: ",
        b"CSeq: 1 INVITE",
        b"Call-ID: x",
        b"Content-Length: 5",
        b"l: 3",
        b"99999999999999999999",
        b"[::1]",
        b"tag=1",
    ]
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A good message with a few places overwritten, cut out or filled in."""
    octets = bytearray(
        draw(
            st.sampled_from(
                [
                    request("INVITE", "Contact: <sip:a@h>;expires=3", "Record-Route: <sip:p;lr>, <sip:q;lr>"),
                    request(
                        "REGISTER", 'Authorization: Digest username="a", realm="b", qop=auth, nc=00000001'
                    ),
                    wire(
                        "SIP/2.0 200 OK\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\nf: <sip:a@h>;tag=1\n"
                        't: "B \\" C" <sip:b@h>;tag=2\ni: x\nCSeq: 1 BYE\nl: 4',
                        b"v=0\n",
                    ),
                ]
            )
        )
    )
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, len(octets)))
        end = min(len(octets), start + draw(st.integers(0, 8)))
        octets[start:end] = draw(st.one_of(pieces, st.binary(max_size=4)))
    return bytes(octets)


names = st.sampled_from(["Subject", "Via", "From", "x-new", "Contact", "Supported"])
values = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=20).map(
    lambda text: text.strip(" \t")
)
headers = st.lists(st.tuples(names, values), max_size=6)
uris = st.builds(
    SipUri,
    host=st.sampled_from(["h.example.com", "192.0.2.1", "[2001:db8::1]"]),
    user=st.none() | st.sampled_from(["bob", "+33612345678", "a%20b"]),
    port=st.none() | st.integers(1, 65535),
    parameters=st.dictionaries(st.sampled_from(["lr", "transport"]), st.none() | st.just("tcp")),
)
requests = st.builds(
    Request, st.sampled_from(["INVITE", "BYE", "X.y~"]), uris, headers, st.binary(max_size=30)
)
responses = st.builds(Response, st.integers(100, 699), headers, st.binary(max_size=30))
