"""The administration commands: typed, the same through the socket of a server and without one."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Awaitable, Callable
from typing import Any, Literal

import msgspec

from chappe.accounts.account import Account, AccountRefused
from chappe.accounts.change import change_account
from chappe.accounts.check import breaches_of_ownership
from chappe.accounts.create import create_account
from chappe.accounts.find import account_by_email, all_accounts
from chappe.accounts.keys import current_key, rotate_key
from chappe.accounts.top_up import top_up
from chappe.administration.call_commands import (
    LISTED_MAX,
    CallerChange,
    CallIncoming,
    CallList,
    CallShow,
    RecordingDelete,
    RecordingList,
    RecordingSave,
    carry_out_call,
    carry_out_recording,
)
from chappe.administration.refused import CommandRefused
from chappe.administration.shown_history import shown_history, shown_message_line
from chappe.audio.files import (
    AudioFile,
    AudioFileUnknown,
    all_files,
    moderate,
    preview,
    sound_by_token,
)
from chappe.audio.files import State as AudioState
from chappe.calls.check import breaches_of_calls
from chappe.calls.recordings import breaches_of_recordings
from chappe.credit.check import breaches_of_the_ledger
from chappe.credit.ledger import BalanceTooLarge, InsufficientCredit
from chappe.credit.money import NotAnAmount, exact_text, micro_from_text
from chappe.credit.prices import (
    ARTICLES,
    EVERY_ACCOUNT,
    PriceRefused,
    default_prices,
    set_price,
    stored_prices,
)
from chappe.messages.check import breaches_of_messages
from chappe.messages.history import history, latest_messages
from chappe.messages.outcomes import CLOCKS_MS
from chappe.storage.database import OutcomeUnknown, Reader, StorageUnavailable
from chappe.storage.store import Store
from chappe.webhooks.check import breaches_of_delivery
from chappe.webhooks.listing import list_events, shown_event
from chappe.webhooks.queue import State as EventState
from chappe.webhooks.replay import ReplayRefused, replay, replay_exhausted
from chappe.webhooks.secret import webhook_secret

Result = dict[str, Any]


class AccountCreate(msgspec.Struct, tag="account.create", frozen=True):
    """Creates an account; shows its key."""

    email: str
    credit: str = "0"
    firstname: str = ""
    lastname: str = ""


class AccountList(msgspec.Struct, tag="account.list", frozen=True):
    """Every account, without keys."""


class AccountShow(msgspec.Struct, tag="account.show", frozen=True):
    """One account; its key and the secret of its callbacks only when asked for."""

    email: str
    with_key: bool = False


class AccountCredit(msgspec.Struct, tag="account.credit", frozen=True):
    """Adds credit; a negative amount takes some off."""

    email: str
    amount: str
    reason: str = ""


class AccountSet(msgspec.Struct, tag="account.set", frozen=True):
    """Changes rights, state, allow-list."""

    email: str
    state: str | None = None
    marketing: bool | None = None
    subaccounts: bool | None = None
    allow_ip: str | None = None
    voice_retries: int | None = None
    voice_retry_delay_s: int | None = None


class AccountRotateKey(msgspec.Struct, tag="account.rotate-key", frozen=True):
    """Replaces the key; the old one stops at once."""

    email: str


class PriceList(msgspec.Struct, tag="price.list", frozen=True):
    """Every price in force, with whose it is."""


class PriceSet(msgspec.Struct, tag="price.set", frozen=True):
    """Sets a price for everyone, or for one account."""

    article: str
    prefix: str
    price: str
    email: str | None = None


class WebhookList(msgspec.Struct, tag="webhook.list", frozen=True):
    """Events for customers' URLs, newest first; of one state or of all."""

    state: EventState | None = None
    limit: int = 100


class WebhookReplay(msgspec.Struct, tag="webhook.replay", frozen=True):
    """Posts one event again; without an id, all that are exhausted."""

    event_id: int | None = None


class MessageShow(msgspec.Struct, tag="message.show", frozen=True):
    """The history of a message: its recipients, what was tried, what came back. Never its text."""

    message_id: int
    number: str | None = None


class MessageList(msgspec.Struct, tag="message.list", frozen=True):
    """The newest messages, of one account or of all."""

    email: str | None = None
    limit: int = 100


class AudioList(msgspec.Struct, tag="audio.list", frozen=True):
    """Audio files of every account, oldest first; of one state or of all."""

    state: AudioState | None = None


class AudioModerate(msgspec.Struct, tag="audio.moderate", frozen=True):
    """Says whether a file may be played."""

    token: str
    state: Literal["valid", "refused"]


class AudioSave(msgspec.Struct, tag="audio.save", frozen=True):
    """What a file sounds like on the telephone, as a WAV file in base64."""

    token: str


