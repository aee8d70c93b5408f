"""Calls from the INVITE to the BYE, each phone against the other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chappe.operators.sip.agent.causes import Cause
from chappe.operators.sip.agent.events import (
    Abandoned,
    Answered,
    Ended,
    Established,
    Failed,
    Incoming,
    InfoReceived,
    OfferAnswered,
    Offered,
    Progress,
)
from chappe.operators.sip.agent.outgoing import PROGRESS_MAX
from chappe.operators.sip.agent.reliable import TAKEN_MAX
from chappe.operators.sip.agent.settings import Settings
from chappe.operators.sip.agent.states import CallState
from chappe.operators.sip.errors import LocalError
from chappe.operators.sip.hop import Hop
from chappe.operators.sip.syntax.message import Request, Response, parse_message
from tests.unit.sip.network import Network, Weather
from tests.unit.sip.phones import ANSWER, ANSWERS, OFFER, Phone, assert_all_over, carried, pair, summary

PLAIN = Settings(session_expires_s=0)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_call_rings_is_answered_and_is_hung_up(transport):
    network, caller, callee = pair(settings=PLAIN)
    call = caller.call("192.0.2.9", transport, context="mine")
    network.run(2000)
    assert caller.kinds() == ["Progress", "Answered"]
    assert callee.kinds() == ["Incoming", "Established"]
    (incoming,) = callee.of(Incoming)
    assert (incoming.body, incoming.call.dialog.remote_tag) == (OFFER, call.local_tag)
    assert caller.of(Answered)[0].body == ANSWER
    assert call.context == "mine"
    caller.do(call.hang_up, q850=16, text="done")
    network.run(100)
    assert caller.of(Ended)[0].cause == Cause("local", 0, 16, "done")
    assert callee.of(Ended)[0].cause == Cause("remote", 0, 16, "done")
    assert summary(network) == [
        "INVITE",
        "100 INVITE",
        "180 INVITE",
        "200 INVITE",
        "ACK",
        "BYE",
        "200 BYE",
    ]
    assert_all_over(network, caller, callee)


def test_the_callee_hangs_up():
    network, caller, callee = pair([*ANSWERS, (3000, "hang_up", {"q850": 31})])
    caller.call("192.0.2.9")
    network.run(5000)
    assert caller.of(Ended)[0].cause == Cause("remote", 0, 31, "")
    assert_all_over(network, caller, callee)


@pytest.mark.parametrize(
    ("status", "q850", "expected"),
    [(486, None, 17), (486, 34, 34), (480, None, 18), (603, None, 21), (404, None, 1), (500, None, 41)],
)
def test_a_call_is_refused_with_status_and_cause(status, q850, expected):
    network, caller, callee = pair([(0, "reject", {"status": status, "q850": q850})])
    caller.call("192.0.2.9")
    network.run(1000)
    (failed,) = caller.of(Failed)
    assert (failed.cause.origin, failed.cause.status, failed.cause.q850) == ("remote", status, expected)
    assert callee.kinds() == ["Incoming"]
    assert summary(network)[-1] == "ACK"
    assert_all_over(network, caller, callee)


def test_retry_after_and_the_text_of_the_reason_are_told():
    headers = [("Retry-After", "120 (later);duration=5"), ("Reason", 'Q.850;cause=42;text="full"')]
    network, caller, _ = pair([(0, "reject", {"status": 503, "headers": headers})])
    caller.call("192.0.2.9")
    network.run(1000)
    assert caller.of(Failed)[0].cause == Cause("remote", 503, 42, "full", 120)


def test_nobody_answers_at_all():
    network = Network()
    caller = Phone(network, "192.0.2.1")
    caller.call("192.0.2.9")
    network.run(32_000)
    assert caller.of(Failed)[0].cause == Cause("timeout", 408, 102, "no answer")
    caller.call("192.0.2.9", "tcp")
    network.run(10)
    assert caller.of(Failed)[1].cause == Cause("unreachable", 503, 41, "not reachable")
    assert_all_over(network, caller)


def test_a_call_may_have_rung_when_more_than_100_came_in_whatever_form():
    for status, tag, rang in ((100, "", False), (180, "t", True), (180, "", True), (182, "", True)):
        network = Network()
        caller = Phone(network, "192.0.2.1")
        call = caller.call("192.0.2.9")
        network.pump()
        invite = parse_message(network.carried[0][2])
        assert isinstance(invite, Request)
        caller.receive(
            invite.respond(status, tag=tag).encode(), Hop("udp", "192.0.2.9", 5060), network.now_ms
        )
        assert call.may_have_rung == rang
        caller.receive(invite.respond(503, tag="t").encode(), Hop("udp", "192.0.2.9", 5060), network.now_ms)
        assert caller.of(Failed)[0].cause.status == 503
        assert call.may_have_rung == rang
        assert_all_over(network, caller)


# Giving up


def test_a_ringing_call_is_cancelled():
    network, caller, callee = pair([(10, "ring", {})])
    call = caller.call("192.0.2.9")
    network.run(1000)
    caller.do(call.cancel, q850=19, text="no answer")
    with pytest.raises(LocalError):
        call.cancel(network.now_ms)
    network.run(1000)
    assert caller.of(Failed)[0].cause == Cause("local", 487, 19, "no answer")
    assert callee.of(Abandoned)[0].cause == Cause("remote", 0, 19, "no answer")
    assert summary(network)[3:] == ["CANCEL", "200 CANCEL", "487 INVITE", "ACK"]
    assert_all_over(network, caller, callee)


def test_a_call_cancelled_before_any_answer_is_cancelled_when_one_comes():
    network, caller, callee = pair([(10, "ring", {})])
    call = caller.call("192.0.2.9")
    caller.do(call.cancel)
    network.pump()
    assert summary(network) == ["INVITE"]
    network.run(1000)
    assert caller.kinds() == ["Failed"]
    assert callee.kinds() == ["Incoming", "Abandoned"]
    assert_all_over(network, caller, callee)


def test_a_call_cancelled_where_nobody_answers_at_all_was_nobody_told_of():
    network = Network()
    caller = Phone(network, "192.0.2.1")
    call = caller.call("192.0.2.9")
    network.run(20_000)
    caller.do(call.cancel, q850=19)
    network.run(12_000)
    assert caller.of(Failed)[0].cause.origin == "timeout"
    assert set(summary(network)) == {"INVITE"}
    assert_all_over(network, caller)


def test_a_cancelled_call_that_is_answered_all_the_same_is_hung_up():
    network, caller, callee = pair([(10, "accept", {"body": ANSWER})])
    network.lost = lambda data: data.startswith(b"CANCEL")
    call = caller.call("192.0.2.9")
    network.run(7)  # 100 is there, 200 is not
    caller.do(call.cancel)
    network.run(1000)
    assert caller.kinds() == ["Failed"]
    assert callee.kinds() == ["Incoming", "Established", "Ended"]
    assert_all_over(network, caller, callee)


def test_a_cancel_that_is_never_answered_ends_after_64_t1():
    network, caller, _ = pair([(10, "ring", {})])
    call = caller.call("192.0.2.9")
    network.run(1000)
    network.remove("192.0.2.9")
    caller.do(call.cancel)
    network.run(31_999)
    assert caller.of(Failed) == []
    network.run(1)
    assert caller.of(Failed)[0].cause.origin == "local"
    assert_all_over(network, caller)


def test_a_cancel_of_an_unknown_or_answered_call_changes_nothing():
    network, caller, callee = pair()
    caller.call("192.0.2.9")
    network.run(2000)
    invite = next(m for m in carried(network) if isinstance(m, Request))
    cancel = invite.encode().replace(b"INVITE", b"CANCEL")
    callee.receive(cancel, Hop("udp", "192.0.2.1", 5060), network.now_ms)
    callee.receive(cancel.replace(b"z9hG4bK", b"z9hG4bKother"), Hop("udp", "192.0.2.1", 5060), network.now_ms)
    network.run(10)
    assert summary(network)[-2:] == ["200 CANCEL", "481 CANCEL"]
    assert callee.of(Abandoned) == []


# Answers that repeat


def test_the_answer_is_repeated_until_its_ack_comes():
    network, caller, callee = pair(settings=PLAIN)
    acks = []
    network.lost = lambda data: data.startswith(b"ACK") and (acks.append(data) or len(acks) <= 2)
    caller.call("192.0.2.9")
    network.run(5000)
    assert summary(network).count("200 INVITE") == 3
    assert acks[0] == acks[1] == acks[2]
    assert callee.kinds() == ["Incoming", "Established"]
    assert caller.kinds() == ["Progress", "Answered"]


def test_a_call_whose_answer_is_never_acknowledged_is_hung_up():
    network, caller, callee = pair(settings=PLAIN)
    network.lost = lambda data: data.startswith(b"ACK")
    caller.call("192.0.2.9")
    network.run(40_000)
    assert callee.of(Ended)[0].cause == Cause("timeout", 408, 102, "no ACK")
    assert caller.of(Ended)[0].cause.origin == "remote"
    times = [
        now for now, _, data in network.carried if data.startswith(b"SIP/2.0 200") and b"1 INVITE" in data
    ]
    assert [after - times[0] for after in times][:8] == [0, 500, 1500, 3500, 7500, 11500, 15500, 19500]
    assert_all_over(network, caller, callee)


@pytest.mark.parametrize("content", ["text/plain", "multipart/mixed", "?"])
def test_an_ack_whose_body_cannot_be_read_is_one_all_the_same(content):
    """Else the call could never be hung up: that waits for the ACK, which does not come again."""
    network, caller, callee = pair()
    caller.call("192.0.2.9")
    lost = []
    network.lost = lambda data: data.startswith(b"ACK") and not lost.append(data)
    network.run(1_100)
    typed = f"Content-Type: {content}\r\nContent-Length: 1".encode()
    spoiled = lost[0].replace(b"Content-Length: 0", typed) + b"x"
    callee.receive(spoiled, Hop("udp", "192.0.2.1", 5060), network.now_ms)
    (established,) = callee.of(Established)
    assert established.body == b""
    callee.do(established.call.hang_up)
    network.lost = lambda data: False
    network.run(1_000)
    assert caller.kinds()[-1] == "Ended"
    assert_all_over(network, caller, callee)


def test_a_callee_that_hangs_up_at_once_waits_for_the_ack():
    network, caller, callee = pair([(10, "accept", {"body": ANSWER}), (10, "hang_up", {})], settings=PLAIN)
    caller.call("192.0.2.9")
    network.run(1000)
    assert summary(network) == ["INVITE", "100 INVITE", "200 INVITE", "ACK", "BYE", "200 BYE"]
    assert callee.kinds() == ["Incoming", "Ended"]
    assert caller.kinds() == ["Answered", "Ended"]
    assert_all_over(network, caller, callee)


# Forks


def forked(network: Network, *tags: bytes, status: bytes = b"200 OK") -> None:
    """The callee's answer again, as if other phones had given it too."""
    now_ms, _, data = next(
        item for item in network.carried if item[2].startswith(b"SIP/2.0 " + status) and b"INVITE" in item[2]
    )
    message = parse_message(data)
    for tag in tags:
        changed = data.replace(b";tag=" + message.to.tag.encode(), b";tag=" + tag)
        network._places["192.0.2.1", 5060].receive(changed, Hop("udp", "192.0.2.9", 5060), network.now_ms)
    assert now_ms <= network.now_ms


