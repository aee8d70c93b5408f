"""Turns: owners one after the other, few at once, and nobody's place is lost."""

from __future__ import annotations

import asyncio

import pytest

from chappe.turns import Turns, TurnsBusy


class Users:
    """Tasks that hold a turn until they are let go."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self.begun: list[tuple[int, int]] = []
        self._ends: dict[tuple[int, int], asyncio.Event] = {}
        self.tasks: dict[tuple[int, int], asyncio.Task[None]] = {}

    async def ask(self, *names: tuple[int, int]) -> None:
        """Each is (owner, number)."""
        for name in names:
            self._ends[name] = asyncio.Event()
            self.tasks[name] = asyncio.create_task(self._use(name))
            await self.settle()

    async def end(self, name: tuple[int, int]) -> None:
        self._ends[name].set()
        await self.tasks[name]
        await self.settle()

    async def settle(self) -> None:
        for _ in range(3):
            await asyncio.sleep(0)

    async def _use(self, name: tuple[int, int]) -> None:
        async with self._turns.of(name[0]):
            self.begun.append(name)
            await self._ends[name].wait()


def turns(at_once: int = 1) -> Turns:
    return Turns(at_once, waiting_max_of_one=3, waiting_max=5)


async def test_owners_take_turns_whatever_one_of_them_has_waiting() -> None:
    users = Users(turns())
    await users.ask((1, 0), (1, 1), (1, 2), (1, 3), (2, 0), (2, 1))
    for name in [(1, 0), (1, 1), (2, 0), (1, 2), (2, 1), (1, 3)]:
        assert users.begun[-1] == name
        await users.end(name)
    await users.ask((3, 0))
    assert users.begun[-1] == (3, 0)
    await users.end((3, 0))


async def test_no_more_at_once_than_there_are_places_and_half_of_them_for_one_owner() -> None:
    users = Users(turns(4))
    await users.ask((1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (3, 0))
    assert users.begun == [(1, 0), (1, 1), (2, 0), (2, 1)]
    await users.end((2, 1))
    assert users.begun[4:] == [(3, 0)]  # the other one has his half
    await users.end((3, 0))
    assert len(users.begun) == 5
    await users.end((1, 0))
    assert users.begun[5:] == [(1, 2)]
    for name in [(1, 1), (1, 2), (2, 0)]:
        await users.end(name)


async def test_who_has_too_many_waiting_is_refused_and_others_are_not() -> None:
    users = Users(turns())
    await users.ask((1, 0), (1, 1), (1, 2), (1, 3), (1, 4), (2, 0), (2, 1), (3, 0))
    for name in ((1, 4), (3, 0)):  # three of one, five of all
        with pytest.raises(TurnsBusy):
            await users.tasks[name]
    for name in [(1, 0), (1, 1), (2, 0), (1, 2), (2, 1), (1, 3)]:
        await users.end(name)
    assert len(users.begun) == 6


async def test_who_goes_away_takes_no_place_along() -> None:
    users = Users(turns())
    await users.ask((1, 0), (1, 1), (1, 2), (1, 3), (2, 0))
    for name in ((1, 1), (2, 0)):
        users.tasks[name].cancel()
    await users.settle()
    await users.ask((1, 5), (2, 1))  # there is room again
    # The turn comes in the moment in which its owner goes.
    users._ends[(1, 0)].set()
    await asyncio.sleep(0)
    users.tasks[(1, 2)].cancel()
    await users.settle()
    assert users.begun[-1] in ((1, 3), (2, 1))
    for _ in range(3):
        await users.end(users.begun[-1])
    assert sorted(users.begun) == [(1, 0), (1, 3), (1, 5), (2, 1)]


async def test_who_waits_is_refused_when_there_are_no_turns_any_more() -> None:
    made = turns()
    users = Users(made)
    await users.ask((1, 0), (1, 1), (2, 0), (3, 0))
    users.tasks[(3, 0)].cancel()  # in the same moment
    made.close()
    await users.ask((4, 0))
    for name in ((1, 1), (2, 0), (4, 0)):
        with pytest.raises(TurnsBusy):
            await users.tasks[name]
    with pytest.raises(asyncio.CancelledError):
        await users.tasks[(3, 0)]
    await users.end((1, 0))
    assert users.begun == [(1, 0)]
