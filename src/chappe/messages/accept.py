"""Accepts a request: debit and twin, message, recipients, outbox, in ONE transaction.

Before its commit nothing is promised; after it the message is sent or explained, whatever dies.
"""

from __future__ import annotations

from collections.abc import Callable

from chappe.credit.ledger import HOUSE_SALES, Posting, post
from chappe.messages.request import Accepted, Also, NobodyLeft, SendRequest
from chappe.messages.states import State
from chappe.optouts.numbers import opted_out_among
from chappe.storage.database import Transaction
from chappe.storage.store import Store

SANDBOX_DELAY_MS = 1000
CAUSE_SEND = "sms"
CAUSE_REFUND = "sms refund"

_MESSAGE = (
    "INSERT INTO messages (id, account_id, product, text, is_unicode, segments, sender, tag, url_dlr, url_response,"
    " is_sandbox, is_marketing, due_at_ms, is_date_explicit, cost_micro, recipient_count, created_at_ms)"
    " VALUES (?, ?, 'sms', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_RECIPIENT = (
    "INSERT INTO recipients (message_id, number, state, cost_micro, refund_micro, attempts, operator, changed_at_ms)"
    f" VALUES (?, ?, {State.WAITING:d}, ?, 0, 0, '', ?)"
)
_OUTBOX = (
    "INSERT INTO outbox (message_id, route, due_at_ms, leased_until_ms, lease_owner) VALUES (?, ?, ?, 0, '')"
)


class Acceptor:
    """Takes requests in. `on_accepted(message_id, due_at_ms)` is called after the commit, to wake the dispatcher."""

    def __init__(self, store: Store, on_accepted: Callable[[int, int], None]) -> None:
        self._store = store
        self._on_accepted = on_accepted
        self._message_ids = store.ids("messages")
        self._posting_ids = store.ids("postings")

    async def accept(self, request: SendRequest, also: Also | None = None) -> Accepted:
        """Raises `InsufficientCredit` or `NobodyLeft`; then nothing is written.

        `also` runs in the same transaction, when everything else of it is done.
        """
        assert len(request.numbers) == len(request.costs_micro)
        message_id = await self._message_ids.take()
        posting_id = await self._posting_ids.take()
        now_ms = self._store.clock.now_ms()

        def unit(tx: Transaction) -> Accepted:
            accepted = write_accepted(tx, request, message_id, posting_id, now_ms)
            if also is not None:
                also(tx, accepted)
            return accepted

        accepted = await self._store.database.write(unit)
        self._on_accepted(message_id, request.due_at_ms or now_ms)
        return accepted


def write_accepted(
    tx: Transaction, request: SendRequest, message_id: int, posting_id: int, now_ms: int
) -> Accepted:
    """The rows of one accepted request."""
    numbers, costs_micro = request.numbers, request.costs_micro
    opted_out = opted_out_among(tx, request.account_id, numbers)
    if opted_out:
        left = [(n, c) for n, c in zip(numbers, costs_micro, strict=True) if n not in opted_out]
        if not left:
            raise NobodyLeft(frozenset(opted_out))
        numbers, costs_micro = [n for n, _ in left], [c for _, c in left]
    count = len(numbers)
    cost_micro = sum(costs_micro)
    if not request.is_sandbox:
        _debit(tx, request, message_id, posting_id, cost_micro, count, now_ms)
    tx.run(
        _MESSAGE,
        (
            message_id,
            request.account_id,
            request.text,
            int(request.is_unicode),
            request.segments,
            request.sender,
            request.tag,
            request.url_dlr,
            request.url_response,
            int(request.is_sandbox),
            int(request.is_marketing),
            request.due_at_ms,
            int(request.is_date_explicit),
            cost_micro,
            count,
            now_ms,
        ),
    )
    if count == 1:
        tx.run(_RECIPIENT, (message_id, numbers[0], costs_micro[0], now_ms))
    else:
        tx.run_many(
            _RECIPIENT, [(message_id, n, c, now_ms) for n, c in zip(numbers, costs_micro, strict=True)]
        )
    due_at_ms = request.due_at_ms or now_ms
    if request.is_sandbox:
        due_at_ms += SANDBOX_DELAY_MS
    # A route of numbers that all opted out finds nobody waiting, and is dropped then.
    for route in dict.fromkeys(request.routes):
        tx.run(_OUTBOX, (message_id, route, due_at_ms))
    return Accepted(
        message_id, count, request.segments * count, cost_micro, request.due_at_ms, frozenset(opted_out)
    )


def _debit(
    tx: Transaction,
    request: SendRequest,
    message_id: int,
    posting_id: int,
    cost_micro: int,
    count: int,
    now_ms: int,
) -> None:
    post(
        tx,
        Posting(
            posting_id, request.account_id, -cost_micro, HOUSE_SALES, CAUSE_SEND, str(message_id), now_ms
        ),
        waiting_delta=count,
    )
