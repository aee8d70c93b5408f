"""Looking at events, replaying them, the account's secret, and what becomes of old rows."""

from __future__ import annotations

import asyncio

import pytest

from chappe.accounts.account import AccountRefused
from chappe.administration.commands import (
    AccountShow,
    Administration,
    CommandRefused,
    WebhookList,
    WebhookReplay,
)
from chappe.storage.store import Store
from chappe.webhooks import purge as purging
from chappe.webhooks import replay as replaying
from chappe.webhooks.purge import Purge
from chappe.webhooks.secret import webhook_secret
from tests.unit.webhooks.world import World, until

URL = "http://ok.example/dlr?secret=x"


async def exhaust(world: World, count: int = 1) -> list[int]:
    world.receivers.statuses["ok.example"] = 500
    await world.sender.start()
    ids = await world.queue(*[URL] * count)
    for n in range(1, 9):
        await until(lambda n=n: world.sender.failed_total == n * count)  # type: ignore[misc]
        await world.settled()
        world.time.advance(36_000)
    assert await world.count("exhausted") == count
    return ids


async def test_an_exhausted_event_is_listed_and_replayed_with_all_its_attempts(world: World) -> None:
    (event_id,) = await exhaust(world)
    administration = Administration(world.store, on_events=world.sender.wake)
    (listed,) = (await administration.carry_out(WebhookList("exhausted")))["events"]
    assert listed == {
        "id": event_id,
        "email": "ana@example.fr",
        "kind": "dlr",
        "state": "exhausted",
        "attempts": 8,
        "url": URL,
        "lastResult": "HTTP 500",
        "createdAt": "2027-01-15T08:00:00.000Z",
        "nextAttemptAt": None,
        "settledAt": listed["settledAt"],
    }
    world.receivers.statuses["ok.example"] = 200
    assert await administration.carry_out(WebhookReplay(event_id)) == {"replayed": 1}
    await until(lambda: world.sender.delivered_total == 1)
    assert await world.row(event_id) == ("delivered", 1, "HTTP 200")
    assert (await administration.carry_out(WebhookList("exhausted")))["events"] == []


async def test_all_that_are_exhausted_are_replayed_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replaying, "BATCH_MAX", 3)
    await exhaust(world, 10)
    world.receivers.statuses["ok.example"] = 200
    administration = Administration(world.store, on_events=world.sender.wake)
    assert await administration.carry_out(WebhookReplay()) == {"replayed": 10}
    await until(lambda: world.sender.delivered_total == 10)
    assert await administration.carry_out(WebhookReplay()) == {"replayed": 0}


async def test_a_delivered_event_can_be_replayed_too(world: World) -> None:
    world.receivers.statuses["ok.example"] = 200
    await world.sender.start()
    (event_id,) = await world.queue(URL)
    await until(lambda: world.sender.delivered_total == 1)
    await Administration(world.store, on_events=world.sender.wake).carry_out(WebhookReplay(event_id))
    await until(lambda: world.sender.delivered_total == 2)
    assert [post.event_id for post in world.receivers.posts] == [event_id, event_id]


@pytest.mark.parametrize("event_id", [77, 0, -1, 2**63, 10**30])
async def test_there_is_nothing_to_replay(world: World, event_id: int) -> None:
    with pytest.raises(CommandRefused, match=f"there is no event {event_id}"):
        await Administration(world.store).carry_out(WebhookReplay(event_id))


async def test_the_list_is_newest_first_limited_by_state_and_shows_no_password(world: World) -> None:
    world.receivers.statuses.update({"a.example": 200})
    await world.sender.start()
    delivered = await world.queue(*["http://a.example/"] * 3)
    await until(lambda: world.sender.delivered_total == 3)
    pending = await world.queue("http://user:pass@b.example/x@y", "http://b.example/?a@b")
    administration = Administration(world.store)

    async def listed(state=None, limit=100) -> list[int]:  # type: ignore[no-untyped-def]
        events = (await administration.carry_out(WebhookList(state, limit)))["events"]
        return [event["id"] for event in events]

    assert await listed() == [*reversed(pending), *reversed(delivered)]
    assert await listed("pending") == [*reversed(pending)]
    assert await listed("delivered", 2) == [delivered[2], delivered[1]]
    assert await listed(None, 10**12) == [*reversed(pending), *reversed(delivered)]
    with pytest.raises(CommandRefused):
        await listed(None, 0)
    shown = (await administration.carry_out(WebhookList("pending")))["events"]
    assert [event["url"] for event in shown] == ["http://b.example/?a@b", "http://***@b.example/x@y"]


async def test_the_secret_is_made_once_shown_on_demand_and_sealed_in_the_database(world: World) -> None:
    administration = Administration(world.store)
    shown = await administration.carry_out(AccountShow("ana@example.fr", with_key=True))
    assert shown["webhookSecret"].startswith("whsec_")
    assert "webhookSecret" not in await administration.carry_out(AccountShow("ana@example.fr"))
    secrets = await asyncio.gather(*(webhook_secret(world.store, world.account_id) for _ in range(10)))
    assert set(secrets) == {shown["webhookSecret"]}
    row = await world.store.database.read(lambda r: r.one("SELECT webhook_secret FROM accounts"))
    assert row is not None
    assert shown["webhookSecret"].encode() not in bytes(row[0])


async def test_ten_who_need_the_secret_first_at_once_get_one(world: World) -> None:
    secrets = await asyncio.gather(*(webhook_secret(world.store, world.account_id) for _ in range(10)))
    assert len(set(secrets)) == 1


async def test_nobody_has_no_secret(store: Store) -> None:
    with pytest.raises(AccountRefused):
        await webhook_secret(store, 12345)


async def test_old_delivered_events_are_deleted_and_no_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purging, "PAGES_MAX", 1)
    (exhausted,) = await exhaust(world)
    world.receivers.statuses["new.example"] = 200
    await world.queue(*["http://new.example/"] * 1200)
    await until(lambda: world.sender.delivered_total == 1200)
    await world.settled()
    await world.sender.stop()
    (pending,) = await world.queue(URL)
    purge = Purge(world.store, kept_days=30)
    assert not await purge.go_on()
    assert await world.count("delivered") == 1200
    world.time.advance(30 * 24 * 3600 + 1)
    assert await purge.go_on()
    assert await world.count("delivered") == 702, "a page of 500, with the exhausted and the pending one"
    while await purge.go_on():
        pass
    assert await world.count("delivered") == 0
    assert (await world.row(exhausted))[0] == "exhausted"
    assert (await world.row(pending))[0] == "pending"


async def test_the_sender_purges_by_itself(world: World) -> None:
    world.receivers.statuses["ok.example"] = 200
    await world.sender.start()
    await world.queue(URL)
    await until(lambda: world.sender.delivered_total == 1)
    await world.settled()
    world.time.advance(31 * 24 * 3600)
    await world.settled()
    world.time.advance(3601)
    async with asyncio.timeout(20):
        while await world.count("delivered"):
            await world.settled()
