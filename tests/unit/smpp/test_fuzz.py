"""Whatever octets come: nothing but the protocol errors, from any reader, in any state."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chappe.operators import smpp
from chappe.operators.smpp import Alphabet, Role, State
from chappe.operators.smpp.commands import decode_body
from chappe.operators.smpp.long_message import split_header
from tests.unit.smpp.ends import ends_in, events_of
from tests.unit.smpp.pdus import PDU_CLASSES, mutated, octet, pdus, pdus_of

commands = st.one_of(st.sampled_from([kind.command_id for kind in PDU_CLASSES]), st.integers(0, 0xFFFFFFFF))
numbers = st.integers(0, 0xFFFFFFFF)


@given(st.one_of(st.binary(max_size=300), mutated()))
@settings(max_examples=250, deadline=None)
def test_decoding_raises_protocol_errors_only(octets):
    try:
        answer = repr(smpp.decode(octets))
    except (smpp.FramingError, smpp.BodyError) as error:
        answer = str(error)
    assert answer


@given(commands, numbers, numbers, st.binary(max_size=300))
@settings(max_examples=250, deadline=None)
def test_any_body_of_any_command_is_a_pdu_or_a_body_error(command_id, command_status, sequence_number, body):
    try:
        answer = decode_body(command_id, command_status, sequence_number, body)
    except smpp.BodyError as error:
        answer = error
    assert (answer.command_id, answer.sequence_number) == (command_id, sequence_number)
    assert isinstance(answer, smpp.Pdu) or answer.command_status != 0


streams = st.lists(
    st.one_of(mutated(), pdus.map(lambda pdu: pdu.encode()), st.binary(max_size=40)), max_size=6
)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("state", [State.OPEN, State.BOUND_RX, State.BOUND_TRX, State.UNBOUND])
def test_a_session_never_raises_and_always_knows_how_it_ended(role, state):
    @settings(max_examples=40, deadline=None)
    @given(streams.map(b"".join), st.booleans())
    def fuzz(stream, drips):
        ours, _ = ends_in(state, role)
        if state in (State.BOUND_TRX, State.BOUND_RX) and role is Role.SMSC:
            ours.send(smpp.DeliverSm(), 0)
        events = events_of(ours, stream) if drips else ours.receive_data(stream, 0)
        ended = [event for event in events if isinstance(event, smpp.Ended)]
        assert bool(ended) == (ours.state is State.CLOSED)
        assert ended == events[len(events) - len(ended) :]
        assert len(ended) <= 1
        for event in events:
            if isinstance(event, smpp.RequestReceived) and event.request.response_type and not ended:
                ours.respond(event.request.response(0x14))
        assert ours.unanswered == 0
        # What the session says is SMPP, every octet of it.
        other, _ = ends_in(state, Role.ESME if role is Role.SMSC else Role.SMSC)
        assert not any(isinstance(event, smpp.Ended) for event in other.receive_data(ours.data_to_send(), 0))
        ours.tick(10**9)

    fuzz()


@given(pdus_of(smpp.DeliverSm), st.booleans())
@settings(max_examples=200, deadline=None)
def test_receipts_and_texts_are_read_from_anything(pdu, tolerant):
    receipt = smpp.read_receipt(pdu, tolerant=tolerant)
    if receipt is not None:
        assert all(receipt.message_ids)
    for alphabet in Alphabet:
        text = smpp.read_text(pdu, alphabet).text
        text.encode("utf-8")


@given(st.binary(max_size=160), octet, st.sampled_from(Alphabet))
@settings(max_examples=200, deadline=None)
@example(b"\x1b", 0, Alphabet.GSM0338)
@example(b"\xd8", 8, Alphabet.GSM0338)
@example(b"\xd8\x00", 8, Alphabet.GSM0338)
@example(b"\x1b\x24\x42\xff", 10, Alphabet.GSM0338)
def test_any_octets_in_any_data_coding_are_a_text_that_can_be_stored(octets, data_coding, alphabet):
    smpp.decode_text(octets, data_coding, alphabet).encode("utf-8")


@given(st.binary(max_size=40))
def test_any_octets_are_a_header_and_a_rest(octets):
    header, rest = split_header(octets)
    assert octets.endswith(rest)
    assert sum(2 + len(data) for _, data in header) + len(rest) <= len(octets)


words = st.sampled_from(
    [
        "id:",
        "sub:",
        "dlvrd:",
        "submit date:",
        "done date:",
        "stat:",
        "err:",
        "text:",
        "Id",
        "DELIVRD",
        "001",
        "2401311200",
    ]
)


@given(st.lists(st.one_of(words, st.text("\x00 :=,0aZé", max_size=6)), max_size=30), octet)
@settings(max_examples=200, deadline=None)
def test_any_mixture_of_receipt_words_is_read(parts, esm_class):
    text = "".join(parts).encode("latin-1")[:254]
    smpp.read_receipt(smpp.DeliverSm(esm_class=esm_class, short_message=text))


@pytest.mark.parametrize(
    "text", [b"id: " * 16_000, b"id:" + b" " * 60_000, b"a" * 60_000, b"stat:x " * 9_000, b"id:1,;" * 9_000]
)
def test_a_text_made_to_be_slow_is_read_in_no_time(text):
    pdu = smpp.DataSm(esm_class=4, tlvs=((smpp.TlvTag.MESSAGE_PAYLOAD, text),))
    # Backtracking over 60,000 octets would take minutes: the test would be seen to hang.
    for _ in range(20):
        smpp.read_receipt(pdu)
