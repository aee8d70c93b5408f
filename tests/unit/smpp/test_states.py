"""The state table, every cell of it: who may send what in which state, and what it leads to."""

from itertools import product

import pytest

from chappe.operators import smpp
from chappe.operators.smpp import Role, State
from chappe.operators.smpp.commands import REQUESTS, RESPONSES
from chappe.operators.smpp.constants import CommandStatus as Status
from chappe.operators.smpp.states import BOUND, PEER, REQUESTS_ALLOWED, state_after
from tests.unit.smpp.ends import BINDS, ends_in, events_of

TX, RX, TRX = State.BOUND_TX, State.BOUND_RX, State.BOUND_TRX

# Written out once more, from table 2-1 of the specification, so that a slip in the code's table is seen.
EXPECTED = {
    smpp.BindTransmitter: {Role.ESME: {State.OPEN}},
    smpp.BindReceiver: {Role.ESME: {State.OPEN}},
    smpp.BindTransceiver: {Role.ESME: {State.OPEN}},
    smpp.Outbind: {Role.SMSC: {State.OPEN}},
    smpp.Unbind: {Role.ESME: {TX, RX, TRX}, Role.SMSC: {TX, RX, TRX}},
    smpp.SubmitSm: {Role.ESME: {TX, TRX}},
    smpp.SubmitMulti: {Role.ESME: {TX, TRX}},
    smpp.DataSm: {Role.ESME: {TX, TRX}, Role.SMSC: {RX, TRX}},
    smpp.DeliverSm: {Role.SMSC: {RX, TRX}},
    smpp.QuerySm: {Role.ESME: {TX, TRX}},
    smpp.CancelSm: {Role.ESME: {TX, TRX}},
    smpp.ReplaceSm: {Role.ESME: {TX, TRX}},
    smpp.AlertNotification: {Role.SMSC: {RX, TRX}},
    smpp.EnquireLink: {role: set(State) - {State.CLOSED} for role in Role},
}
CELLS = list(product(EXPECTED, Role, [state for state in State if state is not State.CLOSED]))


def request_of(kind):
    return kind(destinations=(smpp.Destination("336"),)) if kind is smpp.SubmitMulti else kind()


def cell_id(value):
    return value.__name__ if isinstance(value, type) else value.name


@pytest.mark.parametrize(("kind", "role", "state"), CELLS, ids=cell_id)
def test_what_may_be_sent_is_sent_and_nothing_else(kind, role, state):
    ours, _ = ends_in(state, role)
    if state in EXPECTED[kind].get(role, ()):
        sequence = ours.send(request_of(kind), 0)
        assert smpp.decode(ours.data_to_send()).sequence_number == sequence
    else:
        with pytest.raises(smpp.LocalError):
            ours.send(request_of(kind), 0)
        assert ours.data_to_send() == b""
        assert ours.window_free == ours.settings.window
    assert ours.state is state


@pytest.mark.parametrize(("kind", "role", "state"), CELLS, ids=cell_id)
def test_what_may_be_received_is_received_and_the_rest_is_refused_with_its_own_response(kind, role, state):
    ours, _ = ends_in(state, role)
    request = request_of(kind)
    request.sequence_number = 77
    events = ours.receive_data(request.encode(), 0)
    answer = ours.data_to_send()
    assert ours.state is state
    if state in EXPECTED[kind].get(PEER[role], ()):
        if kind is smpp.EnquireLink:
            assert events == []
            assert smpp.decode(answer) == smpp.EnquireLinkResp(sequence_number=77)
        else:
            assert events == [smpp.RequestReceived(request)]
            assert answer == b""
        return
    already = state in BOUND and kind in BINDS.values()
    status = Status.ESME_RALYBND if already else Status.ESME_RINVBNDSTS
    (event,) = events
    assert isinstance(event, smpp.RequestRefused)
    assert (event.command_id, event.sequence_number, event.command_status) == (kind.command_id, 77, status)
    if kind.response_type is None:
        assert answer == b""
    else:
        assert smpp.decode(answer) == kind.response_type(command_status=status, sequence_number=77)


def test_the_table_is_whole():
    assert set(EXPECTED) == set(REQUESTS.values())
    assert set(REQUESTS_ALLOWED) == set(product(Role, State))
    for role, state in REQUESTS_ALLOWED:
        allowed = {kind for kind, roles in EXPECTED.items() if state in roles.get(role, ())}
        assert {REQUESTS[command_id] for command_id in REQUESTS_ALLOWED[role, state]} == allowed


@pytest.mark.parametrize(("state", "kind"), list(product(State, RESPONSES.values())), ids=cell_id)
@pytest.mark.parametrize("status", [0, 0x0D])
def test_only_bind_and_unbind_responses_change_the_state(state, kind, status):
    after = {
        smpp.BindTransmitterResp: {State.OPEN: TX} if not status else {},
        smpp.BindReceiverResp: {State.OPEN: RX} if not status else {},
        smpp.BindTransceiverResp: {State.OPEN: TRX} if not status else {},
        smpp.UnbindResp: dict.fromkeys((TX, RX, TRX), State.UNBOUND),
    }
    assert state_after(state, kind.command_id, status) is after.get(kind, {}).get(state, state)


