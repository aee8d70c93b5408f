"""Two sessions that talk to each other, brought to any state."""

from chappe.operators import smpp
from chappe.operators.smpp import Role, Session, Settings, State
from chappe.operators.smpp.states import PEER

BINDS = {
    State.BOUND_TX: smpp.BindTransmitter,
    State.BOUND_RX: smpp.BindReceiver,
    State.BOUND_TRX: smpp.BindTransceiver,
}


def ends_in(
    state: State, role: Role = Role.ESME, settings: Settings | None = None
) -> tuple[Session, Session]:
    """A session of this role in this state, with these settings, and its peer."""
    ours = Session(role, now_ms=0, settings=settings)
    peer = Session(PEER[role], now_ms=0)
    esme, smsc = (ours, peer) if role is Role.ESME else (peer, ours)
    if state is State.CLOSED:
        ours.close()
        peer.connection_lost()
    elif state is not State.OPEN:
        answered(esme, smsc, BINDS.get(state, smpp.BindTransceiver)(system_id="esme", password="secret"))
        if state is State.UNBOUND:
            answered(esme, smsc, smpp.Unbind())
    assert ours.state is peer.state is state
    return ours, peer


def answered(asking: Session, answering: Session, request: smpp.Request) -> None:
    asking.send(request, 0)
    (event,) = answering.receive_data(asking.data_to_send(), 0)
    assert isinstance(event, smpp.RequestReceived)
    answering.respond(event.request.response())
    (response,) = asking.receive_data(answering.data_to_send(), 0)
    assert isinstance(response, smpp.ResponseReceived)


def events_of(session: Session, data: bytes, now_ms: int = 0) -> list[smpp.Event]:
    """The events of the same octets one at a time."""
    return [event for octet in data for event in session.receive_data(bytes([octet]), now_ms)]
