"""Clients that take their time: which of them are told, which are cut off, and when. On a clock that jumps."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import pytest

from chappe.clock import SystemClock
from chappe.http.connection import BODY_S_MAX, HEAD_S_MAX
from chappe.http.listener import KEEP_ALIVE_S, STOP_S_MAX, Listener
from chappe.metrics import Metrics
from chappe.partner.api import BODY_S_MAX as BODY_ANSWERED_S_MAX
from chappe.partner.api import PartnerApi
from chappe.partner.endpoint import Services
from chappe.partner.endpoints import ENDPOINTS
from chappe.settings import Flags, load_settings
from tests.support.virtual_time import VirtualTimeLoop

# The listener looks after its connections once a second.
TICK_S = 1.0


@dataclass
class Client:
    """A connection of the test's, and the clock of both ends."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def now_s(self) -> float:
        return asyncio.get_running_loop().time()

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def answer(self) -> tuple[int, Any]:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        length = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0])
        return int(head.split(" ")[1]), json.loads(await self.reader.readexactly(length))

    async def closed_after_s(self) -> float:
        """Waits for the end; what was still to be read is dropped."""
        since_s = self.now_s
        try:
            await self.reader.read()
        except ConnectionResetError:
            pass
        return self.now_s - since_s


Script = Callable[[Client], Awaitable[None]]


