"""The fast path of the hottest calls: the plainest requests, answered in one go, the same bytes as `PartnerApi`'s.

Taken by a GET of a credits page with the key where the documentation's samples have it, no body, and a good answer.
Everything else, every refusal included, is left to the ordinary path as if nobody had looked: the limit is counted
last, so a request is counted once whichever way it goes. tests/behaviours/test_fast_path.py sends everything both ways.
"""

from __future__ import annotations

from chappe.accounts.account import address_is_allowed
from chappe.accounts.find import account_by_key_hash
from chappe.accounts.keys import key_hash
from chappe.partner.api import AsgiApp, PartnerApi, Receive, Scope, Send, send_answer
from chappe.partner.endpoint import Call, Endpoint
from chappe.partner.limits import headers as limit_headers
from chappe.partner.mail import credits as mail_credits
from chappe.partner.parameters import Parameters
from chappe.partner.product import PREFIXES
from chappe.partner.sms import credits as sms_credits
from chappe.partner.voice import credits as voice_credits
from chappe.partner.writer import Answer, render
from chappe.storage.database import StorageUnavailable

HOT: tuple[Endpoint, ...] = (sms_credits.ENDPOINT, mail_credits.ENDPOINT, voice_credits.ENDPOINT)
"""Endpoints whose handlers look at the account only, change nothing and refuse nothing."""

KEY_CHARS_MAX = 128
_QUERY = b"apiKey="
_PATH_END = "/{apiKey}"
# A body, or something to be said about one. No other header changes a good answer to these pages; trusted
# proxies' are read by `client_address`.
_NOT_PLAIN = frozenset((b"content-length", b"transfer-encoding", b"content-encoding", b"expect"))
_NO_PARAMETERS = Parameters({}, {}, {})


class FastPath:
    """An ASGI application that answers what it can in `api`'s name and leaves the rest to `ordinary`."""

    def __init__(self, api: PartnerApi, ordinary: AsgiApp) -> None:
        self._api = api
        self._ordinary = ordinary
        self._by_query: dict[bytes, Endpoint] = {}
        """`/sms/v1/me` for `/sms/v1/me?apiKey=K`"""
        self._by_path: dict[bytes, Endpoint] = {}
        """`/voice/v1/me` for `/voice/v1/me/K`"""
        bases = {product: base for base, product in PREFIXES.items()}
        for endpoint in HOT:
            for path in endpoint.page.paths:
                table = self._by_path if path.endswith(_PATH_END) else self._by_query
                table[(bases[endpoint.page.product] + path.removesuffix(_PATH_END)).encode()] = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        hot = self._hot(scope)
        answer = await self._good_answer(scope, *hot) if hot else None
        if hot is None or answer is None:
            await self._ordinary(scope, receive, send)
            return
        page = hot[0].page
        self._api.metrics.answered(page.product, page.name, 200)
        await send_answer(send, answer, has_body=True)

    def _hot(self, scope: Scope) -> tuple[Endpoint, bytes] | None:
        """The endpoint and the key of a plain request, else None."""
        query: bytes = scope["query_string"]
        if query:
            endpoint = self._by_query.get(scope["raw_path"])
            key = query[len(_QUERY) :] if query.startswith(_QUERY) else b""
        else:
            base, _, key = scope["raw_path"].rpartition(b"/")
            endpoint = self._by_path.get(base)
        # isalnum() of octets is of ASCII only: no escape, no second parameter, no other segment of a path.
        if endpoint is None or not key.isalnum() or len(key) > KEY_CHARS_MAX or scope["method"] != "GET":
            return None
        for name, _ in scope["headers"]:
            if name in _NOT_PLAIN:
                return None
        return endpoint, key

    async def _good_answer(self, scope: Scope, endpoint: Endpoint, key: bytes) -> Answer | None:
        """The answer with status 200, counted; or None with nothing counted."""
        api, services, page = self._api, self._api.services, endpoint.page
        hashed = key_hash(services.store.vault, key.decode("ascii"))
        try:
            account = await services.store.database.read(lambda reader: account_by_key_hash(reader, hashed))
        except StorageUnavailable:
            return None
        if account is None or account.state != "active":
            return None
        client = scope["client"]
        address = api.client_address.of(client[0] if client else "", scope["headers"])
        if not address_is_allowed(account.allowed_networks, address):
            return None
        payload = await endpoint.handler(Call(services, account, _NO_PARAMETERS))
        content_type, body = render(page, payload, "json")
        decision = api.throttle.take(page, account.id)
        if decision is None:
            return Answer(200, (), content_type, body)
        if not decision.allowed:
            return None  # a refused request counts nothing, so the ordinary path is refused as well
        return Answer(200, limit_headers(decision), content_type, body)
