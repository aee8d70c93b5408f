"""What becomes of a recipient whose answer was lost: the operator, or this server, died in between.

Nobody knows whether the operator has it. `resend` sends it once more, never debits again, and the history says
so: doubles are at most one window a bind. `hold` leaves it for a person to look at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from chappe.messages.lane import Loaded
from chappe.messages.meta import MessageCache
from chappe.messages.states import State
from chappe.optouts.numbers import opted_out_among
from chappe.storage.database import Transaction

# state IN (20, 30) is said too, so that the partial index is used.
# What nobody has: left by a process that has died, or by the only one there was.
_OWNERLESS = (
    "SELECT message_id, number, owner FROM recipients"
    f" WHERE state = {State.LEAVING:d} AND state IN (20, 30) AND owner NOT IN (SELECT id FROM processes)"
)
_TAKE = (
    "UPDATE recipients SET owner = ?"
    f" WHERE message_id = ? AND number = ? AND state = {State.LEAVING:d} AND owner = ?"
    " RETURNING message_id, number, attempts, operator, changed_at_ms"
)
_RELEASE = (
    "UPDATE recipients SET owner = 0"
    f" WHERE message_id = ? AND number = ? AND state = {State.LEAVING:d} AND owner = ?"
)
_RECORD = (
    "INSERT INTO submissions (message_id, number, attempt, part, operator, smsc, smsc_message_id, outcome,"
    " command_status, left_at_ms, answered_at_ms) VALUES (?, ?, ?, ?, ?, '', '', ?, 0, ?, ?)"
    " ON CONFLICT (message_id, number, attempt, part) DO NOTHING"
)
_ANSWERED = (
    "SELECT DISTINCT part FROM submissions WHERE message_id = ? AND number = ? AND outcome = 'accepted'"
)
_HOLD = (
    f"UPDATE recipients SET state = {State.SENT:d}, changed_at_ms = ?"
    f" WHERE message_id = ? AND number = ? AND state = {State.LEAVING:d}"
)
_AGAIN = (
    "UPDATE recipients SET attempts = ?, operator = ?, changed_at_ms = ?"
    f" WHERE message_id = ? AND number = ? AND state = {State.LEAVING:d} AND owner = ?"
)
_STATE = "SELECT state, owner FROM recipients WHERE message_id = ? AND number = ?"


class Recovered(NamedTuple):
    """A recipient that is `leaving` with an operator that will not answer any more."""

    message_id: int
    number: int
    attempt: int
    operator: str
    left_at_ms: int


def take_ownerless(
    tx: Transaction, owner: int, has_route: Callable[[int], bool]
) -> tuple[list[Recovered], int]:
    """Recipients that are leaving and no process's; they are `owner`'s then. Those to numbers that it has no route for
    are left to another process that has one: how many."""
    found = [tuple(row) for row in tx.all(_OWNERLESS)]
    wanted = [(owner, message_id, number, of) for message_id, number, of in found if has_route(number)]
    taken = [Recovered(*row) for row in tx.all_many(_TAKE, wanted)]
    return sorted(taken, key=lambda item: item.left_at_ms), len(found) - len(wanted)


def release(tx: Transaction, owner: int, waiting: Sequence[Loaded]) -> None:
    """Lets other processes have what this one was to send again."""
    tx.run_many(_RELEASE, [(loaded.message.id, loaded.number, owner) for loaded in waiting])


def put_on_record(
    tx: Transaction, messages: MessageCache, item: Recovered, *, owner: int, hold: bool, now_ms: int
) -> Loaded | None:
    """Writes the loss into the history; gives what is to be sent again, or None when nothing is."""
    row = tx.one(_STATE, (item.message_id, item.number))
    if row != (State.LEAVING, owner):
        return None  # a receipt said the last word meanwhile, or another process has taken it
    message = messages.get(tx, item.message_id)
    parts = message.parts
    answered = {part for (part,) in tx.all(_ANSWERED, (item.message_id, item.number))}
    missing = tuple(part for part in range(len(parts)) if part not in answered)
    outcome = "held" if hold else "lost"
    tx.run_many(
        _RECORD,
        [
            (
                item.message_id,
                item.number,
                item.attempt,
                part,
                item.operator,
                outcome,
                item.left_at_ms,
                now_ms,
            )
            for part in missing
        ],
    )
    if hold or not missing:
        tx.run(_HOLD, (now_ms, item.message_id, item.number))
        return None
    return Loaded(message, item.number, item.attempt + 1, parts, missing, is_again=True)


def goes_again(tx: Transaction, loaded: Loaded, operator: str, owner: int, now_ms: int) -> bool:
    """Marks the next attempt, before its first octet.

    False when a receipt came meanwhile, or another process has it, or a STOP came: then it is held.
    """
    message_id, number = loaded.message.id, loaded.number
    if tx.one(_STATE, (message_id, number)) != (State.LEAVING, owner):
        return False
    if opted_out_among(tx, loaded.message.account_id, [number]):
        tx.run(_HOLD, (now_ms, message_id, number))
        return False
    return tx.run(_AGAIN, (loaded.attempt, operator, now_ms, message_id, number, owner)) == 1
