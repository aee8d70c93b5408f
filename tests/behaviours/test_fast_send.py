"""A send on the fast path is answered with the octets of the ordinary path, and leaves the same rows behind.

Two servers stand on two copies of one store, on one clock; only one has the fast path. Everything is sent to both, over
real connections, and what comes back, what is counted and what is stored is compared.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
import shutil
import sqlite3
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chappe.accounts.change import change_account
from chappe.accounts.create import create_account
from chappe.accounts.top_up import top_up
from chappe.credit.prices import PriceBook, set_price, stored_prices
from chappe.http.listener import Listener
from chappe.messages.accept import Acceptor
from chappe.messages.routes import Route, Routes
from chappe.metrics import Metrics
from chappe.optouts.numbers import opt_out
from chappe.partner.api import PartnerApi
from chappe.partner.endpoint import Services
from chappe.partner.endpoints import ENDPOINTS
from chappe.partner.fast_send import FastSend
from chappe.settings import Flags, load_settings
from chappe.storage.database import StorageUnavailable
from chappe.storage.folder import Folder
from chappe.storage.sqlite import SqliteDatabase
from chappe.storage.store import Store, open_store
from tests.support.moved_clock import MovedClock
from tests.support.operators import MemoryOperator

ANSWER_S_MAX = 10.0
END = b"GET /sms/v1/end HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
DATE = re.compile(rb"\r\ndate: [^\r]+\r\n")
STOPPED = 33612345678
TABLES = ("accounts", "messages", "recipients", "outbox", "ledger_entries", "remembered_answers", "sequences")
CONFIGURATIONS = {
    "documented limits": "",
    "limited, trusted proxy": """
        [http]
        trusted_proxies = ["127.0.0.0/8"]
        [errors]
        http_status = "always-200"
        [limits.pages]
        "sms.send" = "3/60"
        """,
}


class Side:
    """A store and its listener; `begun` counts what the fast path took, `woken` what it let leave."""

    def __init__(self, folder: Path, clock: MovedClock, *, fast: bool) -> None:
        self.folder = Folder(folder)
        self._clock = clock
        self._fast = fast
        self.metrics = Metrics()
        self.begun = 0
        self.woken: list[int] = []

    async def open(self) -> None:
        self.folder.hold(as_server=True)
        self.store = await open_store(self.folder, self._clock)
        prices = PriceBook()
        prices.load(await self.store.database.read(stored_prices))
        routes = Routes(
            [Route("33", (MemoryOperator("op"),), "36111"), Route("262", (MemoryOperator("op"),), "")]
        )
        acceptor = Acceptor(self.store, self.woken.append)
        nothing: list[Any] = [None] * (len(dataclasses.fields(Services)) - 4)
        services = Services(self.store, prices, routes, acceptor, *nothing)  # sends need no more
        configured = load_settings(Flags(data=str(self.folder.path)), {})
        api = PartnerApi(ENDPOINTS, services, configured, self.metrics)
        assert isinstance(self.store.database, SqliteDatabase)
        self._fast_send = FastSend(api, self.store.database)
        self.listener = Listener(api, connections_max=100, begin=self._count if self._fast else None)
        self.port = await self.listener.listen("127.0.0.1", 0)

    def _count(self, *request: Any) -> Any:
        begun = self._fast_send.begin(*request)
        self.begun += begun is not None
        return begun

    async def close(self) -> None:
        await self.listener.stop()
        await self.store.close()
        self.folder.release()

    async def send(self, *pieces: bytes) -> bytes:
        """Everything that comes back on one connection, without the dates."""
        async with asyncio.timeout(ANSWER_S_MAX):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            for piece in pieces:
                writer.write(piece)
                for _ in range(3):  # so that the pieces are likely to be read one by one: either way is right
                    await asyncio.sleep(0)
            answer = await reader.read()
            writer.close()
        return DATE.sub(b"\r\n", answer)

    def counted(self) -> list[str]:
        lines = self.metrics.page().decode().splitlines()
        return sorted(line for line in lines if line.startswith(("chappe_requests", "chappe_unexpected")))

    def stored(self) -> dict[str, list[Any]]:
        with sqlite3.connect(f"file:{self.folder.database}?mode=ro", uri=True) as connection:
            rows = {
                table: connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()
                for table in TABLES
            }
        connection.close()
        return rows


class World:
    """The two sides, with accounts in every state."""

    def __init__(self, folder: Path, configuration: str) -> None:
        self.clock = MovedClock()
        self.keys: dict[str, str] = {}
        first, second = folder / "fast", folder / "ordinary"
        first.mkdir()
        (first / "chappe.toml").write_text(configuration)
        self._second = second
        self.fast, self.ordinary = (
            Side(first, self.clock, fast=True),
            Side(second, self.clock, fast=False),
        )

    async def open(self) -> None:
        self.fast.folder.hold(as_server=True)
        store = await open_store(self.fast.folder, self.clock)
        await self._fill(store)
        await store.close()
        self.fast.folder.release()
        shutil.copytree(self.fast.folder.path, self._second)
        for side in (self.fast, self.ordinary):
            await side.open()

    async def _fill(self, store: Store) -> None:
        for name, credit_micro in (
            ("active", 900_000_000_000),
            ("poor", 0),
            ("three-left", 3 * 38_000),
            ("disabled", 5_000_000),
            ("here-only", 9_345_678),
            ("elsewhere", 9_345_678),
            ("own-prices", 9_999_999),
            ("marketing", 9_999_999),
        ):
            created = await create_account(
                store, f"{name}@example.org", firstname="Zoé", lastname="B", credit_micro=credit_micro
            )
            self.keys[name] = created.api_key
            if name == "own-prices":
                await set_price(store, created.account_id, "sms", "33", 1)
            account_id = created.account_id
            await store.database.write(lambda tx, a=account_id: opt_out(tx, a, a, STOPPED, "api", 0))
        for name, change in (
            ("disabled", {"state": "disabled"}),
            ("here-only", {"allowed_networks": "127.0.0.1"}),
            ("elsewhere", {"allowed_networks": "10.0.0.0/8"}),
            ("marketing", {"is_marketing": True}),
        ):
            await change_account(store, f"{name}@example.org", **change)

    async def close(self) -> None:
        for side in (self.fast, self.ordinary):
            await side.close()

    async def both(self, *pieces: bytes) -> bytes:
        """What both sides answered; AssertionError where they differ."""
        fast, ordinary = await self.fast.send(*pieces), await self.ordinary.send(*pieces)
        assert fast == ordinary
        assert self.fast.counted() == self.ordinary.counted()
        assert self.fast.woken == self.ordinary.woken
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
    try:
        assert made.fast.counted() == made.ordinary.counted()
        assert made.fast.stored() == made.ordinary.stored()
        assert not any("fast path" in line for line in made.fast.counted())
    finally:
        runner.run(made.close())


# --- what is sent ----------------------------------------------------------------------------------------

GOOD: dict[str, list[object]] = {
    "phoneNumbers": [
        "0600000001",
        "+33600000001,+33600000002",
        "0600000001, 0600000002",
        ["0600000001", "+33 6 00 00 00 02"],
        "0612345678",  # said STOP
        "0600000001,0612345678",
        "0692000001",
        ",".join(f"06{number:08}" for number in range(500)),
    ],
    "message": ["Bonjour", "Élan €", "a" * 161, "汉字", ":br:x:euro:", "[", "x" * 1530],
}
MORE: dict[str, list[object]] = {
    "sender": ["Chappe", "ab", "abc", "AbCdEfGhIjK", "AbCdEfGhIjKl", " abc", "abc ", "a-b", "", " ", 36111],
    "tag": ["a", "t" * 20, "t" * 21, "", "  ", 7],
    "gamme": [1, 2, 3, 0, "1", "2", 1.0, True, "x"],
    "range": [2],
    "isStopSms": [0, 1, True, False, "1", 2, 1.0, "yes"],
    "isUnicode": [0, 1, True, "0", None],
    "sandbox": [0, 1, "1", False],
    "urlDlr": ["https://example.org/a", "ftp://example.org/", "", " https://example.org/a ", "http://"],
    "urlResponse": ["http://192.0.2.1:8/", "x"],
    "scheduledDeliveryDate": ["21/10/2030", "21/10/2001", "x", None],
    "time": [8, "8", 25],
    "minute": [5, 3],
    "_lang": ["en", "fr"],
    "_format": ["xml", "json"],
    "Tag": ["other"],
    "unknown": [1, {"a": []}],
    "apikey": ["other"],
}
ODD: dict[str, list[object]] = {
    "phoneNumbers": [
        "",
        " ",
        ",",
        600000001,
        33600000001,
        [],
        [600000001],
        ["06", None],
        {},
        None,
        "0100000001",
        "0600000001,x",
        "0600000001,0600000001",
        "+442071838750",
        "+447400123456",
        ",".join(f"06{number:08}" for number in range(501)),
    ],
    "message": ["", " ", None, 1, ["a"], "a\0b", "x" * 1531, "y" * 20_000],
}
HEADERS = [
    "Accept: */*",
    "Accept-Language: en",
    "Content-Type: application/json",
    "Content-Type: application/x-www-form-urlencoded",
    "Connection: keep-alive",
    "Connection: close",
    "Authorization: Bearer other",
    "tag: from-a-header",
    "Sender: Header",
    "sandbox: 1",
    "range: 2",
    "Content-Encoding: gzip",
    "Content-Encoding: identity",
    "Idempotency-Key: ¤KEY",
    "Expect: 100-continue",
    "X-Forwarded-For: 10.0.0.9",
    "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings",
]
ADDRESSES = ["/sms/v1/send"] * 30 + [
    *["/sms/v1/send/", "/sms/v1/send?", "/sms/v1/send?tag=a", "/sms/v1/send?_lang=en", "//sms/v1/send"],
    *["/v1/send", "/voice/v1/send", "/sms/v1/%73end", "/sms/v1/send#a"],
]
REWRITTEN = [
    *[lambda body: body] * 20,
    lambda body: b" \r\n" + body,
    lambda body: body + b"\n ",
    lambda body: b"\xef\xbb\xbf" + body,
    lambda body: body[:-1],
    lambda body: body + b"x",
    lambda body: b"[" + body + b"]",
    lambda body: body.replace(b'"message":', b'"tag":"first","tag":"second","message":'),
    lambda body: body.replace(b'"message":', b'"\\u0074ag":"escaped name","message":'),
    lambda body: body.replace(b'"message": "', b'"message": "\\ud83d'),
    lambda body: body.replace(b'"message": "', b'"message": "\\u0000'),
    lambda body: body.replace(b'"message": "', b'"message": "\xff'),
    lambda body: body.replace(b'"message": "', b'"message": "\t'),
    lambda body: b"phoneNumbers=0600000001&message=a&apiKey=\xa4",
    lambda body: b"<r><phoneNumbers>0600000001</phoneNumbers><message>a</message></r>",
    lambda body: b"",
]


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    fields: dict[str, object] = {"apiKey": "¤"}
    for name in GOOD:
        fields[name] = draw(st.sampled_from(GOOD[name] * 12 + ODD[name]))
    for name in draw(st.lists(st.sampled_from(list(MORE)), max_size=3, unique=True)):
        fields[name] = draw(st.sampled_from(MORE[name]))
    if not draw(st.integers(0, 20)):
        del fields[draw(st.sampled_from(list(fields)))]
    text = json.dumps(fields, ensure_ascii=draw(st.booleans()))
    return draw(st.sampled_from(REWRITTEN))(text.encode("utf-8"))


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, bytes, str]:
    """Head and body of a request with ¤ where a key belongs, and whose key it is."""
    method = draw(st.sampled_from(["POST"] * 30 + ["GET", "PUT", "HEAD"]))
    version = draw(st.sampled_from(["1.1"] * 9 + ["1.0"]))
    length = draw(st.sampled_from(["Content-Length: LENGTH"] * 20 + ["Transfer-Encoding: chunked"]))
    headers = ["Host: 127.0.0.1", *draw(st.lists(st.sampled_from(HEADERS), max_size=2)), length]
    lines = [f"{method} {draw(st.sampled_from(ADDRESSES))} HTTP/{version}", *headers, "", ""]
    names = ["active"] * 10 + ["poor", "three-left", "disabled", "here-only", "elsewhere", "own-prices"]
    whose = draw(st.sampled_from([*names, "marketing", "nobody", "no-key"]))
    return "\r\n".join(lines), draw(bodies()), whose


def as_sent(head: str, body: bytes, key: str) -> tuple[bytes, bytes]:
    octets = body.replace("¤".encode(), key.encode()).replace(b"\\u00a4", key.encode())
    if "chunked" in head:
        octets = b"%x\r\n%b\r\n0\r\n\r\n" % (len(octets), octets) if octets else b"0\r\n\r\n"
    return head.replace("¤KEY", key[:8]).replace("LENGTH", str(len(octets))).encode(), octets


def carried_out(runner: asyncio.Runner, act: Coroutine[Any, Any, Any]) -> Any:
    return runner.run(act)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sent=st.lists(requests(), min_size=1, max_size=4),
    later_ms=st.integers(0, 40_000),
    how=st.sampled_from(["alone", "alone", "alone", "together", "head first"]),
    more_credit=st.booleans(),
)
def test_every_request_is_answered_with_the_same_octets_on_both_ways(
    world: World,
    runner: asyncio.Runner,
    sent: list[tuple[str, bytes, str]],
    later_ms: int,
    how: str,
    more_credit: bool,
) -> None:
    world.clock.ms += later_ms
    if more_credit:
        for side in (world.fast, world.ordinary):
            carried_out(runner, top_up(side.store, "three-left@example.org", 38_000))
    pieces: list[bytes] = []
    for head, body, whose in sent:
        pieces += as_sent(head, body, world.keys.get(whose, "" if whose == "no-key" else whose))
    first, rest = pieces[0], b"".join((*pieces[1:], END))
    if how == "alone":
        for head, body in zip(pieces[::2], pieces[1::2], strict=True):
            assert carried_out(runner, world.both(head + body + END))
    else:
        assert carried_out(runner, world.both(*((first, rest) if how == "head first" else (first + rest,))))


def plain(world: World, name: str = "active", *headers: str, **fields: object) -> bytes:
    body = json.dumps(
        {"apiKey": world.keys[name], "phoneNumbers": "0600000001", "message": "Bonjour", **fields}
    ).encode()
    lines = ["POST /sms/v1/send HTTP/1.1", "Host: h", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"phoneNumbers": ["0600000001", "0600000002"], "sender": "Chappe", "tag": "t", "isUnicode": 1},
        {"gamme": 2, "sandbox": 1, "isStopSms": 1, "urlDlr": "https://example.org/", "urlResponse": ""},
    ],
)
def test_the_documented_calls_take_the_fast_path(
    world: World, runner: asyncio.Runner, fields: dict[str, object]
) -> None:
    world.clock.ms += 120_000
    before = world.fast.begun
    answer = carried_out(runner, world.both(plain(world, **fields) + END))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b'"success":true' in answer
    assert world.fast.begun == before + 1


@pytest.mark.parametrize(
    ("name", "fields", "code", "language"),
    [
        ("poor", {}, b"11", "en"),
        ("active", {"phoneNumbers": f"+{STOPPED}"}, b"14", "fr"),
        ("active", {"phoneNumbers": f"+{STOPPED},0600000001"}, b"200", "en"),
    ],
)
def test_what_the_transaction_finds_is_said_in_the_same_words(
    world: World, runner: asyncio.Runner, name: str, fields: dict[str, object], code: bytes, language: str
) -> None:
    world.clock.ms += 120_000
    before = world.fast.begun
    request = plain(world, name, f"Accept-Language: {language}", **fields)
    answer = carried_out(runner, world.both(request + END))
    assert b'"code":' + code in answer
    assert world.fast.begun == before + 1


@pytest.mark.parametrize("error", [StorageUnavailable("commit failed"), RuntimeError("nobody expected it")])
def test_a_failed_commit_is_answered_and_counted_the_same(
    world: World, runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    world.clock.ms += 120_000

    def fail(*_: object) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        future.set_exception(error)
        return future

    for side in (world.fast, world.ordinary):
        monkeypatch.setattr(side.store.database, "write_batched", fail)
    before = world.fast.begun
    answer = carried_out(runner, world.both(plain(world) + END))
    assert re.match(rb"HTTP/1.1 50[03] ", answer)
    assert world.fast.begun == before + 1


def test_a_stop_waits_for_the_commit_and_the_answer_says_that_it_was_the_last(tmp_path: Path) -> None:
    async def scenario() -> bytes:
        world = World(tmp_path, "")
        await world.open()
        side = world.fast
        await side.send(plain(world) + END)  # fetches the first ids, which the ordinary path waits for
        assert not side.begun
        reader, writer = await asyncio.open_connection("127.0.0.1", side.port)
        writer.write(plain(world))
        while not side.begun:
            await asyncio.sleep(0)
        await world.close()
        answer = await reader.read()
        writer.close()
        return answer

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as own:
        answer = own.run(scenario())
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nconnection: close\r\n" in answer.partition(b"\r\n\r\n")[0] + b"\r\n"
