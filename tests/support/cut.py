"""A TCP proxy before PostgreSQL that cuts connections where it hurts: before a COMMIT arrives, after it was carried out.

It runs on a thread of its own, so that tests that block and servers in other processes can use it.
"""

from __future__ import annotations

import asyncio
import re
import threading
from typing import Literal, Self

# A simple query that ends with COMMIT, and the server's word that it is done (PostgreSQL, "Message Formats").
COMMIT = b"; COMMIT\0"
COMMITTED = b"C\0\0\0\x0bCOMMIT\0"
# The server tells its process number and a secret, by which a client may cancel (BackendKeyData).
KEY_DATA = b"K\0\0\0\x0c"
START_S_MAX = 10.0

Cut = Literal["before", "after"]


class CuttingProxy:
    """A context manager on a free port of `host` towards `port` of 127.0.0.1. As a pooler it gives its own process numbers
    for the server's."""

    def __init__(self, port: int, host: str = "127.0.0.1", *, is_pooler: bool = False) -> None:
        self._is_pooler = is_pooler
        self._target = port
        self._host = host
        self._cuts: list[Cut] = []
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._flows = asyncio.Event()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cutting-proxy", daemon=True)
        self.port = 0
        self.cut_total = 0

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(START_S_MAX)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def cut_next_commits(self, *cuts: Cut) -> None:
        """Each of the next COMMITs costs its connection, before the server has it or after."""
        self._loop.call_soon_threadsafe(self._cuts.extend, cuts)

    def cut_all(self) -> None:
        """Every connection at once, as when a machine between restarts."""
        self._loop.call_soon_threadsafe(self._abort_all)

    def lead_to(self, port: int, *, cuts: bool = True) -> None:
        """Whoever connects from now on comes to another server; whoever is connected is cut off, or left for now."""
        self._target = port
        if cuts:
            self.cut_all()

    def hold(self) -> None:
        """Octets go nowhere any more, and nobody is told: the cable is out."""
        self._loop.call_soon_threadsafe(self._flows.clear)

    def release(self) -> None:
        """They flow again, those that were held first."""
        self._loop.call_soon_threadsafe(self._flows.set)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._flows.set()
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, self._host, 0))
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        self._loop.run_forever()
        server.close()
        self._abort_all()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    def _abort_all(self) -> None:
        for writer in self._open:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            await self._flows.wait()
            their_reader, their_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            self._open.discard(writer)
            writer.transport.abort()
            return
        self._open.add(their_writer)
        pair = _Pair(self, writer, their_writer)
        try:
            await asyncio.gather(
                pair.carry(reader, their_writer, from_client=True),
                pair.carry(their_reader, writer, from_client=False),
            )
        finally:
            self._open -= {writer, their_writer}

    def _next_cut(self) -> Cut | None:
        return self._cuts.pop(0) if self._cuts else None


class _Pair:
    """One connection through the proxy."""

    def __init__(
        self, proxy: CuttingProxy, client: asyncio.StreamWriter, server: asyncio.StreamWriter
    ) -> None:
        self._proxy = proxy
        self._ends = client, server
        self._cuts_at_answer = False

    async def carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, from_client: bool
    ) -> None:
        try:
            while octets := await reader.read(65536):
                if from_client and COMMIT in octets:
                    cut = self._proxy._next_cut()
                    if cut == "before":
                        break
                    self._cuts_at_answer = cut == "after"
                await self._proxy._flows.wait()
                if not from_client and self._proxy._is_pooler:
                    octets = re.sub(
                        re.escape(KEY_DATA) + b"....", KEY_DATA + b"\0\0\0\7", octets, flags=re.DOTALL
                    )
                if not from_client and self._cuts_at_answer and COMMITTED in octets:
                    break
                writer.write(octets)
                await writer.drain()
            else:
                writer.close()
                return
            self._proxy.cut_total += 1
        except OSError:
            pass
        for end in self._ends:
            end.transport.abort()