def against_a_listener(script: Script, *, stop_after: bool = True) -> None:
    """Runs `script` against the real listener and the real reader of requests."""

    async def run() -> None:
        # No request of these tests gets as far as the store.
        database = SimpleNamespace(is_shared=False)
        store = SimpleNamespace(clock=SystemClock(), database=database)
        services = cast(Services, SimpleNamespace(store=store))
        api = PartnerApi(ENDPOINTS, services, load_settings(Flags(), {}), Metrics())
        listener = Listener(api, connections_max=10)
        port = await listener.listen("127.0.0.1", 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            await script(Client(reader, writer))
        finally:
            writer.close()
            await listener.stop()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(run())


HEAD = b"POST /sms/v1/me HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
GET = b"GET /sms/v1/me HTTP/1.1\r\nHost: localhost\r\n\r\n"


def test_a_body_that_does_not_come_is_answered_408_and_the_connection_ends() -> None:
    async def script(client: Client) -> None:
        client.send(b"GET /sms/v1/me HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{")
        status, answer = await client.answer()
        assert (status, answer["code"], answer["success"]) == (408, 408, False)
        assert client.now_s == pytest.approx(BODY_ANSWERED_S_MAX, abs=0.1)
        assert await client.closed_after_s() <= BODY_S_MAX - BODY_ANSWERED_S_MAX + 2 * TICK_S

    against_a_listener(script)


def test_a_body_that_drips_is_answered_408_all_the_same() -> None:
    async def script(client: Client) -> None:
        client.send(b"GET /sms/v1/me HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n")

        async def drip() -> None:
            while True:
                client.send(b" ")
                await asyncio.sleep(1)

        dripping = asyncio.ensure_future(drip())
        status, _ = await client.answer()
        assert status == 408
        await client.closed_after_s()
        assert client.now_s <= BODY_S_MAX + 2 * TICK_S
        dripping.cancel()

    against_a_listener(script)


def test_a_body_that_comes_in_time_is_read() -> None:
    async def script(client: Client) -> None:
        body = b'{"_lang": "en"}'
        client.send(b"GET /sms/v1/me HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body))
        for octet in body:
            await asyncio.sleep(0.9)
            client.send(bytes([octet]))
        status, answer = await client.answer()
        assert (status, answer["code"]) == (400, 1)
        assert answer["message"].startswith(("The API key", "API key"))

    against_a_listener(script)


@pytest.mark.parametrize("begun", [b"", b"G", GET[:-2], b"GET /sms/v1/me HTTP/1.1\r\nX-A: "])
def test_a_head_that_does_not_come_ends_the_connection(begun: bytes) -> None:
    async def script(client: Client) -> None:
        client.send(begun)
        assert HEAD_S_MAX <= await client.closed_after_s() <= HEAD_S_MAX + 2 * TICK_S

    against_a_listener(script)


def test_a_head_that_drips_ends_the_connection() -> None:
    async def script(client: Client) -> None:
        client.send(b"GET /sms/v1/me HTTP/1.1\r\n")

        async def drip() -> None:
            while True:
                client.send(b"X-A: b\r\n")
                await asyncio.sleep(1)

        dripping = asyncio.ensure_future(drip())
        assert await client.closed_after_s() <= HEAD_S_MAX + 2 * TICK_S
        dripping.cancel()

    against_a_listener(script)


def test_the_next_head_has_its_own_time() -> None:
    async def script(client: Client) -> None:
        for _ in range(3):
            client.send(GET[:10])
            await asyncio.sleep(HEAD_S_MAX - 2)
            client.send(GET[10:])
            assert (await client.answer())[0] == 400
            await asyncio.sleep(HEAD_S_MAX + 2)

    against_a_listener(script)


def test_an_idle_connection_is_kept_for_a_while_and_then_ended() -> None:
    async def script(client: Client) -> None:
        client.send(GET)
        assert (await client.answer())[0] == 400
        await asyncio.sleep(KEEP_ALIVE_S - 5)
        client.send(GET)
        assert (await client.answer())[0] == 400
        assert KEEP_ALIVE_S - TICK_S <= await client.closed_after_s() <= KEEP_ALIVE_S + 2 * TICK_S

    against_a_listener(script)


def test_a_refused_body_that_keeps_coming_is_read_for_a_while_and_no_longer() -> None:
    async def script(client: Client) -> None:
        client.send(b"GET /voice/v1/me HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n")
        status, answer = await client.answer()
        assert (status, answer["code"]) == (413, 413)

        async def drip() -> None:
            while True:
                client.send(b" " * 1000)
                await asyncio.sleep(1)

        dripping = asyncio.ensure_future(drip())
        assert await client.closed_after_s() <= BODY_S_MAX + 2 * TICK_S
        dripping.cancel()

    against_a_listener(script)


def test_connections_over_the_limit_are_told_and_ended() -> None:
    async def script(client: Client) -> None:
        port = client.writer.get_extra_info("peername")[1]
        more = [await asyncio.open_connection("127.0.0.1", port) for _ in range(10)]
        last = Client(*more[-1])
        assert (await last.answer())[0] == 503
        assert await last.closed_after_s() == 0
        client.send(GET)
        assert (await client.answer())[0] == 400
        more[0][1].close()
        await asyncio.sleep(1)
        again = Client(*await asyncio.open_connection("127.0.0.1", port))
        again.send(GET)
        assert (await again.answer())[0] == 400
        for _, writer in more:
            writer.close()
        again.writer.close()

    against_a_listener(script)


def test_a_stop_waits_for_an_answer_under_way_but_not_for_ever() -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        release = asyncio.Event()

        async def application(scope: Any, receive: Any, send: Any) -> None:
            await (release.wait() if scope["path"] == "/short" else asyncio.Event().wait())
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
            await send({"type": "http.response.body", "body": b"{}"})

        for path, stopped_after_s in (("/short", 3.0), ("/endless", STOP_S_MAX)):
            listener = Listener(application, connections_max=10)
            port = await listener.listen("127.0.0.1", 0)
            client = Client(*await asyncio.open_connection("127.0.0.1", port))
            idle = Client(*await asyncio.open_connection("127.0.0.1", port))
            client.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            await asyncio.sleep(1)
            since_s = loop.time()
            stopping = asyncio.ensure_future(listener.stop())
            assert await idle.closed_after_s() < 1
            await asyncio.sleep(3.0)
            release.set()
            await stopping
            assert loop.time() - since_s == pytest.approx(stopped_after_s, abs=0.5)
            if path == "/short":
                assert (await client.answer())[0] == 200
            await client.closed_after_s()
            for each in (client, idle):
                each.writer.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(run())
