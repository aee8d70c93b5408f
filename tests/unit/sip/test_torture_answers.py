"""The cases of RFC 4475 that are not about reading: what a user agent of ours answers to them, rebuilt by hand."""

from __future__ import annotations

import pytest

from chappe.operators.sip.agent.events import Incoming
from chappe.operators.sip.hop import Hop
from chappe.operators.sip.syntax.message import Response, parse_message
from tests.unit.sip.messages import wire
from tests.unit.sip.network import Network
from tests.unit.sip.phones import Phone
from tests.unit.sip.test_torture import REST, SDP, VIA

UDP = Hop("udp", "192.0.2.7", 5060)
CONTACT = "Contact: <sip:cal@192.0.2.7>"


class Waiting:
    """A phone that waits, and what it sends."""

    def __init__(self) -> None:
        self.network = Network()
        self.phone = Phone(self.network, "192.0.2.9", plan=[(5, "reject", {"status": 486})])

    def takes(self, octets: bytes) -> list[Response]:
        """Its final answers."""
        self.phone.receive(octets, UDP, self.network.now_ms)
        self.network.run(100)
        messages = [parse_message(data) for _, _, data in self.network.carried]
        assert all(isinstance(message, Response) for message in messages)
        return [message for message in messages if isinstance(message, Response) and message.status >= 200]


def request(method: str, uri: str, *more: str, via: str = VIA, rest: str = REST, body: bytes = b"") -> bytes:
    return wire(f"{method} {uri} SIP/2.0\n{via}{rest}CSeq: 8 {method}\n" + "\n".join(more), body)


@pytest.mark.parametrize(
    ("octets", "status", "header"),
    [
        # 3.2.1: a branch of nothing but the cookie is answered as one of RFC 2543
        (request("OPTIONS", "sip:bea@two.example.org", via="Via: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK"), 200, None),
        # 3.3.2, 3.3.3: schemes that nobody knows
        (request("OPTIONS", "nobodyKnowsThis:opaque,content;here"), 416, None),
        (request("OPTIONS", "soap.beep://192.0.2.103:3002"), 416, None),
        # 3.3.5: extensions that nobody has; Proxy-Require is none of our business
        (
            request("OPTIONS", "sip:bea@two.example.org", "Require: norThis, 100rel", "Proxy-Require: alsoNotThis"),
            420,
            ("Unsupported", "northis"),
        ),
        # 3.3.6: a body of a kind that nobody knows
        (
            request("INVITE", "sip:bea@two.example.org", CONTACT, "Content-Type: application/unknownformat", body=b"<a/>"),
            415,
            ("Accept", "application/sdp"),
        ),
        # 3.3.7: credentials of a scheme that nobody knows; we are no registrar
        (request("REGISTER", "sip:example.org", CONTACT, "Authorization: NobodyKnows opaque-data=here"), 405, None),
        # 3.3.8, 3.3.9: single values twice
        (request("INVITE", "sip:bea@two.example.org", CONTACT, "Call-ID: other@one.example.org"), 400, None),
        (request("OPTIONS", "sip:bea@two.example.org", "Content-Length: 13", "l: 5", body=b"There's no way"), 400, None),
        # 3.3.11: who is asked itself may be asked with no hops left
        (request("OPTIONS", "sip:bea@two.example.org", "Max-Forwards: 0"), 200, None),
        # 3.3.15: our answer could not be read
        (request("INVITE", "sip:bea@two.example.org", CONTACT, "Accept: text/nobodyKnowsThis"), 406, None),
        (request("INVITE", "sip:bea@two.example.org", CONTACT, "Accept:"), 406, None),
    ],
)  # fmt: skip
def test_what_is_well_formed_and_cannot_be_done(octets, status, header):
    waiting = Waiting()
    (answer,) = waiting.takes(octets)
    assert answer.status == status
    assert answer.to.tag
    if header is not None:
        assert answer.first(header[0]) == header[1]
    assert waiting.phone.of(Incoming) == []


@pytest.mark.parametrize("accept", ["application/sdp;level=1, text/plain", "Application/*", "*/*;q=0.1"])
def test_whoever_reads_descriptions_among_others_is_answered(accept):
    waiting = Waiting()
    more = (CONTACT, f"Accept: {accept}", "Content-Type: application/sdp")
    (answer,) = waiting.takes(request("INVITE", "sip:bea@two.example.org", *more, body=SDP))
    assert answer.status == 486


def test_a_response_that_is_not_for_us_goes_nowhere():
    """3.3.10: the Vias below lead to a broadcast address; nothing of it is sent on, or answered."""
    waiting = Waiting()
    vias = "Via: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1324923\nVia: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1saber23"
    for status in ("200 OK", "486 Busy Here", "180 Ringing"):
        octets = wire(f"SIP/2.0 {status}\n{vias}{REST}CSeq: 14 INVITE\n{CONTACT}\nl: 0")
        assert waiting.takes(octets) == []
    assert waiting.network.carried == []


def test_an_invite_of_rfc_2543_rings():
    """3.4.1: no branch, no tag, no Max-Forwards, no Contact that could be left out."""
    waiting = Waiting()
    octets = wire(
        "INVITE sip:bea@example.org SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.7\n"
        "From: <sip:+13035551111@ift.client.example.net;user=phone>\n"
        "To: sip:+16505552222@ss1.example.net;user=phone\nCall-ID: inv2543@example.org\nCSeq: 56 INVITE\n"
        "Contact: <sip:+13035551111@192.0.2.7>\nContent-Type: application/sdp",
        SDP,
    )
    (answer,) = waiting.takes(octets)
    assert answer.status == 486
    assert len(waiting.phone.of(Incoming)) == 1
