"""Binds: every kind, refused, lost, come back, parted in good order."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from chappe.operators.smpp.binds import BindReceiver, BindTransceiver, BindTransmitter, Outbind, Unbind
from chappe.operators.smpp.constants import CommandStatus as Status
from tests.wire.smpp.conftest import Bench
from tests.wire.smpp.scripted import ScriptedSmsc, departure, receipt_pdu
from tests.wire.smpp.virtual import advance, settle, until


@pytest.mark.parametrize(
    ("bind", "kind"), [("transmitter", BindTransmitter), ("transceiver", BindTransceiver)]
)
async def test_binds_as_configured_and_is_up(bench: Bench, smsc: ScriptedSmsc, bind: str, kind: type) -> None:
    operator = bench.operator(bind=bind, system_type="VMA", address_range="33*")
    assert not operator.is_up
    assert operator.free_slots == 0
    await operator.start(bench.outcomes, bench.wake)
    await until(lambda: operator.is_up)
    (request,) = smsc.peer.binds
    assert type(request) is kind
    assert (request.system_id, request.password, request.system_type, request.address_range) == (
        "esme",
        "a-secret",
        "VMA",
        "33*",
    )
    assert operator.free_slots == 100
    assert bench.wakes == 1


async def test_a_receiver_alone_is_never_up_but_brings_receipts(bench: Bench, smsc: ScriptedSmsc) -> None:
    operator = await bench.start(bind="receiver", binds=0)
    await until(lambda: smsc.peers and smsc.peer.connection.session.is_bound)
    assert type(smsc.peer.binds[0]) is BindReceiver
    smsc.peer.send(receipt_pdu("1"))
    await until(lambda: smsc.peer.answers)
    assert len(bench.outcomes.receipts) == 1
    assert not operator.is_up


async def test_a_pair_submits_on_one_bind_and_gets_receipts_on_the_other(
    bench: Bench, smsc: ScriptedSmsc
) -> None:
    operator = await bench.start(bind="pair", binds=0)
    await until(lambda: len([peer for peer in smsc.peers if peer.connection.session.is_bound]) == 2)
    await until(lambda: operator.is_up)
    transmitter = next(peer for peer in smsc.peers if type(peer.binds[0]) is BindTransmitter)
    receiver = next(peer for peer in smsc.peers if type(peer.binds[0]) is BindReceiver)
    operator.submit([departure()])
    await until(lambda: bench.outcomes.submitted)
    assert len(transmitter.submits) == 1
    receiver.send(receipt_pdu(bench.outcomes.submitted[0].smsc_message_id))
    await until(lambda: receiver.answers)
    assert bench.outcomes.receipts[0].candidates[0] == bench.outcomes.submitted[0].smsc_message_id


async def test_parallel_binds_share_the_work(bench: Bench, smsc: ScriptedSmsc) -> None:
    smsc.answer = lambda peer, request: None
    operator = await bench.start(binds=3, window=10)
    await until(lambda: operator.free_slots == 30)
    operator.submit([departure(message_id) for message_id in range(1, 25)])
    await until(lambda: len(smsc.submits) == 24)
    assert [len(peer.submits) for peer in smsc.peers] == [8, 8, 8]
    assert operator.free_slots == 6


async def test_a_refused_bind_is_named_in_the_log_and_tried_again_later_each_time(
    bench: Bench, smsc: ScriptedSmsc
) -> None:
    smsc.bind_status = lambda bind: int(Status.ESME_RINVPASWD)
    with capture_logs() as logs:
        operator = await bench.start(binds=0)
        await advance(0)
        assert len(smsc.peers) == 1
        tries = []
        for _ in range(10):
            await advance(30)
            tries.append(len(smsc.peers))
    # After 1, 2, 4, 8, 16, 32 and then every 60 seconds.
    assert tries == [5, 6, 7, 7, 8, 8, 9, 9, 10, 10]
    refused = [line for line in logs if line["event"] == "the operator refused the bind"]
    assert refused[0]["status"] == "ESME_RINVPASWD"
    assert refused[0]["log_level"] == "error"
    assert "a-secret" not in str(logs)
    assert not operator.is_up
    smsc.bind_status = lambda bind: 0
    await advance(60)
    assert operator.is_up


async def test_an_operator_that_is_not_there_is_tried_until_it_is(bench: Bench, smsc: ScriptedSmsc) -> None:
    await smsc.close()
    with capture_logs() as logs:
        operator = await bench.start(binds=0)
        await advance(100)
    assert "the operator cannot be reached" in [line["event"] for line in logs]
    await smsc.listen()
    await advance(61)
    assert operator.is_up


async def test_a_bind_that_is_never_answered_is_given_up_and_tried_again(
    bench: Bench, smsc: ScriptedSmsc
) -> None:
    smsc.bind_status = lambda bind: None
    await bench.start(binds=0, response_timeout_s=10.0)
    await advance(12)
    assert smsc.peers[0].ended
    assert len(smsc.peers) == 2


async def test_a_lost_link_comes_back_and_wakes_the_dispatcher(bench: Bench, smsc: ScriptedSmsc) -> None:
    operator = await bench.start()
    await advance(60)
    wakes = bench.wakes
    smsc.peer.connection.abort()
    await until(lambda: not operator.is_up)
    assert operator.free_slots == 0
    await advance(1.1)
    assert operator.is_up
    assert bench.wakes > wakes


async def test_what_was_under_way_when_the_link_broke_is_lost_after_what_did_arrive(
    bench: Bench, smsc: ScriptedSmsc
) -> None:
    smsc.answer = lambda peer, request: request.response(message_id="7") if len(peer.submits) <= 2 else None
    operator = await bench.start()
    operator.submit([departure(message_id) for message_id in range(1, 6)])
    await until(lambda: len(smsc.submits) == 5)
    smsc.peer.connection.abort()
    await until(lambda: len(bench.outcomes.submitted) == 5)
    assert bench.outcomes.words() == [
        (1, 0, "accepted"),
        (2, 0, "accepted"),
        (3, 0, "lost"),
        (4, 0, "lost"),
        (5, 0, "lost"),
    ]


async def test_the_peers_unbind_is_answered_once_the_answers_under_way_have_come(
    bench: Bench, smsc: ScriptedSmsc
) -> None:
    smsc.answer = lambda peer, request: None
    operator = await bench.start()
    operator.submit([departure()])
    await until(lambda: smsc.submits)
    peer = smsc.peer
    peer.send(Unbind())
    await until(lambda: not operator.is_up)
    await settle()
    assert not peer.answers
    peer.send(smsc.submits[0].response(message_id="1"))
    await until(lambda: peer.answers)
    assert peer.answers[0].command_status == 0
    assert bench.outcomes.words() == [(1, 0, "accepted")]
    await advance(2)
    assert operator.is_up  # on a new connection


async def test_the_peers_unbind_is_answered_even_if_nothing_else_comes(
    bench: Bench, smsc: ScriptedSmsc
) -> None:
    smsc.answer = lambda peer, request: None
    operator = await bench.start()
    operator.submit([departure()])
    await until(lambda: smsc.submits)
    peer = smsc.peer
    peer.send(Unbind())
    await advance(2.1)
    assert peer.answers
    assert bench.outcomes.words() == [(1, 0, "lost")]


async def test_outbind_is_ignored(bench: Bench, smsc: ScriptedSmsc) -> None:
    smsc.on_connected = lambda peer: peer.send(Outbind("SMSC", "x"))
    operator = await bench.start()
    assert operator.is_up


async def test_stop_waits_for_the_answers_then_unbinds_and_closes(bench: Bench, smsc: ScriptedSmsc) -> None:
    smsc.answer = lambda peer, request: None
    operator = await bench.start()
    operator.submit([departure(1), departure(2)])
    await until(lambda: len(smsc.submits) == 2)
    stopping = asyncio.create_task(operator.stop())
    await settle()
    assert not operator.is_up
    assert operator.free_slots == 0
    assert not smsc.peer.unbinds
    smsc.peer.send(*(request.response(message_id="1") for request in smsc.submits))
    await stopping
    assert smsc.peer.unbinds
    assert smsc.peer.ended
    assert bench.outcomes.words() == [(1, 0, "accepted"), (2, 0, "accepted")]


async def test_stop_ends_in_seconds_whatever_the_peer_does_not_answer(
    bench: Bench, smsc: ScriptedSmsc
) -> None:
    smsc.answer = lambda peer, request: None
    smsc.answers_unbind = False
    operator = await bench.start()
    operator.submit([departure()])
    await until(lambda: smsc.submits)
    stopping = asyncio.create_task(operator.stop())
    await advance(5)
    assert stopping.done()
    await until(lambda: smsc.peer.ended)
    assert bench.outcomes.words() == [(1, 0, "lost")]


async def test_stop_ends_in_seconds_while_nothing_can_be_stored(bench: Bench, smsc: ScriptedSmsc) -> None:
    bench.outcomes.unavailable = 1000
    operator = await bench.start()
    operator.submit([departure()])
    await until(lambda: smsc.submits)
    stopping = asyncio.create_task(operator.stop())
    await advance(8)
    assert stopping.done()
    assert bench.outcomes.all == []


async def test_stop_before_anything_is_there(bench: Bench, smsc: ScriptedSmsc) -> None:
    smsc.bind_status = lambda bind: None
    operator = await bench.start(binds=0)
    await operator.stop()  # still connecting
    operator = await bench.start(binds=0)
    await until(lambda: smsc.peers and smsc.peer.binds)
    await operator.stop()  # bind not answered
    await bench.operator().stop()  # never started
    await smsc.close()
    operator = await bench.start(binds=0)
    await advance(0.5)
    await operator.stop()  # between two tries


async def test_what_is_handed_over_after_the_stop_comes_back(bench: Bench, smsc: ScriptedSmsc) -> None:
    operator = await bench.start()
    stopping = asyncio.create_task(operator.stop())
    await asyncio.sleep(0)
    operator.submit([departure()])
    await stopping
    assert bench.outcomes.words() == [(1, 0, "lost")]
    assert smsc.submits == []