def test_several_phones_ring_and_each_is_told():
    network, caller, _ = pair()
    caller.call("192.0.2.9")
    network.run(100)
    forked(network, b"second", b"third", b"second", status=b"180")
    tags = [event.dialog_tag for event in caller.of(Progress)]
    assert len(tags) == 4
    assert len(set(tags)) == 3
    forked(network, *[b"t%d" % number for number in range(30)], status=b"180")
    assert len({event.dialog_tag for event in caller.of(Progress)}) == 16
    network.run(3000)
    assert caller.kinds()[-1] == "Answered"
    assert caller.agent.dialogs == 1


def test_a_second_phone_that_answers_is_acknowledged_and_hung_up_once():
    network, caller, callee = pair(settings=PLAIN)
    call = caller.call("192.0.2.9")
    network.run(2000)
    sent_before = len(network.carried)
    forked(network, b"second")
    forked(network, b"second")
    network.run(10)
    sent = [message for message in carried(network)[sent_before:] if isinstance(message, Request)]
    assert [(message.method, message.to.tag) for message in sent] == [
        ("ACK", "second"),
        ("BYE", "second"),
        ("ACK", "second"),
    ]
    assert [message.cseq.number for message in sent] == [1, 2, 1]
    assert caller.kinds() == ["Progress", "Answered"]
    assert call.state is CallState.CONFIRMED
    caller.do(call.hang_up)
    forked(network, b"late")
    assert_all_over(network, caller, callee)


