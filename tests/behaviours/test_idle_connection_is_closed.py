"""A connection that waits for its next request longer than the keep-alive time is closed; one at work is not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chappe.http.listener import KEEP_ALIVE_S, Listener

HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize("at_once", [False, True], ids=["by the application", "at once"])
async def test_an_idle_connection_is_closed_and_one_at_work_is_not(at_once: bool) -> None:
    may_answer = asyncio.Event()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await may_answer.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    def answer(url: bytes, headers: Any, client: str) -> Any:
        return ([(b"content-length", b"0")], b"") if may_answer.is_set() else None

    listener = Listener(application, connections_max=10, at_once=answer if at_once else None)
    port = await listener.listen("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    def tick(after_s: float) -> None:
        for connection in listener._connections():  # the clock of the listener, an hour in an instant
            connection.end_if_late(asyncio.get_running_loop().time() + after_s)

    request = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
    writer.write(request)
    while not listener._state.tasks:
        await asyncio.sleep(0)
    tick(3600)
    may_answer.set()
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(HEAD)
    tick(KEEP_ALIVE_S - 5)
    writer.write(request)
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(HEAD)
    tick(KEEP_ALIVE_S + 5)
    assert await reader.read() == b""
    writer.close()
    await listener.stop()
