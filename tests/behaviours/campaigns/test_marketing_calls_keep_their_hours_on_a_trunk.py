"""Marketing calls over a trunk: 10 to 13 and 14 to 20, Monday to Friday, and four for a number in thirty days."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chappe.administration.commands import AccountCreate, AccountSet, CallShow
from tests.support.clocked import ClockedServer
from tests.wire.sip.far import FarEnd, settle

EMAIL = "ana@example.fr"
UNTIL_S_MAX = 30.0
NOTHING_S = 0.7
"""Longer than the slow poll of the dispatcher."""
CONFIGURATION = """
[voice]
sip_host = "127.0.0.1"

[[operators]]
name = "trunk1"
kind = "sip"
host = "127.0.0.1"
port = {port}
options_s = 0

[[routes]]
product = "voice"
operators = ["trunk1"]
"""


class World:
    """A far end that is busy, a server whose clock is set, a marketing account on it."""

    def __init__(self, server: ClockedServer, far: FarEnd) -> None:
        self.server = server
        self.far = far
        self.key = server.ask(AccountCreate(EMAIL, credit="10"))["apiKey"]
        server.ask(AccountSet(EMAIL, marketing=True))

    def send(self, number: str = "0612345678") -> str:
        body = {"apiKey": self.key, "phoneNumbers": number, "text": "Oui"}
        answer = self.server.call("/voice/v1/tts/send", method="POST", body=json.dumps(body))
        return answer.json["campaignId"]

    def callee(self, campaign: str) -> Any:
        (callee,) = self.server.ask(CallShow(campaign))["callees"]
        return callee

    @property
    def called(self) -> int:
        return len(self.far.telephones)

    async def until(self, condition: Callable[[], object], what: str) -> None:
        try:
            async with asyncio.timeout(UNTIL_S_MAX):
                while not condition():
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"{what}: not within {UNTIL_S_MAX} s") from None


async def with_world(folder: Path, now: str, test: Callable[[World], Any]) -> None:
    far = FarEnd()
    far.act = lambda telephone: far.do(telephone.call.reject, 486)
    await far.open()
    try:
        server = ClockedServer(folder, now=now, configuration=CONFIGURATION.format(port=far.port))
        await asyncio.to_thread(server.start)
        try:
            await test(World(server, far))
            await asyncio.to_thread(server.assert_sound)
        finally:
            await asyncio.to_thread(server.stop)
    finally:
        await far.close()


async def test_calls_wait_for_the_hours_of_their_class(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        clock = world.server.clock
        held = [
            # (when it is sent, when it may leave)
            ("2026-01-10 11:00:00", "2026-01-12 10:00:00"),  # a Saturday
            ("2026-01-12 13:00:00", "2026-01-12 14:00:00"),
            ("2026-01-12 20:00:00", "2026-01-13 10:00:00"),
            ("2026-01-13 09:59:59", "2026-01-13 10:00:00"),
        ]
        for place, (sent_at, leaves_at) in enumerate(held):
            clock.set(sent_at)
            campaign = world.send(f"06123456{place:02}")
            await settle(NOTHING_S)
            assert world.called == place
            assert world.callee(campaign)["state"] == "waiting"
            clock.set(leaves_at)
            await world.until(lambda place=place: world.called == place + 1, f"it is {leaves_at}")
            await world.until(lambda campaign=campaign: world.callee(campaign)["state"] != "calling", "over")
            assert world.callee(campaign)["state"] == "undelivered"
        clock.set("2026-01-13 19:59:59")
        world.send("0612345699")
        await world.until(lambda: world.called == len(held) + 1, "in the last second")

    await with_world(tmp_path, "2026-01-10 10:00:00", test)


async def test_a_number_is_called_four_times_in_thirty_days(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        clock = world.server.clock
        for day in range(12, 16):  # Monday to Thursday
            clock.set(f"2026-01-{day} 11:00:00")
            campaign = world.send()
            await world.until(lambda: world.callee(campaign)["state"] == "undelivered", "it was busy")  # noqa: B023
        assert world.called == 4
        clock.set("2026-01-16 11:00:00")
        fifth = world.send()
        await world.until(lambda: world.callee(fifth)["state"] == "capped", "the fifth is not made")
        assert world.callee(fifth)["refund"] == world.callee(fifth)["cost"]
        other = world.send("0612345679")
        await world.until(lambda: world.callee(other)["state"] == "undelivered", "another number is called")
        clock.set("2026-02-11 11:00:01")  # a Wednesday: the first was thirty days ago
        later = world.send()
        await world.until(lambda: world.callee(later)["state"] == "undelivered", "thirty days are over")
        assert world.called == 6

    await with_world(tmp_path, "2026-01-12 10:30:00", test)