# Inside of a call


def test_an_offer_inside_of_a_call_is_answered_both_ways():
    network, caller, callee = pair(settings=PLAIN)
    call = caller.call("192.0.2.9")
    network.run(2000)
    caller.do(call.offer, b"hold")
    with pytest.raises(LocalError):
        call.offer(b"again", network.now_ms)
    network.run(1000)
    assert callee.of(Offered)[0].body == b"hold"
    (settled,) = caller.of(OfferAnswered)
    assert (settled.body, settled.cause) == (ANSWER, None)
    callee.do(callee.of(Incoming)[0].call.offer, b"theirs")
    network.run(1000)
    assert caller.of(Offered)[0].body == b"theirs"
    assert callee.of(OfferAnswered)[0].body == ANSWER
    assert summary(network)[5:] == ["INVITE", "100 INVITE", "200 INVITE", "ACK"] * 2
    caller.do(call.hang_up)
    assert_all_over(network, caller, callee)


def test_an_offer_that_is_refused_leaves_the_call_as_it_was():
    network, caller, callee = pair(settings=PLAIN)
    callee.answers_offers = False
    call = caller.call("192.0.2.9")
    network.run(2000)
    caller.do(call.offer, b"video")
    network.run(100)
    assert callee.do(callee.of(Offered)[0].call.refuse, 488)
    assert not callee.do(callee.of(Offered)[0].call.refuse, 488)
    network.run(100)
    assert caller.of(OfferAnswered)[0].cause.status == 488
    assert call.state is CallState.CONFIRMED
    assert call.local_body == OFFER


