"""Finds the way again for recipients whose route has changed since their request was accepted.

The outbox names routes as they were then; a restart may bring others. Nobody may be left waiting behind a route that
nobody serves: whoever has another way gets it, whoever has none any more gets the credit back. Where several processes
share the outbox, a route that this one does not have may be another's (`kept`): what waits for it is left alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from chappe.messages.leave import Ids, keep_back
from chappe.messages.meta import MessageMeta
from chappe.messages.request import SANDBOX_ROUTE
from chappe.messages.routes import Routes
from chappe.messages.states import State
from chappe.storage.database import Reader, Transaction

NOWHERE = "nowhere"
"""The outbox's name for no route: the sweep takes these up."""

_WAITING = f"SELECT number FROM recipients WHERE message_id = ? AND state = {State.WAITING:d}"
_ADD = (
    "INSERT INTO outbox (message_id, route, account_id, due_at_ms, leased_until_ms, lease_owner)"
    " SELECT message_id, ?, account_id, due_at_ms, 0, '' FROM outbox WHERE message_id = ? AND route = ?"
    " ON CONFLICT (message_id, route) DO NOTHING"
)
_OTHER_ROWS = "SELECT route FROM outbox WHERE message_id = ? AND route <> ?"
_DROP = "DELETE FROM outbox WHERE message_id = ? AND route = ?"
_DUE = (
    "SELECT message_id FROM outbox WHERE route = ? AND due_at_ms <= ? ORDER BY due_at_ms, message_id LIMIT 1"
)


def stored_routes(reader: Reader) -> Iterator[str]:
    """Every route that the outbox names: one step of its index each, however long it is."""
    row = reader.one("SELECT MIN(route) FROM outbox")
    while row is not None and row[0] is not None:
        yield row[0]
        row = reader.one("SELECT MIN(route) FROM outbox WHERE route > ?", (row[0],))


def stray(reader: Reader, routes: Routes, kept: Collection[str], before_ms: int) -> tuple[int, str] | None:
    """A message that has been due since `before_ms` by a route that nobody serves, and that route."""
    served = {SANDBOX_ROUTE, *kept, *(route.prefix for route in routes.all)}
    for name in stored_routes(reader):
        if name not in served:
            row = reader.one(_DUE, (name, before_ms))
            if row is not None:
                return row[0], name
    return None


def move_on(
    tx: Transaction, routes: Routes, message_id: int, route: str, kept: Collection[str] = ()
) -> list[int]:
    """Lets every recipient that still waits wait for the route it has now, instead of for `route`.

    Gives those that have none, not even one of `kept`; the outbox has them under `NOWHERE`.
    """
    stranded: list[int] = []
    names: set[str] = set()
    others = [name for (name,) in tx.all(_OTHER_ROWS, (message_id, route))]
    for (number,) in tx.all(_WAITING, (message_id,)):
        found = routes.find(number)
        if found is not None:
            names.add(found.prefix)
            continue
        digits = str(number)
        if any(digits.startswith(other) for other in others):
            continue  # it waits under that one, for whoever serves it
        matching = [prefix for prefix in kept if digits.startswith(prefix)]
        if matching:
            names.add(max(matching, key=len))
        else:
            names.add(NOWHERE)
            stranded.append(number)
    for name in sorted(names - {route}):
        tx.run(_ADD, (name, message_id, route))
    if route not in names:
        tx.run(_DROP, (message_id, route))
    return stranded


def settle_stray(
    tx: Transaction,
    routes: Routes,
    kept: Collection[str],
    message: MessageMeta,
    route: str,
    ids: Ids,
    now_ms: int,
) -> None:
    """`move_on`, and ends those that have no route: at most one posting and one event for each recipient."""
    for number in move_on(tx, routes, message.id, route, kept):
        keep_back(tx, message, number, State.NO_ROUTE, ids, now_ms)
    tx.run(_DROP, (message.id, NOWHERE))
