"""A session: windows, sequence numbers, answers in any order, and a peer that does everything wrong."""

import pytest

from chappe.operators import smpp
from chappe.operators.smpp import Role, Session, Settings, State
from chappe.operators.smpp.constants import CommandStatus as Status
from chappe.operators.smpp.window import Window
from tests.unit.smpp.ends import ends_in, events_of


def bound(role=Role.ESME, **settings):
    return ends_in(State.BOUND_TRX, role, Settings(**settings))


def responses(events):
    return [event for event in events if isinstance(event, smpp.ResponseReceived)]


def test_many_requests_leave_in_one_write_and_are_answered_in_any_order():
    esme, smsc = bound()
    sequences = [esme.send(smpp.SubmitSm(), 0, f"message {number}") for number in range(5)]
    received = smsc.receive_data(esme.data_to_send(), 0)
    assert esme.data_to_send() == b""
    for event in reversed(received):
        smsc.respond(event.request.response(message_id=f"id-{event.request.sequence_number}"))
    answered = responses(events_of(esme, smsc.data_to_send()))
    assert [event.sent.context for event in answered] == [f"message {number}" for number in (4, 3, 2, 1, 0)]
    assert [event.response.message_id for event in answered] == [
        f"id-{sequence}" for sequence in sequences[::-1]
    ]
    assert all(event.accepted for event in answered)
    assert (esme.in_flight, smsc.unanswered) == (0, 0)


def test_the_window_is_a_limit_and_bind_unbind_and_enquire_link_go_past_it():
    esme, smsc = bound(window=2)
    for free in (2, 1):
        assert esme.window_free == free
        esme.send(smpp.SubmitSm(), 0)
    with pytest.raises(smpp.WindowFull):
        esme.send(smpp.SubmitSm(), 0)
    esme.send(smpp.EnquireLink(), 0)
    for event in smsc.receive_data(esme.data_to_send(), 0):
        smsc.respond(event.request.response())
    esme.receive_data(smsc.data_to_send(), 0)
    assert esme.window_free == 2
    esme.send(smpp.SubmitSm(), 0)
    esme.send(smpp.QuerySm(), 0)
    esme.send(smpp.Unbind(), 0)


def test_a_slot_is_free_only_once_its_result_is_settled():
    esme, smsc = bound(window=2, settled_by_owner=True, response_ms=1000)
    esme.send(smpp.SubmitSm(), 0)
    esme.send(smpp.SubmitSm(), 0)
    first, _ = smsc.receive_data(esme.data_to_send(), 0)
    smsc.respond(first.request.response())
    esme.receive_data(smsc.data_to_send(), 0)
    assert (esme.window_free, esme.in_flight, esme.unsettled) == (0, 1, 1)
    with pytest.raises(smpp.LocalError):
        esme.settle(2)
    esme.settle()
    assert esme.window_free == 1
    esme.tick(1000)
    assert (esme.window_free, esme.in_flight, esme.unsettled) == (1, 0, 1)
    esme.settle()
    assert esme.window_free == 2
    with pytest.raises(smpp.LocalError):
        esme.settle()


def test_sequence_numbers_wrap_and_never_meet_one_that_may_still_be_answered():
    window = Window(10, 10, settled_by_owner=False)
    window.add(window.next_sequence(), smpp.InFlight(smpp.SubmitSm(sequence_number=1), None, 0))
    window.add(window.next_sequence(), smpp.InFlight(smpp.SubmitSm(sequence_number=2), None, 0))
    window.time_out(window.in_flight[2])
    window.skip(0x7FFFFFFE)
    assert window.next_sequence() == 0x7FFFFFFF
    window.skip(0x7FFFFFFF)
    assert window.next_sequence() == 3