def test_an_offer_in_the_answer_is_answered_in_the_ack():
    """Their re-INVITE without a session description asks for ours."""
    network, caller, callee = pair(settings=PLAIN)
    caller.call("192.0.2.9")
    network.run(2000)
    theirs = callee.of(Incoming)[0].call
    request = theirs.dialog.request("INVITE", [("Contact", "<sip:192.0.2.9>")])
    transaction = callee.agent.layer.request(request, Hop("udp", "192.0.2.1", 5060), network.now_ms)
    network.run(100)
    assert caller.of(Offered)[0].body == b""
    ack = theirs.dialog.request(
        "ACK", [("Content-Type", "application/sdp")], b"answer", number=transaction.request.cseq.number
    )
    callee.agent.layer.send(ack, Hop("udp", "192.0.2.1", 5060))
    network.run(100)
    assert caller.of(OfferAnswered)[0].body == b"answer"


def test_both_offer_at_once_and_both_succeed_later():
    """Glare: section 14.1 and 14.2"""
    network, caller, callee = pair(settings=PLAIN)
    call = caller.call("192.0.2.9")
    network.run(2000)
    caller.do(call.offer, b"ours")
    callee.do(callee.of(Incoming)[0].call.offer, b"theirs")
    network.run(100)
    assert summary(network).count("491 INVITE") == 2
    with pytest.raises(LocalError):
        call.offer(b"another", network.now_ms)
    network.run(10_000)
    assert caller.of(OfferAnswered)[0].cause is None
    assert callee.of(OfferAnswered)[0].cause is None
    assert caller.of(Offered)[0].body == b"theirs"
    caller.do(call.hang_up)
    assert_all_over(network, caller, callee)


