"""The built-in telephones: a SIP user agent on loopback that takes calls; each number behaves by its digits."""

from __future__ import annotations

import asyncio
import contextlib
import errno
from collections.abc import Callable
from typing import Final

import structlog

from chappe.operators.sip.agent.events import Incoming
from chappe.operators.sip.agent.settings import Settings
from chappe.operators.sip.amd import DETECTOR
from chappe.operators.sip.element import SipElement
from chappe.operators.sip.errors import LocalError
from chappe.operators.sip.media.client import MediaProcess
from chappe.operators.sip.sdp.audio import CodecName
from chappe.simulator import calls_seen
from chappe.simulator.called import called_of, caller_of
from chappe.simulator.sounds import Name, sound
from chappe.simulator.telephone_call import TelephoneCall
from chappe.storage.store import Store

HOST: Final = "127.0.0.1"
CALLS_MAX: Final = 1_000
CALLS_S_MAX: Final = 3.0
"""When it stops, for calls under way to end."""
UNKNOWN: Final = 404

_log: structlog.stdlib.BoundLogger = structlog.get_logger("simulator")


class Telephones:
    """`media` carries the audio of both ends of a call; it is started by the first one. `on_change(phone)` is called
    when the page has something new to show.
    """

    element: SipElement

    def __init__(
        self, store: Store, on_change: Callable[[int], None], count_unexpected: Callable[[], None]
    ) -> None:
        self.store = store
        self.on_change = on_change
        self.media = MediaProcess(HOST, detector=DETECTOR)
        self._sounds: dict[tuple[Name, CodecName], int] = {}
        """Their numbers in the media process."""
        self._count_unexpected = count_unexpected
        self._calls: dict[asyncio.Task[None], TelephoneCall] = {}
        self._ahead_s = 0.0
        self._moved = asyncio.Event()

    async def start(self, port: int, *, gives_way: bool) -> int:
        """Takes calls; its port. `gives_way`: to any free one where `port` is taken. Raises OSError,
        StorageUnavailable.
        """
        now_ms = self.store.clock.now_ms()
        await self.store.database.write(lambda tx: calls_seen.cut_off(tx, now_ms), background=True)
        self.media.start_when_needed()
        try:
            return await self._listen(port)
        except OSError as error:
            if not gives_way or error.errno != errno.EADDRINUSE:
                raise
        return await self._listen(0)

    async def stop(self) -> None:
        """Cuts the calls off."""
        for call in self._calls.values():
            call.stop()
        if self._calls:
            await asyncio.wait(self._calls, timeout=CALLS_S_MAX)
        for task in self._calls:
            task.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)
        await self.element.stop()
        await self.media.stop()

    def advance(self, seconds: float) -> None:
        """Whoever lets it ring stops so much earlier."""
        self._ahead_s += seconds
        self._moved.set()
        self._moved = asyncio.Event()

    async def wait(self, seconds: float) -> None:
        """By the simulator's clock."""
        until_s = self._now_s() + seconds
        while (left_s := until_s - self._now_s()) > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._moved.wait()

    def sound(self, name: Name, codec: CodecName) -> int:
        """Its number in the media process."""
        number = self._sounds.get((name, codec))
        if number is None:
            number = self._sounds[name, codec] = self.media.load({codec: sound(name, codec)})
        return number

    def on_unexpected(self, error: BaseException) -> None:
        self._count_unexpected()
        _log.error("an unexpected exception", exc_info=error)

    # Inside

    async def _listen(self, port: int) -> int:
        self.element = SipElement(
            host=HOST,
            port=port,
            media=self.media,
            settings=Settings(calls_max=CALLS_MAX, session_expires_s=0),
            on_unexpected=self._count_unexpected,
        )
        self.element.on_incoming = self._on_incoming
        await self.element.start()
        return self.element.sockets.port

    def _on_incoming(self, event: Incoming) -> None:
        called = called_of(event.request.uri)
        if called is None:
            with contextlib.suppress(LocalError):  # its caller has given up in the same turn
                event.call.reject(UNKNOWN, self.element.now_ms())
            return
        call = TelephoneCall(self, event.call, event.body, called, caller_of(event.request.from_))
        event.call.context = call
        task = asyncio.create_task(call.run())
        self._calls[task] = call
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        del self._calls[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            self.on_unexpected(error)

    def _now_s(self) -> float:
        return self.store.clock.monotonic_s() + self._ahead_s