def test_each_request_is_answered_once():
    esme, smsc = bound()
    smsc.send(smpp.DeliverSm(), 0)
    (event,) = esme.receive_data(smsc.data_to_send(), 0)
    with pytest.raises(smpp.LocalError):
        esme.respond(smpp.SubmitSmResp(sequence_number=event.request.sequence_number))
    with pytest.raises(smpp.LocalError):
        esme.respond(smpp.DeliverSmResp(message_id="x" * 65, sequence_number=event.request.sequence_number))
    esme.respond(event.request.response())
    with pytest.raises(smpp.LocalError):
        esme.respond(event.request.response())
    with pytest.raises(smpp.LocalError):
        esme.respond(smpp.DeliverSmResp(sequence_number=12345))
    assert esme.data_to_send() == smpp.DeliverSmResp(sequence_number=event.request.sequence_number).encode()


def test_a_peer_that_gives_every_request_the_same_number_has_every_request_answered():
    esme, _ = bound()
    same = [smpp.DeliverSm(short_message=b"1"), smpp.DataSm(), smpp.DeliverSm(short_message=b"2")]
    for request in same:
        request.sequence_number = 1
    events = esme.receive_data(b"".join(request.encode() for request in same), 0)
    assert [event.request for event in events] == same
    assert esme.unanswered == 3
    for event in (events[1], events[0], events[2]):
        esme.respond(event.request.response())
    assert esme.unanswered == 0
    with pytest.raises(smpp.LocalError):
        esme.respond(events[0].request.response())


@pytest.mark.parametrize("sequence_number", [0, 0x80000000, 0xFFFFFFFF])
def test_a_number_outside_the_range_is_echoed(sequence_number):
    esme, _ = bound()
    (event,) = esme.receive_data(smpp.DeliverSm(sequence_number=sequence_number).encode(), 0)
    esme.respond(event.request.response())
    assert smpp.decode(esme.data_to_send()).sequence_number == sequence_number


def test_an_owner_may_answer_with_generic_nack():
    smsc, esme = bound(Role.SMSC)
    esme.send(smpp.SubmitSm(), 0, "mine")
    (event,) = smsc.receive_data(esme.data_to_send(), 0)
    smsc.respond(smpp.GenericNack(command_status=8, sequence_number=event.request.sequence_number))
    (failed,) = esme.receive_data(smsc.data_to_send(), 0)
    assert (failed.accepted, failed.sent.context, smsc.unanswered) == (False, "mine", 0)


def test_a_bind_that_is_nacked_leaves_the_session_open_for_another():
    esme, smsc = ends_in(State.OPEN)
    esme.send(smpp.BindTransceiver(), 0)
    (event,) = smsc.receive_data(esme.data_to_send(), 0)
    smsc.respond(smpp.GenericNack(command_status=8, sequence_number=event.request.sequence_number))
    (failed,) = esme.receive_data(smsc.data_to_send(), 0)
    assert not failed.accepted
    esme.send(smpp.BindTransmitter(), 0)
    assert len(smsc.receive_data(esme.data_to_send(), 0)) == 1


@pytest.mark.parametrize("status", [0, 3])
def test_generic_nack_with_our_number_fails_that_request_even_with_status_0(status):
    esme, _ = bound()
    sequence = esme.send(smpp.SubmitSm(), 0, "mine")
    (event,) = esme.receive_data(
        smpp.GenericNack(command_status=status, sequence_number=sequence).encode(), 0
    )
    assert (event.accepted, event.sent.context, esme.in_flight, esme.window_free) == (False, "mine", 0, 100)


@pytest.mark.parametrize(
    "response",
    [
        smpp.GenericNack(command_status=2),
        smpp.SubmitSmResp(message_id="1", sequence_number=999),
        smpp.QuerySmResp(sequence_number=2),
        smpp.EnquireLinkResp(sequence_number=2),
    ],
    ids=lambda response: type(response).__name__,
)
def test_a_response_to_nothing_is_reported_and_changes_nothing(response):
    esme, _ = bound()
    assert esme.send(smpp.SubmitSm(), 0) == 2
    (event,) = esme.receive_data(response.encode(), 0)
    assert isinstance(event, smpp.ResponseUnmatched)
    assert event.response == response
    assert (esme.in_flight, esme.data_to_send()[4:8]) == (1, b"\0\0\0\x04")


