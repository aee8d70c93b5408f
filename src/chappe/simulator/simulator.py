"""The built-in network of one server: its SMSC, its phones, its clock."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import secrets
from collections.abc import Callable
from typing import Any, Final

import msgspec
import structlog

from chappe.clock import Clock
from chappe.settings import Settings, SettingsRefused
from chappe.simulator.behaviours import behaviour_of
from chappe.simulator.calls_seen import SeenCall, heard_wav, newest_calls
from chappe.simulator.due import AT_ONCE_MAX, advance, next_due_ms, settle_due
from chappe.simulator.intake import reply
from chappe.simulator.live import Live
from chappe.simulator.notebook import Notebook
from chappe.simulator.screen import ScreenMessage, e164, last_peer, messages_on, newest_phones
from chappe.simulator.smsc import Smsc
from chappe.simulator.telephones import HOST, Telephones
from chappe.storage.database import Reader, StorageUnavailable, Transaction
from chappe.storage.store import Store

SMPP_PORT: Final = 2775
SIP_PORT: Final = 5060
LINK_SYSTEM_ID: Final = "chappe"
"""The bind of this server's own link: what it sends and what others send with the configured system_id are apart, so
that neither gets the other's receipts.
"""
PHONES_SHOWN_MAX: Final = 100
MESSAGES_OF_EACH: Final = 30
"""Short messages of a phone among others."""
LOOKED_BACK_MAX: Final = 5_000
CHECK_S_MAX: Final = 60.0
STORAGE_RETRY_S: Final = 1.0

_log: structlog.stdlib.BoundLogger = structlog.get_logger("simulator")


class PhoneCard(msgspec.Struct, frozen=True):
    """A phone as the page shows it."""

    phone: str
    behaviour: str
    messages: list[ScreenMessage]


def _refused(key: str, port: int, error: OSError) -> SettingsRefused:
    return SettingsRefused(f"[simulator] {key}: cannot listen on {HOST}:{port}: {error.strerror or error}")


def _say_taken(key: str, usual: int, chosen: int) -> None:
    """Programs that were told the usual port would talk to whoever has it: said once, with where to look."""
    _log.warning(
        "the usual port is taken by another program: a free one is used",
        setting=f"[simulator] {key}",
        usual=usual,
        used=chosen,
        shown_by="GET /simulator/info",
    )


class NobodyToReplyTo(Exception):
    """A reply cannot leave: the text says why."""


class Simulator:
    """`start` listens; `routes(simulator)` in `api.py` is what HTTP sees of it."""

    def __init__(
        self, store: Store, settings: Settings, clock: Clock, on_unexpected: Callable[[], None]
    ) -> None:
        self.live = Live()
        self.telephones = Telephones(store, lambda phone: self.live.changed([phone]), on_unexpected)
        self.smpp_port: int | None = None
        """Where the SMSC listens, once it does: only while no route takes SMS elsewhere."""
        self.sip_port: int | None = None
        """Where the telephones take calls, likewise."""
        self._settings = settings
        self._store = store
        self._clock = clock
        self._on_unexpected = on_unexpected
        self._smsc: Smsc | None = None
        self._link_password = secrets.token_hex(4)  # SMPP passwords have eight characters
        self._phones: dict[int, None] = {}
        """Those with news, the newest last."""
        self._due_changed = asyncio.Event()
        self._due_task: asyncio.Task[None] | None = None

    # Its life

    async def start(self) -> None:
        """Raises SettingsRefused where a configured port is taken, StorageUnavailable."""
        database = self._store.database
        for phone in reversed(await database.read(lambda reader: newest_phones(reader, LOOKED_BACK_MAX))):
            self._phones[phone] = None
        try:
            if "sms" in self._settings.simulated_products:
                await self._start_smsc()
            if "voice" in self._settings.simulated_products:
                self.sip_port = await self._start_telephones()
        except BaseException:
            await self.stop()
            raise
        _log.info("simulator", smpp_port=self.smpp_port, sip_port=self.sip_port)

    async def _start_smsc(self) -> None:
        configured = self._settings.simulator
        smsc = Smsc(
            self._store.database,
            self._clock,
            {LINK_SYSTEM_ID: self._link_password, configured.system_id: configured.password},
            on_unexpected=self._on_unexpected,
            on_commit=self._committed,
        )
        await smsc.start()
        self._smsc = smsc
        self.smpp_port = await self._listen(smsc)
        self._due_task = asyncio.create_task(self._settle_due_forever(smsc), name="simulator-due")

    async def _listen(self, smsc: Smsc) -> int:
        port = self._settings.simulator.smpp_port
        try:
            return await smsc.listen(HOST, SMPP_PORT if port is None else port)
        except OSError as error:
            if port is not None or error.errno != errno.EADDRINUSE:
                raise _refused("smpp_port", SMPP_PORT if port is None else port, error) from error
        chosen = await smsc.listen(HOST, 0)
        _say_taken("smpp_port", SMPP_PORT, chosen)
        return chosen

    async def _start_telephones(self) -> int:
        configured = self._settings.simulator.sip_port
        # Our own trunks may be told to use the port that is the default here.
        default = 0 if self._settings.voice.sip_port == SIP_PORT else SIP_PORT
        port = default if configured is None else configured
        try:
            chosen = await self.telephones.start(port, gives_way=configured is None)
        except OSError as error:
            raise _refused("sip_port", port, error) from error
        if port and chosen != port:
            _say_taken("sip_port", port, chosen)
        return chosen

    def end_streams(self) -> None:
        """Before the HTTP listener stops: it waits for answers that are under way, and these have no end."""
        self.live.close()

    async def stop(self) -> None:
        self.end_streams()
        if self._due_task is not None:
            self._due_task.cancel()
            await asyncio.gather(self._due_task, return_exceptions=True)
        if self._smsc is not None:
            await self._smsc.stop()
        if self.sip_port is not None:
            await self.telephones.stop()

    @property
    def link_account(self) -> tuple[str, str]:
        """system_id and password for this server's own link."""
        configured = self._settings.simulator
        is_shared = configured.system_id == LINK_SYSTEM_ID
        return LINK_SYSTEM_ID, configured.password if is_shared else self._link_password

    # What it is asked

    def info(self) -> dict[str, Any]:
        """As `GET /simulator/info` shows it."""
        smsc = self._smsc
        return {
            "smpp_host": HOST,
            "smpp_port": self.smpp_port,
            "system_id": self._settings.simulator.system_id,
            "sip_host": HOST,
            "sip_port": self.sip_port,
            "products": list(self._settings.simulated_products),
            "binds": [
                {"system_id": system_id, "state": state.value}
                for system_id, state in (smsc.binds if smsc else [])
            ],
        }

    async def phones(self, phones_max: int, messages_max: int) -> list[PhoneCard]:
        """Those with news, the newest first, each with its newest messages."""
        newest = list(self._phones)[: -phones_max - 1 : -1]

        def read(reader: Reader) -> list[PhoneCard]:
            return [
                PhoneCard(e164(phone), behaviour_of(phone).label, messages_on(reader, phone, messages_max))
                for phone in newest
            ]

        return await self._store.database.read(read)

    async def messages(self, phone: int, limit: int) -> list[ScreenMessage]:
        """Of one phone, the newest last; `limit` counts short messages."""
        return await self._store.database.read(lambda reader: messages_on(reader, phone, limit))

    async def calls(self, limit: int) -> list[SeenCall]:
        """What the telephones got, the newest first."""
        return await self._store.database.read(lambda reader: newest_calls(reader, limit))

    async def heard(self, call_id: int) -> bytes | None:
        """What came out of the receiver, as a WAV file; None when nothing did, or it is not kept any more."""
        return await self._store.database.scan(lambda reader: heard_wav(reader, call_id))

    async def reply(self, phone: int, text: str, to: str | None) -> ScreenMessage:
        """Sends what was typed on a phone to whoever sent it the last message, or to the address `to`; gives it once it
        is stored. Raises NobodyToReplyTo, StorageUnavailable.
        """
        smsc = self._smsc
        peer = await self._store.database.read(lambda reader: last_peer(reader, phone))
        if smsc is None or (peer is None and to is None):
            raise NobodyToReplyTo(f'nobody has sent a message to {e164(phone)}: say to whom with "to"')
        system_ids = [system_id for system_id in self._system_ids(peer) if smsc.has_receiver(system_id)]
        if not system_ids:
            raise NobodyToReplyTo("no receiver or transceiver is bound that would take the reply")
        address = to if to is not None or peer is None else peer[1]
        assert address is not None

        def write(tx: Transaction, note: Notebook) -> int:
            del tx
            return reply(note, system_ids[0], phone, address, text)

        message_id = await smsc.call(write)
        shown = await self.messages(phone, PHONES_SHOWN_MAX)
        return next(each for each in reversed(shown) if each.id == message_id)

    def _system_ids(self, peer: tuple[str, str] | None) -> list[str]:
        # A reply goes where the message came from. A first word from a phone goes to this server, as that of a
        # customer's customer would, unless only an outside program is bound.
        return [peer[0]] if peer else [LINK_SYSTEM_ID, self._settings.simulator.system_id]

    async def advance(self, milliseconds: int) -> int:
        """The simulator's own delays are over so much earlier; gives how many messages that settled, all committed.
        Raises StorageUnavailable.
        """
        self.telephones.advance(milliseconds / 1000)
        smsc = self._smsc
        if smsc is None:
            return 0
        await smsc.call(lambda tx, _: advance(tx, milliseconds))
        settled = await self._settle_due(smsc)
        self._due_changed.set()
        return settled

    # What happens

    def _committed(self, note: Notebook) -> None:
        if note.phones:
            for phone in note.phones:
                self._phones.pop(phone, None)
                self._phones[phone] = None
            while len(self._phones) > PHONES_SHOWN_MAX:
                del self._phones[next(iter(self._phones))]
            self.live.changed(note.phones)
        if note.due_at_ms_min is not None:
            self._due_changed.set()

    async def _settle_due(self, smsc: Smsc) -> int:
        total = 0
        while True:
            settled = await smsc.call(settle_due)
            total += settled
            if settled < AT_ONCE_MAX:
                return total

    async def _settle_due_forever(self, smsc: Smsc) -> None:
        while True:
            try:
                self._due_changed.clear()
                due_ms = await self._store.database.read(next_due_ms)
                # The wall clock may be set: it is looked at again now and then.
                wait_s = CHECK_S_MAX if due_ms is None else (due_ms - self._clock.now_ms()) / 1000
                if wait_s > 0:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._due_changed.wait(), min(wait_s, CHECK_S_MAX))
                if due_ms is not None and due_ms <= self._clock.now_ms():
                    await self._settle_due(smsc)
            except StorageUnavailable:
                await asyncio.sleep(STORAGE_RETRY_S)
            except Exception:
                self._on_unexpected()
                _log.exception("unexpected")
                await asyncio.sleep(STORAGE_RETRY_S)
