"""Thousands of requests that no polite client sends, to every endpoint: each gets a whole answer below 500, at once.

Nothing is unexpected, nothing is half written, and what was answered `success: true` is there.
"""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit
from xml.parsers import expat
from xml.sax.saxutils import escape

import pytest

from chappe.partner.endpoint import Endpoint
from chappe.partner.endpoints import ENDPOINTS
from tests.support.clocked import unexpected_total
from tests.support.hostile import HUGE_JSON_VALUES, JSON_VALUES, TEXTS, bodies
from tests.support.server import ChappeServer
from tests.support.wire import call, head

ANSWER_S_MAX = 30.0
AT_ONCE = 16
GOOD: dict[str, object] = {
    "phoneNumbers": "0600000012",
    "message": "Bonjour",
    "sender": "Chappe",
    "urlDlr": "http://127.0.0.1:1/dlr",
    "urlResponse": "http://127.0.0.1:1/reply",
    "phoneNumber": "0600000012",
    "messageId": 1,
    "sandbox": 1,
}


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes | None

    @property
    def octets(self) -> bytes:
        headers = dict(self.headers)
        if self.body is not None:
            headers["Content-Length"] = str(len(self.body))
        return head(self.method, self.target, headers) + (self.body or b"")


@dataclass(frozen=True)
class Operation:
    """An endpoint by one of its methods and paths."""

    endpoint: Endpoint
    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.endpoint.page.product}{self.path}"

    @property
    def names(self) -> list[str]:
        fields = [field.name for field in self.endpoint.fields]
        in_path = re.findall(r"\{(\w+)\}", self.path)
        return list(dict.fromkeys(["apiKey", "_format", "_lang", *in_path, *fields]))

    def good(self, key: str) -> dict[str, object]:
        return {"apiKey": key} | {name: GOOD[name] for name in self.names if name in GOOD}

    def target(self, key: str, **in_path: str) -> str:
        def value(match: re.Match[str]) -> str:
            name = match[1]
            return quote(in_path.get(name, key if name == "apiKey" else "1"), safe="")

        return f"/{self.endpoint.page.product}/v1" + re.sub(r"\{(\w+)\}", value, self.path)


OPERATIONS = [
    Operation(endpoint, method, path)
    for endpoint in ENDPOINTS
    for method in endpoint.page.methods
    for path in endpoint.page.paths
]
every_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=str)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChappeServer]:
    with ChappeServer(tmp_path_factory.mktemp("hostile"), rate_limits=False) as running:
        yield running
        assert running.run("check") == "every invariant holds\n"
    running.assert_no_traceback()


@pytest.fixture(scope="module")
def key(server: ChappeServer) -> str:
    """Of an account that can pay for everything."""
    return server.create_account("ana@example.fr", "1000000")["apiKey"]


@pytest.fixture(autouse=True)
def _nothing_was_unexpected(server: ChappeServer) -> Iterator[None]:
    yield
    assert unexpected_total(server.base_url) == 0
    server.assert_no_traceback()