def test_a_response_that_comes_twice_is_unmatched_the_second_time():
    esme, smsc = bound()
    esme.send(smpp.SubmitSm(), 0)
    (event,) = smsc.receive_data(esme.data_to_send(), 0)
    smsc.respond(event.request.response(message_id="1"))
    twice = smsc.data_to_send() * 2
    assert [type(event) for event in esme.receive_data(twice, 0)] == [
        smpp.ResponseReceived,
        smpp.ResponseUnmatched,
    ]
    assert esme.window_free == 100


def test_an_unknown_response_is_reported_and_never_answered():
    esme, _ = bound()
    octets = (16).to_bytes(4) + (0x80000ABC).to_bytes(4) + bytes(4) + (1).to_bytes(4)
    assert esme.receive_data(octets, 0) == [smpp.ResponseUnmatched(0x80000ABC, 0, 1, None)]
    assert esme.data_to_send() == b""


def test_a_response_whose_body_is_bad_still_says_what_became_of_its_request():
    esme, _ = bound()
    sequence = esme.send(smpp.SubmitSm(), 0)
    octets = smpp.DeliverSmResp(sequence_number=sequence).encode()[:-1] + b"x" * 100
    octets = len(octets).to_bytes(4) + smpp.SubmitSmResp.command_id.to_bytes(4) + octets[8:]
    (event,) = esme.receive_data(octets, 0)
    assert event.accepted
    assert event.response.message_id == ""
    assert event.body_error.command_status == Status.ESME_RINVMSGID


def test_an_unknown_command_is_nacked_and_the_session_goes_on():
    smsc, esme = bound(Role.SMSC)
    unknown = (20).to_bytes(4) + (0x0ABC).to_bytes(4) + bytes(4) + (5).to_bytes(4) + b"body"
    esme.send(smpp.SubmitSm(), 0)
    refused, received = smsc.receive_data(unknown + esme.data_to_send(), 0)
    assert refused.command_status == Status.ESME_RINVCMDID
    assert isinstance(received, smpp.RequestReceived)
    nack = smpp.GenericNack(command_status=Status.ESME_RINVCMDID, sequence_number=5)
    assert smsc.data_to_send() == nack.encode()


def test_a_bad_body_is_answered_with_its_response_and_status_and_the_session_goes_on():
    smsc, _ = bound(Role.SMSC)
    good = smpp.SubmitSm(sequence_number=6, destination_addr="336").encode()
    bad = bytearray(good)
    bad[12:16] = (5).to_bytes(4)
    bad[-1] = 9  # sm_length
    refused, received = smsc.receive_data(bytes(bad) + good, 0)
    assert (refused.command_status, refused.sequence_number) == (Status.ESME_RINVMSGLEN, 5)
    assert received.request.destination_addr == "336"
    assert smpp.decode(smsc.data_to_send()) == smpp.SubmitSmResp(command_status=1, sequence_number=5)
    assert smsc.is_bound


def test_a_bad_alert_notification_is_only_reported():
    esme, _ = bound()
    octets = (17).to_bytes(4) + (0x102).to_bytes(4) + bytes(4) + (5).to_bytes(4) + b"x"
    (refused,) = esme.receive_data(octets, 0)
    assert refused.command_status == Status.ESME_RINVCMDLEN
    assert esme.data_to_send() == b""


def test_more_unanswered_requests_than_the_limit_are_told_to_come_back():
    esme, smsc = bound(unanswered_max=2)
    for _ in range(3):
        smsc.send(smpp.DeliverSm(), 0)
    first, _, refused = esme.receive_data(smsc.data_to_send(), 0)
    assert refused.command_status == Status.ESME_RMSGQFUL
    assert smpp.decode(esme.data_to_send()).command_status == Status.ESME_RMSGQFUL
    esme.respond(first.request.response())
    smsc.receive_data(esme.data_to_send(), 0)
    smsc.send(smpp.DeliverSm(), 0)
    assert isinstance(esme.receive_data(smsc.data_to_send(), 0)[0], smpp.RequestReceived)


