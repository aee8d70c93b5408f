"""The three APIs as one ASGI application: reads a request, lets an endpoint answer it, writes the answer.

The order of checks is that of decisions.md: size and encoding, the body, the key, the limit, the address,
the account's state, then what the endpoint finds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from typing import Any

import structlog

from chappe.accounts.account import Account, address_is_allowed
from chappe.accounts.find import accounts_by_key_hash
from chappe.accounts.keys import KEY_CHARS_MAX, key_hash
from chappe.logs import Sparing
from chappe.metrics import Metrics
from chappe.partner import catalogue, catalogue_server
from chappe.partner.client_address import ClientAddress
from chappe.partner.endpoint import Call, Endpoint, Payload, Services, Sound
from chappe.partner.errors import Header, Refusal
from chappe.partner.idempotency import AnsweredMeanwhile, Answers, Once, key_of
from chappe.partner.large_bodies import SMALL_BYTES, LargeBodies
from chappe.partner.limits import headers as limit_headers
from chappe.partner.page import Page, PageTable
from chappe.partner.product import Products
from chappe.partner.reader import Preferences, check_headers, preferences, read
from chappe.partner.shared_limits import SharedLimits
from chappe.partner.throttle import Throttle
from chappe.partner.writer import Answer, render, render_refusal
from chappe.settings import Settings
from chappe.storage.database import OutcomeUnknown, StorageUnavailable

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

BODY_S_MAX = 15.0
"""Seconds a client has to send its body (decisions.md, "Body format")."""

_STATE_CODES = {"disabled": 20, "blocked": 30, "api-denied": 40}
_log: structlog.stdlib.BoundLogger = structlog.get_logger("partner")


class ClientGone(Exception):
    """The client closed the connection before its request was whole: there is nobody to answer."""


class PartnerApi:
    """The ASGI application of the three APIs."""

    def __init__(
        self, endpoints: Iterable[Endpoint], services: Services, settings: Settings, metrics: Metrics
    ) -> None:
        endpoints = tuple(endpoints)
        self.pages = PageTable(endpoint.page for endpoint in endpoints)
        self.products = Products(settings.http)
        self.throttle = Throttle(self.pages.pages, settings, services.store.clock)
        database = services.store.database
        self._shared_limits = SharedLimits(self.throttle, database) if database.is_shared else None
        self._handlers = {(e.page.product, e.page.name): e.handler for e in endpoints}
        self.services = services
        self.metrics = metrics
        self._answers = Answers(services.store)
        self._always_200 = settings.errors.http_status == "always-200"
        self.client_address = ClientAddress(settings.http.trusted_proxies)
        self._unavailable = Sparing()
        self._large_bodies = LargeBodies()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = _Request(scope, scope["headers"])
        try:
            answer = await self._answer(request, receive)
        except ClientGone:
            return
        except Exception as error:
            answer = self._refused(request, self.refusal(request.page, error))
        finally:
            self._large_bodies.give_back(request.large_octets)
        page = request.page
        self.metrics.answered(page.product if page else "none", page.name if page else "none", answer.status)
        await send_answer(send, answer, has_body=scope["method"] != "HEAD")

    def refusal(self, page: Page | None, error: Exception) -> Refusal:
        """What a request is answered that met `error`; what is no refusal yet stands in the log then."""
        if isinstance(error, Refusal):
            return error
        page_name = f"{page.product}.{page.name}" if page else "none"
        if isinstance(error, StorageUnavailable):
            kept_back = self._unavailable.kept_back(self.services.store.clock.monotonic_s())
            if kept_back is not None:
                _log.error(
                    "the storage is not available", page=page_name, reason=str(error), kept_back=kept_back
                )
            return catalogue_server.unavailable()
        if isinstance(error, OutcomeUnknown):
            # Not 503, which would say that nothing was done.
            _log.error("the storage cannot tell what it did", page=page_name, reason=str(error))
            return catalogue_server.internal()
        self.metrics.unexpected.labels(where="request").inc()
        _log.error("an unexpected exception", page=page_name, exc_info=error)
        return catalogue_server.internal()

    def refused(
        self, page: Page | None, refusal: Refusal, wanted: Preferences, limit_headers: Sequence[Header]
    ) -> Answer:
        """The whole answer to a refused request; `limit_headers` when its limit was counted before."""
        answer = render_refusal(page, refusal, wanted.format, wanted.language, self._always_200)
        return answer._replace(headers=(*answer.headers, *limit_headers))

    async def _answer(self, request: _Request, receive: Receive) -> Answer:
        scope, headers = request.scope, request.headers
        found = self.products.find(scope["raw_path"].decode("latin-1"), headers)
        if found is None:
            raise catalogue_server.unknown_host()
        product, path = found
        if scope["method"] == "OPTIONS":
            allowed = ", ".join(self.pages.allowed(product, path))
            return Answer(204, ((b"allow", allowed.encode()),), b"", b"")
        page, path_parameters = self.pages.find(product, scope["method"], path)
        request.page = page
        check_headers(page, headers)
        body = await self._body(request, page, receive) if _has_body(headers) else b""
        parameters = read(page, scope["method"], path_parameters, scope["query_string"], headers, body)
        request.preferences = Preferences(parameters.format, parameters.language)
        account = await self._account(page, parameters.api_key())
        await self._take(request, page, account)
        client = scope["client"]
        address = self.client_address.of(client[0] if client else "", headers)
        if not address_is_allowed(account.allowed_networks, address):
            raise catalogue.refuse(page, 96)
        if account.state != "active":
            raise catalogue.refuse(page, _STATE_CODES[account.state])
        call = Call(self.services, account, parameters)
        key = key_of(headers) if scope["method"] == "POST" else None
        if key is None:
            answer = await self._handled(request, call)
        else:
            begun = await self._answers.begin(
                account.id, f"{product}/{page.name}", key, scope["query_string"], body
            )
            answer = begun if isinstance(begun, Answer) else await self._handled_once(request, call, begun)
        return answer._replace(headers=request.limit_headers)

    async def _body(self, request: _Request, page: Page, receive: Receive) -> bytes:
        """The whole body; raises the refusals for too large, too slow and too many at once, and `ClientGone`."""
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(BODY_S_MAX):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientGone
                    chunk: bytes = message.get("body", b"")
                    size += len(chunk)
                    if size > page.body_max_bytes:
                        raise catalogue_server.body_too_large(page)
                    more = size - SMALL_BYTES - request.large_octets
                    if more > 0:
                        if not self._large_bodies.take(more):
                            raise catalogue_server.unavailable()
                        request.large_octets += more
                    chunks.append(chunk)
                    if not message.get("more_body", False):
                        break
        except TimeoutError:
            raise catalogue_server.body_timeout() from None
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def _handled(self, request: _Request, call: Call) -> Answer:
        page = request.page
        assert page is not None
        payload = await self._handlers[page.product, page.name](call)
        return self._written(request, payload)

    def _written(self, request: _Request, payload: Payload | Sound) -> Answer:
        if isinstance(payload, Sound):
            return Answer(200, (), b"audio/wav", payload.wav)
        assert request.page is not None
        assert request.preferences is not None
        return Answer(200, (), *render(request.page, payload, request.preferences.format))

    async def _handled_once(self, request: _Request, call: Call, once: Once) -> Answer:
        """Answers under an Idempotency-Key: what is done and the answer to it are one transaction."""
        store = self.services.store
        now_ms = store.clock.now_ms()
        call.remember = lambda tx, payload: once.store(tx, self._written(request, payload), now_ms)
        try:
            try:
                answer = await self._handled(request, call)
            except Refusal as refusal:
                answer = self._refused(request, refusal)
            if not once.is_stored and answer.status != 429 and answer.status < 500:
                await store.database.write(lambda tx: once.store(tx, answer, now_ms))
            return answer
        except AnsweredMeanwhile:
            # Another process was faster under the same key; its client is to ask again and gets that answer.
            raise catalogue_server.idempotency_in_progress() from None
        finally:
            once.end()

    async def _account(self, page: Page, key: str | None) -> Account:
        if key is None:
            raise catalogue.missing_key(page)
        if len(key) > KEY_CHARS_MAX:
            raise catalogue.wrong_key(page)
        hashed = key_hash(self.services.store.vault, key)
        account = await self.services.store.database.read_batched(accounts_by_key_hash, hashed)
        if account is None:
            raise catalogue.wrong_key(page)
        return account

    async def _take(self, request: _Request, page: Page, account: Account) -> None:
        if self._shared_limits is None:
            decision = self.throttle.take(page, account.id)
        else:
            decision = await self._shared_limits.take(page, account.id)
        if decision is None:
            return
        if not decision.allowed:
            raise catalogue_server.too_many_requests(page, self.throttle.limit(page), decision)
        request.limit_headers = limit_headers(decision)

    def _refused(self, request: _Request, refusal: Refusal) -> Answer:
        wanted = request.preferences or preferences(request.scope["query_string"], request.headers)
        return self.refused(request.page, refusal, wanted, request.limit_headers)


class _Request:
    """What is known of a request so far; an error found later is answered with what was learned before it."""

    __slots__ = ("headers", "large_octets", "limit_headers", "page", "preferences", "scope")

    def __init__(self, scope: Scope, headers: list[Header]) -> None:
        self.scope = scope
        self.headers = headers
        self.page: Page | None = None
        self.preferences: Preferences | None = None
        self.limit_headers: list[Header] = []
        self.large_octets = 0
        """Of its body, that are counted with those of others."""


def _has_body(headers: Iterable[Header]) -> bool:
    """Whether the request has a body: RFC 9112, section 6.3."""
    return any(name in (b"content-length", b"transfer-encoding") for name, _ in headers)


def answer_headers(answer: Answer) -> list[Header]:
    """The headers of an answer in the order they are sent; the connection adds its own."""
    headers = list(answer.headers)
    if answer.status != 204:  # which must not have a length (RFC 9110, section 8.6)
        headers.append((b"content-length", b"%d" % len(answer.body)))
    if answer.content_type:
        headers.append((b"content-type", answer.content_type))
    return headers


async def send_answer(send: Send, answer: Answer, *, has_body: bool) -> None:
    """Sends a whole answer; without its body to a HEAD."""
    headers = answer_headers(answer)
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body if has_body else b""})
