"""The window: a slot is taken by a part, and given back when its outcome is stored."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from structlog.testing import capture_logs

from chappe.messages.port import Outcome, Submitted
from tests.wire.smpp.conftest import Bench
from tests.wire.smpp.scripted import ScriptedSmsc, departure, receipt_pdu
from tests.wire.smpp.virtual import advance, settle, until


async def test_a_slot_is_free_again_only_when_its_outcome_is_committed(
    bench: Bench, smsc: ScriptedSmsc
) -> None:
    operator = await bench.start(window=10)
    bench.outcomes.is_open.clear()
    operator.submit([departure(message_id) for message_id in range(1, 5)])
    assert operator.free_slots == 6
    await until(lambda: len(smsc.submits) == 4)
    await settle()
    assert operator.free_slots == 6
    wakes = bench.wakes
    bench.outcomes.is_open.set()
    await until(lambda: len(bench.outcomes.submitted) == 4)
    await settle()
    assert operator.free_slots == 10
    assert bench.wakes > wakes


async def test_many_are_written_at_once(bench: Bench, smsc: ScriptedSmsc) -> None:
    operator = await bench.start()
    reads = smsc.peer.reads
    operator.submit([departure(message_id) for message_id in range(1, 61)])
    await until(lambda: len(smsc.submits) == 60)
    assert smsc.peer.reads == reads + 1
    await until(lambda: len(bench.outcomes.submitted) == 60)
    assert len(bench.outcomes.batches) == 1


async def test_answers_out_of_order_find_their_parts(bench: Bench, smsc: ScriptedSmsc) -> None:
    smsc.answer = lambda peer, request: None
    operator = await bench.start()
    operator.submit([departure(message_id) for message_id in (1, 2, 3)])
    await until(lambda: len(smsc.submits) == 3)
    first, second, third = smsc.submits
    smsc.peer.send(
        third.response(message_id="C"), first.response(message_id="A"), second.response(message_id="B")
    )
    await until(lambda: len(bench.outcomes.submitted) == 3)
    assert [(each.departure.message_id, each.smsc_message_id) for each in bench.outcomes.submitted] == [
        (3, "c"),
        (1, "a"),
        (2, "b"),
    ]


async def test_a_message_longer_than_the_window_leaves_part_by_part(bench: Bench, smsc: ScriptedSmsc) -> None:
    operator = await bench.start(window=3)
    operator.submit([departure(1, *("part" for _ in range(8)))])
    assert operator.free_slots == 0
    await until(lambda: len(bench.outcomes.submitted) == 8)
    assert sorted(bench.outcomes.words()) == [(1, part, "accepted") for part in range(8)]
    await settle()
    assert operator.free_slots == 3


async def test_what_is_handed_over_while_the_bind_is_away_leaves_when_it_is_back(
    bench: Bench, smsc: ScriptedSmsc
) -> None:
    operator = await bench.start()
    smsc.peer.connection.abort()
    await until(lambda: not operator.is_up)
    operator.submit([departure()])
    await settle()
    assert bench.outcomes.all == []
    await advance(3)
    assert bench.outcomes.words() == [(1, 0, "accepted")]
    assert operator.free_slots == 100


async def test_what_no_bind_comes_back_for_is_given_back_as_lost(bench: Bench, smsc: ScriptedSmsc) -> None:
    operator = await bench.start(response_timeout_s=10.0)
    await smsc.close()
    await until(lambda: not operator.is_up)
    operator.submit([departure()])
    await advance(9)
    assert bench.outcomes.all == []
    await advance(2)
    assert bench.outcomes.words() == [(1, 0, "lost")]


async def test_while_the_storage_is_away_nothing_is_acknowledged_and_nothing_lost(
    bench: Bench, smsc: ScriptedSmsc
) -> None:
    operator = await bench.start(window=5)
    bench.outcomes.unavailable = 6
    with capture_logs() as logs:
        operator.submit([departure(message_id) for message_id in range(1, 6)])
        await until(lambda: len(smsc.submits) == 5)
        smsc.peer.send(receipt_pdu("1"))
        await advance(1)
        assert bench.outcomes.unavailable
        assert operator.free_slots == 0
        assert smsc.peer.answers == []
        await advance(20)
    assert [word[2] for word in bench.outcomes.words()] == ["accepted"] * 5
    assert len(bench.outcomes.receipts) == 1
    assert operator.free_slots == 5
    assert [answer.command_status for answer in smsc.peer.answers] == [0]
    names = [line["event"] for line in logs]
    assert names.count("the storage is not available; outcomes wait") == 1
    assert names.count("the storage is available again") == 1


async def test_one_outcome_that_cannot_be_stored_does_not_keep_its_neighbours(
    bench: Bench, smsc: ScriptedSmsc
) -> None:
    def raises(outcomes: Sequence[Outcome]) -> None:
        if any(isinstance(each, Submitted) and each.departure.message_id == 2 for each in outcomes):
            raise RuntimeError("a defect")

    operator = await bench.start()
    bench.outcomes.raises = raises
    operator.submit([departure(message_id) for message_id in (1, 2, 3)])
    await until(lambda: len(bench.outcomes.submitted) == 2)
    await settle()
    assert bench.outcomes.words() == [(1, 0, "accepted"), (3, 0, "accepted")]
    assert operator.free_slots == 100
    assert bench.unexpected == 2  # the batch, then the one
    bench.unexpected = 0


async def test_a_receipt_that_cannot_be_stored_is_to_come_again(bench: Bench, smsc: ScriptedSmsc) -> None:
    def raises(outcomes: Sequence[Outcome]) -> None:
        raise RuntimeError("a defect")

    await bench.start()
    bench.outcomes.raises = raises
    smsc.peer.send(receipt_pdu("1"))
    await until(lambda: smsc.peer.answers)
    assert smsc.peer.answers[0].command_status == 0x64  # ESME_RX_T_APPN
    bench.unexpected = 0


async def test_a_peer_that_does_not_read_is_not_written_to(bench: Bench, smsc: ScriptedSmsc) -> None:
    operator = await bench.start(window=10_000, response_timeout_s=5.0)
    peer = smsc.peer
    transport = peer.connection._transport
    assert transport is not None
    transport.pause_reading()
    taken = 0
    for message_id in range(1, 10_000, 100):
        operator.submit([departure(number, "x" * 160) for number in range(message_id, message_id + 100)])
        taken += 100
        await asyncio.sleep(0)
        if operator.free_slots == 0 and taken < 9_000:
            break
    transport.resume_reading()
    await until(lambda: len(bench.outcomes.submitted) == taken)
    assert {word[2] for word in bench.outcomes.words()} == {"accepted"}
    await settle()
    assert operator.free_slots == 10_000
