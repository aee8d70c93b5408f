"""Two processes on one PostgreSQL that do not think alike: other routes, and one that took the other for dead."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from chappe.accounts.create import Created, create_account
from chappe.credit.money import MICRO
from chappe.messages.port import Departure
from chappe.messages.states import State
from chappe.storage.postgres_presence import PostgresPresence
from chappe.storage.store import open_shared_store
from tests.support.moved_clock import MovedClock
from tests.support.operators import MemoryOperator
from tests.support.postgres import PostgresServer
from tests.unit.messages.world import NUMBER, PRICE, World

BELGIAN = 32470000001
GERMAN = 491512345678
PATIENCE_MS = 600_000


@dataclass
class Two:
    """The ends of two processes on one database."""

    one: World
    other: World

    async def sweep(self) -> None:
        """Each of them looks for what nobody serves."""
        for world in (self.one, self.other):
            while await world.delivery._sweep.once():
                pass

    async def until_told(self, *routes: str) -> None:
        """Until both have said what they send by."""
        async with asyncio.timeout(20):
            while set(await self.one.store.database.read(_served)) != set(routes):
                await asyncio.sleep(0.01)

    async def wait_patiently(self) -> None:
        """As if ten minutes went by without a word from who is not there any more."""
        self.one.clock.ms += PATIENCE_MS + 1
        await self.one.store.database.write(
            lambda tx: tx.run("UPDATE served_routes SET seen_at_ms = seen_at_ms - ?", (PATIENCE_MS,))
        )


def _served(reader: object) -> list[str]:
    return [prefix for (prefix,) in reader.all("SELECT prefix FROM served_routes")]  # type: ignore[attr-defined]


@pytest.fixture
async def two(
    postgres: PostgresServer, postgres_template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Two]:
    """Not started: the tests give them their routes first."""
    monkeypatch.setattr("chappe.storage.postgres_presence.DEAD_S", 0.0)
    monkeypatch.setenv("CHAPPE_SECRET_FILE", str(tmp_path / "secret.key"))
    url = postgres.url(postgres.create_database(template=postgres_template))
    clock = MovedClock()
    worlds: list[World] = []
    account: Created | None = None
    for _ in range(2):
        store = await open_shared_store(url, clock)
        if account is None:
            account = await create_account(store, "a@example.org", credit_micro=10 * MICRO)
        worlds.append(World(store, account, clock))
    pair = Two(*worlds)
    yield pair
    for world in worlds:
        await world.delivery.stop()
        await world.store.database.presence.stop()
        assert world.unexpected == 0
    assert await pair.one.check() == []
    for world in worlds:
        await world.store.close()


async def start(world: World, *prefixes: str, is_up: bool = True, configuration: str = "") -> None:
    await world.store.database.presence.start("all", configuration)
    world.operator, world.prefixes = MemoryOperator(is_up=is_up), prefixes
    world.delivery = world._deliver()
    await world.delivery.start()


async def start_again(world: World, *prefixes: str) -> None:
    """As a new process after a kill."""
    presence = world.store.database.presence
    assert isinstance(presence, PostgresPresence)
    presence._id, presence._stopping = 0, False
    await start(world, *prefixes)


async def stop(world: World) -> None:
    await world.delivery.stop()
    await world.store.database.presence.stop()


async def test_what_waits_for_a_route_of_another_process_is_left_alone(two: Two) -> None:
    await start(two.one, "32", is_up=False)
    await start(two.other, "33")
    await two.until_told("32", "33")
    accepted = await two.one.send(BELGIAN, routes=("32",))
    two.one.clock.ms += PATIENCE_MS + 1
    await two.sweep()
    assert await two.one.states(accepted.message_id) == {BELGIAN: State.WAITING}
    two.one.operator.is_up = True
    two.one.delivery._dispatcher.wake()
    await two.one.until_taken(1)
    assert not two.other.operator.taken


@pytest.mark.parametrize(
    ("others", "end"), [("33", State.NO_ROUTE), ("", State.LEAVING)], ids=["no way", "another way"]
)
async def test_a_route_whose_process_stays_away_is_settled_by_the_others_after_ten_minutes(
    two: Two, others: str, end: State
) -> None:
    await start(two.one, "32", is_up=False)
    await start(two.other, others)
    await two.until_told("32", others)
    accepted = await two.one.send(BELGIAN, routes=("32",))
    await stop(two.one)
    await two.other.delivery._sweep.once()
    assert await two.other.states(accepted.message_id) == {BELGIAN: State.WAITING}
    await two.wait_patiently()
    await two.other.delivery._sweep.once()
    two.other.delivery._dispatcher.wake()
    await two.other.until_states(accepted.message_id, {BELGIAN: end})
    assert await two.other.balance() == 10 * MICRO - (PRICE if end is State.LEAVING else 0)


async def test_a_route_that_no_worker_has_yet_is_waited_for(two: Two) -> None:
    """The new configuration reached the process that answers requests first."""
    await start(two.other, "33")
    accepted = await two.one.send(GERMAN, routes=("49",))
    await two.other.delivery._sweep.once()
    assert await two.other.states(accepted.message_id) == {GERMAN: State.WAITING}
    await start(two.one, "33", "49")
    await two.one.until_taken(1)


async def test_of_one_message_each_process_sends_what_it_has_a_route_for(two: Two) -> None:
    await start(two.one, "32", is_up=False)
    await start(two.other, "33")
    await two.until_told("32", "33")
    accepted = await two.one.send(NUMBER, BELGIAN, routes=("33", "32"))
    await two.other.until_taken(1)
    await two.sweep()
    assert await two.one.states(accepted.message_id) == {NUMBER: State.LEAVING, BELGIAN: State.WAITING}
    assert await two.one.one("SELECT route FROM outbox") == "32"
    two.one.operator.is_up = True
    two.one.delivery._dispatcher.wake()
    await two.one.until_taken(1)
    assert [departure.number for departure in two.one.operator.taken] == [BELGIAN]


async def test_a_number_without_a_route_here_goes_to_the_process_that_has_one(two: Two) -> None:
    await start(two.one, "32")
    await start(two.other, "33")
    await two.until_told("32", "33")
    # Accepted by a third process, whose only route was "33" for everybody.
    accepted = await two.one.send(BELGIAN, routes=("33",))
    async with asyncio.timeout(10):
        while await two.one.one("SELECT route FROM outbox") != "nowhere":
            await asyncio.sleep(0.001)
    two.one.clock.ms += PATIENCE_MS + 1
    await two.sweep()
    two.one.delivery._dispatcher.wake()
    await two.one.until_taken(1)
    assert await two.one.states(accepted.message_id) == {BELGIAN: State.LEAVING}


async def test_what_was_leaving_is_taken_up_by_a_process_that_has_its_route(two: Two) -> None:
    await start(two.one, "32")
    await start(two.other, "33")
    accepted = await two.one.send(BELGIAN, routes=("32",))
    await two.one.until_taken(1)
    await die(two.one)
    assert await taken_up(two.other) == []
    await start_again(two.one, "32")
    await two.one.until_taken(1)
    assert two.one.operator.taken[0].attempt == 2
    assert await two.one.states(accepted.message_id) == {BELGIAN: State.LEAVING}


async def test_two_configurations_at_work_are_seen_by_both(two: Two) -> None:
    await start(two.one, "33", configuration="a")
    await start(two.other, "33", configuration="b")
    presences = [world.store.database.presence for world in (two.one, two.other)]
    async with asyncio.timeout(20):
        while [presence.others_differ for presence in presences] != [1, 1]:
            await asyncio.sleep(0.01)
    await stop(two.other)
    async with asyncio.timeout(60):
        while presences[0].others_differ:
            await asyncio.sleep(0.01)


async def test_a_machine_whose_clock_is_wrong_says_so(
    two: Two, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    presence = two.one.store.database.presence
    assert isinstance(presence, PostgresPresence)
    await start(two.one, "33")
    await start(two.other, "33")
    assert not presence._is_clock_wrong
    now_s = time.time
    with monkeypatch.context() as patch:
        patch.setattr("chappe.storage.postgres_presence.time.time", lambda: now_s() + 60)
        await presence._beat()
        assert presence._is_clock_wrong
    await presence._beat()
    assert not presence._is_clock_wrong
    assert "this machine's clock is not that of the database" in capsys.readouterr().out


# --- one that was taken for dead, and is not --------------------------------------------------------------


async def die(world: World) -> None:
    """Nothing more is begun, and the others may take it for dead; its operator still has what was handed over."""
    dispatcher = world.delivery._dispatcher
    assert dispatcher._task is not None
    dispatcher._task.cancel()
    await asyncio.gather(dispatcher._task, return_exceptions=True)
    dispatcher._task = None
    await world.delivery._sweep.stop()
    presence = world.store.database.presence
    assert isinstance(presence, PostgresPresence)
    await presence.stop()


async def taken_up(world: World) -> list[Departure]:
    """What a process sends again, once it has looked for what nobody has."""
    dispatcher = world.delivery._dispatcher
    await dispatcher._look_for_ownerless()
    count = len(dispatcher._recovered)
    dispatcher.wake()
    if count:
        await world.until_taken(count)
    return world.operator.taken


async def outcomes(world: World) -> list[tuple[object, ...]]:
    return await world.store.database.read(
        lambda reader: reader.all(
            "SELECT attempt, outcome, smsc_message_id FROM submissions ORDER BY attempt"
        )
    )


async def taken_over(two: Two, *, is_up: bool = True) -> tuple[int, Departure]:
    """A message of `one`, which `other` holds lost, and sends again if its operator is up."""
    await start(two.one, "33")
    await start(two.other, "33", is_up=False)
    accepted = await two.one.send(NUMBER)
    await two.one.until_taken(1)
    await die(two.one)
    two.other.operator.is_up = is_up
    if is_up:
        await taken_up(two.other)
    else:
        await two.other.delivery._dispatcher._look_for_ownerless()
        two.other.delivery._dispatcher.wake()
        async with asyncio.timeout(10):
            while await outcomes(two.other) != [(1, "lost", "")]:
                await asyncio.sleep(0.001)
    return accepted.message_id, two.one.operator.taken[0]


async def test_an_answer_that_comes_after_all_counts_and_nothing_is_sent_again(two: Two) -> None:
    message_id, first = await taken_over(two, is_up=False)
    await two.one.operator.say(two.one.operator.accept(first, smsc_message_id="a"))
    assert await two.one.states(message_id) == {NUMBER: State.SENT}
    assert await outcomes(two.one) == [(1, "accepted", "a")]
    await two.one.operator.say(two.one.operator.receipt("a"))
    assert await two.one.states(message_id) == {NUMBER: State.DELIVERED}
    two.other.operator.is_up = True
    two.other.delivery._dispatcher.wake()
    await two.other.send(NUMBER + 1)
    async with asyncio.timeout(10):
        while not any(departure.number == NUMBER + 1 for departure in two.other.operator.taken):
            await asyncio.sleep(0.001)
    assert [departure.number for departure in two.other.operator.taken] == [NUMBER + 1]


async def test_the_receipt_of_either_attempt_ends_it_once(two: Two) -> None:
    message_id, first = await taken_over(two)
    (second,) = two.other.operator.taken
    assert second.attempt == 2
    await two.one.operator.say(two.one.operator.receipt("a"))
    await two.one.operator.say(two.one.operator.accept(first, smsc_message_id="a"))
    assert await two.one.states(message_id) == {NUMBER: State.DELIVERED}
    await two.other.operator.say(two.other.operator.accept(second, smsc_message_id="b"))
    await two.other.operator.say(two.other.operator.receipt("b", "undelivered"))
    assert await two.one.states(message_id) == {NUMBER: State.DELIVERED}
    assert len(await two.one.payloads()) == 1


async def test_a_no_to_the_first_attempt_gives_nothing_back_while_the_second_is_on_its_way(two: Two) -> None:
    message_id, first = await taken_over(two)
    (second,) = two.other.operator.taken
    await two.one.operator.say(two.one.operator.refuse(first))
    assert await two.one.states(message_id) == {NUMBER: State.LEAVING}
    assert await two.one.balance() == 10 * MICRO - PRICE
    await two.other.operator.say(two.other.operator.accept(second, smsc_message_id="b"))
    await two.other.operator.say(two.other.operator.receipt("b"))
    assert await two.one.states(message_id) == {NUMBER: State.DELIVERED}
    assert await two.one.balance() == 10 * MICRO - PRICE


async def test_a_no_to_both_attempts_gives_the_credit_back(two: Two) -> None:
    message_id, first = await taken_over(two)
    (second,) = two.other.operator.taken
    await two.one.operator.say(two.one.operator.refuse(first))
    await two.other.operator.say(two.other.operator.refuse(second))
    assert await two.one.states(message_id) == {NUMBER: State.REFUSED}
    assert await two.one.balance() == 10 * MICRO
    assert len(await two.one.payloads()) == 1


async def test_a_no_before_it_is_sent_again_ends_it(two: Two) -> None:
    message_id, first = await taken_over(two, is_up=False)
    await two.one.operator.say(two.one.operator.refuse(first))
    assert await two.one.states(message_id) == {NUMBER: State.REFUSED}
    two.other.operator.is_up = True
    two.other.delivery._dispatcher.wake()
    assert await two.one.balance() == 10 * MICRO
