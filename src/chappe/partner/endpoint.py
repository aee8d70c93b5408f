"""An endpoint is a page and what answers it; a call is one request that may be answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from chappe.accounts.account import Account
from chappe.audio.converter import Converter
from chappe.calls.accept import CampaignAcceptor
from chappe.calls.routes import CallRoutes
from chappe.credit.prices import PriceBook
from chappe.messages.accept import Acceptor
from chappe.messages.routes import Routes
from chappe.partner.page import Page
from chappe.partner.parameters import Parameters
from chappe.speech.speaker import Speaker
from chappe.storage.database import Transaction
from chappe.storage.store import Store

Payload = Mapping[str, object]


@dataclass(slots=True)
class VoiceServices:
    """What the pages of Voice Partner act on."""

    converter: Converter
    is_audio_moderated: bool
    """Uploaded audio waits for the operator of the server."""
    speaker: Speaker
    default_lang: str
    routes: CallRoutes
    campaigns: CampaignAcceptor


@dataclass(slots=True)
class Services:
    """What endpoints act on."""

    store: Store
    prices: PriceBook
    sms_routes: Routes
    acceptor: Acceptor
    voice: VoiceServices
    on_events: Callable[[], None]
    """To be called after events for customers' URLs were queued."""


@dataclass(slots=True)
class Call:
    """A request whose key, limits, address and account state were found good."""

    services: Services
    account: Account
    parameters: Parameters
    remember: Callable[[Transaction, Payload], None] | None = None
    """To be called in the transaction that does what the request asks, with the answer to come."""


@dataclass(frozen=True, slots=True)
class Sound:
    """An answer that is a WAV file."""

    wav: bytes


Handler = Callable[[Call], Awaitable[Payload | Sound]]


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter as the documentation lists it. `kind` is its JSON type; every kind may also come as a string. A file
    is a part of multipart/form-data.
    """

    name: str
    text: str
    kind: Literal["string", "integer", "number", "boolean", "array", "object", "file"] = "string"
    required: bool = False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A page, what it takes, what a good answer looks like, and the handler.

    `handler` gives the answer in the documented key order, or raises `Refusal`. `fields` leave out what every
    page takes: `apiKey` and `_format`. `example` is None where the answer is a `Sound`.
    """

    page: Page
    handler: Handler
    title: str
    example: Mapping[str, object] | None
    fields: tuple[Field, ...] = ()
    has_xml: bool = True
