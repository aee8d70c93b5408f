"""The fast path gives the octets of the ordinary path, counts what that counts, and leaves alone what is not plain.

Two listeners stand on one store and one clock, each with limits and metrics of its own; only one has the fast path.
Everything is sent to both, over real connections, and what comes back is compared octet by octet.
"""

from __future__ import annotations

import asyncio
import dataclasses
import re
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chappe.accounts.change import change_account
from chappe.accounts.create import create_account
from chappe.accounts.keys import rotate_key
from chappe.accounts.top_up import top_up
from chappe.credit.prices import PriceBook, set_price, stored_prices
from chappe.http.listener import Listener
from chappe.metrics import Metrics
from chappe.partner.api import PartnerApi
from chappe.partner.endpoint import Services
from chappe.partner.endpoints import ENDPOINTS
from chappe.partner.fast import FastPath
from chappe.settings import Flags, load_settings
from chappe.storage.database import StorageUnavailable
from chappe.storage.folder import Folder
from chappe.storage.sqlite import SqliteDatabase
from chappe.storage.store import open_store
from tests.support.moved_clock import MovedClock

ANSWER_S_MAX = 5.0
END = b"GET /sms/v1/end HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
DATE = re.compile(rb"\r\ndate: [^\r]+\r\n")
CONFIGURATIONS = {
    "documented limits": "",
    "trusted proxy, every page limited": """
        [http]
        trusted_proxies = ["127.0.0.0/8"]
        default_product = "mail"
        [errors]
        http_status = "always-200"
        [limits.pages]
        "sms.credits" = "100/1"
        "mail.credits" = "3/60"
        """,
    "no limits": "[limits]\nenabled = false",
}


class Side:
    """One listener, its limits and its metrics; `at_once` counts what the fast path answered."""

    def __init__(self, world: World, *, fast: bool) -> None:
        self.metrics = Metrics()
        nothing: list[Any] = [None] * (len(dataclasses.fields(Services)) - 2)
        services = Services(world.store, world.prices, *nothing)  # credits need no more
        api = PartnerApi(ENDPOINTS, services, world.settings, self.metrics)
        assert isinstance(world.store.database, SqliteDatabase)
        self._fast_path = FastPath(api, world.store.database)
        self.at_once = 0
        self.listener = Listener(api, connections_max=100, at_once=self._count if fast else None)
        self.port = 0

    def _count(self, *request: Any) -> Any:
        answer = self._fast_path.answer(*request)
        self.at_once += answer is not None
        return answer

    async def send(self, octets: bytes) -> bytes:
        """Everything that comes back on one connection, without the dates."""
        async with asyncio.timeout(ANSWER_S_MAX):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.write(octets)
            answer = await reader.read()
            writer.close()
        return DATE.sub(b"\r\n", answer)

    def counted(self) -> list[str]:
        lines = self.metrics.page().decode().splitlines()
        return sorted(line for line in lines if line.startswith(("chappe_requests", "chappe_unexpected")))


class World:
    """A store with accounts in every state, and the two sides."""

    def __init__(self, folder: Path, configuration: str) -> None:
        (folder / "chappe.toml").write_text(configuration)
        self.settings = load_settings(Flags(data=str(folder)), {})
        self.clock = MovedClock()
        self.prices = PriceBook()
        self.folder = Folder(folder)
        self.keys: dict[str, str] = {}

    async def open(self) -> None:
        self.folder.hold(as_server=True)
        self.store = await open_store(self.folder, self.clock)
        for name, credit_micro in (
            ("active", 44_100_000),
            ("poor", 0),
            ("tiny", 1),
            ("disabled", 5_000_000),
            ("blocked", 5_000_000),
            ("api-denied", 5_000_000),
            ("here-only", 12_345_678),
            ("elsewhere", 12_345_678),
            ("own-prices", 999_999_999),
        ):
            created = await create_account(
                self.store,
                f"{name}@example.org",
                firstname="Zoé <&> \"'",
                lastname="汉字 ]]>",
                credit_micro=credit_micro,
            )
            self.keys[name] = created.api_key
            if name in ("disabled", "blocked", "api-denied"):
                await change_account(self.store, created.email, state=name)
            if name == "own-prices":
                await set_price(self.store, created.account_id, "sms", "33", 0)
                await set_price(self.store, created.account_id, "tts-mobile", "", 7)
        await change_account(self.store, "here-only@example.org", allowed_networks="127.0.0.1")
        await change_account(self.store, "elsewhere@example.org", allowed_networks="10.0.0.0/8")
        self.prices.load(await self.store.database.read(stored_prices))
        self.fast, self.ordinary = Side(self, fast=True), Side(self, fast=False)
        for side in (self.fast, self.ordinary):
            side.port = await side.listener.listen("127.0.0.1", 0)

    async def close(self) -> None:
        for side in (self.fast, self.ordinary):
            await side.listener.stop()
        await self.store.close()
        self.folder.release()

    async def both(self, octets: bytes) -> bytes:
        """What both sides answered; AssertionError where they differ."""
        fast, ordinary = await self.fast.send(octets), await self.ordinary.send(octets)
        assert fast == ordinary
        assert self.fast.counted() == self.ordinary.counted()
        return fast


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        yield runner


