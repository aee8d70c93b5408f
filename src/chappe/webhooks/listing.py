"""Events as the operator of the server looks at them: newest first, without their bodies."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import msgspec

from chappe.storage.database import Reader

LISTED_MAX = 10_000

_LIST = (
    "SELECT e.id, e.account_id, a.email, e.kind, e.url, e.state, e.attempts, e.next_attempt_at_ms, e.last_result,"
    " e.created_at_ms, e.settled_at_ms FROM events e LEFT JOIN accounts a ON a.id = e.account_id"
    " {where} ORDER BY e.id DESC LIMIT ?"
)
_EVERY = _LIST.format(where="")
# Written out, not a parameter: only so can the index of the exhausted ones be used.
_OF_STATE = {
    state: _LIST.format(where=f"WHERE e.state = '{state}'") for state in ("pending", "delivered", "exhausted")
}
_PASSWORD = re.compile(r"(?<=://)[^/?#@]*@")


class Listed(msgspec.Struct, frozen=True):
    """One event. `email` is None when its account is gone; a password in the URL is masked."""

    id: int
    account_id: int
    email: str | None
    kind: str
    url: str
    state: str
    attempts: int
    next_attempt_at_ms: int
    last_result: str
    created_at_ms: int
    settled_at_ms: int | None


def list_events(reader: Reader, state: str | None, limit: int) -> list[Listed]:
    """The newest events of a state, or of all (None); may walk the whole table, so `scan` it."""
    statement = _EVERY if state is None else _OF_STATE[state]
    events: list[Listed] = []
    for row in reader.stream(statement, (min(limit, LISTED_MAX),)):
        event = Listed(*row)
        events.append(msgspec.structs.replace(event, url=_PASSWORD.sub("***@", event.url)))
    return events


def shown_event(event: Listed) -> dict[str, Any]:
    """An event as the command line prints it; times in UTC, `nextAttemptAt` only while there is to be one."""
    return {
        "id": event.id,
        "email": event.email,
        "kind": event.kind,
        "state": event.state,
        "attempts": event.attempts,
        "url": event.url,
        "lastResult": event.last_result,
        "createdAt": _time(event.created_at_ms),
        "nextAttemptAt": _time(event.next_attempt_at_ms) if event.state == "pending" else None,
        "settledAt": _time(event.settled_at_ms) if event.settled_at_ms is not None else None,
    }


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
