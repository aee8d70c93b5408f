"""The fast path of the credits calls: the plainest requests answered at once, with the octets of the ordinary path.

`FastPath.answer` is asked by the connection before a task is made for a request. It takes a GET of a credits page with
the key where the documentation's samples have it, no body, and a good answer, on a database that is read inline.
Everything else, every refusal included, goes the ordinary way as if nobody had looked: the limit is counted last, so a
request is counted once whichever way it goes. tests/behaviours/test_fast_path.py sends everything both ways.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

from chappe.accounts.account import Account
from chappe.credit.prices import PriceBook
from chappe.partner.api import PartnerApi, answer_headers
from chappe.partner.endpoint import Payload
from chappe.partner.errors import Header
from chappe.partner.fast_account import KEY_CHARS_MAX, FastAccounts
from chappe.partner.limits import headers as limit_headers
from chappe.partner.mail import credits as mail_credits
from chappe.partner.page import Page
from chappe.partner.product import PREFIXES
from chappe.partner.sms import credits as sms_credits
from chappe.partner.voice import credits as voice_credits
from chappe.partner.writer import Answer, render
from chappe.storage.database import StorageUnavailable
from chappe.storage.sqlite import SqliteDatabase

Hot = tuple[Page, Callable[[Account, PriceBook], Payload]]

HOT: tuple[Hot, ...] = (
    (sms_credits.PAGE, sms_credits.payload),
    (mail_credits.PAGE, mail_credits.payload),
    (voice_credits.PAGE, voice_credits.payload),
)
"""Pages that look at nothing but the account, change nothing and refuse nothing."""

_QUERY = b"apiKey="
_PATH_END = "/{apiKey}"
# A body, or something to be said about one. No other header changes a good answer of these pages; those of
# trusted proxies are read by `client_address`.
_NOT_PLAIN = frozenset((b"content-length", b"transfer-encoding", b"content-encoding", b"expect"))

_log: structlog.stdlib.BoundLogger = structlog.get_logger("partner")


class FastPath:
    """Answers in the name of `api`: with its services, its limits, its metrics."""

    def __init__(self, api: PartnerApi, database: SqliteDatabase) -> None:
        self._accounts = FastAccounts(api, database)
        self._prices = api.services.prices
        self._throttle = api.throttle
        self._metrics = api.metrics
        self._by_query: dict[bytes, Hot] = {}
        """`/sms/v1/me` for `/sms/v1/me?apiKey=K`"""
        self._by_path: dict[bytes, Hot] = {}
        """`/voice/v1/me` for `/voice/v1/me/K`"""
        bases = {product: base for base, product in PREFIXES.items()}
        for page, payload in HOT:
            for path in page.paths:
                table = self._by_path if path.endswith(_PATH_END) else self._by_query
                table[(bases[page.product] + path.removesuffix(_PATH_END)).encode()] = page, payload

    def answer(
        self, url: bytes, headers: Sequence[Header], peer: str
    ) -> tuple[Sequence[Header], bytes] | None:
        """Headers and body of the answer 200 to a GET of `url`; or None, with nothing counted."""
        path, mark, query = url.partition(b"?")
        if mark:
            hot = self._by_query.get(path)
            key = query[len(_QUERY) :] if query.startswith(_QUERY) else b""
        else:
            base, _, key = path.rpartition(b"/")
            hot = self._by_path.get(base)
        # isalnum() of octets is of ASCII only: no escape, no second parameter, no fragment, no other segment.
        if hot is None or not key.isalnum() or len(key) > KEY_CHARS_MAX:
            return None
        for name, _ in headers:
            if name in _NOT_PLAIN:
                return None
        page, payload = hot
        try:
            answer = self._good_answer(page, payload, key, headers, peer)
        except StorageUnavailable:
            return None  # the ordinary path says so
        except Exception as error:
            self._metrics.unexpected.labels(where="fast path").inc()
            _log.error("an unexpected exception", page=f"{page.product}.{page.name}", exc_info=error)
            return None
        return None if answer is None else (answer_headers(answer), answer.body)

    def _good_answer(
        self,
        page: Page,
        payload: Callable[[Account, PriceBook], Payload],
        key: bytes,
        headers: Sequence[Header],
        peer: str,
    ) -> Answer | None:
        account = self._accounts.find(key.decode("ascii"), headers, peer)
        if account is None:
            return None
        content_type, body = render(page, payload(account, self._prices), "json")
        decision = self._throttle.take(page, account.id)
        if decision is not None and not decision.allowed:
            return None  # a refused request counts nothing: the ordinary path finds the same
        self._metrics.answered(page.product, page.name, 200)
        return Answer(200, () if decision is None else limit_headers(decision), content_type, body)
