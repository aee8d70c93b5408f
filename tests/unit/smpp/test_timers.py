"""Timers of a session, moved by `tick(now)` alone."""

import pytest

from chappe.operators import smpp
from chappe.operators.smpp import EndReason, Role, Session, Settings, State
from tests.unit.smpp.ends import ends_in

TIMERS = Settings(response_ms=1000, enquire_link_ms=5000, bind_ms=3000)


def bound(role=Role.ESME, settings=TIMERS):
    return ends_in(State.BOUND_TRX, role, settings)


@pytest.mark.parametrize("role", Role)
def test_a_connection_on_which_nobody_binds_ends(role):
    session = Session(role, now_ms=100, settings=TIMERS)
    assert session.next_timer_ms() == 3100
    assert session.tick(3099) == []
    (ended,) = session.tick(3100)
    assert ended.reason is EndReason.BIND_TIMEOUT
    assert session.state is State.CLOSED


def test_a_bind_that_is_not_answered_ends_the_session():
    session = Session(Role.ESME, now_ms=0, settings=TIMERS)
    session.send(smpp.BindTransceiver(), 10)
    assert session.next_timer_ms() == 1010
    (ended,) = session.tick(1010)
    assert (ended.reason, ended.unanswered) == (EndReason.BIND_TIMEOUT, ())


def test_each_request_times_out_at_its_own_time_and_its_late_response_is_told_apart():
    esme, _ = bound()
    first = esme.send(smpp.SubmitSm(), 100, "first")
    second = esme.send(smpp.SubmitSm(), 400, "second")
    assert esme.next_timer_ms() == 1100
    assert esme.tick(1099) == []
    (timed_out,) = esme.tick(1100)
    assert isinstance(timed_out, smpp.RequestTimedOut)
    assert timed_out.sent.context == "first"
    assert (esme.in_flight, esme.window_free) == (1, 99)
    octets = smpp.SubmitSmResp(message_id="late", sequence_number=first).encode()
    (late,) = esme.receive_data(octets, 1200)
    assert isinstance(late, smpp.ResponseLate)
    assert (late.response.message_id, late.sent.context) == ("late", "first")
    assert isinstance(esme.receive_data(octets, 1200)[0], smpp.ResponseUnmatched)
    in_time = smpp.SubmitSmResp(message_id="2", sequence_number=second).encode()
    assert isinstance(esme.receive_data(in_time, 1399)[0], smpp.ResponseReceived)
    assert esme.tick(1400) == []


def test_all_that_are_due_time_out_in_one_tick_in_the_order_they_were_sent():
    esme, _ = bound()
    for number in range(50):
        esme.send(smpp.SubmitSm(), 0, number)
    assert [event.sent.context for event in esme.tick(1000)] == list(range(50))
    assert esme.window_free == 100


def test_only_the_latest_of_those_that_timed_out_are_remembered():
    esme, _ = bound(settings=Settings(response_ms=1000, late_max=2))
    sequences = [esme.send(smpp.SubmitSm(), 0) for _ in range(3)]
    esme.tick(1000)
    octets = [smpp.SubmitSmResp(sequence_number=sequence).encode() for sequence in sequences]
    kinds = [type(event) for event in esme.receive_data(b"".join(octets), 1001)]
    assert kinds == [smpp.ResponseUnmatched, smpp.ResponseLate, smpp.ResponseLate]


@pytest.mark.parametrize("role", Role)
def test_silence_is_answered_with_enquire_link_and_goes_on_when_the_peer_answers(role):
    ours, peer = bound(role)
    assert ours.next_timer_ms() == 5000
    assert ours.tick(4999) == []
    assert ours.data_to_send() == b""
    assert ours.tick(5000) == []
    assert ours.next_timer_ms() == 6000
    asked = ours.data_to_send()
    assert smpp.decode(asked) == smpp.EnquireLink(sequence_number=smpp.decode(asked).sequence_number)
    assert ours.tick(5999) == []
    assert ours.data_to_send() == b""
    assert peer.receive_data(asked, 5999) == []
    assert ours.receive_data(peer.data_to_send(), 5999) == []
    assert ours.tick(6000) == []
    assert ours.next_timer_ms() == 10_999


