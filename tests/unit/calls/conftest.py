"""A store on both databases, an account with ten euros, a trunk in memory, and everything between them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from chappe.accounts.create import Created, create_account
from chappe.administration.commands import Administration, Check
from chappe.audio.files import AudioFile, add_file
from chappe.audio.sound import Converted
from chappe.calling import CallDelivery
from chappe.calls.request import AcceptedCampaign, CampaignRequest
from chappe.calls.routes import CallRoutes
from chappe.calls.states import State
from chappe.credit.money import MICRO
from chappe.settings import VoiceSettings
from chappe.speech.port import Piece, SpeechUnavailable
from chappe.speech.speaker import Speaker
from chappe.storage.postgres_presence import PostgresPresence
from chappe.storage.store import Store
from tests.support.moved_clock import MovedClock
from tests.support.stores import Place
from tests.support.trunks import MemoryTrunk

PRICE = 900
QUOTED_S = 5
MOBILE = 33612345678
LANDLINE = 33123456789


class QuickEngine:
    """Speaks five seconds of anything, or nothing when `is_down`; it never ends with what begins with `hangs_on`."""

    name = "quick"
    at_once = 100
    is_down = False
    asked = 0
    hangs_on = "\0"

    def voice(self, lang: str) -> str | None:
        return lang

    async def speak(self, pieces: Sequence[Piece], voice: str, rate: float) -> Converted:
        self.asked += 1
        if self.is_down:
            raise SpeechUnavailable("down")
        if pieces[0].text.startswith(self.hangs_on):
            await asyncio.get_running_loop().create_future()
        octets = pieces[0].text.encode()[:1] * (8000 * QUOTED_S)
        return Converted(QUOTED_S * 1000, octets, octets)

    async def stop(self) -> None:
        pass


class World:
    """What the tests act on."""

    def __init__(self, store: Store, account: Created, clock: MovedClock) -> None:
        self.store, self.account, self.clock = store, account, clock
        self.trunk = MemoryTrunk(clock)
        self.second = MemoryTrunk(clock, "second", is_up=False)
        """Behind the other in the route, and down until a test wants it."""
        self.abroad = MemoryTrunk(clock, "abroad", is_up=False)
        """For Belgian numbers; down until a test wants it."""
        self.settings = VoiceSettings(account_calls_max=6)
        self.engine = QuickEngine()
        self.unexpected = 0
        self.woken = 0
        self.delivery = self._deliver(())

    def _deliver(self, resends: Sequence[str]) -> CallDelivery:
        def count_unexpected() -> None:
            self.unexpected += 1

        def count_events() -> None:
            self.woken += 1

        return CallDelivery(
            self.store,
            CallRoutes({"33": [self.trunk, self.second], "32": [self.abroad]}),
            Speaker([self.engine]),
            self.settings,
            resends_lost=resends,
            on_events=count_events,
            on_unexpected=count_unexpected,
        )

    async def restart(self, *, resends: Sequence[str] = ()) -> None:
        """As after a kill: nothing of the old delivery says goodbye."""
        task = self.delivery._dispatcher._task
        assert task is not None
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        presence = self.store.database.presence
        if isinstance(presence, PostgresPresence):
            await presence.stop()  # its session ends with the process
            presence._id, presence._stopping = 0, False
            await presence.start("all")
        self.trunk = MemoryTrunk(self.clock)
        self.second = MemoryTrunk(self.clock, "second", is_up=self.second.is_up)
        self.delivery = self._deliver(resends)
        await self.delivery.start()

    async def file(self) -> AudioFile:
        octets = b"f" * 8000
        return await add_file(
            self.store,
            self.account.account_id,
            "annonce",
            100,
            Converted(1000, octets, octets),
            is_moderated=False,
        )

    async def send(self, *numbers: int, **more: object) -> AcceptedCampaign:
        fields: dict[str, object] = {
            "account_id": self.account.account_id,
            "kind": "speech",
            "text": "Bonjour",
            "lang": "fr",
            "rate": 1.0,
            "audio_id": None,
            "sender": "",
            "notify_url": "http://example.org/calls?id=7",
            "email": "",
            "numbers": list(numbers),
            "costs_micro": [PRICE * QUOTED_S] * len(numbers),
            "quoted_s": QUOTED_S,
            "due_at_ms": None,
            "is_marketing": False,
        }
        return await self.delivery.acceptor.accept(CampaignRequest(**{**fields, **more}))  # type: ignore[arg-type]

    async def deposit(self, *numbers: int, **more: object) -> AcceptedCampaign:
        file = await self.file()
        fields: dict[str, object] = {
            "kind": "deposit",
            "text": "",
            "audio_id": file.id,
            "quoted_s": 1,
            "costs_micro": [150_000] * len(numbers),
        }
        return await self.send(*numbers, **{**fields, **more})

    async def one(self, sql: str, *params: object) -> Any:
        row = await self.store.database.read(lambda reader: reader.one(sql, params))
        return None if row is None else row[0]

    async def write(self, sql: str, *params: object) -> None:
        await self.store.database.write(lambda tx: tx.run(sql, params))

    async def state(self, campaign: AcceptedCampaign, number: int = MOBILE) -> State:
        sql = "SELECT state FROM callees WHERE campaign_id = ? AND number = ?"
        return State(await self.one(sql, campaign.id, number))

    async def until(self, campaign: AcceptedCampaign, state: State, number: int = MOBILE) -> None:
        async with asyncio.timeout(10):
            while await self.state(campaign, number) is not state:
                await asyncio.sleep(0.001)

    async def balance(self) -> int:
        return await self.one("SELECT balance_micro FROM accounts WHERE id = ?", self.account.account_id)

    async def events(self) -> list[tuple[str, Any]]:
        """(URL, body or None) of every event, in order."""
        rows = await self.store.database.read(
            lambda reader: reader.all("SELECT url, payload FROM events ORDER BY id")
        )
        return [(url, json.loads(payload) if payload else None) for url, payload in rows]

    async def check(self) -> list[str]:
        return (await Administration(self.store).carry_out(Check()))["breaches"]

    async def nothing_more(self) -> None:
        """The dispatcher looks twice and finds nobody to call."""
        before = len(self.trunk.taken)
        for _ in range(2):
            self.delivery._dispatcher.wake()
            await asyncio.sleep(0.02)
        assert len(self.trunk.taken) == before


@pytest.fixture
async def world(place: Place, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr("chappe.storage.postgres_presence.DEAD_S", 0.0)
    clock = MovedClock()
    store = await place.open(clock)
    await store.database.presence.start("all")
    account = await create_account(store, "a@example.org", credit_micro=10 * MICRO)
    world = World(store, account, clock)
    await world.delivery.start()
    yield world
    await world.delivery.stop()
    await store.database.presence.stop()
    assert world.unexpected == 0
    assert await world.check() == []
    await store.close()
