"""The fast path of `send`: the plainest requests begun without a task, answered after their commit.

`FastSend.begin` is asked by the connection when it has the whole of a POST. What it takes is answered with the octets
of the ordinary path (tests/behaviours/test_fast_path.py sends everything both ways). Whatever can be refused before
the transaction goes the ordinary way, with nothing counted and nothing done; what the transaction finds is said here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from chappe.messages.request import Accepted
from chappe.partner.api import PartnerApi, answer_headers
from chappe.partner.errors import Header, Language, Refusal
from chappe.partner.fast_account import KEY_CHARS_MAX, FastAccounts
from chappe.partner.limits import headers as limit_headers
from chappe.partner.negotiation import Preferences, language_of
from chappe.partner.product import PREFIXES
from chappe.partner.sms.plain_send import NAMES, read_plain
from chappe.partner.sms.send import PAGE, answer_payload, not_accepted, price
from chappe.partner.writer import Answer, render
from chappe.storage.database import StorageUnavailable
from chappe.storage.sqlite import SqliteDatabase

_BASES = {product: base for base, product in PREFIXES.items()}
_URLS = frozenset((_BASES[PAGE.product] + path).encode() for path in PAGE.paths)
# Parameters that stand among the headers, and headers that change what is done with the body.
_NOT_PLAIN = NAMES | {b"content-encoding", b"expect", b"idempotency-key", b"transfer-encoding"}

_log: structlog.stdlib.BoundLogger = structlog.get_logger("partner")


class FastSend:
    """Sends in the name of `api`: with its services, its limits, its metrics."""

    def __init__(self, api: PartnerApi, database: SqliteDatabase) -> None:
        self._api = api
        self._accounts = FastAccounts(api, database)

    def begin(self, url: bytes, headers: Sequence[Header], body: bytes, peer: str) -> BegunSend | None:
        """What is to be answered when its commit is done; or None, with nothing counted and nothing done."""
        if url not in _URLS:
            return None
        for name, _ in headers:
            if name in _NOT_PLAIN:
                return None
        try:
            return self._begin(headers, body, peer)
        except (Refusal, StorageUnavailable):
            return None  # the ordinary path says so
        except Exception as error:
            self._api.metrics.unexpected.labels(where="fast path").inc()
            _log.error("an unexpected exception", page=f"{PAGE.product}.{PAGE.name}", exc_info=error)
            return None

    def _begin(self, headers: Sequence[Header], body: bytes, peer: str) -> BegunSend | None:
        api = self._api
        plain = read_plain(body)
        if plain is None:
            return None
        key = plain.api_key
        if not (key.isalnum() and key.isascii() and len(key) <= KEY_CHARS_MAX):
            return None
        account = self._accounts.find(key, headers, peer)
        if account is None:
            return None
        priced = price(api.services, account, plain.draft, plain.numbers)
        if priced.refused or not api.services.acceptor.can_begin:
            return None
        decision = api.throttle.take(PAGE, account.id)
        if decision is not None and not decision.allowed:
            return None  # a refused request counts nothing: the ordinary path finds the same
        done = api.services.acceptor.begin(priced.request)
        return BegunSend(api, headers, [] if decision is None else limit_headers(decision), done)


class BegunSend:
    """A send whose transaction is queued. `done` brings what the acceptor found."""

    __slots__ = ("_api", "_headers", "_limit_headers", "done")

    def __init__(
        self,
        api: PartnerApi,
        headers: Sequence[Header],
        limit_headers: list[Header],
        done: asyncio.Future[Accepted],
    ) -> None:
        self._api = api
        self._headers = headers
        self._limit_headers = limit_headers
        self.done = done

    def answer(self) -> tuple[int, Sequence[Header], bytes]:
        """Status, headers and body, once `done` is."""
        api = self._api
        try:
            accepted = self.done.result()
            api.services.acceptor.accepted(accepted)
            language = self._language() if accepted.opted_out else "fr"
            content = render(PAGE, answer_payload(accepted, (), language), "json")
            answer = Answer(200, self._limit_headers, *content)
        except Exception as error:
            refusal = api.refusal(PAGE, not_accepted(error, []))
            answer = api.refused(PAGE, refusal, Preferences("json", self._language()), self._limit_headers)
        api.metrics.answered(PAGE.product, PAGE.name, answer.status)
        return answer.status, answer_headers(answer), answer.body

    def _language(self) -> Language:
        return language_of(None, self._headers)
