"""Routes, targets and what a user agent answers outside of calls."""

from __future__ import annotations

import pytest

from chappe.operators.sip.agent.causes import read_reason, write_reason
from chappe.operators.sip.agent.dialog import dialog_of_request, dialog_of_response
from chappe.operators.sip.agent.events import Incoming, Nuisance, OtherRequest
from chappe.operators.sip.agent.settings import Settings
from chappe.operators.sip.errors import RemoteError
from chappe.operators.sip.hop import Hop
from chappe.operators.sip.syntax.message import Request, Response, parse_message
from chappe.operators.sip.syntax.multipart import part_of
from tests.unit.sip.messages import request as request_octets
from tests.unit.sip.messages import wire
from tests.unit.sip.network import Network
from tests.unit.sip.phones import Phone, carried, pair

UDP = Hop("udp", "192.0.2.1", 5060)


def answered(*headers: str, hop: Hop = UDP):
    """The caller's dialog of a 200 with these headers."""
    request = parse_message(request_octets("INVITE"))
    assert isinstance(request, Request)
    response = parse_message(
        wire(
            "SIP/2.0 200 OK\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\nFrom: <sip:alice@here.example.com>;tag=a1\n"
            "To: <sip:bob@there.example.com>;tag=b1\nCall-ID: one@here.example.com\nCSeq: 1 INVITE\n"
            + "\n".join(headers)
        )
    )
    assert isinstance(response, Response)
    return dialog_of_response(request, response, hop)


def test_loose_routes_are_kept_in_reverse_order():
    """Section 12.1.2 and 12.2.1.1"""
    dialog = answered(
        "Contact: <sip:bob@192.0.2.77;x=Y>",
        "Record-Route: <sip:p2.example.com;lr>, <sip:p1.example.com:5070;lr;id=7>",
    )
    bye = dialog.request("BYE")
    assert str(bye.uri) == "sip:bob@192.0.2.77;x=Y"
    assert bye.all("Route") == ["<sip:p1.example.com:5070;lr;id=7>", "<sip:p2.example.com;lr>"]
    assert dialog.next_hop() == Hop("udp", "p1.example.com", 5070)
    assert (bye.cseq.number, bye.from_.tag, bye.to.tag) == (2, "a1", "b1")
    assert dialog.request("ACK", number=1).cseq == (1, "ACK")
    assert dialog.request("INFO").cseq.number == 3


def test_a_strict_router_is_put_into_the_request_uri():
    dialog = answered(
        "Contact: <sip:bob@192.0.2.77>", "Record-Route: <sip:p2.example.com;lr>, <sip:p1.example.com?x=y>"
    )
    bye = dialog.request("BYE")
    assert str(bye.uri) == "sip:p1.example.com"
    assert bye.all("Route") == ["<sip:p2.example.com;lr>", "<sip:bob@192.0.2.77>"]
    assert dialog.next_hop() == Hop("udp", "p1.example.com", 5060)


@pytest.mark.parametrize(
    ("contact", "hop", "expected"),
    [
        ("sip:bob@192.0.2.77", UDP, Hop("udp", "192.0.2.77", 5060)),
        ("sip:bob@192.0.2.77:5070", UDP, Hop("udp", "192.0.2.77", 5070)),
        ("sip:bob@192.0.2.77;transport=tcp", UDP, Hop("tcp", "192.0.2.77", 5060)),
        ("sips:bob@192.0.2.77", UDP, Hop("tls", "192.0.2.77", 5061)),
        ("sip:bob@[2001:db8::7]", UDP, Hop("udp", "2001:db8::7", 5060)),
        ("sip:bob@192.0.2.1", Hop("udp", "192.0.2.1", 5080), Hop("udp", "192.0.2.1", 5080)),
        ("sip:bob@192.0.2.1:5060", Hop("udp", "192.0.2.1", 5080), Hop("udp", "192.0.2.1", 5060)),
        # Over a stream there is already, whatever port the peer listens at.
        ("sip:bob@192.0.2.1:5061", Hop("tls", "192.0.2.1", 40000, 7), Hop("tls", "192.0.2.1", 5061, 7)),
        (
            "sip:bob@192.0.2.1;transport=tcp",
            Hop("tls", "192.0.2.1", 5061, 7),
            Hop("tls", "192.0.2.1", 5061, 7),
        ),
        ("sip:bob@192.0.2.77", Hop("tcp", "192.0.2.1", 5060, 7), Hop("tcp", "192.0.2.77", 5060)),
        ("sip:bob@192.0.2.77;transport=sctp", UDP, UDP),
        ("tel:+331", UDP, UDP),
    ],
)
def test_requests_in_a_dialog_go_to_its_target(contact, hop, expected):
    assert answered(f"Contact: <{contact}>", hop=hop).next_hop() == expected


def test_an_answer_without_contact_goes_where_the_first_request_went():
    assert str(answered().request("BYE").uri) == "sip:bob@there.example.com"


def test_the_callee_keeps_routes_in_their_order():
    """Section 12.1.1"""
    request = parse_message(
        request_octets(
            "INVITE",
            "Contact: <sip:alice@192.0.2.50>",
            "Record-Route: <sip:p2.example.com;lr>",
            "Record-Route: <sip:p1.example.com;lr>",
        )
    )
    assert isinstance(request, Request)
    dialog = dialog_of_request(request, "b1", UDP)
    bye = dialog.request("BYE")
    assert bye.all("Route") == ["<sip:p2.example.com;lr>", "<sip:p1.example.com;lr>"]
    assert (bye.first("From"), bye.first("To")) == (
        "<sip:bob@there.example.com>;tag=b1",
        "<sip:alice@here.example.com>;tag=a1",
    )
    assert bye.cseq.number == 1
    with pytest.raises(RemoteError):
        bare = parse_message(request_octets("INVITE"))
        assert isinstance(bare, Request)
        dialog_of_request(bare, "b1", UDP)


