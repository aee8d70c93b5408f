"""What operators do wrong, one after the other: nothing is lost, nothing hangs, the link comes back."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from chappe.operators.smpp.ancillary import AlertNotification
from chappe.operators.smpp.connection import Connection
from chappe.operators.smpp.constants import CommandStatus as Status
from chappe.operators.smpp.constants import TlvTag
from chappe.operators.smpp.messages import SubmitSm, SubmitSmResp
from chappe.operators.smpp.pdu import GenericNack, Response
from tests.wire.smpp.conftest import Bench
from tests.wire.smpp.scripted import Peer, ScriptedSmsc, accept, departure, receipt_pdu
from tests.wire.smpp.virtual import advance, settle, until


@pytest.mark.parametrize("answered", [0, 1, 7, 16])
async def test_the_operator_closes_after_k_of_w_responses(
    bench: Bench, smsc: ScriptedSmsc, answered: int
) -> None:
    def answer(peer: Peer, request: SubmitSm) -> Response | None:
        if len(peer.submits) <= answered:
            return accept(peer, request)
        if len(peer.submits) == 16:
            peer.connection.flush()
            peer.connection.close()
        return None

    smsc.answer = answer
    operator = await bench.start(window=16)
    operator.submit([departure(message_id) for message_id in range(1, 17)])
    await until(lambda: len(bench.outcomes.submitted) == 16)
    assert [word[2] for word in bench.outcomes.words()] == ["accepted"] * answered + ["lost"] * (
        16 - answered
    )
    smsc.answer = accept
    await advance(2)
    assert operator.free_slots == 16


async def test_the_operator_never_answers_and_says_nothing_else(bench: Bench, smsc: ScriptedSmsc) -> None:
    smsc.answer = lambda peer, request: None
    operator = await bench.start(response_timeout_s=10.0, enquire_link_s=1000.0)
    operator.submit([departure(1), departure(2)])
    await until(lambda: len(smsc.submits) == 2)
    await advance(9)
    assert bench.outcomes.all == []
    assert operator.is_up
    with capture_logs() as logs:
        await advance(1.5)
    assert bench.outcomes.words() == [(1, 0, "lost"), (2, 0, "lost")]
    assert smsc.peers[0].ended
    assert "the operator has fallen silent" in [line["event"] for line in logs]
    await advance(2)
    assert operator.is_up


async def test_the_operator_never_answers_but_goes_on_talking(bench: Bench, smsc: ScriptedSmsc) -> None:
    smsc.answer = lambda peer, request: None
    operator = await bench.start(response_timeout_s=10.0, window=5)
    operator.submit([departure(1)])
    await until(lambda: smsc.submits)
    await advance(5)
    smsc.peer.send(receipt_pdu("9"))
    await advance(6)
    assert bench.outcomes.words() == [(1, 0, "lost")]
    assert not smsc.peer.ended
    assert operator.free_slots == 5


async def test_an_answer_after_its_time_is_told_too(bench: Bench, smsc: ScriptedSmsc) -> None:
    smsc.answer = lambda peer, request: None
    operator = await bench.start(response_timeout_s=10.0)
    operator.submit([departure(1), departure(2)])
    await until(lambda: len(smsc.submits) == 2)
    await advance(5)
    smsc.peer.send(receipt_pdu("9"))
    await advance(6)
    first, second = smsc.submits
    smsc.peer.send(
        first.response(message_id="ABC"), second.response(Status.ESME_RSUBMITFAIL), receipt_pdu("ABC")
    )
    await until(lambda: len(bench.outcomes.submitted) == 3)
    last = bench.outcomes.submitted[2]
    assert (last.departure.message_id, last.outcome, last.smsc_message_id) == (1, "accepted", "abc")
    assert [told.is_late for told in bench.outcomes.submitted] == [False, False, True]
    await settle()
    assert operator.free_slots == 100


async def test_a_silent_operator_is_asked_and_left_when_it_says_nothing(
    bench: Bench, smsc: ScriptedSmsc
) -> None:
    operator = await bench.start(enquire_link_s=20.0, response_timeout_s=5.0)
    await advance(60)
    assert len(smsc.peers) == 1  # enquire_link was answered
    smsc.peer.connection._transport.pause_reading()  # type: ignore[union-attr]
    with capture_logs() as logs:
        await advance(27)
    assert "enquire_link was not answered, and nothing else came" in [line.get("reason") for line in logs]
    smsc.peers[0].connection._transport.resume_reading()  # type: ignore[union-attr]
    await advance(2)
    assert smsc.peers[0].ended
    assert len(smsc.peers) == 2
    assert operator.is_up


async def test_half_a_pdu_and_then_silence(bench: Bench, smsc: ScriptedSmsc) -> None:
    smsc.answer = lambda peer, request: None
    operator = await bench.start(enquire_link_s=20.0, response_timeout_s=5.0)
    smsc.peer.connection._transport.pause_reading()  # type: ignore[union-attr]
    operator.submit([departure(1)])
    await settle()
    smsc.peer.write(SubmitSmResp("12345678", sequence_number=2).encode()[:20])
    await advance(6)
    assert bench.outcomes.words() == [(1, 0, "lost")]
    await advance(30)
    assert len(smsc.peers) == 2
    assert operator.is_up


async def test_an_octet_at_a_time(bench: Bench, smsc: ScriptedSmsc) -> None:
    octets = bytearray()
    smsc.answer = lambda peer, request: octets.extend(accept(peer, request).encode())  # type: ignore[union-attr,func-returns-value]
    operator = await bench.start()
    operator.submit([departure(message_id) for message_id in range(1, 4)])
    await until(lambda: len(smsc.submits) == 3)
    octets += b"".join(
        (
            b"\x00\x00\x00\x10\x00\x00\x00\x15\x00\x00\x00\x00\x00\x00\x00\x63",
            _numbered(receipt_pdu("1"), 100),
        )
    )
    for position in range(len(octets)):
        smsc.peer.write(octets[position : position + 1])
        await settle_a_little()
    await until(lambda: bench.outcomes.receipts)
    assert [word[2] for word in bench.outcomes.words()] == ["accepted"] * 3
    assert operator.is_up


async def test_garbage_ends_the_link_and_what_came_before_it_counts(bench: Bench, smsc: ScriptedSmsc) -> None:
    smsc.answer = lambda peer, request: None
    operator = await bench.start()
    operator.submit([departure(1), departure(2)])
    await until(lambda: len(smsc.submits) == 2)
    smsc.peer.write(smsc.submits[0].response(message_id="1").encode() + b"GET / HTTP/1.1\r\n\r\n" * 20)
    await until(lambda: len(bench.outcomes.submitted) == 2)
    assert bench.outcomes.words() == [(1, 0, "accepted"), (2, 0, "lost")]
    assert not operator.is_up
    smsc.answer = accept
    await advance(2)
    assert operator.is_up


async def test_pdus_that_nobody_knows_and_bodies_that_make_no_sense_do_not_end_the_link(
    bench: Bench, smsc: ScriptedSmsc
) -> None:
    operator = await bench.start()
    unknown = b"\x00\x00\x00\x12\x00\x00\x0a\xbc\x00\x00\x00\x00\x00\x00\x00\x01??"
    bad_deliver = b"\x00\x00\x00\x14\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x02\xff\xff\xff\xff"
    unasked = b"\x00\x00\x00\x11\x80\x00\x00\x04\x00\x00\x00\x00\x00\x00\x0f\xff\x00"
    for _ in range(50):
        smsc.peer.write(unknown + bad_deliver + unasked)
    with capture_logs() as logs:
        await settle()
    smsc.peer.send(AlertNotification())
    operator.submit([departure(1)])
    await until(lambda: bench.outcomes.submitted)
    assert bench.outcomes.words() == [(1, 0, "accepted")]
    assert len(smsc.peers) == 1
    assert len(logs) == 20  # it may go on all day


async def test_vendor_statuses_and_optional_parameters(bench: Bench, smsc: ScriptedSmsc) -> None:
    def answer(peer: Peer, request: SubmitSm) -> Response:
        tlvs = ((0x1400, b"vendor"), (int(TlvTag.ADDITIONAL_STATUS_INFO_TEXT), b"no route\0"), (0x1401, b""))
        status = (0x432, 0xFFFF_FFFF, 0, Status.ESME_RINVDSTADR)[len(peer.submits) - 1]
        return request.response(status, message_id="" if status else "0A", tlvs=tlvs)

    smsc.answer = answer
    operator = await bench.start()
    operator.submit([departure(message_id) for message_id in range(1, 5)])
    await until(lambda: len(bench.outcomes.submitted) == 4)
    assert [
        (each.outcome, each.command_status, each.smsc_message_id) for each in bench.outcomes.submitted
    ] == [
        ("refused", 0x432, ""),
        ("refused", 0xFFFFFFFF, ""),
        ("accepted", 0, "a"),
        ("refused", 0x0B, ""),
    ]


async def test_a_generic_nack_refuses_and_an_answer_without_id_accepts(
    bench: Bench, smsc: ScriptedSmsc
) -> None:
    def answer(peer: Peer, request: SubmitSm) -> Response | None:
        sequence_number = request.sequence_number
        match len(peer.submits):
            case 1:
                nack = GenericNack(command_status=3, sequence_number=sequence_number)
            case 2:
                nack = GenericNack(command_status=0, sequence_number=sequence_number)
            case _:
                peer.write(b"\x00\x00\x00\x10\x80\x00\x00\x04\x00\x00\x00\x00" + sequence_number.to_bytes(4))
                return None
        return nack

    smsc.answer = answer
    operator = await bench.start()
    operator.submit([departure(1), departure(2), departure(3)])
    await until(lambda: len(bench.outcomes.submitted) == 3)
    told = {
        each.departure.message_id: (each.outcome, each.smsc_message_id, each.command_status)
        for each in bench.outcomes.submitted
    }
    assert told == {1: ("refused", "", 3), 2: ("refused", "", 0xFF), 3: ("accepted", "", 0)}


async def test_a_receipt_in_the_same_read_as_its_response(bench: Bench, smsc: ScriptedSmsc) -> None:
    smsc.answer = lambda peer, request: None
    operator = await bench.start()
    operator.submit([departure(1)])
    await until(lambda: smsc.submits)
    # The receipt first, even.
    smsc.peer.send(receipt_pdu("2B"), smsc.submits[0].response(message_id="0000002b"))
    await until(lambda: smsc.peer.answers)
    assert bench.outcomes.submitted[0].smsc_message_id == "2b"
    assert bench.outcomes.receipts[0].candidates[0] == "2b"
    assert len(bench.outcomes.batches) == 1


async def test_a_peer_that_asks_without_end_and_never_reads_the_answers_costs_no_memory(
    bench: Bench, smsc: ScriptedSmsc
) -> None:
    await bench.start(response_timeout_s=5.0, enquire_link_s=5.0)
    peer = smsc.peer
    transport = peer.connection._transport
    assert transport is not None
    transport.pause_reading()
    transport.set_write_buffer_limits(high=1 << 26)
    enquiries = b"".join(
        b"\x00\x00\x00\x10\x00\x00\x00\x15\x00\x00\x00\x00" + number.to_bytes(4)
        for number in range(1, 50_001)
    )
    for _ in range(30):
        peer.write(enquiries)
        await settle_a_little()
    await until(lambda: transport.get_write_buffer_size() > 0)
    left = transport.get_write_buffer_size()
    await settle()
    # It is not read any more, so what it wants to say stays with it.
    assert transport.get_write_buffer_size() == left


async def test_a_defect_of_ours_costs_one_link_not_the_messages_of_its_read(
    bench: Bench, smsc: ScriptedSmsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = await bench.start()
    answered = operator.answered

    def broken(connection: Connection, submission: object, event: object) -> None:
        if submission.departure.message_id == 2:  # type: ignore[attr-defined]
            raise ZeroDivisionError
        answered(connection, submission, event)  # type: ignore[arg-type]

    monkeypatch.setattr(operator, "answered", broken)
    operator.submit([departure(message_id) for message_id in (1, 2, 3)])
    await until(lambda: len(bench.outcomes.submitted) == 3)
    assert bench.outcomes.words() == [(1, 0, "accepted"), (2, 0, "lost"), (3, 0, "accepted")]
    assert bench.unexpected == 1
    bench.unexpected = 0
    monkeypatch.undo()
    await advance(2)
    assert operator.is_up


def _numbered(pdu: object, sequence_number: int) -> bytes:
    pdu.sequence_number = sequence_number  # type: ignore[attr-defined]
    return pdu.encode()  # type: ignore[attr-defined,no-any-return]


async def settle_a_little() -> None:
    for _ in range(3):
        await asyncio.sleep(0)
