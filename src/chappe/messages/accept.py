"""Accepts a request: debit and twin, message, recipients, outbox, in ONE transaction.

Before its commit nothing is promised; after it the message is sent or explained, whatever dies.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from chappe.credit.ledger import HOUSE_SALES, Posting, append_entries, move_balance
from chappe.messages.request import OUTBOX_DUE, Accepted, Also, NobodyLeft, SendRequest
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
    "INSERT INTO outbox (message_id, route, account_id, due_at_ms, leased_until_ms, lease_owner)"
    " VALUES (?, ?, ?, ?, 0, '')"
)


_NOBODY: frozenset[int] = frozenset()


class _Item(NamedTuple):
    """A request with the ids it gets, and what goes into the same transaction."""

    request: SendRequest
    message_id: int
    posting_id: int
    now_ms: int
    also: Also | None


class Acceptor:
    """Takes requests in. `on_accepted(due_at_ms)`, 0 for at once, is called after the commit: it wakes the
    dispatcher.
    """

    def __init__(self, store: Store, on_accepted: Callable[[int], None]) -> None:
        self._store = store
        self._on_accepted = on_accepted
        self._message_ids = store.ids("messages")
        self._posting_ids = store.ids("postings")

    async def accept(self, request: SendRequest, also: Also | None = None) -> Accepted:
        """Raises `InsufficientCredit` or `NobodyLeft`; then nothing is written.

        `also` runs in the same transaction, when everything else of it is done.
        """
        message_id = await self._message_ids.take()
        posting_id = await self._posting_ids.take()
        accepted = await self._write(request, message_id, posting_id, also)
        self.accepted(accepted)
        return accepted

    @property
    def can_begin(self) -> bool:
        """Whether the ids of a request are at hand."""
        return self._message_ids.has_one and self._posting_ids.has_one

    def begin(self, request: SendRequest) -> asyncio.Future[Accepted]:
        """As `accept`, where `can_begin`, for callers that are no task: they call `accepted` with what the future
        brings.
        """
        return self._write(request, self._message_ids.take_at_once(), self._posting_ids.take_at_once(), None)

    def accepted(self, accepted: Accepted) -> None:
        """Its commit is done: it may leave."""
        self._on_accepted(accepted.due_at_ms or 0)

    def _write(
        self, request: SendRequest, message_id: int, posting_id: int, also: Also | None
    ) -> asyncio.Future[Accepted]:
        assert len(request.numbers) == len(request.costs_micro)
        item = _Item(request, message_id, posting_id, self._store.clock.now_ms(), also)
        return self._store.database.write_batched(write_accepted, item)


def write_accepted(tx: Transaction, items: list[_Item]) -> list[Accepted]:
    """The rows of requests that are accepted together. Raises for all of them when one must be refused."""
    recipients: list[tuple[int, int, int, int]] = []
    messages: list[tuple[object, ...]] = []
    outbox: list[tuple[int, str, int, int]] = []
    postings: list[Posting] = []
    debits: dict[int, tuple[int, int]] = {}
    results: list[Accepted] = []
    stopped = _stopped(tx, items)
    for request, message_id, posting_id, now_ms, _ in items:
        numbers, costs_micro = request.numbers, request.costs_micro
        opted_out = stopped.get(request.account_id)
        opted_out = opted_out.intersection(numbers) if opted_out else _NOBODY
        if opted_out:
            left = [(n, c) for n, c in zip(numbers, costs_micro, strict=True) if n not in opted_out]
            if not left:
                raise NobodyLeft(frozenset(opted_out))
            numbers, costs_micro = [n for n, _ in left], [c for _, c in left]
        count, cost_micro = len(numbers), sum(costs_micro)
        if not request.is_sandbox:
            amount_micro, waiting = debits.get(request.account_id, (0, 0))
            debits[request.account_id] = amount_micro + cost_micro, waiting + count
            cause_id = str(message_id)
            postings.append(
                Posting(
                    posting_id, request.account_id, -cost_micro, HOUSE_SALES, CAUSE_SEND, cause_id, now_ms
                )
            )
        messages.append(_message_row(request, message_id, cost_micro, count, now_ms))
        recipients += [(message_id, n, c, now_ms) for n, c in zip(numbers, costs_micro, strict=True)]
        due_at_ms = request.due_at_ms or now_ms
        if request.is_sandbox:
            due_at_ms += SANDBOX_DELAY_MS
        # A route of numbers that all opted out finds nobody waiting, and is dropped then.
        outbox += [
            (message_id, route, request.account_id, due_at_ms) for route in dict.fromkeys(request.routes)
        ]
        results.append(
            Accepted(
                message_id,
                count,
                request.segments * count,
                cost_micro,
                request.due_at_ms,
                frozenset(opted_out),
            )
        )
    append_entries(tx, postings)
    tx.run_many(_MESSAGE, messages)
    tx.run_many(_RECIPIENT, recipients)
    tx.run_many(_OUTBOX, outbox)
    # Last, so that another process waits for the account's row while the commit is under way, not while rows are
    # written; and in the order of the accounts, so that no two wait for each other.
    for account_id in sorted(debits):
        amount_micro, waiting = debits[account_id]
        move_balance(tx, account_id, -amount_micro, waiting_delta=waiting)
    tx.notify(OUTBOX_DUE)
    for item, accepted in zip(items, results, strict=True):
        if item.also is not None:
            item.also(tx, accepted)
    return results


def _stopped(tx: Transaction, items: list[_Item]) -> dict[int, set[int]]:
    """The opt-outs among all numbers of each account: one look for requests that came together."""
    numbers: dict[int, list[int]] = {}
    for item in items:
        numbers.setdefault(item.request.account_id, []).extend(item.request.numbers)
    return {
        account_id: opted_out_among(tx, account_id, of_account) for account_id, of_account in numbers.items()
    }


def _message_row(
    request: SendRequest, message_id: int, cost_micro: int, count: int, now_ms: int
) -> tuple[object, ...]:
    return (
        message_id,
        request.account_id,
        request.text,
        request.is_unicode,
        request.segments,
        request.sender,
        request.tag,
        request.url_dlr,
        request.url_response,
        request.is_sandbox,
        request.is_marketing,
        request.due_at_ms,
        request.is_date_explicit,
        cost_micro,
        count,
        now_ms,
    )
