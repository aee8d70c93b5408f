"""A request to send, understood and priced, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from chappe.storage.database import Transaction

SANDBOX_ROUTE = "sandbox"
OUTBOX_DUE = "outbox"
"""What the dispatchers of other processes are told by."""


class SendRequest(msgspec.Struct, frozen=True, gc=False):
    """One message for one or many numbers. Numbers are E.164 digits as integers, distinct, at most 500.

    `costs_micro` has the cost of each number, in the same order: segments times the unit price.
    `routes` has the prefix of the route of each number, or is `(SANDBOX_ROUTE,)` for a sandbox request.
    `due_at_ms` is None for at once. `segments` is the count of parts that will really be sent.
    """

    account_id: int
    text: str
    is_unicode: bool
    segments: int
    sender: str
    tag: str
    url_dlr: str
    url_response: str
    numbers: Sequence[int]
    costs_micro: Sequence[int]
    routes: Sequence[str]
    due_at_ms: int | None
    is_date_explicit: bool
    is_sandbox: bool
    is_marketing: bool


class Accepted(msgspec.Struct, frozen=True, gc=False):
    """An accepted request: on disk, debited once. `opted_out` were left out and cost nothing."""

    message_id: int
    recipient_count: int
    segments_total: int
    cost_micro: int
    due_at_ms: int | None
    opted_out: frozenset[int]


class NobodyLeft(Exception):
    """Every number of the request had opted out; nothing was written."""

    def __init__(self, opted_out: frozenset[int]) -> None:
        super().__init__(len(opted_out))
        self.opted_out = opted_out


Also = Callable[[Transaction, Accepted], None]
"""Something to be written in the same transaction as an accepted request: the remembered answer."""
