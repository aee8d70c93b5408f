"""What tests of incoming calls stand on: our element, who calls, and where calls are passed on to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from chappe.clock import SystemClock
from chappe.operators.sip.agent.settings import Settings
from chappe.operators.sip.element import SipElement
from chappe.operators.sip.incoming import IncomingCalls
from chappe.operators.sip.media.messages import Record
from chappe.operators.sip.transactions.timing import Timing
from chappe.operators.sip.trunk import SipTrunk
from chappe.settings import OperatorSettings
from tests.wire.sip.callers import Caller, Callers, MemoryArrivals
from tests.wire.sip.element import WAIT_S_MAX
from tests.wire.sip.far import FarEnd, settle

QUICK = Settings(timing=Timing(t1_ms=50, t2_ms=200, t4_ms=200))
CALLED = 33162000001
NUMBER = f"+{CALLED}"


async def eventually(condition: Callable[[], object]) -> None:
    """For what nobody tells."""
    async with asyncio.timeout(WAIT_S_MAX):
        while not condition():
            await asyncio.sleep(0.01)


class NoOutcomes:
    """No campaign calls here."""

    async def answered(self, trunk, order, at_ms) -> None:
        raise AssertionError("a campaign's call")

    async def ended(self, trunk, order, end) -> None:
        raise AssertionError("a campaign's call")


class IncomingBench:
    """`trunk` leads to `far`; calls come from `callers` by it."""

    def __init__(self) -> None:
        self.arrivals = MemoryArrivals()
        self.callers = Callers(QUICK)
        self.far = FarEnd(QUICK)
        self.unexpected = 0
        self.trunks: list[SipTrunk] = []
        self.calls: IncomingCalls | None = None

    async def open(self, *settings: dict, onward: tuple[str, ...] = ("t",)) -> IncomingBench:
        await self.callers.open()
        await self.far.open()
        self.element = SipElement(
            host="127.0.0.1",
            port=0,
            public_host="",
            rtp_ports=(0, 0),
            settings=QUICK,
            on_unexpected=self._on_unexpected,
        )
        await self.element.start()
        self._watch()
        for changes in settings or ({},):
            fields = {"name": "t", "kind": "sip", "host": "127.0.0.1", "port": self.far.port, "options_s": 0}
            fields |= {"calls_per_second": 1000, "incoming_per_second": 1000}
            trunk = SipTrunk(OperatorSettings(**{**fields, **changes}), self.element, SystemClock())
            self.trunks.append(trunk)
            await trunk.start(NoOutcomes(), lambda: None)
        self.calls = IncomingCalls(
            self.element,
            self.trunks,
            self.arrivals,
            lambda number: [trunk for trunk in self.trunks if trunk.name in onward],
            SystemClock(),
        )
        await self.calls.start()
        return self

    @property
    def port(self) -> int:
        return self.element.sockets.port

    @property
    def trunk(self) -> SipTrunk:
        return self.trunks[0]

    async def dial(self, number: str = NUMBER, *, codecs=("PCMA", "PCMU"), has_events=True, **more) -> Caller:
        caller = await self.callers.caller(codecs=codecs, has_events=has_events)
        caller.dial(self.port, number, **more)
        return caller

    async def recording(self, number: int = 1) -> None:
        """The media process was told to record for the `number`-th time; what is said from here on is kept."""
        await eventually(lambda: self.records >= number)
        await settle(0.1)

    def _watch(self) -> None:
        self.records = 0
        tell = self.element.media.tell

        def watched(command) -> None:
            tell(command)
            self.records += isinstance(command, Record)

        self.element.media.tell = watched

    async def close(self) -> None:
        assert self.calls is not None
        await self.calls.stop()
        for trunk in self.trunks:
            assert trunk._calls == set()
            await trunk.stop()
        assert not self.calls.ringing_onward
        await self.element.stop()
        await self.callers.close()
        await self.far.close()
        assert self.unexpected == 0

    def _on_unexpected(self) -> None:
        self.unexpected += 1