@pytest.fixture(scope="module", params=CONFIGURATIONS)
def world(request: pytest.FixtureRequest, runner: asyncio.Runner, tmp_path_factory: Any) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("world"), CONFIGURATIONS[request.param])
    runner.run(made.open())
    yield made
    assert made.fast.counted() == made.ordinary.counted()
    assert 'chappe_unexpected_total{where="request"} 0.0' in made.fast.counted()
    assert not any("fast path" in line for line in made.fast.counted())
    runner.run(made.close())


# --- what is sent ----------------------------------------------------------------------------------------

# "¤" stands for a key of the account that is drawn beside.
PLAIN = ["/sms/v1/me?apiKey=¤", "/mail/v1/me?apiKey=¤", "/voice/v1/me/¤", "/voice/v1/me?apiKey=¤"]
ODD_ADDRESSES = [
    "/sms/v1/me",
    "/sms/v1/me/",
    "/sms/v1/me/¤",
    "/voice/v1/me",
    "/voice/v1/me/",
    "/v1/me?apiKey=¤",
    "/v1/me/¤",
    "/sms/v1/me/?apiKey=¤",
    "//sms/v1/me?apiKey=¤",
    "/sms/v1//me?apiKey=¤",
    "/voice/v1/me/¤/",
    "/mail/v1/me/¤",
    "/sms/v1/%6de?apiKey=¤",
    "/voice/v1/me/¤?",
    "/voice/v1/me/¤?_format=xml",
    "/voice/v1/me//¤",
    "/voice/v1/¤",
    "/sms/v1/me?",
    "/sms/v1/me?apiKey=",
    "/sms/v1/me?apikey=¤",
    "/sms/v1/me??apiKey=¤",
    "/sms/v1/me?apiKey=¤#a",
    "/sms/v1/me?apiKey=¤&_format=xml",
    "/mail/v1/me?apiKey=¤&apiKey=other",
    "/sms/v1/me?apiKey=¤&",
    "/sms/v1/me#a",
    "/sms/v1/me?apiKey=¤%20",
    "/sms/v1/me?apiKey=+¤",
    "/sms/v1/me?%61piKey=¤",
    "/sms/v1/me?_lang=en&apiKey=¤",
    "http://127.0.0.1/sms/v1/me?apiKey=¤",
    "/voice/v1/me/¤#a",
    "/voice/v1/me/%4b",
    "/sms/v1/ME?apiKey=¤",
    "/sms/v1/me?apiKey[]=¤",
    "/sms/v1/me?apiKey=¤;_format=xml",
    "/sms/v1/me?apiKey=¤?x",
    "/sms/v1/me?=apiKey=¤",
]
ODD_KEYS = ["", "0", "me", "k" * 128, "k" * 129, "k" * 257, "é", "a-b", "%00", "null"]
HEADERS = [
    "Accept: */*",
    "Accept-Language: en",
    "Accept: application/xml",
    "Connection: keep-alive",
    "Connection: close",
    "Cookie: apiKey=other",
    "Host: api.voicepartner.fr",
    "Authorization: Bearer other",
    "X-Api-Key: other",
    "apiKey: other",
    "_format: xml",
    "Expect: 100-continue",
    "Content-Type: application/json",
    "Content-Encoding: gzip",
    "Content-Encoding: identity",
    "Content-Length: 0",
    "X-Forwarded-For: 10.0.0.9",
    "X-Forwarded-For: 127.0.0.1, 192.0.2.1",
    "Idempotency-Key: once",
    "Upgrade: h2c",
    "Connection: Upgrade, HTTP2-Settings",
]
BODIES = st.sampled_from(
    [
        "",
        "",
        "",
        "",
        '{"apiKey": "¤"}',
        '{"_format": "xml"}',
        "apiKey=¤&_lang=en",
        "{",
        "<r><apiKey>¤</apiKey></r>",
    ]
)


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, str]:
    """Head and body of a request with ¤ where a key belongs, and whose key it is, or an odd key."""
    method = draw(st.sampled_from(["GET"] * 8 + ["HEAD", "POST", "OPTIONS", "DELETE"]))
    version = draw(st.sampled_from(["1.1"] * 9 + ["1.0"]))
    headers = ["Host: 127.0.0.1", *draw(st.lists(st.sampled_from(HEADERS), max_size=3))]
    body = draw(BODIES)
    if "Content-Length: 0" in headers:
        body = ""
    if body:
        headers.append(draw(st.sampled_from(["Content-Length: LENGTH", "Transfer-Encoding: chunked"])))
    names = ["active"] * 4 + [
        *["poor", "tiny", "disabled", "blocked", "api-denied", "here-only", "elsewhere", "own-prices"]
    ]
    lines = [f"{method} {draw(st.sampled_from(PLAIN * 5 + ODD_ADDRESSES))} HTTP/{version}", *headers, "", ""]
    return "\r\n".join(lines), body, draw(st.sampled_from([*names, *ODD_KEYS]))