def test_a_second_offer_before_the_first_is_settled_is_put_off():
    network, caller, callee = pair(settings=PLAIN)
    callee.answers_offers = False
    call = caller.call("192.0.2.9")
    network.run(2000)
    caller.do(call.offer, b"first")
    network.run(100)
    dialog = call.dialog
    second = dialog.request("INVITE", [("Contact", "<sip:192.0.2.1>")])
    caller.agent.layer.request(second, Hop("udp", "192.0.2.9", 5060), network.now_ms)
    network.run(100)
    refused = carried(network)[-2]
    assert isinstance(refused, Response)
    assert refused.status == 500
    assert 0 <= refused.number("Retry-After") <= 10


def test_an_offer_that_is_cancelled_is_withdrawn():
    network, caller, callee = pair(settings=PLAIN)
    callee.answers_offers = False
    call = caller.call("192.0.2.9")
    network.run(2000)
    caller.do(call.offer, b"hold")
    network.run(100)
    call._offering.exchange.cancel(network.now_ms, [])
    network.run(100)
    assert caller.of(OfferAnswered)[0].cause.status == 487
    assert not callee.do(callee.of(Offered)[0].call.answer, ANSWER)


def test_info_options_and_unknown_requests_inside_of_a_call():
    network, caller, callee = pair(settings=PLAIN)
    call = caller.call("192.0.2.9")
    network.run(2000)
    dialog, layer = call.dialog, caller.agent.layer
    before = len(network.carried)
    for method, headers, body in (
        ("INFO", [("Content-Type", "application/dtmf-relay")], b"Signal=5"),
        ("OPTIONS", [], b""),
        ("REFER", [("Refer-To", "<sip:x@y>")], b""),
        ("WHATEVER", [], b""),
        ("PRACK", [("RAck", "1 1 INVITE")], b""),
        ("UPDATE", [("Contact", "<sip:192.0.2.1>")], b""),
        ("INVITE", [("Require", "teleport")], b""),
        ("INVITE", [("Content-Type", "text/plain")], b"hi"),
    ):
        layer.request(dialog.request(method, headers, body), call.hop, network.now_ms)
        network.run(100)
    statuses = [text for text in summary(network)[before:] if text[0] in "23456"]
    assert statuses == [
        "200 INFO",
        "200 OPTIONS",
        "405 REFER",
        "501 WHATEVER",
        "481 PRACK",
        "200 UPDATE",
        "420 INVITE",
        "415 INVITE",
    ]
    (info,) = callee.of(InfoReceived)
    assert (info.content_type, info.body) == ("application/dtmf-relay", b"Signal=5")


def test_requests_out_of_order_are_refused():
    """Section 12.2.2"""
    network, caller, _ = pair(settings=PLAIN)
    call = caller.call("192.0.2.9")
    network.run(2000)
    call.dialog.local_cseq = 0
    caller.agent.layer.request(call.dialog.request("INFO"), call.hop, network.now_ms)
    network.run(100)
    assert summary(network)[-1] == "500 INFO"


def test_a_request_into_no_dialog_is_answered_481():
    network, caller, callee = pair(settings=PLAIN)
    call = caller.call("192.0.2.9")
    network.run(2000)
    callee.agent._dialogs.clear()  # it has forgotten everything
    caller.do(call.offer, b"hold")
    network.run(1000)
    assert caller.of(Ended)[0].cause.status == 481
    assert caller.of(OfferAnswered)[0].cause.status == 481


# Session timers


TIMED = Settings(session_expires_s=1800)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_long_call_is_refreshed_by_update(transport):
    """RFC 4028: the caller refreshes at half time."""
    network, caller, callee = pair(settings=TIMED)
    call = caller.call("192.0.2.9", transport)
    network.run(5_000_000)
    assert summary(network).count("UPDATE") == 5
    assert call.state is CallState.CONFIRMED
    caller.do(call.hang_up)
    assert_all_over(network, caller, callee)


