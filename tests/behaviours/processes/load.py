"""Load on several API processes: connections that go on to another process when theirs dies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from tests.behaviours.crash.load import Client, ServerGone
from tests.behaviours.crash.requests import Cancel, Maker, Send

RETRY_S = 0.02


class SharedLoad:
    """`urls` gives the base URLs of the processes that are up. `pause_s` between two requests of a connection."""

    def __init__(
        self, urls: Callable[[], Sequence[str]], maker: Maker, connections: int, pause_s: float
    ) -> None:
        self.accepted = 0
        self.refused = 0
        self.cut = 0
        self._urls = urls
        self._maker = maker
        self._pause_s = pause_s
        self._stopping = False
        self._tasks = [asyncio.create_task(self._run(number)) for number in range(connections)]

    async def stop(self) -> None:
        """Lets the requests under way be answered."""
        self._stopping = True
        await asyncio.gather(*self._tasks)

    async def until_accepted(self, more: int) -> None:
        """Until so many more requests have been accepted."""
        wanted = self.accepted + more
        while self.accepted < wanted:
            for task in self._tasks:
                if task.done():
                    task.result()
            await asyncio.sleep(RETRY_S)

    async def _run(self, number: int) -> None:
        while not self._stopping:
            urls = self._urls()
            if not urls:
                await asyncio.sleep(RETRY_S)
                continue
            try:
                client = await Client.connect(urls[number % len(urls)])
            except OSError:
                await asyncio.sleep(RETRY_S)
                continue
            try:
                while not self._stopping and list(self._urls()) == list(urls):
                    await self._one(client)
                    await asyncio.sleep(self._pause_s)
            except ServerGone:
                self.cut += 1
            finally:
                client.close()

    async def _one(self, client: Client) -> None:
        send = self._maker.send()
        send.answer = await client.send(send)
        if send.answer.status == 200:
            self.accepted += 1
        else:
            self.refused += 1
            await asyncio.sleep(5 * RETRY_S)
        await self._cancel(client, send)

    async def _cancel(self, client: Client, send: Send) -> None:
        assert send.answer is not None
        if send.kind == "deferred" and send.answer.status == 200 and self._maker.wants_cancel():
            message_id = send.answer.json["message_id"]
            send.cancel = Cancel(message_id)
            path = f"/sms/v1/message-cancel?apiKey={self._maker.api_key}&messageId={message_id}"
            send.cancel.answer = await client.get(path)