@pytest.mark.parametrize("state", State)
def test_an_unknown_response_changes_nothing(state):
    assert state_after(state, 0x80000ABC, 0) is state


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("state", State)
def test_nothing_is_heard_or_said_after_the_end(role, state):
    ours, _ = ends_in(state, role)
    ended = ours.connection_lost()
    assert [type(event) for event in ended] == ([] if state is State.CLOSED else [smpp.Ended])
    assert ours.state is State.CLOSED
    assert ours.receive_data(smpp.EnquireLink(sequence_number=1).encode() + b"garbage", 1) == []
    assert ours.tick(10**9) == ours.close() == ours.connection_lost() == []
    assert ours.next_timer_ms() is None
    assert ours.data_to_send() == b""
    for kind in EXPECTED:
        with pytest.raises(smpp.LocalError):
            ours.send(request_of(kind), 0)
    with pytest.raises(smpp.LocalError):
        ours.respond(smpp.SubmitSmResp(sequence_number=1))


@pytest.mark.parametrize("kind", BINDS.values(), ids=cell_id)
def test_a_bind_that_waits_for_its_answer_allows_no_second_one_on_either_side(kind):
    esme, smsc = ends_in(State.OPEN)
    esme.send(kind(), 0)
    for second in (kind(), smpp.BindTransmitter(), smpp.SubmitSm()):
        with pytest.raises(smpp.LocalError):
            esme.send(second, 0)
    (received,) = smsc.receive_data(esme.data_to_send(), 0)
    (refused,) = smsc.receive_data(kind(sequence_number=9).encode(), 0)
    assert refused.command_status == Status.ESME_RALYBND
    smsc.respond(received.request.response(Status.ESME_RINVPASWD))
    events = events_of(esme, smsc.data_to_send())
    assert [event.accepted for event in events if isinstance(event, smpp.ResponseReceived)] == [False]
    assert esme.state is smsc.state is State.OPEN
    # Refused, the same connection may bind again.
    esme.send(kind(), 0)
    (received,) = smsc.receive_data(esme.data_to_send(), 0)
    smsc.respond(received.request.response())
    esme.receive_data(smsc.data_to_send(), 0)
    assert esme.state is smsc.state
    assert esme.is_bound


@pytest.mark.parametrize("role", Role)
def test_a_request_that_crosses_our_unbind_is_heard_and_answered(role):
    ours, peer = ends_in(TRX, role)
    crossing = smpp.DeliverSm() if role is Role.ESME else smpp.SubmitSm()
    peer.send(crossing, 0)
    ours.send(smpp.Unbind(), 0)
    with pytest.raises(smpp.LocalError):
        ours.send(smpp.DataSm(), 0)
    (event,) = ours.receive_data(peer.data_to_send(), 0)
    assert event == smpp.RequestReceived(crossing)
    (unbinding,) = peer.receive_data(ours.data_to_send(), 0)
    peer.respond(unbinding.request.response())
    ours.respond(event.request.response())
    (response,) = peer.receive_data(ours.data_to_send(), 0)
    assert response.accepted
    ours.receive_data(peer.data_to_send(), 0)
    assert ours.state is peer.state is State.UNBOUND


@pytest.mark.parametrize("role", Role)
def test_a_peer_that_unbinds_is_answered_when_the_owner_is_ready_and_asks_for_nothing_more(role):
    ours, peer = ends_in(TRX, role)
    ours.send(smpp.DataSm(), 0)
    asked = ours.data_to_send()
    peer.send(smpp.Unbind(), 0)
    (unbinding,) = ours.receive_data(peer.data_to_send(), 0)
    with pytest.raises(smpp.LocalError):
        ours.send(smpp.DataSm(), 0)
    (refused,) = ours.receive_data(smpp.DataSm(sequence_number=50).encode(), 0)
    assert refused.command_status == Status.ESME_RINVBNDSTS
    ours.data_to_send()
    # What we asked before is still answered.
    (request,) = peer.receive_data(asked, 0)
    peer.respond(request.request.response())
    (answered,) = ours.receive_data(peer.data_to_send(), 0)
    assert answered.accepted
    ours.respond(unbinding.request.response())
    (done,) = peer.receive_data(ours.data_to_send(), 0)
    assert done.accepted
    assert ours.state is peer.state is State.UNBOUND


def test_outbind_leaves_the_session_open_for_the_bind_it_asks_for():
    smsc, esme = ends_in(State.OPEN, Role.SMSC)
    smsc.send(smpp.Outbind(system_id="smsc"), 0)
    (event,) = esme.receive_data(smsc.data_to_send(), 0)
    assert event.request.system_id == "smsc"
    assert (esme.unanswered, smsc.in_flight) == (0, 0)
    esme.send(smpp.BindReceiver(), 0)
    (bind,) = smsc.receive_data(esme.data_to_send(), 0)
    smsc.respond(bind.request.response())
    esme.receive_data(smsc.data_to_send(), 0)
    assert esme.state is RX