def test_a_peer_without_update_is_refreshed_by_invite():
    network, caller, callee = pair(settings=TIMED)
    callee.agent.allow = "INVITE, ACK, BYE, CANCEL"
    call = caller.call("192.0.2.9")
    network.run(2_000_000)
    assert summary(network).count("UPDATE") == 0
    assert summary(network).count("INVITE") == 3
    assert callee.of(Offered)[0].body == OFFER
    assert caller.of(OfferAnswered) == []
    assert call.state is CallState.CONFIRMED


def test_the_callee_refreshes_where_it_is_told_to():
    network, caller, callee = pair(settings=PLAIN)
    caller.call("192.0.2.9", headers=[("Session-Expires", "100;refresher=uas"), ("Min-SE", "90")])
    network.run(120_000)
    assert [m.method for m in carried(network) if isinstance(m, Request)] == [
        "INVITE",
        "ACK",
        "UPDATE",
        "UPDATE",
    ]
    assert callee.agent.dialogs == 1


def test_a_call_whose_caller_has_vanished_ends():
    network, caller, callee = pair(settings=TIMED)
    caller.call("192.0.2.9")
    network.run(2000)
    network.remove("192.0.2.1")
    network.run(1_900_000)
    assert callee.of(Ended)[0].cause == Cause("timeout", 408, 102, "session expired")
    assert_all_over(network, callee)


def test_a_call_whose_callee_has_vanished_ends_at_the_refresh():
    network, caller, _ = pair(settings=TIMED)
    caller.call("192.0.2.9")
    network.run(2000)
    network.remove("192.0.2.9")
    network.run(1_000_000)
    assert caller.of(Ended)[0].cause.status == 408
    assert_all_over(network, caller)


def test_an_interval_too_short_is_refused_and_a_longer_one_asked_for():
    network, caller, callee = pair(
        settings=Settings(session_expires_s=120), callee_settings=Settings(min_session_s=300)
    )
    call = caller.call("192.0.2.9")
    network.run(3000)
    assert "422 INVITE" in summary(network)
    assert caller.kinds() == ["Progress", "Answered"]
    invites = [m for m in carried(network) if isinstance(m, Request) and m.method == "INVITE"]
    assert [m.first("Session-Expires") for m in invites] == ["120", "300"]
    assert invites[1].first("Min-SE") == "300"
    assert invites[0].call_id == invites[1].call_id
    caller.do(call.hang_up)
    assert_all_over(network, caller, callee)


# Reliable provisional answers


RELIABLE = Settings(wants_100rel=True)


def test_reliable_answers_are_acknowledged_in_order():
    """RFC 3262"""
    plan = [
        (10, "ring", {"status": 183, "body": ANSWER}),
        (11, "ring", {"status": 180}),
        (12, "accept", {"body": ANSWER}),
    ]
    network, caller, callee = pair(plan, callee_settings=RELIABLE)
    call = caller.call("192.0.2.9")
    network.run(1000)
    assert [event.status for event in caller.of(Progress)] == [183, 180]
    sent = carried(network)
    rseqs = [int(m.first("RSeq")) for m in sent if isinstance(m, Response) and m.first("RSeq")]
    racks = [m.first("RAck") for m in sent if isinstance(m, Request) and m.method == "PRACK"]
    assert rseqs == [rseqs[0], rseqs[0] + 1]
    assert racks == [f"{rseq} 1 INVITE" for rseq in rseqs]
    assert summary(network) == [
        "INVITE",
        "100 INVITE",
        "183 INVITE",
        "PRACK",
        "200 PRACK",
        "180 INVITE",
        "PRACK",
        "200 PRACK",
        "200 INVITE",
        "ACK",
    ]
    caller.do(call.hang_up)
    assert_all_over(network, caller, callee)


def test_a_reliable_answer_that_is_lost_comes_again():
    network, caller, callee = pair(callee_settings=RELIABLE)
    lost = []
    network.lost = lambda data: b"180 Ringing" in data and (lost.append(data) or len(lost) <= 2)
    caller.call("192.0.2.9")
    network.run(6000)
    assert caller.kinds() == ["Progress", "Answered"]
    assert callee.kinds() == ["Incoming", "Established"]


