"""Calls put together: routes, trunks, speech, dispatcher, outcomes. Part of the application (app.py)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from chappe.calls.accept import CampaignAcceptor
from chappe.calls.campaign import CampaignCache, Scripts
from chappe.calls.dispatcher import CallDispatcher
from chappe.calls.outcomes import CallOutcomesStored
from chappe.calls.port import CallOrder, Trunk
from chappe.calls.routes import CallRoutes
from chappe.settings import OperatorSettings, RouteSettings, VoiceSettings
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
    ) -> None:
        self.routes = routes
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
        for trunk in self.routes.trunks:
            await trunk.start(self._outcomes, self._dispatcher.wake)

    async def stop(self) -> None:
        """No call begins any more; the trunks end those under way."""
        await self._dispatcher.stop()
        for trunk in self.routes.trunks:
            await trunk.stop()

    def _ended(self, order: CallOrder) -> None:
        self._dispatcher.ended(order)


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
