"""The queue of events: written inside the transaction of what happened, so that neither is there without the other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from chappe.storage.database import Transaction

Kind = Literal["dlr", "response", "stop", "call", "campaign"]
State = Literal["pending", "delivered", "exhausted"]
STATES: Final[tuple[State, ...]] = ("pending", "delivered", "exhausted")

RETRY_AFTER_S: Final = (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 10 * 3600)
"""Seconds from a failed attempt to the next one; when they are used up the event is exhausted."""
ATTEMPTS_MAX: Final = len(RETRY_AFTER_S) + 1

EVENTS_DUE = "events"
"""What the senders of other processes are told by, when a command made events due."""

_ADD = (
    "INSERT INTO events (id, account_id, kind, url, payload, state, attempts, next_attempt_at_ms, last_result,"
    " created_at_ms) VALUES (?, ?, ?, ?, ?, 'pending', 0, ?, '', ?)"
)


class Event(msgspec.Struct, frozen=True, gc=False):
    """Something to tell a customer. `id` is from `store.ids("events")`, `payload` the exact JSON text to post.

    An empty `payload` is no POST: everything stands in the URL, which is asked for by GET.
    """

    id: int
    account_id: int
    kind: Kind
    url: str
    payload: str
    at_ms: int


def enqueue(tx: Transaction, event: Event) -> None:
    """Queues one event, due at once. Whoever commits wakes the sender afterwards (`WebhookSender.wake`)."""
    tx.run(_ADD, _row(event))


def enqueue_many(tx: Transaction, events: Iterable[Event]) -> None:
    """Queues events, due at once, in one statement."""
    tx.run_many(_ADD, (_row(event) for event in events))


def _row(event: Event) -> tuple[object, ...]:
    assert event.url, "an event without a URL is nobody's"
    return (event.id, event.account_id, event.kind, event.url, event.payload, event.at_ms, event.at_ms)
