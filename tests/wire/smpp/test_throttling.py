"""Pace: the configured throughput, and what an operator says by throttling."""

from __future__ import annotations

import asyncio

from chappe.operators.smpp.constants import CommandStatus as Status
from chappe.operators.smpp.messages import SubmitSm
from chappe.operators.smpp.pacing import UNLIMITED, Pacing, back_off_ms
from chappe.operators.smpp.pdu import GenericNack, Response
from tests.wire.smpp.conftest import Bench
from tests.wire.smpp.scripted import Peer, ScriptedSmsc, accept, departure
from tests.wire.smpp.virtual import advance, settle, until


def now_s() -> float:
    return asyncio.get_running_loop().time()


async def test_an_operator_that_throttles_for_a_minute_gets_everything_once(
    bench: Bench, smsc: ScriptedSmsc
) -> None:
    end = now_s() + 60
    accepted: list[int] = []

    def answer(peer: Peer, request: SubmitSm) -> Response | None:
        if now_s() < end:
            return request.response(Status.ESME_RTHROTTLED)
        accepted.append(int(request.short_message))
        return accept(peer, request)

    smsc.answer = answer
    operator = await bench.start(window=20)
    operator.submit([departure(number, str(number)) for number in range(1, 21)])
    assert operator.free_slots == 0
    await advance(59)
    assert bench.outcomes.all == []
    assert operator.free_slots == 0  # their slots stay taken
    throttled = len(smsc.submits)
    assert 20 < throttled < 60  # 20 at first, then fewer and fewer, later and later
    await advance(20)
    assert sorted(accepted) == list(range(1, 21))
    assert sorted(bench.outcomes.words()) == [(number, 0, "accepted") for number in range(1, 21)]
    assert operator.free_slots > 0
    # And then it is as before.
    for number in range(21, 61):
        operator.submit([departure(number, str(number))])
        await settle()
    await advance(1)
    assert len(accepted) == 60


async def test_an_operator_with_room_for_ten_a_second_gets_about_that(
    bench: Bench, smsc: ScriptedSmsc
) -> None:
    taken: list[float] = []

    def answer(peer: Peer, request: SubmitSm) -> Response | None:
        taken[:] = [when for when in taken if when > now_s() - 1]
        if len(taken) >= 10:
            return request.response(Status.ESME_RMSGQFUL)
        taken.append(now_s())
        return accept(peer, request)

    smsc.answer = answer
    operator = await bench.start(window=100)
    operator.submit([departure(number) for number in range(1, 101)])
    await advance(40)
    assert sorted(bench.outcomes.words()) == [(number, 0, "accepted") for number in range(1, 101)]
    assert len(smsc.submits) < 400


async def test_a_nack_that_throttles_is_no_refusal(bench: Bench, smsc: ScriptedSmsc) -> None:
    def answer(peer: Peer, request: SubmitSm) -> Response | None:
        if len(peer.submits) == 1:
            return GenericNack(command_status=0x58, sequence_number=request.sequence_number)
        return accept(peer, request)

    smsc.answer = answer
    operator = await bench.start()
    operator.submit([departure()])
    await advance(1)
    assert bench.outcomes.words() == [(1, 0, "accepted")]


async def test_a_number_whose_queue_is_full_does_not_hold_up_the_others(
    bench: Bench, smsc: ScriptedSmsc
) -> None:
    def answer(peer: Peer, request: SubmitSm) -> Response | None:
        if request.destination_addr == "33600000099":
            return request.response(Status.ESME_RMSGQFUL)
        return accept(peer, request)

    smsc.answer = answer
    operator = await bench.start(window=10)
    operator.submit([departure(1, number=33600000099)])
    for number in range(2, 102):
        operator.submit([departure(number)])
        await advance(0.5)
    await advance(5)
    assert len(bench.outcomes.submitted) == 100
    assert operator.free_slots >= 1
    # Its tries are a minute apart in the end.
    before = len(smsc.submits)
    await advance(120)
    assert len(smsc.submits) - before <= 4


async def test_the_operators_own_trouble_is_tried_again_a_few_times_then_refused(
    bench: Bench, smsc: ScriptedSmsc
) -> None:
    def answer(peer: Peer, request: SubmitSm) -> Response | None:
        if request.short_message == b"never" or len(peer.submits) < 4:
            return request.response(Status.ESME_RSYSERR)
        return accept(peer, request)

    smsc.answer = answer
    operator = await bench.start()
    operator.submit([departure(1, "later"), departure(2, "never")])
    await settle()
    assert bench.outcomes.all == []
    await advance(30)
    assert sorted(bench.outcomes.words()) == [(1, 0, "accepted"), (2, 0, "refused")]
    refused = next(each for each in bench.outcomes.submitted if each.outcome == "refused")
    assert refused.command_status == 0x08
    assert sum(request.short_message == b"never" for request in smsc.submits) == 4
    assert operator.free_slots == 100


