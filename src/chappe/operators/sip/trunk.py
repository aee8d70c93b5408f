"""`SipTrunk`: an operator behind SIP, as `calls/port.py` asks for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, Protocol

import structlog

from chappe.calls.port import CallEnd, CallOrder, CallOutcomes
from chappe.calls.rate import CallRate
from chappe.clock import Clock
from chappe.numbers.parse import can_be_mobile
from chappe.operators.sip.agent.causes import Cause
from chappe.operators.sip.agent.digest import Authenticator
from chappe.operators.sip.agent.outgoing import Order
from chappe.operators.sip.element import SipElement
from chappe.operators.sip.health import Health
from chappe.operators.sip.hop import Hop
from chappe.operators.sip.numbers import written
from chappe.operators.sip.placed import PlacedCall
from chappe.operators.sip.sounds import Sounds
from chappe.operators.sip.syntax.address import Address
from chappe.operators.sip.syntax.message import Header
from chappe.operators.sip.syntax.uri import SipUri, sip_uri
from chappe.operators.sip.ways import Ways
from chappe.settings import OperatorSettings
from chappe.storage.database import OutcomeUnknown, StorageUnavailable

_log: structlog.stdlib.BoundLogger = structlog.get_logger("sip")

CALLS_S_MAX: Final = 3.0
"""When it stops: for the calls under way to end, and again for the registration."""
RETRY_S: Final = 0.5
ANONYMOUS: Final = Address(SipUri("anonymous.invalid", "anonymous"), "Anonymous")
"""RFC 3323, 4.1.1.3."""


class Leaving(Protocol):
    """A call that has a place on a trunk."""

    def stop(self) -> None:
        """The server stops: it ends now."""
        ...


class SipTrunk:
    """The `Trunk` port. `element` is shared by all trunks and has started before.

    When nobody answers behind it, `is_up` is False until somebody does; a call that is under way then ends as "not
    taken", or as "lost" where it may have arrived and every answer not.
    """

    def __init__(self, settings: OperatorSettings, element: SipElement, clock: Clock) -> None:
        self.name = settings.name
        self.settings = settings
        self.element = element
        self.clock = clock
        self.sounds = Sounds(element.media)
        self._ways = Ways(settings, lambda: element.sockets.version)
        self._domain = settings.domain or settings.host
        self._domain_port = None if settings.domain or settings.port == 5060 else settings.port
        self.authenticator = (
            Authenticator(settings.username, settings.password, element.agent.ids)
            if settings.username
            else None
        )
        self._calls: set[Leaving] = set()
        self._is_empty = asyncio.Event()
        self._bringing: set[asyncio.Task[None]] = set()
        self._wake: Callable[[], None] = lambda: None
        self._timer: asyncio.TimerHandle | None = None
        self._health: Health | None = None
        self._stopping = False

    # The port

    @property
    def is_up(self) -> bool:
        return (
            self._health is not None
            and self._health.is_up
            and self.element.media.is_up
            and not self._stopping
        )

    @property
    def free_calls(self) -> int:
        if not self.is_up:
            return 0
        places = self.settings.concurrent_calls - len(self._calls)
        streams = self.element.media.free_streams if self.element.agent.layer.has_room else 0
        return max(0, min(places, streams, self._rate.allowance(self._loop.time())))

    def call(self, order: CallOrder) -> None:
        call = PlacedCall(self, order)
        self.take_place(call)
        call.begin()

    def take_place(self, call: Leaving) -> None:
        """A call begins, of a campaign or one that is passed on. Fits into `free_calls`."""
        self._rate.took()
        self._calls.add(call)
        self._is_empty.clear()
        # Whoever waits for the pace alone is woken by nothing else.
        wait_s = self._rate.next_s(self._loop.time())
        if wait_s and self._timer is None:
            self._timer = self._loop.call_later(wait_s, self._on_pace)

    def leave_place(self, call: Leaving) -> None:
        """It is over."""
        self._calls.discard(call)
        if not self._calls:
            self._is_empty.set()
        self._wake()

    async def start(self, outcomes: CallOutcomes, wake: Callable[[], None]) -> None:
        assert self._health is None
        self.outcomes = outcomes
        self._wake = wake
        self._loop = asyncio.get_running_loop()
        self._rate = CallRate(self.settings.calls_per_second, self._loop.time())
        address = sip_uri(self.settings.username or "chappe", self._domain, self._domain_port)
        await self._ways.start()
        self._health = Health(self.element, self.settings, self._ways, address, self.authenticator, wake)
        self._health.start()
        if self.is_up:
            wake()

    async def stop(self) -> None:
        self._stopping = True
        await self._ways.stop()
        if self._timer is not None:
            self._timer.cancel()
        for call in list(self._calls):
            call.stop()
        if self._calls:
            try:
                async with asyncio.timeout(CALLS_S_MAX):
                    await self._is_empty.wait()
            except TimeoutError:
                _log.warning("calls that did not end", trunk=self.name, calls=len(self._calls))
        for task in self._bringing:
            task.cancel()
        await asyncio.gather(*self._bringing, return_exceptions=True)
        if self._health is not None:
            await self._health.stop(CALLS_S_MAX)

    @property
    def calls_under_way(self) -> int:
        """Those that have a place: not brought back yet."""
        return len(self._calls)

    # What its calls need

    def invite(self, order: CallOrder, body: bytes, context: PlacedCall) -> Order:
        """The order for the user agent. Raises LocalError for a number that cannot be written."""
        called = self._written(str(order.number))
        if order.script.is_deposit and can_be_mobile(f"+{order.number}"):
            called = self.settings.deposit_prefix + called
        return self._invite(called, order.sender or self.settings.caller_id, body, context)

    def _invite(self, called: str, sender: str, body: bytes, context: object) -> Order:
        settings = self.settings
        caller, headers = self._caller(sender)
        return Order(
            sip_uri(called, self._domain, self._domain_port),
            caller,
            self._ways.hop,
            body,
            headers=headers,
            authenticator=self.authenticator,
            contact_user=settings.username,
            session_expires_s=settings.session_expires_s,
            context=context,
        )

    def uri(self, digits: str) -> SipUri:
        """A number as the operator writes it. Raises LocalError."""
        return sip_uri(self._written(digits), self._domain, self._domain_port)

    @property
    def ways(self) -> int:
        return self._ways.count

    @property
    def way(self) -> str:
        """The host that the next call goes to."""
        return self._ways.hop.host

    def note(self, trouble: Cause | None, hop: Hop | None = None) -> None:
        """How a call went, seen from the trunk's side; `hop` is where it went first."""
        if trouble is not None and hop is not None:
            self._ways.doubt(hop, trouble)
        if self._health is not None:
            self._health.note(trouble)

    def bring(self, call: PlacedCall, end: CallEnd) -> None:
        """A call is over: its end is committed, then its place is free."""
        task = self._loop.create_task(self._bring(call, end))
        self._bringing.add(task)
        task.add_done_callback(self._bringing.discard)

    # Inside

    async def _bring(self, call: PlacedCall, end: CallEnd) -> None:
        while True:
            try:
                await self.outcomes.ended(self, call.order, end)
            except (StorageUnavailable, OutcomeUnknown):
                await asyncio.sleep(RETRY_S)  # what is stored already says the same the second time
            except Exception as error:
                self.element.on_unexpected(error)
                break  # the same end would fail again: the next start finds the call on its way
            else:
                break
        self.leave_place(call)

    def _on_pace(self) -> None:
        self._timer = None
        self._wake()

    def _written(self, digits: str) -> str:
        return written(digits, self.settings.number_format, self.settings.country_code)

    def passed_on(
        self,
        number: int,
        to: int,
        caller: str,
        diverted: Sequence[int],
        forwards: int,
        body: bytes,
        context: object,
    ) -> Order:
        """The order for a call to `number`, one of ours, that goes on to `to`: from whom, and by whom. `caller` is ""
        where it is withheld. Raises LocalError.
        """
        settings = self.settings
        shown = caller if settings.forward_caller == "caller" else str(number)
        # Withheld: the trunk still has to know whose call it is, where it does not look at From.
        order = self._invite(self._written(str(to)), shown or str(number), body, context)
        headers = list(order.headers)
        if not shown:
            order = replace(order, caller=ANONYMOUS)
            headers.append(("Privacy", "id"))
        if settings.forward_header == "diversion":
            headers.append(("Diversion", f"{Address(self.uri(str(number)))};reason=unconditional;counter=1"))
            headers += [("Diversion", str(Address(self.uri(str(before))))) for before in diverted]
        elif settings.forward_header == "history-info":
            steps = [*reversed(diverted), number, to]
            index = "1"
            for place, step in enumerate(steps):
                uri = self.uri(str(step))
                if place:
                    # Whoever was passed on to by 302 or as if (RFC 7044, 9.2).
                    uri = replace(uri, parameters={"cause": "302"})
                    index += ".1"
                headers.append(("History-Info", f"{Address(uri)};index={index}"))
        return replace(order, headers=headers, max_forwards=forwards)

    def _caller(self, digits: str) -> tuple[Address, list[Header]]:
        """From, and what else tells who calls (RFC 3325)."""
        settings = self.settings
        account = (
            Address(sip_uri(settings.username, self._domain, self._domain_port))
            if settings.username
            else None
        )
        if not digits:
            return account or ANONYMOUS, []
        number = Address(self.uri(digits))
        if settings.caller_header == "from":
            return number, []
        name = (
            "P-Asserted-Identity"
            if settings.caller_header == "p-asserted-identity"
            else "P-Preferred-Identity"
        )
        return account or number, [(name, str(number))]