class Check(msgspec.Struct, tag="check", frozen=True):
    """Verifies the invariants and the commit settings."""


Command = (
    AccountCreate
    | AccountList
    | AccountShow
    | AccountCredit
    | AccountSet
    | AccountRotateKey
    | PriceList
    | PriceSet
    | WebhookList
    | WebhookReplay
    | MessageShow
    | MessageList
    | AudioList
    | AudioModerate
    | AudioSave
    | CallShow
    | CallList
    | CallIncoming
    | RecordingList
    | RecordingSave
    | RecordingDelete
    | CallerChange
    | Check
)

_REFUSALS = (
    AccountRefused,
    NotAnAmount,
    BalanceTooLarge,
    PriceRefused,
    ReplayRefused,
    StorageUnavailable,
    OutcomeUnknown,
)


class Administration:
    """Carries out commands on a store.

    `on_prices_changed` is awaited after a price was set, `on_events` called after events were made due again.
    """

    def __init__(
        self,
        store: Store,
        on_prices_changed: Callable[[], Awaitable[None]] | None = None,
        *,
        on_events: Callable[[], None] | None = None,
    ) -> None:
        self._store = store
        self._on_prices_changed = on_prices_changed
        self._on_events = on_events

    async def carry_out(self, command: Command) -> Result:
        """The result to print; raises `CommandRefused`."""
        try:
            return await self._carry_out(command)
        except InsufficientCredit as error:
            raise CommandRefused("insufficient credit: the balance would go below its floor") from error
        except AudioFileUnknown:
            raise CommandRefused("there is no such audio file") from None
        except _REFUSALS as error:
            raise CommandRefused(str(error)) from error

    async def _carry_out(self, command: Command) -> Result:
        match command:
            case AccountCreate():
                return await self._create(command)
            case AccountList():
                accounts = await self._store.database.scan(all_accounts)
                return {"accounts": [_shown(account) for account in accounts]}
            case AccountShow():
                return await self._show(command)
            case AccountCredit():
                balance = await top_up(
                    self._store, command.email, micro_from_text(command.amount), command.reason
                )
                return {"email": command.email.strip().lower(), "balance": exact_text(balance)}
            case AccountSet():
                changed = await change_account(
                    self._store,
                    command.email,
                    state=command.state,
                    is_marketing=command.marketing,
                    may_have_subaccounts=command.subaccounts,
                    allowed_networks=command.allow_ip,
                    voice_retries=command.voice_retries,
                    voice_retry_delay_s=command.voice_retry_delay_s,
                )
                return _shown(changed)
            case AccountRotateKey():
                account = await self._store.database.read(lambda r: account_by_email(r, command.email))
                return {"apiKey": await rotate_key(self._store, account.id), "email": account.email}
            case PriceList():
                return {"prices": await self._store.database.scan(_all_prices)}
            case PriceSet():
                return await self._set_price(command)
            case WebhookList():
                return {"events": await self._list_events(command)}
            case WebhookReplay():
                return {"replayed": await self._replay(command.event_id)}
            case MessageShow():
                return await self._message(command)
            case MessageList():
                return {"messages": await self._messages(command)}
            case AudioList():
                files = await self._store.database.scan(lambda reader: all_files(reader, command.state))
                return {"files": [_shown_audio(file, email) for file, email in files]}
            case AudioModerate():
                file = await moderate(self._store, command.token, command.state)
                return {"tokenAudio": file.token, "filename": file.name, "state": file.state}
            case AudioSave():
                return await self._audio(command.token)
            case CallShow() | CallList() | CallIncoming() | CallerChange():
                return await carry_out_call(self._store, command)
            case RecordingList() | RecordingSave() | RecordingDelete():
                return await carry_out_recording(self._store, command)
            case Check():
                return {"breaches": await self._check()}

    async def _create(self, command: AccountCreate) -> Result:
        created = await create_account(
            self._store,
            command.email,
            firstname=command.firstname,
            lastname=command.lastname,
            credit_micro=micro_from_text(command.credit),
        )
        return {
            "apiKey": created.api_key,
            "email": created.email,
            "balance": exact_text(created.balance_micro),
        }

    async def _show(self, command: AccountShow) -> Result:
        def read(reader: Reader) -> Result:
            account = account_by_email(reader, command.email)
            shown = _shown(account)
            if command.with_key:
                key = current_key(reader, self._store.vault, account.id)
                shown = {"apiKey": key, "webhookSecret": secret, **shown}
            return shown

        secret = ""
        if command.with_key:
            account = await self._store.database.read(lambda r: account_by_email(r, command.email))
            secret = await webhook_secret(self._store, account.id)
        return await self._store.database.read(read)

    async def _set_price(self, command: PriceSet) -> Result:
        account_id = EVERY_ACCOUNT
        if command.email is not None:
            email = command.email
            account_id = (await self._store.database.read(lambda r: account_by_email(r, email))).id
        unit_micro = micro_from_text(command.price)
        await set_price(self._store, account_id, command.article, command.prefix, unit_micro)
        if self._on_prices_changed is not None:
            await self._on_prices_changed()
        return {"article": command.article, "prefix": command.prefix, "price": exact_text(unit_micro)}

    async def _list_events(self, command: WebhookList) -> list[Result]:
        if command.limit < 1:
            raise CommandRefused("--limit is at least 1")
        events = await self._store.database.scan(lambda r: list_events(r, command.state, command.limit))
        return [shown_event(event) for event in events]

    async def _replay(self, event_id: int | None) -> int:
        if event_id is None:
            count = await replay_exhausted(self._store)
        else:
            await replay(self._store, event_id)
            count = 1
        if self._on_events is not None:
            self._on_events()
        return count

    async def _message(self, command: MessageShow) -> Result:
        found = None
        if 0 < command.message_id < 2**63:
            found = await self._store.database.read(lambda reader: history(reader, command.message_id))
        if found is None:
            raise CommandRefused(f"there is no message {command.message_id}")
        shown = [shown_history(recipient) for recipient in found.recipients]
        if command.number is not None:
            digits = command.number.strip().removeprefix("+").removeprefix("00")
            digits = f"33{digits[1:]}" if digits.startswith("0") else digits
            shown = [recipient for recipient in shown if recipient["number"] == f"+{digits}"]
            if not shown:
                raise CommandRefused(f"message {command.message_id} has no recipient {command.number}")
        return {
            "messageId": command.message_id,
            "email": found.email,
            "acceptedAtMs": found.accepted_at_ms,
            "sandbox": found.is_sandbox,
            "recipients": shown,
        }

    async def _messages(self, command: MessageList) -> list[Result]:
        if command.limit < 1:
            raise CommandRefused("--limit is at least 1")

        def read(reader: Reader) -> list[Result]:
            account_id = None if command.email is None else account_by_email(reader, command.email).id
            lines = latest_messages(reader, account_id, min(command.limit, LISTED_MAX))
            return [shown_message_line(line) for line in lines]

        return await self._store.database.scan(read)

    async def _audio(self, token: str) -> Result:
        sound = await self._store.database.scan(lambda reader: sound_by_token(reader, token))
        if sound is None:
            raise AudioFileUnknown
        return {"tokenAudio": token, "wav": b64encode(preview(sound)).decode()}

    async def _check(self) -> list[str]:
        now_ms = self._store.clock.now_ms()
        clocks_ms = CLOCKS_MS if self._store.database.is_shared else 0

        def check(reader: Reader) -> list[str]:
            return [
                *breaches_of_the_ledger(reader),
                *breaches_of_ownership(reader),
                *breaches_of_messages(reader, clocks_ms),
                *breaches_of_calls(reader),
                *breaches_of_recordings(reader),
                *breaches_of_delivery(reader, now_ms),
            ]

        settings = [f"commit settings: {wrong}" for wrong in await self._store.database.commit_settings()]
        return settings + await self._store.database.scan(check)


