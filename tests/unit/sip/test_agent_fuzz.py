"""Whatever comes, in whatever state: a user agent never raises, and ends what it has begun."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chappe.operators.sip.agent.settings import Settings
from chappe.operators.sip.agent.states import CallState
from chappe.operators.sip.hop import Hop
from chappe.operators.sip.syntax.message import parse_message
from tests.unit.sip.messages import mutated, pieces
from tests.unit.sip.network import Network
from tests.unit.sip.phones import ANSWER, Phone, carried, pair

UDP = Hop("udp", "192.0.2.9", 5060)


def recorded() -> list[bytes]:
    """All messages of calls with everything in them."""
    network, caller, _ = pair(
        [(5, "ring", {"status": 183, "body": ANSWER}), (50, "accept", {"body": ANSWER})],
        settings=Settings(session_expires_s=90),
        callee_settings=Settings(wants_100rel=True),
    )
    call = caller.call("192.0.2.9")
    network.run(1000)
    caller.do(call.offer, b"hold")
    network.run(60_000)
    caller.do(call.hang_up)
    second = caller.call("192.0.2.9")
    network.run(20)
    caller.do(second.cancel)
    network.run(1000)
    return [message.encode() for message in carried(network)]


RECORDED = recorded()


@st.composite
def spoiled(draw: st.DrawFn) -> bytes:
    octets = bytearray(draw(st.sampled_from(RECORDED)))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(octets)))
        octets[start : start + draw(st.integers(0, 12))] = draw(st.one_of(pieces, st.binary(max_size=4)))
    return bytes(octets)


def give_up(phone: Phone) -> None:
    """Ends what only its owner can end: calls that ring, and those without session timer."""
    for call in {id(call): call for _, call in phone.agent._dialogs.values()}.values():
        if call.state is CallState.RINGING:
            phone.do(call.reject, 480)
        elif call.state in (CallState.CALLING, CallState.EARLY):
            phone.do(call.cancel)
        elif call.state is CallState.CONFIRMED:
            phone.do(call.hang_up)


@given(st.lists(st.one_of(spoiled(), mutated(), st.binary(max_size=100)), max_size=12))
@settings(max_examples=150, deadline=None)
def test_a_waiting_phone_takes_anything(messages):
    network = Network()
    phone = Phone(network, "192.0.2.9", plan=[(5, "ring", {}), (20, "accept", {"body": ANSWER})])
    for data in messages:
        phone.receive(data, UDP, network.now_ms)
        network.run(30)
    network.run(200_000)
    give_up(phone)
    network.run(200_000)
    for _, _, data in network.carried:
        # A refusal repeats what could not be read.
        if not data.startswith((b"SIP/2.0 400", b"SIP/2.0 413", b"SIP/2.0 505", b"SIP/2.0 513")):
            parse_message(data)
    assert len(phone.agent.layer) == 0
    assert phone.agent.dialogs == 0


@pytest.mark.parametrize("after_ms", [5, 30, 1100, 31_000, 50_500])
def test_a_phone_in_a_call_takes_anything(after_ms):
    @given(st.lists(spoiled(), max_size=8), st.sampled_from(["192.0.2.1", "192.0.2.9"]))
    @settings(max_examples=40, deadline=None)
    def fuzz(messages, host):
        network, caller, callee = pair(
            [(5, "ring", {"status": 183, "body": ANSWER}), (50, "accept", {"body": ANSWER})],
            settings=Settings(session_expires_s=90),
            callee_settings=Settings(wants_100rel=True),
        )
        caller.call("192.0.2.9")
        network.run(after_ms)
        phone = caller if host == "192.0.2.1" else callee
        for data in messages:
            phone.receive(data, Hop("udp", host, 5060), network.now_ms)
        network.run(1000)
        network.remove("192.0.2.1")
        network.remove("192.0.2.9")
        for alone in (caller, callee):
            last = Network()
            last.now_ms = network.now_ms
            last.add(alone, alone.host)
            alone.network = last
            last.run(200_000)
            give_up(alone)
            last.run(200_000)
            assert alone.agent.dialogs == 0
            assert len(alone.agent.layer) == 0

    fuzz()
