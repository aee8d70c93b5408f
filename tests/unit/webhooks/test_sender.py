"""The sender on a virtual clock: its schedule, its restarts, and that no receiver holds up another."""

from __future__ import annotations

import asyncio
import json

import pytest

from chappe.accounts.create import create_account
from chappe.http.outgoing import NotAnswered
from chappe.storage.database import StorageUnavailable
from chappe.webhooks import lanes
from chappe.webhooks.queue import ATTEMPTS_MAX, RETRY_AFTER_S
from chappe.webhooks.secret import webhook_secret
from tests.unit.webhooks.test_signature import verify
from tests.unit.webhooks.world import World, until

OK = "http://ok.example/dlr?secret=a+b%20c"


def test_the_schedule_is_the_decided_one() -> None:
    assert RETRY_AFTER_S == (5, 300, 1_800, 7_200, 18_000, 36_000, 36_000)


async def test_an_event_is_posted_signed_and_delivered(world: World) -> None:
    world.receivers.statuses["ok.example"] = 204
    await world.sender.start()
    (event_id,) = await world.queue(OK)
    (post,) = await world.posts(1)
    await world.settled()
    assert await world.row(event_id) == ("delivered", 1, "HTTP 204")
    assert post.url == OK
    assert post.headers["Content-Type"] == "application/json"
    assert post.headers["webhook-timestamp"] == str(world.time.now_ms() // 1000)
    assert verify(await webhook_secret(world.store, world.account_id), dict(post.headers), post.body)
    assert json.loads(post.body)["status"] == "delivered"


async def test_a_failing_event_is_tried_at_each_step_of_the_schedule_and_then_exhausted(world: World) -> None:
    world.receivers.statuses["ok.example"] = 503
    await world.sender.start()
    (event_id,) = await world.queue(OK)
    ids = set()
    for attempts, after_s in enumerate((*RETRY_AFTER_S, None), start=1):
        posts = await world.posts(attempts)
        await world.settled()
        ids.add(posts[-1].headers["webhook-id"])
        if after_s is None:
            break
        assert await world.row(event_id) == ("pending", attempts, "HTTP 503")
        world.time.advance(after_s - 0.001)
        await world.settled()
        assert len(world.receivers.posts) == attempts, "not a moment too early"
        world.time.advance(0.001)
    assert await world.row(event_id) == ("exhausted", ATTEMPTS_MAX, "HTTP 503")
    assert ids == {f"evt_{event_id}"}, "one id over all attempts"
    assert world.sender.exhausted_total == 1
    world.time.advance(100 * 3600)
    await world.settled()
    assert len(world.receivers.posts) == ATTEMPTS_MAX, "exhausted is exhausted"


@pytest.mark.parametrize(
    ("status", "result"),
    [
        (199, "HTTP 199"),
        (301, "HTTP 301 (redirects are not followed)"),
        (302, "HTTP 302 (redirects are not followed)"),
        (404, "HTTP 404"),
        (500, "HTTP 500"),
    ],
)
async def test_only_2xx_is_a_success(world: World, status: int, result: str) -> None:
    world.receivers.statuses["ok.example"] = status
    await world.sender.start()
    (event_id,) = await world.queue(OK)
    await world.posts(1)
    await world.settled()
    assert await world.row(event_id) == ("pending", 1, result)


async def test_no_answer_is_a_failure_that_says_why(world: World) -> None:
    await world.sender.start()
    (event_id,) = await world.queue(OK)
    (post,) = await world.posts(1)
    post.answer.set_exception(NotAnswered("no answer within 15 s"))
    await world.settled()
    assert await world.row(event_id) == ("pending", 1, "no answer within 15 s")


async def test_what_was_pending_or_under_way_at_a_kill_is_posted_after_the_restart(world: World) -> None:
    await world.sender.start()
    under_way, failed = await world.queue("http://slow.example/", "http://down.example/")
    await world.posts(2)
    world.receivers.to("down.example")[0].answer.set_result(500)
    await world.settled()
    await world.restart()
    await world.posts(1)
    await world.settled()
    assert [post.event_id for post in world.receivers.posts] == [under_way], "the retry is not due yet"
    world.time.advance(RETRY_AFTER_S[0])
    await world.posts(2)
    assert world.receivers.posts[1].event_id == failed
    for post in world.receivers.posts:
        post.answer.set_result(200)
    await world.settled()
    assert await world.row(under_way) == ("delivered", 1, "HTTP 200")
    assert await world.row(failed) == ("delivered", 2, "HTTP 200")


async def test_a_stop_records_what_has_ended_and_cuts_off_the_rest(world: World) -> None:
    await world.sender.start()
    answered, unanswered = await world.queue("http://a.example/", "http://b.example/")
    await world.posts(2)
    world.receivers.to("a.example")[0].answer.set_result(200)
    await until(lambda: world.receivers.under_way["a.example"] == 0)
    await world.sender.stop()
    assert await world.row(answered) == ("delivered", 1, "HTTP 200")
    assert await world.row(unanswered) == ("pending", 0, "")
    assert world.receivers.is_closed


def assert_in_order(world: World, posted: list[int], ids: list[int]) -> None:
    """Attempts begin in order. Each then reads its secret, and on a database behind a socket, where that takes an
    unknown time, those that read side by side overtake each other: there each is only known to be posted once."""
    assert (sorted(posted) if world.store.database.is_shared else posted) == ids


async def test_oldest_first(world: World) -> None:
    world.receivers.statuses["ok.example"] = 200
    ids = []
    for _ in range(5):
        ids += await world.queue(*[OK] * 40)
        world.time.advance(1)
    await world.sender.start()
    await world.posts(200)
    await world.settled()
    assert_in_order(world, [post.event_id for post in world.receivers.posts], ids)


async def test_a_dead_url_with_a_long_queue_does_not_slow_the_others(world: World) -> None:
    """Ten thousand events wait for a receiver that never answers; on the same host and account, another works."""
    await world.queue(*["http://host.example/dead"] * 10_000)
    await world.sender.start()
    await until(lambda: world.receivers.under_way.get("host.example", 0) == lanes.WIDTH_MIN)
    await world.settled()
    world.receivers.statuses["ok.example"] = 200
    ids = await world.queue(*["http://ok.example/"] * 500)
    await until(lambda: world.sender.delivered_total == 500)
    assert_in_order(world, [post.event_id for post in world.receivers.to("ok.example")], ids)
    assert len(world.receivers.to("host.example")) == lanes.WIDTH_MIN
    assert len(world.sender._lanes) <= lanes.WAITING_MAX + lanes.WIDTH_MIN + 1, (
        "the queue stays in the database"
    )
    await world.queue("http://host.example/works")
    await until(lambda: world.receivers.posts[-1].url.endswith("/works"))
    world.receivers.posts[-1].answer.set_result(200)
    await until(lambda: world.sender.delivered_total == 501)


async def test_many_dead_urls_leave_room_for_those_that_work(world: World) -> None:
    """Eighty dead addresses of forty accounts, known as such: together they take half of the attempts."""
    urls = [f"http://dead{n}.example/" for n in range(80)]
    accounts = [(await create_account(world.store, f"a{n}@example.fr")).account_id for n in range(40)]
    await world.sender.start()

    async def queue_for_all(count: int) -> None:
        for n, url in enumerate(urls):
            await world.queue(*[url] * count, account_id=accounts[n % 40])

    await queue_for_all(1)
    while world.sender.failed_total < 80:
        await world.settled()
        for url in urls:
            world.receivers.fail(url[7:-1])
        await world.settled()
    await queue_for_all(20)
    await until(lambda: world.sender.under_way == lanes.SLOW_AT_ONCE_MAX)
    await world.settled()
    assert world.sender.under_way == lanes.SLOW_AT_ONCE_MAX
    world.receivers.statuses["ok.example"] = 200
    await world.queue(*["http://ok.example/"] * 300)
    await until(lambda: world.sender.delivered_total == 300)


async def test_everything_of_a_long_queue_is_delivered_and_memory_stays_bounded(world: World) -> None:
    hosts = [f"h{n}.example" for n in range(50)]
    ids = await world.queue(*[f"http://{hosts[n % 50]}/x?n={n}" for n in range(6_000)])
    held_max = 0
    world.receivers.statuses.update(dict.fromkeys(hosts, 200))
    await world.sender.start()
    async with asyncio.timeout(60):
        while world.sender.delivered_total < 6_000:
            await asyncio.sleep(0.001)
            held_max = max(held_max, len(world.sender._lanes))
            assert world.sender.under_way <= lanes.AT_ONCE_MAX
    assert held_max <= lanes.HELD_MAX
    assert sorted(post.event_id for post in world.receivers.posts) == ids, "each exactly once"
    assert max(world.receivers.at_once_max.values()) <= lanes.WIDTH_MAX
    assert await world.count("delivered") == 6_000
    assert not world.sender._lanes._lanes, "nothing of it stays in memory"


async def test_an_event_that_was_committed_late_is_found(world: World) -> None:
    """Its time was taken before a transaction that lasted: the reading had passed it already."""
    world.receivers.statuses["ok.example"] = 200
    await world.sender.start()
    await world.queue(OK)
    await until(lambda: world.sender.delivered_total == 1)
    world.time.advance(10)
    await world.settled()
    world.time.ms -= 9_000
    (late,) = await world.queue(OK)
    world.time.ms += 9_000
    await world.settled()
    world.time.advance(31)
    await until(lambda: world.sender.delivered_total == 2)
    assert (await world.row(late))[0] == "delivered"


async def test_results_wait_for_a_storage_that_is_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.receivers.statuses["ok.example"] = 200
    write = world.store.database.write
    refused = 0

    async def failing(unit, *, background: bool = False):  # type: ignore[no-untyped-def]
        nonlocal refused
        refused += 1
        raise StorageUnavailable("the disk is full")

    await webhook_secret(world.store, world.account_id)
    await world.sender.start()
    (event_id,) = await world.queue(OK)
    monkeypatch.setattr(world.store.database, "write", failing)
    await until(lambda: refused >= 1)
    monkeypatch.setattr(world.store.database, "write", write)
    assert await world.row(event_id) == ("pending", 0, "")
    world.time.advance(1)
    await until(lambda: world.sender.delivered_total == 1)
    assert await world.row(event_id) == ("delivered", 1, "HTTP 200")
    assert len(world.receivers.posts) == 1, "posted once, recorded late"


async def test_a_secret_that_cannot_be_read_takes_no_attempt(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.receivers.statuses["ok.example"] = 200
    asked = 0

    async def failing(store, account_id: int) -> str:  # type: ignore[no-untyped-def]
        nonlocal asked
        asked += 1
        raise StorageUnavailable("the disk is full")

    monkeypatch.setattr("chappe.webhooks.sender.webhook_secret", failing)
    await world.sender.start()
    (event_id,) = await world.queue(OK)
    await until(lambda: asked == 1)
    monkeypatch.undo()
    await world.settled()
    assert await world.row(event_id) == ("pending", 0, "")
    assert world.receivers.posts == []
    world.time.advance(31)
    await until(lambda: world.sender.delivered_total == 1)
    assert await world.row(event_id) == ("delivered", 1, "HTTP 200")


async def test_a_fault_of_ours_is_counted_and_the_event_tried_again(world: World) -> None:
    await world.sender.start()
    (event_id,) = await world.queue(OK)
    (post,) = await world.posts(1)
    post.answer.set_exception(LookupError("a bug"))
    await world.settled()
    assert world.unexpected == 1
    assert await world.row(event_id) == ("pending", 1, "an error of Chappe's own: see its log")
    world.unexpected = 0


async def test_while_requests_wait_few_attempts_are_under_way(world: World) -> None:
    world.sender._yields = lambda: True
    await world.queue(*[f"http://h{n}.example/" for n in range(100)])
    await world.sender.start()
    await world.posts(1)
    await world.settled()
    assert world.sender.under_way == 16
