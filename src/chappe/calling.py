"""Calls put together: routes, trunks, speech, dispatcher, outcomes. Part of the application (app.py)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

from chappe.calls.accept import CampaignAcceptor
from chappe.calls.arrivals import ArrivalsStored
from chappe.calls.campaign import CampaignCache, Scripts
from chappe.calls.dispatcher import CallDispatcher
from chappe.calls.greetings import GreetingRefused, Greetings
from chappe.calls.numbers import ConfiguredNumbers
from chappe.calls.outcomes import CallOutcomesStored
from chappe.calls.port import CallOrder, Trunk
from chappe.calls.recordings import Retention
from chappe.calls.routes import CallRoutes
from chappe.operators.sip.element import SipElement
from chappe.operators.sip.incoming import IncomingCalls
from chappe.operators.sip.trunk import SipTrunk
from chappe.settings import OperatorSettings, RouteSettings, Settings, SettingsRefused, VoiceSettings
from chappe.speech.speaker import Speaker
from chappe.storage.store import Store


class CallDelivery:
    """Everything between an accepted campaign and how its calls end."""

    def __init__(
        self,
        store: Store,
        routes: CallRoutes,
        speaker: Speaker,
        settings: VoiceSettings,
        *,
        resends_lost: Sequence[str],
        on_events: Callable[[], None],
        on_unexpected: Callable[[], None],
        trunks: Iterable[Trunk] = (),
    ) -> None:
        """`trunks`: those that no route names too, for calls may come in by them."""
        self.routes = routes
        self._trunks = tuple(dict.fromkeys([*routes.trunks, *trunks]))
        campaigns = CampaignCache()
        self._dispatcher = CallDispatcher(
            store,
            routes,
            campaigns,
            Scripts(store, speaker),
            ring_s_max=settings.ring_s_max,
            account_calls_max=settings.account_calls_max,
            account_calls_per_second=settings.account_calls_per_second,
            resends_lost=resends_lost,
            on_events=on_events,
            on_unexpected=on_unexpected,
        )
        self._outcomes = CallOutcomesStored(store, routes, campaigns, self._ended, on_events)
        self.acceptor = CampaignAcceptor(store, self._dispatcher.wake)

    async def start(self) -> None:
        """Settles what an earlier process left, opens the trunks, begins to call."""
        await self._dispatcher.start()
        # Together: names of their hosts are looked up, and a resolver may be slow.
        await asyncio.gather(*(trunk.start(self._outcomes, self._dispatcher.wake) for trunk in self._trunks))

    async def stop(self) -> None:
        """No call begins any more; the trunks end those under way."""
        await self._dispatcher.stop()
        for trunk in self._trunks:
            await trunk.stop()

    def _ended(self, order: CallOrder) -> None:
        self._dispatcher.ended(order)


class Answering:
    """Everything between a call that comes in and how it ended."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        element: SipElement,
        trunks: Sequence[SipTrunk],
        routes: CallRoutes,
        greetings: Greetings,
        *,
        on_unexpected: Callable[[], None],
    ) -> None:
        voice = settings.voice
        self._greetings = greetings
        self._numbers = ConfiguredNumbers(settings.numbers)
        self._arrivals = ArrivalsStored(
            store,
            self._numbers,
            greetings,
            Retention(voice.recording_days, voice.incoming_days, voice.recordings_mb_max * 1_000_000),
            forward_s_max=voice.forward_s_max,
            on_unexpected=on_unexpected,
        )
        self._calls = IncomingCalls(
            element,
            trunks,
            self._arrivals,
            lambda number: [trunk for trunk in routes.find(number) if isinstance(trunk, SipTrunk)],
            store.clock,
        )

    async def start(self) -> None:
        """Settles what an earlier process left, takes calls from here on. Raises `SettingsRefused` for a greeting that
        is not there.
        """
        try:
            await self._greetings.prepare(self._numbers.rules.values())
        except GreetingRefused as refused:
            raise SettingsRefused(f"[[numbers]] {refused}") from refused
        await self._arrivals.start()
        await self._calls.start()

    async def stop(self) -> None:
        """Takes no more calls, ends those under way."""
        await self._calls.stop()
        await self._arrivals.stop()


def voice_routes(
    configured: Sequence[RouteSettings], trunks: Mapping[str, Trunk], simulated: Trunk | None
) -> CallRoutes:
    """The voice routes of the configuration; without any, the simulator takes everything, if it is on."""
    routes: dict[str, list[Trunk]] = {}
    for route in configured:
        if route.product == "voice":
            routes.setdefault(route.prefix, []).extend(
                trunks[name] for name in route.operators if name in trunks
            )
    if not routes and simulated is not None:
        routes[""] = [simulated]
    return CallRoutes(routes)


def resending_trunks(configured: Sequence[OperatorSettings]) -> list[str]:
    """Names of voice operators whose lost calls are made again instead of held."""
    return [o.name for o in configured if o.kind == "sip" and o.on_lost_response == "resend"]
