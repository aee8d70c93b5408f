"""A store, an account, a sender on a clock that the test moves, and receivers that answer when the test says so."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from chappe.accounts.create import create_account
from chappe.http.outgoing import NotAnswered
from chappe.storage.store import Store
from chappe.webhooks.payloads import dlr_payload
from chappe.webhooks.queue import Event, enqueue_many
from chappe.webhooks.sender import WebhookSender
from tests.support.moved_clock import MovedClock
from tests.support.stores import Place

UNTIL_S_MAX = 20.0
SETTLED_S_MAX = 60.0


class VirtualTime(MovedClock):
    """A clock and its timers. `advance` moves both; nothing else does."""

    def __init__(self) -> None:
        super().__init__()
        self._timers: list[tuple[int, int, Timer]] = []
        self._order = itertools.count()

    def call_later(self, delay_s: float, callback: Callable[[], object]) -> Timer:
        timer = Timer(callback)
        heapq.heappush(self._timers, (self.ms + max(1, round(delay_s * 1000)), next(self._order), timer))
        return timer

    def advance(self, seconds: float) -> None:
        """Moves the clock; timers that are due on the way are called at the end of it."""
        self.ms += round(seconds * 1000)
        while self._timers and self._timers[0][0] <= self.ms:
            timer = heapq.heappop(self._timers)[2]
            if not timer.is_cancelled:
                timer.callback()


@dataclass
class Timer:
    callback: Callable[[], object]
    is_cancelled: bool = False

    def cancel(self) -> None:
        self.is_cancelled = True


@dataclass
class Post:
    """A request that a receiver got; `answer` is for the test to set."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    answer: asyncio.Future[int]

    @property
    def event_id(self) -> int:
        return int(self.headers["webhook-id"].removeprefix("evt_"))


@dataclass
class Receivers:
    """Stands where `Outgoing` does. Hosts in `statuses` answer at once, those in `dead` never, others when told."""

    statuses: dict[str, int] = field(default_factory=dict)
    dead: set[str] = field(default_factory=set)
    posts: list[Post] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    under_way: dict[str, int] = field(default_factory=dict)
    at_once_max: dict[str, int] = field(default_factory=dict)
    is_closed: bool = False

    async def send(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes = b"") -> int:
        assert method == "POST"
        host = urlsplit(url).netloc
        post = Post(url, headers, body, asyncio.get_running_loop().create_future())
        self.posts.append(post)
        self.arrived.set()
        self.under_way[host] = self.under_way.get(host, 0) + 1
        self.at_once_max[host] = max(self.at_once_max.get(host, 0), self.under_way[host])
        try:
            if host in self.statuses:
                await asyncio.sleep(0)
                return self.statuses[host]
            return await post.answer
        finally:
            self.under_way[host] -= 1

    async def close(self) -> None:
        self.is_closed = True

    def to(self, host: str) -> list[Post]:
        return [post for post in self.posts if urlsplit(post.url).netloc == host]

    def fail(self, host: str) -> None:
        """What a dead host comes to, after its 15 seconds."""
        for post in self.to(host):
            if not post.answer.done():
                post.answer.set_exception(NotAnswered("no answer within 15 s"))


class World:
    """All of it. `restart` is what a kill and a new start leave."""

    def __init__(self, store: Store, account_id: int, time: VirtualTime) -> None:
        self.store, self.account_id, self.time = store, account_id, time
        self.receivers = Receivers()
        self.unexpected = 0
        self.sender = self._sender()

    @classmethod
    async def open(cls, place: Place) -> World:
        time = VirtualTime()
        store = await place.open(time)
        created = await create_account(store, "ana@example.fr")
        return cls(store, created.account_id, time)

    async def close(self) -> None:
        await self.sender.stop()
        await self.store.close()
        assert self.unexpected == 0

    async def restart(self) -> None:
        old = self.sender
        for task in (old._reading_task, old._recording_task, old._purging_task, *old._attempts):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        self.receivers = Receivers()
        self.sender = self._sender()
        await self.sender.start()

    async def queue(self, *urls: str, account_id: int | None = None) -> list[int]:
        """Queues an event for each URL and wakes the sender; gives their ids."""
        first = await self.store.ids("events").take(len(urls))
        now_ms = self.time.now_ms()
        owner = self.account_id if account_id is None else account_id
        events = [
            Event(
                first + n, owner, "dlr", url, dlr_payload("delivered", n, now_ms, 33600000001, 0, ""), now_ms
            )
            for n, url in enumerate(urls)
        ]
        await self.store.database.write(lambda tx: enqueue_many(tx, events))
        self.sender.wake()
        return [event.id for event in events]

    async def row(self, event_id: int) -> tuple[str, int, str]:
        """State, attempts, last result."""
        row = await self.store.database.read(
            lambda r: r.one("SELECT state, attempts, last_result FROM events WHERE id = ?", (event_id,))
        )
        assert row is not None
        return row  # type: ignore[return-value]

    async def count(self, state: str) -> int:
        row = await self.store.database.read(
            lambda r: r.one("SELECT COUNT(*) FROM events WHERE state = ?", (state,))
        )
        assert row is not None
        return row[0]

    async def posts(self, count: int) -> list[Post]:
        """The posts so far, once there are `count`."""
        await until(lambda: len(self.receivers.posts) >= count)
        return self.receivers.posts

    async def settled(self) -> None:
        """Returns when the sender has recorded everything and waits for a timer or a wake-up."""
        quiet = 0
        async with asyncio.timeout(SETTLED_S_MAX):
            while quiet < 3:
                before = self._counts()
                for _ in range(20):
                    await asyncio.sleep(0)
                await self.store.database.write(lambda tx: None, background=True)
                quiet = quiet + 1 if self._rests() and before == self._counts() else 0

    def _counts(self) -> tuple[int, int, int]:
        return len(self.receivers.posts), self.sender.delivered_total, self.sender.failed_total

    def _rests(self) -> bool:
        sender = self.sender
        if sender._outcomes or sender._woken.is_set():
            return False
        if (
            sender._reading_task is not None
            and not sender._reading_task.done()
            and not sender._woken._waiters
        ):
            return False  # it reads the queue
        # An attempt that reads its secret is one that has not posted yet.
        return len(sender._attempts) == sum(self.receivers.under_way.values())

    def _sender(self) -> WebhookSender:
        def count() -> None:
            self.unexpected += 1

        return WebhookSender(
            self.store,
            self.receivers,  # type: ignore[arg-type]
            on_unexpected=count,
            call_later=self.time.call_later,
        )


async def until(condition: Callable[[], bool]) -> None:
    """Lets the loop turn until `condition`; AssertionError when it never comes."""
    async with asyncio.timeout(UNTIL_S_MAX):
        while not condition():
            await asyncio.sleep(0.0005)