def test_a_peer_that_answers_enquire_link_with_generic_nack_is_alive():
    ours, _ = bound()
    ours.tick(5000)
    sequence = smpp.decode(ours.data_to_send()).sequence_number
    assert (
        ours.receive_data(smpp.GenericNack(command_status=3, sequence_number=sequence).encode(), 5500) == []
    )
    assert ours.tick(6000) == []
    assert ours.is_bound


def test_half_a_pdu_and_then_silence_ends_the_session_and_tells_what_was_under_way():
    ours, _ = bound(settings=Settings(response_ms=2000, enquire_link_ms=5000))
    ours.receive_data(smpp.DeliverSm(sequence_number=1).encode()[:20], 100)
    ours.tick(5000)
    assert ours.data_to_send() != b""
    ours.send(smpp.SubmitSm(), 6000, "under way")
    (ended,) = ours.tick(7000)
    assert ended.reason is EndReason.ENQUIRE_LINK_TIMEOUT
    assert [sent.context for sent in ended.unanswered] == ["under way"]


def test_a_peer_that_never_answers_enquire_link_but_goes_on_talking_is_alive():
    ours, _ = bound()
    ours.tick(5000)
    ours.data_to_send()
    ours.receive_data(smpp.DeliverSm(sequence_number=1).encode(), 5500)
    assert ours.tick(6000) == []
    assert ours.is_bound
    assert ours.tick(10_500) == []
    assert smpp.decode(ours.data_to_send()).command_id == smpp.CommandId.ENQUIRE_LINK


def test_what_is_received_puts_enquire_link_off():
    ours, peer = bound()
    peer.send(smpp.EnquireLink(), 0)
    ours.receive_data(peer.data_to_send(), 4000)
    ours.data_to_send()
    ours.tick(8999)
    assert ours.data_to_send() == b""
    ours.tick(9000)
    assert ours.data_to_send() != b""


def test_an_owner_may_enquire_itself_and_gets_the_answer():
    ours, peer = bound()
    ours.send(smpp.EnquireLink(), 0, "mine")
    peer.receive_data(ours.data_to_send(), 0)
    (event,) = ours.receive_data(peer.data_to_send(), 0)
    assert event.sent.context == "mine"


@pytest.mark.parametrize("role", Role)
def test_inactivity_counts_messages_and_not_enquire_link(role):
    ours, peer = bound(role, Settings(inactivity_ms=2000, enquire_link_ms=0))
    peer.send(smpp.EnquireLink(), 0)
    ours.receive_data(peer.data_to_send(), 1500)
    peer.send(smpp.DataSm(), 0)
    ours.receive_data(peer.data_to_send(), 1000)
    assert ours.next_timer_ms() == 3000
    assert ours.tick(2999) == []
    assert ours.tick(3000) == [smpp.Inactive()]
    assert ours.tick(3001) == []
    assert ours.tick(5000) == [smpp.Inactive()]
    assert ours.is_bound


def test_an_unbind_that_is_not_answered_ends_the_session():
    ours, _ = bound()
    ours.send(smpp.SubmitSm(), 500, "under way")
    ours.send(smpp.Unbind(), 600)
    (timed_out, ended) = ours.tick(1600)
    assert timed_out.sent.context == "under way"
    assert (ended.reason, ended.unanswered) == (EndReason.UNBIND_TIMEOUT, ())


def test_timers_of_zero_never_fire():
    never = Settings(response_ms=0, enquire_link_ms=0, bind_ms=0)
    assert Session(Role.SMSC, now_ms=0, settings=never).next_timer_ms() is None
    ours, _ = bound(settings=never)
    ours.send(smpp.SubmitSm(), 0)
    ours.data_to_send()
    assert ours.next_timer_ms() is None
    assert ours.tick(10**12) == []
    assert ours.data_to_send() == b""