def test_a_stream_that_is_not_smpp_ends_the_session_after_what_came_before_it():
    esme, _ = bound()
    first = esme.send(smpp.SubmitSm(), 0, "answered")
    esme.send(smpp.SubmitSm(), 0, "lost")
    esme.data_to_send()
    good = smpp.SubmitSmResp(message_id="1", sequence_number=first).encode()
    answered, ended = esme.receive_data(good + b"HTTP/1.1 400 Bad Request\r\n", 0)
    assert answered.sent.context == "answered"
    assert ended.reason is smpp.EndReason.FRAMING
    assert [sent.context for sent in ended.unanswered] == ["lost"]
    assert esme.state is State.CLOSED
    nack = smpp.decode(esme.data_to_send())
    assert (type(nack), nack.command_status) == (smpp.GenericNack, Status.ESME_RINVCMDLEN)


def test_a_lost_connection_names_the_requests_whose_result_nobody_knows():
    esme, _ = bound()
    for number in range(3):
        esme.send(smpp.SubmitSm(), number, number)
    esme.send(smpp.EnquireLink(), 9)
    (ended,) = esme.connection_lost("reset by peer")
    assert (ended.reason, ended.detail) == (smpp.EndReason.CONNECTION_LOST, "reset by peer")
    assert [(sent.context, sent.sent_at_ms) for sent in ended.unanswered] == [(0, 0), (1, 1), (2, 2)]


def test_a_connection_that_ends_after_the_unbind_was_not_lost():
    esme, _ = ends_in(State.UNBOUND)
    (ended,) = esme.connection_lost()
    assert ended.reason is smpp.EndReason.UNBOUND


@pytest.mark.parametrize(("state", "word"), [(State.UNBOUND, "UNBOUND"), (State.BOUND_TRX, "LOCAL")])
def test_whoever_closes_the_end_tells_whether_there_was_an_unbind_before(state: State, word: str):
    esme, _ = ends_in(state)
    (ended,) = esme.close()
    assert ended.reason is smpp.EndReason[word]


def test_a_receipt_in_the_same_read_as_its_submit_response_comes_after_it_and_one_before_comes_before():
    esme, smsc = bound()
    esme.send(smpp.SubmitSm(), 0)
    (event,) = smsc.receive_data(esme.data_to_send(), 0)
    smsc.send(smpp.DeliverSm(esm_class=4, short_message=b"early"), 0)
    smsc.respond(event.request.response(message_id="1"))
    smsc.send(smpp.DeliverSm(esm_class=4, short_message=b"after"), 0)
    kinds = [type(event) for event in esme.receive_data(smsc.data_to_send(), 0)]
    assert kinds == [smpp.RequestReceived, smpp.ResponseReceived, smpp.RequestReceived]


def test_a_deliver_sm_in_the_same_read_as_the_bind_response_is_received():
    esme, smsc = ends_in(State.OPEN)
    esme.send(smpp.BindReceiver(), 0)
    (event,) = smsc.receive_data(esme.data_to_send(), 0)
    smsc.respond(event.request.response(system_id="smsc"))
    smsc.send(smpp.DeliverSm(short_message=b"stored"), 0)
    response, received = esme.receive_data(smsc.data_to_send(), 0)
    assert response.response.system_id == "smsc"
    assert received.request.short_message == b"stored"


def test_an_unbind_that_the_peer_refuses_or_does_not_know_unbinds_all_the_same():
    for kind in (smpp.UnbindResp, smpp.GenericNack):
        esme, _ = bound()
        sequence = esme.send(smpp.Unbind(), 0)
        esme.receive_data(kind(command_status=3, sequence_number=sequence).encode(), 0)
        assert esme.state is State.UNBOUND


def test_a_request_with_a_bad_field_is_not_remembered():
    esme, _ = bound()
    with pytest.raises(smpp.LocalError):
        esme.send(smpp.SubmitSm(destination_addr="3" * 30), 0)
    assert (esme.in_flight, esme.window_free, esme.data_to_send()) == (0, 100, b"")
    assert esme.send(smpp.SubmitSm(), 0) == 2


def test_a_new_session_has_nothing_to_say():
    session = Session(Role.ESME, now_ms=0)
    assert (session.state, session.data_to_send(), session.receive_data(b"", 0)) == (State.OPEN, b"", [])
