"""Calls that come in: from whom they are taken, how many, and who acts on each."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import structlog

from chappe.calls.arriving import Arrivals
from chappe.calls.rate import CallRate
from chappe.clock import Clock
from chappe.operators.sip.agent.causes import write_reason
from chappe.operators.sip.agent.events import Incoming
from chappe.operators.sip.agent.incoming import IncomingCall
from chappe.operators.sip.arrived import ArrivedCall
from chappe.operators.sip.called import called_numbers, caller_digits
from chappe.operators.sip.challenges import Challenges
from chappe.operators.sip.element import SipElement
from chappe.operators.sip.errors import LocalError, RemoteError
from chappe.operators.sip.hop import Hop
from chappe.operators.sip.sources import Sources
from chappe.operators.sip.strangers import Strangers
from chappe.operators.sip.syntax.message import Request
from chappe.operators.sip.syntax.uri import SipUri
from chappe.operators.sip.transactions.layer import Refusal

if TYPE_CHECKING:
    from chappe.operators.sip.trunk import SipTrunk

_log: structlog.stdlib.BoundLogger = structlog.get_logger("sip")

STOP_S_MAX: Final = 3.0
CONGESTION: Final = 42
NOT_ALLOCATED: Final = 1
FORBIDDEN: Final = 403
UNAVAILABLE: Final = 503
LOG_EVERY_S: Final = 60.0


class IncomingCalls:
    """`onward(number)` gives the trunks that a number may be called by, in order of preference."""

    def __init__(
        self,
        element: SipElement,
        trunks: Sequence[SipTrunk],
        arrivals: Arrivals,
        onward: Callable[[int], Sequence[SipTrunk]],
        clock: Clock,
    ) -> None:
        self.element = element
        self.arrivals = arrivals
        self.onward = onward
        self.clock = clock
        self.ringing_onward: Counter[tuple[int, str]] = Counter()
        """Calls that are being passed on and not answered yet, by number of ours and caller."""
        self._trunks = {trunk.name: trunk for trunk in trunks}
        self._by_user = {
            trunk.settings.incoming_username: trunk for trunk in trunks if trunk.settings.incoming_username
        }
        self._sources = Sources([trunk.settings for trunk in trunks])
        self._challenges = Challenges(
            {user: trunk.settings.incoming_password for user, trunk in self._by_user.items()},
            secrets.token_bytes(32),
        )
        self._rates: dict[str, CallRate] = {}
        self._calls: dict[ArrivedCall, str] = {}
        self._of_trunk: Counter[str] = Counter()
        self._is_empty = asyncio.Event()
        self._admitted: tuple[Request, SipTrunk, bool] | None = None
        """The call that is told next, its trunk, and whether it came from the trunk's own address."""
        self._strangers = 0
        self._told_s = 0.0
        self._stopping = False

    async def start(self) -> None:
        """Calls are taken from here on."""
        self._loop = asyncio.get_running_loop()
        now_s = self._loop.time()
        self._answered_strangers = Strangers(now_s)
        self._told_s = now_s - LOG_EVERY_S
        self._rates = {
            name: CallRate(trunk.settings.incoming_per_second, now_s) for name, trunk in self._trunks.items()
        }
        await self._sources.start()
        self.element.agent.screen = self._screen
        self.element.agent.layer.is_answered = self._is_answered
        self.element.sockets.is_kept = lambda host: bool(self._sources.trunks_at(host))
        self.element.on_incoming = self._on_incoming

    async def stop(self) -> None:
        """Takes no more calls, ends those under way and has their end committed; a few seconds at most."""
        self._stopping = True
        await self._sources.stop()
        for call in list(self._calls):
            call.stop()
        if self._calls:
            try:
                async with asyncio.timeout(STOP_S_MAX):
                    await self._is_empty.wait()
            except TimeoutError:
                _log.warning("calls that came in did not end", calls=len(self._calls))
        await asyncio.gather(*(call.cancel() for call in list(self._calls)))

    def over(self, call: ArrivedCall) -> None:
        """What an `ArrivedCall` says last."""
        trunk = self._calls.pop(call, None)
        if trunk is not None:
            self._of_trunk[trunk] -= 1
        if not self._calls:
            self._is_empty.set()

    # Inside

    def _screen(self, request: Request, hop: Hop) -> Refusal | None:
        """Looks at everything outside of dialogs, before anything is kept of it: scanners ask all day."""
        at_address = [self._trunks[name] for name in self._sources.trunks_at(hop.host)]
        if request.method != "INVITE":
            return None if at_address else self._turned_away(request, hop)
        trunk = self._by_address(request, hop, at_address)
        if trunk is None and self._by_user:
            user = self._challenges.user(request, self._loop.time())
            trunk = self._by_user.get(user or "")
        if trunk is None:
            return self._turned_away(request, hop)
        is_full = self._of_trunk[trunk.name] >= trunk.settings.incoming_calls
        rate = self._rates[trunk.name]
        if self._stopping or is_full or not rate.allowance(self._loop.time()):
            self._tell("a call that came in was refused: too many", hop, trunk=trunk.name)
            return Refusal(UNAVAILABLE, [("Reason", write_reason(CONGESTION))])
        rate.took()
        self._admitted = (request, trunk, trunk in at_address)
        return None

    def _by_address(self, request: Request, hop: Hop, trunks: Sequence[SipTrunk]) -> SipTrunk | None:
        """Of several trunks at one address the one whose user is asked for, else whose port it is, else the first."""
        plain = [trunk for trunk in trunks if not trunk.settings.incoming_username]
        if len(plain) < 2:
            return plain[0] if plain else None
        user = request.uri.user_text if isinstance(request.uri, SipUri) else ""
        named = [trunk for trunk in plain if trunk.settings.username and trunk.settings.username == user]
        ported = [trunk for trunk in plain if trunk.settings.port == hop.port]
        return [*named, *ported, *plain][0]

    def _is_answered(self, hop: Hop) -> bool:
        """What of a request is wrong, or belongs to no call, is told to strangers as seldom as anything else."""
        is_known = bool(self._sources.trunks_at(hop.host))
        return is_known or self._answered_strangers.is_answered(hop.host, self._loop.time())

    def _turned_away(self, request: Request, hop: Hop) -> Refusal:
        now_s = self._loop.time()
        if not self._answered_strangers.is_answered(hop.host, now_s):
            return Refusal(0)
        if request.method == "INVITE":
            if self._by_user and request.first("Authorization") is None:
                return Refusal(401, self._challenges.headers(now_s))
            self._tell("a call from nobody we know", hop)
            if self._by_user:
                return Refusal(401, self._challenges.headers(now_s))
        return Refusal(FORBIDDEN)

    def _tell(self, what: str, hop: Hop, **more: str) -> None:
        """A line a minute."""
        self._strangers += 1
        now_s = self._loop.time()
        if now_s - self._told_s >= LOG_EVERY_S:
            _log.info(what, host=hop.host, times=self._strangers, **more)
            self._told_s, self._strangers = now_s, 0

    def _on_incoming(self, event: Incoming) -> None:
        admitted, self._admitted = self._admitted, None
        assert admitted is not None
        assert admitted[0] is event.request
        _, trunk, is_at_address = admitted
        if is_at_address and trunk.authenticator is not None:
            # Nobody else learns what our password makes of a challenge of theirs.
            event.call.authenticate(trunk.authenticator)
        country_code = trunk.settings.country_code
        try:
            numbers = called_numbers(event.request, country_code)
            caller = caller_digits(event.request, country_code)
        except RemoteError as error:
            self._reject(event.call, error.status)
            return
        if not numbers:
            self._reject(event.call, 404, NOT_ALLOCATED)
            return
        call = ArrivedCall(self, trunk, event, numbers, caller)
        self._calls[call] = trunk.name
        self._of_trunk[trunk.name] += 1
        self._is_empty.clear()
        call.begin()

    def _reject(self, call: IncomingCall, status: int, q850: int | None = None) -> None:
        try:
            call.reject(status, self.element.now_ms(), q850=q850)
        except LocalError:
            pass  # its caller has given up in the same turn
