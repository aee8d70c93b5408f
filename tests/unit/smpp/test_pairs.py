"""An ESME and an SMSC talk to each other through a connection that cuts and delays as it likes."""

from hypothesis import given, settings
from hypothesis import strategies as st

from chappe.operators import smpp
from chappe.operators.smpp import Role, Settings, State
from tests.unit.smpp.ends import ends_in

WINDOW = 4


class Conversation:
    """Both ends, what is on its way between them, and what each was told."""

    def __init__(self, *, settled_by_owner: bool) -> None:
        chosen = Settings(
            window=WINDOW, settled_by_owner=settled_by_owner, enquire_link_ms=50, response_ms=10**6
        )
        self.esme, self.smsc = ends_in(State.BOUND_TRX, Role.ESME, chosen)
        self.towards = {self.esme: bytearray(), self.smsc: bytearray()}
        self.unanswered: dict[object, list[smpp.Request]] = {self.esme: [], self.smsc: []}
        self.sent: dict[object, list[int]] = {self.esme: [], self.smsc: []}
        self.accepted: dict[object, list[int]] = {self.esme: [], self.smsc: []}
        self.received: dict[object, list[bytes]] = {self.esme: [], self.smsc: []}
        self.count = 0
        self.now_ms = 0

    def other(self, end):
        return self.smsc if end is self.esme else self.esme

    def send(self, end):
        if end.window_free == 0:
            return
        self.count += 1
        text = b"%d" % self.count
        request = (
            smpp.SubmitSm(short_message=text) if end is self.esme else smpp.DeliverSm(short_message=text)
        )
        end.send(request, self.now_ms, self.count)
        self.sent[end].append(self.count)
        assert end.in_flight <= WINDOW + 1 or end is self.smsc

    def answer(self, end, index):
        if self.unanswered[end]:
            request = self.unanswered[end].pop(index % len(self.unanswered[end]))
            end.respond(request.response(message_id=request.short_message.decode()))

    def carry(self, end, octets):
        towards = self.towards[end]
        towards += self.other(end).data_to_send()
        piece = bytes(towards[:octets])
        del towards[:octets]
        for event in end.receive_data(piece, self.now_ms):
            if isinstance(event, smpp.RequestReceived):
                self.unanswered[end].append(event.request)
                self.received[end].append(event.request.short_message)
            else:
                assert isinstance(event, smpp.ResponseReceived)
                assert event.accepted
                assert event.response.message_id == str(event.sent.context)
                self.accepted[end].append(event.sent.context)
                if end.settings.settled_by_owner:
                    end.settle()

    def tick(self, elapsed_ms):
        self.now_ms += elapsed_ms
        for end in (self.esme, self.smsc):
            assert end.tick(self.now_ms) == []


steps = st.lists(
    st.tuples(
        st.sampled_from(["send", "answer", "carry", "carry", "tick"]),
        st.booleans(),
        st.sampled_from([1, 3, 17, 90, 500]),
    ),
    max_size=120,
)


@given(steps, st.booleans())
@settings(max_examples=120, deadline=None)
def test_everything_that_is_sent_is_received_once_in_order_and_answered_once(actions, settled_by_owner):
    talk = Conversation(settled_by_owner=settled_by_owner)
    for action, is_esme, number in actions:
        end = talk.esme if is_esme else talk.smsc
        if action == "send":
            talk.send(end)
        elif action == "answer":
            talk.answer(end, number)
        elif action == "carry":
            talk.carry(end, number)
        else:
            talk.tick(number)
    for _ in range(4):
        for end in (talk.esme, talk.smsc):
            talk.carry(end, 10**6)
            while talk.unanswered[end]:
                talk.answer(end, 0)
    for end in (talk.esme, talk.smsc):
        assert end.is_bound
        assert (end.unanswered, end.in_flight, end.window_free) == (0, 0, end.settings.window)
        assert sorted(talk.accepted[end]) == talk.sent[end]
        assert talk.received[talk.other(end)] == [b"%d" % number for number in talk.sent[end]]