def test_a_flood_of_reliable_answers_is_not_acknowledged_one_by_one():
    """Each PRACK is repeated, to wherever a Contact points."""
    network, caller, callee = pair([(10, "ring", {})], callee_settings=RELIABLE)
    call = caller.call("192.0.2.9")
    network.run(100)
    (ringing,) = [m for m in carried(network) if isinstance(m, Response) and m.status == 180]
    first = int(ringing.first("RSeq") or 0)
    for rseq in range(first, first + 1000):
        octets = ringing.encode().replace(b"RSeq: %d" % first, b"RSeq: %d" % rseq)
        caller.receive(octets, Hop("udp", "192.0.2.9", 5060), network.now_ms)
    network.run(100)
    assert summary(network).count("PRACK") == TAKEN_MAX
    caller.do(call.cancel)
    assert_all_over(network, caller, callee)


def test_a_flood_of_provisional_answers_is_told_only_so_often_and_the_answer_still_comes():
    network, caller, _ = pair([(10, "ring", {}), (1000, "accept", {"body": ANSWER})])
    caller.call("192.0.2.9")
    network.run(100)
    (ringing,) = [m for m in carried(network) if isinstance(m, Response) and m.status == 180]
    for _ in range(1000):
        caller.receive(ringing.encode(), Hop("udp", "192.0.2.9", 5060), network.now_ms)
    network.run(2000)
    assert len(caller.of(Progress)) == PROGRESS_MAX
    assert len(caller.of(Answered)) == 1


def test_a_session_timer_that_is_set_anew_again_and_again_leaves_nothing_behind():
    """A peer may ask for an interval of years, and for the next one at once."""
    network, caller, callee = pair()
    caller.call("192.0.2.9")
    network.run(2000)
    call = caller.of(Answered)[0].call
    for _ in range(1000):
        call._session_timer.agree(2**31 - 1, network.now_ms, is_ours=True)
    assert len(caller.agent.timers) < 200
    caller.do(call.hang_up)
    assert_all_over(network, caller, callee)


def test_a_reliable_answer_that_is_never_acknowledged_ends_the_call():
    network, caller, callee = pair([(10, "ring", {})], callee_settings=RELIABLE)
    network.lost = lambda data: data.startswith(b"PRACK")
    caller.call("192.0.2.9")
    network.run(40_000)
    assert callee.of(Abandoned)[0].cause == Cause("timeout", 504, 102, "no PRACK")
    assert caller.of(Failed)[0].cause.status == 504
    assert caller.kinds().count("Progress") == 1
    assert_all_over(network, caller, callee)


def test_a_caller_that_demands_reliable_answers_has_them():
    network, caller, _ = pair()
    caller.call("192.0.2.9", headers=[("Require", "100rel")])
    network.run(3000)
    assert "PRACK" in summary(network)
    assert caller.kinds()[-1] == "Answered"


# What incoming calls may not be


def test_incoming_calls_that_cannot_be_taken_are_refused():
    network, caller, callee = pair(callee_settings=Settings(calls_max=1))
    caller.call("192.0.2.9", headers=[("Require", "teleport")])
    caller.call("192.0.2.9", headers=[("Content-Encoding", "gzip")])
    network.run(1000)
    assert [event.cause.status for event in caller.of(Failed)] == [420, 415]
    caller.call("192.0.2.9")
    network.run(2000)
    caller.call("192.0.2.9")
    network.run(2000)
    assert caller.of(Failed)[-1].cause == Cause("remote", 503, 41, "Service Unavailable", 5)
    assert callee.kinds() == ["Incoming", "Established"]


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        (b"Contact: ", b"Contact: <", 400),
        (b"Contact: ", b"X-Contact: ", 400),
        (b"application/sdp", b"text/plain", 415),
        (b"INVITE sip:+33612345678@192.0.2.9", b"INVITE isbn:2983792873", 416),
        (b"Session-Expires: 1800", b"Session-Expires: soon enough", 400),
        (b"Session-Expires: 1800", b"Session-Expires: 1800;refresher=me", 400),
    ],
)
def test_an_invite_that_cannot_be_read_where_it_matters(old, new, status):
    network, caller, callee = pair()
    caller.call("192.0.2.9")
    network.pump()
    data = network.carried[0][2]
    assert old in data
    callee.receive(data.replace(old, new, 1), Hop("udp", "192.0.2.1", 5060), 0)
    answers = [parse_message(outgoing.data) for outgoing in callee.take()]
    assert [answer.status for answer in answers] == [100, status]
    assert callee.of(Incoming) == []


