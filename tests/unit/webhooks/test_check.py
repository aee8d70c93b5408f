"""`chappe check` and invariant 5: a healthy queue passes, and each kind of broken row is named."""

from __future__ import annotations

import pytest

from chappe.administration.commands import Administration, Check
from chappe.storage.database import Transaction
from tests.support.stores import drop_constraints
from tests.unit.webhooks.world import World

URL = "http://ok.example/"


async def breaches(world: World) -> list[str]:
    result = await Administration(world.store).carry_out(Check())
    return [line for line in result["breaches"] if "event" in line]


async def healthy(world: World) -> tuple[int, int, int]:
    """A pending event, a delivered one and an exhausted one."""
    world.receivers.statuses.update({"ok.example": 200, "down.example": 500})
    await world.sender.start()
    delivered, exhausted = await world.queue(URL, "http://down.example/")
    for _ in range(8):
        await world.settled()
        world.time.advance(36_000)
    await world.settled()
    await world.sender.stop()
    (pending,) = await world.queue(URL)
    assert [(await world.row(n))[0] for n in (pending, delivered, exhausted)] == [
        "pending",
        "delivered",
        "exhausted",
    ]
    return pending, delivered, exhausted


async def test_a_healthy_queue_has_no_breach_however_long_the_server_was_stopped(world: World) -> None:
    await healthy(world)
    assert await breaches(world) == []
    world.time.advance(30 * 24 * 3600)
    assert await breaches(world) == []


@pytest.mark.parametrize(
    ("which", "change", "what"),
    [
        (0, "state = 'lost'", "is in no known state"),
        (0, "settled_at_ms = 5", "is pending and says when it was settled"),
        (0, "attempts = 8", "is pending with a number of attempts outside 0 to 7"),
        (0, "attempts = -1", "is pending with a number of attempts outside 0 to 7"),
        (0, "next_attempt_at_ms = 0", "is pending without a next attempt"),
        (0, "next_attempt_at_ms = next_attempt_at_ms + 31536000000", "later than any retry"),
        (0, "attempts = 3, last_result = ''", "was tried and does not say what came of it"),
        (0, "url = ''", "has no URL or nothing to say"),
        (0, "payload = ''", "has no URL or nothing to say"),
        (1, "settled_at_ms = NULL", "is settled and does not say when"),
        (1, "attempts = 0", "is delivered with a number of attempts outside 1 to 8"),
        (2, "settled_at_ms = NULL", "is settled and does not say when"),
        (2, "attempts = 7", "is exhausted without its 8 attempts"),
    ],
)
async def test_a_broken_row_is_named(world: World, which: int, change: str, what: str) -> None:
    event_id = (await healthy(world))[which]

    def corrupt(tx: Transaction) -> None:
        tx.run(f"UPDATE events SET {change} WHERE id = ?", (event_id,))

    await drop_constraints(world.store)
    await world.store.database.write(corrupt)
    (breach,) = await breaches(world)
    assert f"event {event_id} " in breach
    assert what in breach
    assert breach.startswith("invariant 5: ")