async def test_a_throttled_part_goes_by_another_bind_when_its_own_is_gone(
    bench: Bench, smsc: ScriptedSmsc
) -> None:
    throttling = True

    def answer(peer: Peer, request: SubmitSm) -> Response | None:
        return request.response(Status.ESME_RTHROTTLED) if throttling else accept(peer, request)

    smsc.answer = answer
    operator = await bench.start(binds=2, window=4)
    operator.submit([departure(number) for number in range(1, 7)])
    await until(lambda: len(smsc.submits) == 6)
    await settle()
    assert operator.free_slots == 0
    throttling = False
    smsc.peers[0].connection.abort()
    await settle()
    await advance(5)
    assert sorted(bench.outcomes.words()) == [(number, 0, "accepted") for number in range(1, 7)]
    assert len(smsc.submits) == 12
    assert operator.free_slots == 8


async def test_a_part_that_waits_for_a_slot_lets_throttled_ones_pass_that_have_theirs(
    bench: Bench, smsc: ScriptedSmsc
) -> None:
    throttling = True

    def answer(peer: Peer, request: SubmitSm) -> Response | None:
        return request.response(Status.ESME_RTHROTTLED) if throttling else accept(peer, request)

    smsc.answer = answer
    operator = await bench.start(window=4)
    operator.submit([departure(number) for number in range(1, 4)])
    # One slot is free: of a message that is longer than that, the second part waits before what is throttled.
    operator.submit([departure(4, "first", "second")])
    await until(lambda: len(smsc.submits) == 4)
    await settle()
    throttling = False
    await advance(5)
    assert len(bench.outcomes.words()) == 5
    assert {outcome for _, _, outcome in bench.outcomes.words()} == {"accepted"}
    assert operator.free_slots > 0


async def test_throttled_parts_leave_nothing_behind_at_the_stop(bench: Bench, smsc: ScriptedSmsc) -> None:
    smsc.answer = lambda peer, request: request.response(Status.ESME_RTHROTTLED)
    operator = await bench.start()
    operator.submit([departure(1), departure(2)])
    await until(lambda: len(smsc.submits) == 2)
    await settle()
    await operator.stop()
    assert bench.outcomes.words() == [(1, 0, "lost"), (2, 0, "lost")]
    assert smsc.peer.unbinds


async def test_throughput_is_kept_over_all_binds(bench: Bench, smsc: ScriptedSmsc) -> None:
    operator = await bench.start(binds=2, throughput=40.0)
    assert operator.free_slots == 2  # a twentieth of a second's
    left = 100
    started = now_s()
    times: list[float] = []
    while left:
        free = min(operator.free_slots, left)
        if free:
            operator.submit([departure(number) for number in range(left, left - free, -1)])
            left -= free
        await settle()
        times += [now_s()] * (len(smsc.submits) - len(times))
        await advance(0.01)
    assert 2.3 < now_s() - started < 2.7
    assert max(sum(start <= each < start + 1 for each in times) for start in times) <= 42


async def test_the_dispatcher_is_woken_when_the_pace_allows_more(bench: Bench, smsc: ScriptedSmsc) -> None:
    operator = await bench.start(throughput=2.0)
    operator.submit([departure()])
    await until(lambda: bench.outcomes.submitted)
    await settle()
    assert operator.free_slots == 0
    wakes = bench.wakes
    await advance(0.6)
    assert operator.free_slots == 1
    assert bench.wakes > wakes
    # Nothing to do: no timer goes on and on.
    wakes = bench.wakes
    await advance(20)
    assert bench.wakes == wakes


async def test_a_long_message_over_the_throughput_leaves_in_time(bench: Bench, smsc: ScriptedSmsc) -> None:
    operator = await bench.start(throughput=2.0)
    operator.submit([departure(1, "a", "b", "c", "d")])
    await settle()
    assert len(smsc.submits) == 1
    await advance(1.7)
    assert len(smsc.submits) == 4


def test_without_limit_nothing_is_counted() -> None:
    pacing = Pacing(0, 0, lambda: 0.5)
    pacing.took(1_000_000)
    assert pacing.allowance(0, 1_000_000) == UNLIMITED
    assert pacing.next_ms(0) is None


def test_answers_of_one_crowd_are_one_throttling() -> None:
    pacing = Pacing(0, 0, lambda: 0.5)
    for left in range(99, -1, -1):
        pacing.throttled(10, 20, left)
    assert pacing.next_ms(20) == 270
    assert pacing.allowance(269, 0) == 0
    assert pacing.allowance(270, 0) == 50
    assert pacing.allowance(270, 45) == 5
    pacing.throttled(271, 280, 49)
    assert pacing.next_ms(280) == 780
    assert pacing.allowance(780, 0) == 25
    pacing.accepted(271)  # of the crowd before
    assert pacing.allowance(780, 0) == 25
    pacing.accepted(781)
    assert pacing.allowance(780, 0) == 26
    pacing.throttled(782, 790, 0)
    assert pacing.next_ms(790) == 1040  # success has made the pause short again


def test_back_off_doubles_to_its_limit_and_never_overflows() -> None:
    assert [back_off_ms(number, 1000, 60_000, lambda: 0.5) for number in (1, 2, 3, 7, 10_000)] == [
        1000,
        2000,
        4000,
        60_000,
        60_000,
    ]
    assert back_off_ms(1, 1000, 60_000, lambda: 0.0) == 750