def test_a_call_answered_without_a_contact_that_can_be_read_fails():
    network, caller, callee = pair()
    caller.call("192.0.2.9")
    carry = network._carry

    def spoiled(outgoing, *place):
        if outgoing.data.startswith(b"SIP/2.0 200") and b"INVITE" in outgoing.data:
            outgoing = replace(outgoing, data=outgoing.data.replace(b"Contact: <", b"Contact: <<"))
        carry(outgoing, *place)

    network._carry = spoiled
    network.run(40_000)
    assert caller.of(Failed)[0].cause.q850 == 111
    assert callee.of(Ended)[0].cause.text == "no ACK"
    assert_all_over(network, caller, callee)


def test_what_the_state_does_not_allow_is_our_error():
    network, caller, callee = pair(settings=PLAIN)
    call = caller.call("192.0.2.9")
    for wrong in (lambda: call.hang_up(0), lambda: call.offer(b"x", 0)):
        with pytest.raises(LocalError):
            wrong()
    network.run(500)
    incoming = callee.of(Incoming)[0].call
    for wrong in (
        lambda: incoming.hang_up(0),
        lambda: incoming.ring(0, status=200),
        lambda: incoming.reject(200, 0),
    ):
        with pytest.raises(LocalError):
            wrong()
    network.run(1500)
    for wrong in (
        lambda: call.cancel(0),
        lambda: incoming.accept(ANSWER, 0),
        lambda: incoming.reject(486, 0),
        lambda: incoming.ring(0),
    ):
        with pytest.raises(LocalError):
            wrong()
    assert not call.answer(ANSWER, 0)


# Redirections


def test_a_redirection_is_told_or_followed():
    plan = [(0, "reject", {"status": 302, "headers": [("Contact", "<sip:+33700000000@198.51.100.1>")]})]
    network, caller, _ = pair(plan)
    caller.call("192.0.2.9")
    network.run(1000)
    assert caller.of(Failed)[0].cause.status == 302
    network, caller, _ = pair(plan, settings=Settings(redirects_max=2))
    caller.call("192.0.2.9")
    network.run(1000)
    invites = [m for m in carried(network) if isinstance(m, Request) and m.method == "INVITE"]
    assert [str(m.uri) for m in invites] == [
        "sip:+33612345678@192.0.2.9",
        "sip:+33700000000@198.51.100.1",
        "sip:+33700000000@198.51.100.1",
    ]
    assert {host for _, host, data in network.carried if data.startswith(b"INVITE")} == {"192.0.2.9"}
    assert caller.of(Failed)[0].cause.status == 302


# All weathers


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("reliable", [False, True])
def test_calls_come_through_all_weathers_and_both_sides_agree(seed, reliable):
    weather = Weather(loss=0.2, doubling=0.2, delay_ms=(1, 700))
    network, caller, callee = pair(
        [(10, "ring", {}), (2000, "accept", {"body": ANSWER}), (20_000, "hang_up", {})],
        seed=seed,
        weather=weather,
        callee_settings=Settings(wants_100rel=reliable),
    )
    calls = []
    for _ in range(8):
        calls.append(caller.call("192.0.2.9"))
        network.run(500)
    network.run(3000)
    caller.do(calls[3].offer, b"hold") if calls[3].state is CallState.CONFIRMED else None
    network.run(60_000)
    answered = {event.call for event in caller.of(Answered)}
    assert len(caller.of(Answered)) == len(answered) >= 7
    # Each call has exactly one last event, and each answered one was established at the other end too.
    last = [event.call for event in (*caller.of(Failed), *caller.of(Ended))]
    assert sorted(map(id, last)) == sorted(map(id, calls))
    assert len(callee.of(Established)) >= len(answered) - 1
    assert_all_over(network, caller, callee)