def test_a_new_contact_in_a_re_invite_is_where_requests_go():
    network, caller, callee = pair(settings=Settings(session_expires_s=0))
    call = caller.call("192.0.2.9")
    network.run(2000)
    moved = Phone(network, "192.0.2.55")
    request = call.dialog.request(
        "INVITE", [("Contact", "<sip:192.0.2.55>"), ("Content-Type", "application/sdp")], b"moved"
    )
    caller.agent.layer.request(request, call.hop, network.now_ms)
    network.run(1000)
    callee.do(callee.of(Incoming)[0].call.hang_up)
    network.pump()
    assert network.carried[-1][1] == "192.0.2.55"
    assert moved.log == []


# Outside of calls


def asked(octets: bytes, settings: Settings | None = None) -> tuple[Phone, list[Response]]:
    network = Network()
    phone = Phone(network, "192.0.2.9", settings)
    phone.receive(octets, UDP, 0)
    answers = [parse_message(outgoing.data) for outgoing in phone.take()]
    assert all(isinstance(answer, Response) for answer in answers)
    return phone, answers  # type: ignore[return-value]


def test_options_tell_what_we_can_do():
    """Section 11.2"""
    _, (answer,) = asked(request_octets("OPTIONS"))
    assert answer.status == 200
    assert answer.allowed >= {"invite", "ack", "bye", "cancel", "options", "update", "prack", "info"}
    assert answer.supported == {"100rel", "timer"}
    assert answer.first("Accept") == "application/sdp"
    assert answer.to.tag


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("OPTIONS", ["Require: nothing"], 420),
        ("REGISTER", [], 405),
        ("MESSAGE", [], 405),
        ("WHATEVER", [], 501),
        ("BYE", [], 481),
        ("PRACK", [], 481),
        ("CANCEL", [], 481),
    ],
)
def test_other_requests_are_refused(method, headers, status):
    _, answers = asked(request_octets(method, *headers))
    assert [answer.status for answer in answers] == [status]
    if status in (405, 501):
        assert "invite" in answers[0].allowed
    if status == 420:
        assert answers[0].first("Unsupported") == "nothing"


def test_methods_that_the_owner_handles_are_told():
    phone, answers = asked(request_octets("MESSAGE"), Settings(handles=frozenset({"MESSAGE"})))
    assert answers == []
    (event,) = phone.of(OtherRequest)
    phone.agent.respond(event.transaction, 202, 0)
    (outgoing,) = phone.take()
    assert outgoing.data.startswith(b"SIP/2.0 202 ")


def test_what_no_transaction_is_for_is_a_nuisance_and_no_more():
    phone, answers = asked(b"SIP/2.0 200 OK\r\n\r\n")
    assert answers == []
    assert [type(event) for event in phone.log] == [Nuisance]
    phone, answers = asked(request_octets("ACK"))
    assert (phone.log, answers) == ([], [])


def test_a_dialog_of_a_request_is_over_when_it_is_refused():
    network, caller, callee = pair([(5, "reject", {"status": 486})])
    caller.call("192.0.2.9")
    network.run(100)
    assert callee.agent.dialogs == caller.agent.dialogs == 0
    assert isinstance(carried(network)[-1], Request)


# Reasons, bodies of parts


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["Q.850;cause=17"], (17, "")),
        (['SIP ;cause=200 ;text="elsewhere", q.850;cause=16;text="over"'], (16, "over")),
        (['SIP;cause=480;text="away"'], (None, "away")),
        (["Q.850;cause=128"], (None, "")),
        (["Q.850;cause=x"], (None, "")),
        (["?;;", "Q.850;cause=3"], (3, "")),
        (['Q.850;cause=3;text="a\x01b"'], (3, "a?b")),
        ([], (None, "")),
    ],
)
def test_reasons_are_read_as_well_as_can_be(values, expected):
    response = Response(486, [("Reason", value) for value in values])
    assert read_reason(response) == expected
    assert read_reason(Response(486, [("Reason", write_reason(17, 'a "b"'))])) == (17, 'a "b"')


SDP_PART = b"Content-Type: application/sdp\r\n\r\nv=0\r\n"


def test_the_session_description_is_found_among_several_parts():
    body = (
        b"--b1\r\nContent-Type: application/isup;version=x\r\n\r\n\x01\x00\r\n--b1\r\n"
        + SDP_PART
        + b"\r\n--b1--\r\n"
    )
    assert part_of('multipart/mixed;boundary="b1"', body, "application/sdp") == b"v=0\r\n"
    assert part_of("multipart/mixed; boundary=b1", body, "text/html") == b""
    assert part_of("multipart/mixed; boundary=b1", body.replace(b"sdp", b"x"), "application/sdp") == b""
    for content_type in (
        "multipart/mixed",
        "multipart/mixed;boundary=" + "b" * 71,
        "multipart/mixed;boundary=b x",
    ):
        with pytest.raises(RemoteError):
            part_of(content_type, body, "application/sdp")
    with pytest.raises(RemoteError):
        part_of("multipart/mixed;boundary=b1", b"--b1\r\n" * 20, "application/sdp")