def _shown(account: Account) -> Result:
    return {
        "email": account.email,
        "firstname": account.firstname,
        "lastname": account.lastname,
        "state": account.state,
        "marketing": bool(account.is_marketing),
        "subaccounts": bool(account.may_have_subaccounts),
        "allowIp": account.allowed_networks.split(",") if account.allowed_networks else [],
        "voiceRetries": account.voice_retries,
        "voiceRetryDelayS": account.voice_retry_delay_s,
        "balance": exact_text(account.balance_micro),
    }


def _shown_audio(file: AudioFile, email: str) -> Result:
    return {
        "tokenAudio": file.token,
        "email": email,
        "filename": file.name,
        "state": file.state,
        "bytes": file.size_bytes,
        "durationMs": file.duration_ms,
        "createdAtMs": file.created_at_ms,
    }


def _all_prices(reader: Reader) -> list[Result]:
    emails: dict[int, str | None] = {EVERY_ACCOUNT: None}
    emails.update((account.id, account.email) for account in all_accounts(reader))
    prices = {
        (EVERY_ACCOUNT, article, prefix): micro for (article, prefix), micro in default_prices().items()
    }
    prices.update(
        {(owner, article, prefix): micro for owner, article, prefix, micro in stored_prices(reader)}
    )
    return [
        {
            "article": article,
            "prefix": prefix,
            "price": exact_text(unit_micro),
            "unit": ARTICLES[article],
            "email": emails.get(owner),
        }
        for (owner, article, prefix), unit_micro in sorted(
            prices.items(), key=lambda item: (item[0][1], item[0][2], item[0][0])
        )
    ]
