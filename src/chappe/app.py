"""Puts the parts together: the only place that knows them all. `serve` is the server's life from start to stop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import resource
import signal
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

import structlog
import uvloop

from chappe import __version__
from chappe.accounts.account import AccountRefused
from chappe.accounts.create import create_account
from chappe.accounts.find import account_by_email
from chappe.accounts.keys import current_key
from chappe.administration.commands import Administration
from chappe.administration.socket import AdministrationSocket
from chappe.audio.converter import Converter
from chappe.calling import Answering, CallDelivery, resending_trunks, voice_routes
from chappe.calls.greetings import Greetings
from chappe.console.pages import pages
from chappe.credit.money import MICRO
from chappe.credit.prices import PRICES_CHANGED, PriceBook, stored_prices
from chappe.delivery import (
    SIMULATOR,
    SmsDelivery,
    configuration_fingerprint,
    holding_operators,
    sms_routes,
)
from chappe.http.listener import Listener, ListenRefused, check_free, tls_context
from chappe.http.outgoing import Outgoing
from chappe.logs import set_up_logs
from chappe.messages.port import Operator
from chappe.metrics import Metrics
from chappe.operators.sip.amd import DETECTOR
from chappe.operators.sip.element import SipElement
from chappe.operators.sip.trunk import SipTrunk
from chappe.operators.smpp.operator import SmppOperator
from chappe.operators.tls import client_context
from chappe.partner.api import PartnerApi
from chappe.partner.endpoint import Services, VoiceServices
from chappe.partner.endpoints import ENDPOINTS
from chappe.partner.fast import FastPath
from chappe.partner.fast_send import FastSend
from chappe.settings import OperatorSettings, Settings, SettingsRefused
from chappe.simulator.api import routes as simulator_routes
from chappe.simulator.called import DEPOSIT_PREFIX
from chappe.simulator.simulator import Simulator
from chappe.simulator.telephones import HOST as SIMULATOR_HOST
from chappe.speech.engines import configured_engines
from chappe.speech.speaker import Speaker
from chappe.storage.database import Database, Reader, StorageRefused
from chappe.storage.folder import Folder
from chappe.storage.sqlite import SqliteDatabase
from chappe.storage.store import Store, open_shared_store, open_store
from chappe.storage.watch import Watch
from chappe.webhooks.led import LedSender
from chappe.webhooks.queue import EVENTS_DUE
from chappe.webhooks.sender import WebhookSender

DEMO_EMAIL = "demo@example.org"
DEMO_CREDIT_MICRO = 100 * MICRO
# The commit thread needs the interpreter lock back soon after fdatasync returns; the default is 5 ms.
SWITCH_INTERVAL_S = 0.0005

_log: structlog.stdlib.BoundLogger = structlog.get_logger("app")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

SIMULATED_CALLS_PER_S = 100.0
SIMULATED_CALLS_MAX = 500

# Beside the connections: the database, its readers, links to operators, calls to customers.
OTHER_FILES_MAX = 1024


REFUSED_WITHOUT_ROUTE: Final = {"sms": 13, "voice": "DESTINATION_INVALID"}
"""The codes of the two APIs for a number that nothing leads to."""


class ServerRefused(Exception):
    """The server cannot start; the text is one clear line."""


def serve(settings: Settings) -> int:
    """Runs until SIGTERM or SIGINT; gives the exit code. Raises `ServerRefused`."""
    set_up_logs(settings.log_level)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    _allow_files(settings.http.connections_max + OTHER_FILES_MAX)
    folder = Folder(settings.data)
    try:
        if settings.database is None:
            folder.hold(as_server=True)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(settings, folder))
    except (StorageRefused, ListenRefused, SettingsRefused) as refused:
        raise ServerRefused(str(refused)) from refused
    finally:
        folder.release()
    return 0


def _allow_files(wanted: int) -> None:
    # Many systems start a service with 1,024 open files, fewer than the connections we are to serve.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _serve(settings: Settings, folder: Folder) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    if settings.port:
        await check_free(settings.host, settings.port)
    store = await (open_store(folder) if settings.database is None else open_shared_store(settings.database))
    try:
        server = await Server.start(settings, folder, store)
        try:
            await _announce(settings, store, server.url)
            await stop.wait()
            _log.info("stopping")
        finally:
            await server.stop()
    finally:
        await store.close()
    _log.info("stopped")


COLLECT_AFTER: Final = (2_000, 10, 500)
"""Objects, and collections of each generation, until the next one is collected. With Python's own figures the SIP
transactions that linger after a few thousand calls are walked over and over, and everything stands still for up to half
a second each time. What a unit or a request leaves behind in circles is little, and goes with the young ones.
"""


class Server:
    """A started server: its parts stand on a stack, and stop in the reverse order."""

    def __init__(self, url: str, parts: contextlib.AsyncExitStack) -> None:
        self.url = url
        self._parts = parts

    @classmethod
    async def start(cls, settings: Settings, folder: Folder, store: Store) -> Server:
        """Starts every part; the last one is the socket that the command line finds us by."""
        async with contextlib.AsyncExitStack() as parts:
            url = await _start_parts(parts, settings, folder, store)
            # What stands now stays: the collector need not walk it again at every full collection.
            gc.collect()
            gc.freeze()
            gc.set_threshold(*COLLECT_AFTER)
            _log.info(
                "started", version=__version__, data=str(settings.data), simulated=settings.simulated_products
            )
            _warn_of_missing_routes(settings)
            return cls(url, parts.pop_all())

    async def stop(self) -> None:
        """Refuses new work, ends what is under way."""
        await self._parts.aclose()


def _warn_of_missing_routes(settings: Settings) -> None:
    """A role of several processes that was given no configuration would refuse everything, and nobody would know why."""
    for product in settings.unrouted_products:
        refused = f"every send of it is refused ({REFUSED_WITHOUT_ROUTE[product]})"
        _log.warning(
            "no [[routes]] for a product in the configuration of this process",
            product=product,
            role=settings.role,
            then="none of it is sent by this process" if settings.role == "worker" else refused,
        )


async def _start_parts(
    parts: contextlib.AsyncExitStack, settings: Settings, folder: Folder, store: Store
) -> str:
    metrics = Metrics()
    database = store.database
    metrics.commit_groups.set_function(lambda: database.groups_total)
    metrics.commit_units.set_function(lambda: database.units_total)
    metrics.others_differ.set_function(lambda: database.presence.others_differ)
    metrics.processes.set_function(lambda: database.presence.count("api", "worker", "all"))
    prices = PriceBook()

    def requests_wait() -> bool:
        return database.foreground_waiting > 0

    async def load_prices() -> None:
        prices.load(await store.database.read(stored_prices))

    await load_prices()
    parts.push_async_callback(Watch(database, PRICES_CHANGED, load_prices).stop)
    presence = database.presence
    await presence.start(settings.role, configuration_fingerprint(settings.operators, settings.routes))
    parts.push_async_callback(presence.stop)
    webhooks = LedSender(
        presence,
        lambda: WebhookSender(
            store,
            Outgoing(settings.callback_allow),
            yields=requests_wait,
            on_unexpected=metrics.unexpected.labels(where="webhooks").inc,
        ),
    )
    operators = _smpp_operators(settings, metrics, database)
    simulator: Simulator | None = None
    if settings.simulator.enabled:
        if not await presence.is_only("simulator"):
            raise ServerRefused(
                "another process on this database runs the built-in network: start this one with --no-simulator"
            )
        simulator = Simulator(store, settings, store.clock, metrics.unexpected.labels(where="simulator").inc)
        await simulator.start()
        parts.push_async_callback(simulator.stop)
        if simulator.smpp_port is not None:
            operators[SIMULATOR] = _simulator_link(simulator, simulator.smpp_port, metrics)
    delivery = SmsDelivery(
        store,
        sms_routes(settings.routes, operators),
        holds_lost=holding_operators(settings.operators),
        on_events=webhooks.wake,
        on_unexpected=metrics.unexpected.labels(where="delivery").inc,
    )
    if settings.role != "api":
        await webhooks.start()
        parts.push_async_callback(webhooks.stop)
        database.listen(EVENTS_DUE, webhooks.wake)
        await delivery.start()
        parts.push_async_callback(delivery.stop)
    converter = Converter()
    parts.push_async_callback(converter.stop)
    speaker = Speaker(await configured_engines(settings))
    parts.push_async_callback(speaker.stop)
    simulated_trunk: SipTrunk | None = None
    if simulator is not None and simulator.sip_port is not None:
        loopback = SipElement(
            host=SIMULATOR_HOST,
            port=0,
            media=simulator.telephones.media,
            on_unexpected=metrics.unexpected.labels(where="operator").inc,
        )
        await loopback.start()
        parts.push_async_callback(loopback.stop)
        simulated_trunk = _simulator_trunk(simulator.sip_port, loopback, store)
    trunks: dict[str, SipTrunk] = {}
    element: SipElement | None = None
    if settings.role != "api" and any(operator.kind == "sip" for operator in settings.operators):
        element = _sip_element(settings, metrics)
        try:
            await element.start()
        except OSError as error:
            raise ServerRefused(f"[voice] the telephone cannot be opened: {error}") from error
        parts.push_async_callback(element.stop)
        trunks = _sip_trunks(settings, element, store)
        metrics.watch_audio(lambda media=element.media: media.is_up)
        for name, trunk in trunks.items():
            metrics.watch_trunk(
                name, lambda trunk=trunk: trunk.is_up, lambda trunk=trunk: trunk.calls_under_way
            )
    calls = CallDelivery(
        store,
        voice_routes(settings.routes, trunks, simulated_trunk),
        speaker,
        settings.voice,
        resends_lost=resending_trunks(settings.operators),
        on_events=webhooks.wake,
        on_unexpected=metrics.unexpected.labels(where="calls").inc,
        trunks=trunks.values(),
    )
    answering: Answering | None = None
    if element is not None:
        answering = Answering(
            store,
            settings,
            element,
            list(trunks.values()),
            calls.routes,
            Greetings(store, speaker, converter, settings.voice.default_lang),
            on_unexpected=metrics.unexpected.labels(where="calls").inc,
        )
    if settings.role != "api":
        await calls.start()
        parts.push_async_callback(calls.stop)
    if answering is not None:
        await answering.start()
        parts.push_async_callback(answering.stop)
    voice = VoiceServices(
        converter,
        settings.voice.audio_moderation,
        speaker,
        settings.voice.default_lang,
        calls.routes,
        calls.acceptor,
    )
    services = Services(store, prices, delivery.routes, delivery.acceptor, voice, webhooks.wake)
    api = PartnerApi(ENDPOINTS, services, settings, metrics)
    other_pages = pages(
        settings,
        store,
        metrics,
        ENDPOINTS,
        [] if simulator is None else simulator_routes(simulator),
        trunks=lambda: {name: trunk.is_up for name, trunk in trunks.items()},
        audio=lambda: element is not None and element.media.is_up,
    )

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        is_for_api = settings.role != "worker" and api.products.is_partner_path(path)
        await (api if is_for_api else other_pages)(scope, receive, send)

    administration = AdministrationSocket(
        Administration(store, load_prices, on_events=webhooks.wake),
        folder.socket,
        on_unexpected=metrics.unexpected.labels(where="administration").inc,
    )
    parts.push_async_callback(administration.close)
    inline = database if isinstance(database, SqliteDatabase) else None
    listener = Listener(
        application,
        connections_max=settings.http.connections_max,
        at_once=None if inline is None else FastPath(api, inline).answer,
        begin=None if inline is None else FastSend(api, inline).begin,
    )
    parts.push_async_callback(listener.stop)
    # Clients, operators and commands that make us wait do so side by side: all of it within 10 s.
    stops = [listener.stop, delivery.stop, administration.close]
    if answering is not None:
        stops.append(answering.stop)
    parts.push_async_callback(_stop_together, *stops)
    parts.callback(speaker.end_waiting)
    parts.callback(converter.end_waiting)
    if simulator is not None:
        parts.callback(simulator.end_streams)
    port = await listener.listen(settings.host, settings.port)
    if settings.tls_port is not None:
        assert settings.tls_cert is not None
        assert settings.tls_key is not None
        context = tls_context(settings.tls_cert, settings.tls_key)
        tls_port = await listener.listen(settings.host, settings.tls_port, tls=context)
        _log.info("https", url=f"https://{_printed(settings.host)}:{tls_port}")
    if settings.database is None:
        await administration.open()
    return f"http://{_printed(settings.host)}:{port}"


async def _stop_together(*stops: Callable[[], Awaitable[None]]) -> None:
    await asyncio.gather(*(stop() for stop in stops))


def _smpp_operators(
    settings: Settings, metrics: Metrics, database: Database
) -> dict[str, tuple[Operator, str]]:
    """Every SMPP operator of the configuration by name, with its short number."""
    on_unexpected = metrics.unexpected.labels(where="operator").inc
    presence = database.presence
    operators: dict[str, tuple[Operator, str]] = {}
    for configured in settings.operators:
        if configured.kind != "smpp":
            continue
        operator = SmppOperator(
            configured,
            on_unexpected=on_unexpected,
            share=presence.share if database.is_shared else None,
            on_binds=presence.changed,
        )
        if configured.throughput:
            presence.report_binds(configured.name, lambda operator=operator: operator.live_binds)
        operators[configured.name] = operator, configured.short_number
    return operators


def _sip_element(settings: Settings, metrics: Metrics) -> SipElement:
    """What all trunks share: the SIP sockets and the media process."""
    voice = settings.voice
    return SipElement(
        host=voice.sip_host,
        port=voice.sip_port,
        public_host=voice.public_host,
        rtp_ports=(voice.rtp_port_first, voice.rtp_port_last),
        detector=DETECTOR
        if any(operator.kind == "sip" and operator.detects_machines for operator in settings.operators)
        else "",
        tls={
            (operator.host, operator.port): client_context(operator)
            for operator in settings.operators
            if operator.kind == "sip" and operator.transport == "tls"
        },
        on_unexpected=metrics.unexpected.labels(where="operator").inc,
    )


def _sip_trunks(settings: Settings, element: SipElement, store: Store) -> dict[str, SipTrunk]:
    return {
        operator.name: SipTrunk(operator, element, store.clock)
        for operator in settings.operators
        if operator.kind == "sip"
    }


def _simulator_link(simulator: Simulator, port: int, metrics: Metrics) -> tuple[Operator, str]:
    """The operator that the built-in network is to this server: reached over SMPP like any other."""
    system_id, password = simulator.link_account
    configured = OperatorSettings(
        name=SIMULATOR,
        kind="smpp",
        host=SIMULATOR_HOST,
        port=port,
        system_id=system_id,
        password=password,
        smsc=SIMULATOR,  # its port may be another one after a restart, its message ids go on
    )
    operator = SmppOperator(configured, on_unexpected=metrics.unexpected.labels(where="operator").inc)
    return operator, configured.short_number


def _simulator_trunk(port: int, element: SipElement, store: Store) -> SipTrunk:
    """The operator that the built-in telephones are behind: reached over SIP like any other."""
    configured = OperatorSettings(
        name=SIMULATOR,
        kind="sip",
        host=SIMULATOR_HOST,
        port=port,
        deposit_prefix=DEPOSIT_PREFIX,
        calls_per_second=SIMULATED_CALLS_PER_S,
        concurrent_calls=SIMULATED_CALLS_MAX,
        options_s=0,  # it is in this process: up as long as we are
        session_expires_s=0,
    )
    return SipTrunk(configured, element, store.clock)


def _printed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


async def _announce(settings: Settings, store: Store, url: str) -> None:
    _say(f"ready {url}")
    if settings.demo:
        _say(demo_text(url, await _demo_key(store)))


def _say(text: str) -> None:
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except OSError:
        # Whoever read our output has gone (`chappe serve | head -1`): the server goes on without it.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


async def _demo_key(store: Store) -> str:
    """The demo account's key; the account is made, with 100 euros, when it is not there."""
    try:
        return (
            await create_account(
                store, DEMO_EMAIL, firstname="Claude", lastname="Chappe", credit_micro=DEMO_CREDIT_MICRO
            )
        ).api_key
    except AccountRefused:

        def read(reader: Reader) -> str:
            key = current_key(reader, store.vault, account_by_email(reader, DEMO_EMAIL).id)
            assert key is not None, "an account always has a key in force"
            return key

        return await store.database.read(read)


def demo_text(url: str, key: str) -> str:
    """What `make run` shows: the key and one line to try for each product."""
    return f"""
The demo account is {DEMO_EMAIL}, its API key {key}. Try:

  curl '{url}/sms/v1/me?apiKey={key}'
  curl '{url}/voice/v1/me/{key}'
  curl '{url}/mail/v1/me?apiKey={key}'
  curl {url}/sms/v1/send -d '{{"apiKey": "{key}", "phoneNumbers": "0600000000", "message": "Bonjour"}}'
  curl {url}/voice/v1/tts/send -d '{{"apiKey": "{key}", "phoneNumbers": "0600000000", "text": "Bonjour, ici Chappe"}}'

The telephones of the built-in network are at {url}/simulator.
The documentation of the API is at {url}/docs. Ctrl-C stops the server.
"""
