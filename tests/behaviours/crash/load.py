"""The load of a round: keep-alive connections on plain sockets, a request open on each of them at any time."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from tests.behaviours.crash.requests import Answer, Cancel, Maker, Send

HEAD_END = b"\r\n\r\n"
ANSWER_S_MAX = 60.0


class ServerGone(Exception):
    """The connection ended before the answer was whole."""


class Client:
    """One keep-alive connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, base_url: str) -> Client:
        address = urlsplit(base_url)
        return cls(*await asyncio.open_connection(address.hostname, address.port))

    async def send(self, send: Send) -> Answer:
        head = f"POST /sms/v1/send HTTP/1.1\r\nHost: test\r\nContent-Length: {len(send.body)}\r\n"
        if send.idempotency_key:
            head += f"Idempotency-Key: {send.idempotency_key}\r\n"
        return await self.exchange(f"{head}\r\n".encode() + send.body)

    async def get(self, path: str) -> Answer:
        return await self.exchange(f"GET {path} HTTP/1.1\r\nHost: test\r\n\r\n".encode())

    async def exchange(self, request: bytes) -> Answer:
        """Raises `ServerGone`."""
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                self._writer.write(request)
                head = await self._reader.readuntil(HEAD_END)
                body = await self._reader.readexactly(_length(head))
        except (OSError, asyncio.IncompleteReadError) as error:
            raise ServerGone from error
        return Answer(int(head.split(b" ", 2)[1]), body)

    def close(self) -> None:
        self._writer.close()


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    raise AssertionError(f"an answer without Content-Length: {head!r}")


class Load:
    """Connections that send until the server is gone. `open` requests have no answer yet."""

    def __init__(self, base_url: str, maker: Maker, connections: int) -> None:
        self.open = 0
        self.answered = 0
        self._base_url = base_url
        self._maker = maker
        self._connections = connections
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._run()) for _ in range(self._connections)]

    async def until_gone(self) -> None:
        """After the kill: until every connection has read what the server had still written."""
        await asyncio.gather(*self._tasks)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self) -> None:
        client = await Client.connect(self._base_url)
        try:
            while True:
                await self._one(client)
        except ServerGone:
            pass
        finally:
            client.close()

    async def _one(self, client: Client) -> None:
        send = self._maker.send()
        self.open += 1
        send.answer = await client.send(send)
        self.open -= 1
        self.answered += 1
        if send.kind == "deferred" and send.answer.status == 200 and self._maker.wants_cancel():
            message_id = send.answer.json["message_id"]
            send.cancel = Cancel(message_id)
            path = f"/sms/v1/message-cancel?apiKey={self._maker.api_key}&messageId={message_id}"
            self.open += 1
            send.cancel.answer = await client.get(path)
            self.open -= 1