class Client:
    """A connection that is kept as long as the server keeps it."""

    def __init__(self, base_url: str) -> None:
        self._place = urlsplit(base_url)

    async def open(self) -> None:
        place = self._place
        self._reader, self._writer = await asyncio.open_connection(place.hostname, place.port)

    def close(self) -> None:
        self._writer.close()

    async def exchange(self, request: Request) -> tuple[int, object]:
        """The status and the answer, which is a whole one that a client can read."""
        self._writer.write(request.octets)
        first, *lines = (await self._reader.readuntil(b"\r\n\r\n"))[:-4].split(b"\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
        body = await self._reader.readexactly(int(headers.get(b"content-length", 0)))
        if headers.get(b"connection") == b"close":
            self.close()
            await self.open()
        status = int(first.split(b" ", 2)[1])
        return status, parsed(request, status, headers.get(b"content-type", b""), body)


async def answered(base_url: str, requests: Iterable[Request]) -> list[tuple[Request, int, object]]:
    """Sends everything, `AT_ONCE` at a time."""
    waiting = iter(requests)
    done: list[tuple[Request, int, object]] = []

    async def work() -> None:
        client = Client(base_url)
        await client.open()
        for request in waiting:
            async with asyncio.timeout(ANSWER_S_MAX):
                done.append((request, *await client.exchange(request)))
        client.close()

    async with asyncio.TaskGroup() as workers:
        for _ in range(AT_ONCE):
            workers.create_task(work())
    return done


def parsed(request: Request, status: int, content_type: bytes, body: bytes) -> object:
    """The answer; AssertionError unless it is below 500 and can be read."""
    shown = (request.method, request.target[:200], request.headers, (request.body or b"")[:200], status, body)
    assert 200 <= status < 500, shown
    if content_type == b"application/xml":
        expat.ParserCreate().Parse(body, True)
        return None
    assert content_type == b"application/json", shown
    answer = json.loads(body)
    # A list of audio files is the one good answer without it.
    assert answer.get("success", status == 200) is (status == 200), shown
    return answer


def send_all(server: ChappeServer, requests: list[Request]) -> list[tuple[Request, int, object]]:
    accepted = stored_messages(server)
    done = asyncio.run(answered(server.base_url, requests))
    assert len(done) == len(requests)
    promised = sum(status == 200 and request.target.startswith("/sms/v1/send") for request, status, _ in done)
    assert stored_messages(server) == accepted + promised
    return done


def stored_messages(server: ChappeServer) -> int:
    with closing(sqlite3.connect(server.data / "chappe.db")) as connection:
        return connection.execute("SELECT COUNT(*) FROM messages").fetchone()[0]


def json_request(operation: Operation, key: str, fields: dict[str, str]) -> Request:
    """`fields` are JSON texts."""
    body = "{" + ",".join(f"{json.dumps(name)}:{text}" for name, text in fields.items()) + "}"
    return Request(operation.method, operation.target(key), {}, body.encode("utf-8", "surrogatepass"))


@every_operation
def test_every_field_missing_or_holding_anything(
    operation: Operation, server: ChappeServer, key: str
) -> None:
    good = {name: json.dumps(value) for name, value in operation.good(key).items()}
    requests = [json_request(operation, key, good)]
    for name in [*operation.names, "unknown"]:
        without = {other: text for other, text in good.items() if other != name}
        requests.append(json_request(operation, key, without))
        requests += [json_request(operation, key, without | {name: value}) for value in JSON_VALUES]
    send_all(server, requests)


@every_operation
def test_every_field_holding_a_megabyte(operation: Operation, server: ChappeServer, key: str) -> None:
    good = {name: json.dumps(value) for name, value in operation.good(key).items()}
    names = [*operation.names, "unknown"]
    # Each of the values stands in some field, and each field holds some of them.
    chosen = [
        (name, HUGE_JSON_VALUES[(n + m) % len(HUGE_JSON_VALUES)])
        for n, name in enumerate(names)
        for m in (0, 3)
    ]
    send_all(server, [json_request(operation, key, good | {name: value}) for name, value in chosen])


@every_operation
def test_the_same_in_query_form_xml_and_path(operation: Operation, server: ChappeServer, key: str) -> None:
    good = {name: str(value) for name, value in operation.good(key).items()}
    requests: list[Request] = []
    for name in [*operation.names, "unknown"]:
        for text in TEXTS:
            given = good | {name: text}
            target = operation.target(key)
            query = urlencode(given)
            elements = "".join(f"<{n}>{escape(value)}</{n}>" for n, value in given.items())
            requests += [
                Request(operation.method, f"{target}?{query}", {}, None),
                Request(operation.method, target, {}, query.encode()),
                Request(operation.method, target, {}, f"<request>{elements}</request>".encode()),
            ]
            if f"{{{name}}}" in operation.path:
                requests.append(Request(operation.method, operation.target(key, **{name: text}), {}, None))
    send_all(server, requests)


@every_operation
def test_bodies_that_are_broken_as_a_whole(operation: Operation, server: ChappeServer, key: str) -> None:
    requests = [
        Request(operation.method, operation.target(key), headers, octets)
        for headers, octets in bodies(operation.good(key))
    ]
    send_all(server, requests)


def test_bodies_that_come_slowly_or_never_hold_nobody_up(server: ChappeServer, key: str) -> None:
    body = json.dumps({"apiKey": key, "phoneNumbers": "0600000012", "message": "Bonjour"}).encode()
    before = stored_messages(server)

    async def slow() -> AsyncIterator[asyncio.StreamWriter]:
        place = urlsplit(server.base_url)
        for n in range(200):
            _, writer = await asyncio.open_connection(place.hostname, place.port)
            cut = n * len(body) // 200
            writer.write(head("POST", "/sms/v1/send", {"Content-Length": str(len(body))}) + body[:cut])
            yield writer

    async def hold_and_ask() -> None:
        writers = [writer async for writer in slow()]
        answers = await answered(
            server.base_url, [Request("POST", "/sms/v1/send", {}, body) for _ in range(100)]
        )
        assert [status for _, status, _ in answers] == [200] * 100
        for writer in writers:
            writer.close()

    asyncio.run(hold_and_ask())
    assert stored_messages(server) == before + 100


def test_a_good_request_is_answered_afterwards(server: ChappeServer, key: str) -> None:
    answer = call(server.base_url, f"/sms/v1/me?apiKey={key}")
    assert answer.status == 200
    assert call(server.base_url, "/healthz").status == 200