def as_sent(head: str, body: str, key: str) -> bytes:
    octets = body.replace("¤", key).encode()
    if "chunked" in head:
        octets = b"%x\r\n%b\r\n0\r\n\r\n" % (len(octets), octets)
    return head.replace("¤", key).replace("LENGTH", str(len(octets))).encode() + octets


CHANGES = st.sampled_from(["nothing"] * 6 + ["top-up", "rotate"])


def carried_out(runner: asyncio.Runner, act: Coroutine[Any, Any, Any]) -> Any:
    return runner.run(act)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sent=st.lists(requests(), min_size=1, max_size=5),
    later_ms=st.integers(0, 40_000),
    change=CHANGES,
)
def test_every_request_is_answered_with_the_same_octets_on_both_ways(
    world: World, runner: asyncio.Runner, sent: list[tuple[str, str, str]], later_ms: int, change: str
) -> None:
    world.clock.ms += later_ms
    if change == "top-up":
        carried_out(runner, top_up(world.store, "active@example.org", 1_234))
    elif change == "rotate":
        world.keys["tiny"] = carried_out(runner, rotate_key(world.store, 3))
    octets = b"".join(as_sent(head, body, world.keys.get(name, name)) for head, body, name in sent)
    assert carried_out(runner, world.both(octets + END))


def test_one_odd_thing_is_answered_with_the_same_octets_on_both_ways(
    world: World, runner: asyncio.Runner
) -> None:
    requests = [f"GET {address} HTTP/1.1\r\nHost: h\r\n\r\n" for address in PLAIN + ODD_ADDRESSES]
    requests += [
        f"GET {address} HTTP/1.1\r\nHost: h\r\n{odd}\r\n\r\n" for address in PLAIN for odd in HEADERS
    ]
    for request in requests:
        for key in (*world.keys.values(), *ODD_KEYS):
            world.clock.ms += 20_000  # no limit in the way
            assert carried_out(runner, world.both(as_sent(request, "", key) + END))


@pytest.mark.parametrize(
    "address", ["/sms/v1/me?apiKey=¤", "/mail/v1/me?apiKey=¤", "/voice/v1/me/¤", "/voice/v1/me?apiKey=¤"]
)
def test_the_documented_calls_take_the_fast_path(world: World, runner: asyncio.Runner, address: str) -> None:
    world.clock.ms += 120_000
    before = world.fast.at_once
    request = f"GET {address.replace('¤', world.keys['active'])} HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\n\r\n"
    answer = carried_out(runner, world.both(request.encode() + END))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b'"success":true' in answer
    assert world.fast.at_once == before + 1


def test_a_request_is_counted_once_whichever_way_it_goes(world: World, runner: asyncio.Runner) -> None:
    world.clock.ms += 120_000
    key = world.keys["own-prices"]
    plain = f"GET /voice/v1/me/{key} HTTP/1.1\r\nHost: h\r\n\r\n".encode()
    ordinary = f"GET /voice/v1/me/{key}?_format=xml HTTP/1.1\r\nHost: h\r\n\r\n".encode()
    answers = carried_out(runner, world.both((plain + ordinary) * 4 + END))
    remaining = re.findall(rb"x-ratelimit-remaining: (\d+)", answers)
    assert remaining == ([b"4", b"3", b"2", b"1", *[b"0"] * 4] if world.settings.rate_limits else [])


def test_a_storage_that_is_down_is_answered_503_by_the_ordinary_path(
    world: World, runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(_: object) -> None:
        raise StorageUnavailable("read failed: the disk is gone")

    monkeypatch.setattr(world.store.database, "read_inline", down)
    request = f"GET /sms/v1/me?apiKey={world.keys['active']} HTTP/1.1\r\nHost: h\r\n\r\n"
    assert carried_out(runner, world.both(request.encode() + END)).startswith(b"HTTP/1.1 503 ")
