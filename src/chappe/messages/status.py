"""What became of the recipients of a message, for its own account only."""

from __future__ import annotations

import msgspec

from chappe.storage.database import Reader

_COLUMNS = "r.number, r.state, r.changed_at_ms, r.cost_micro - r.refund_micro"
_ONE = (
    f"SELECT {_COLUMNS} FROM messages m JOIN recipients r ON r.message_id = m.id"
    " WHERE m.id = ? AND m.account_id = ? AND r.number = ?"
)
_ALL = f"SELECT {_COLUMNS} FROM recipients r WHERE r.message_id = ? ORDER BY r.number"
_STOPPED = "SELECT o.number FROM recipients r JOIN optouts o ON o.account_id = ? AND o.number = r.number WHERE r.message_id = ?"


class RecipientStatus(msgspec.Struct, frozen=True, gc=False):
    """One recipient. `changed_at_ms`: when it got its state; `cost_micro`: what was kept for it."""

    number: int
    state: int
    changed_at_ms: int
    cost_micro: int


def recipient_status(reader: Reader, account_id: int, message_id: int, number: int) -> RecipientStatus | None:
    """One recipient of a message of the account, or None."""
    row = reader.one(_ONE, (message_id, account_id, number))
    return None if row is None else RecipientStatus(*row)


def message_statuses(reader: Reader, account_id: int, message_id: int) -> list[RecipientStatus] | None:
    """Every recipient of a message of the account (at most 500), or None when there is no such message."""
    if reader.one("SELECT 1 FROM messages WHERE id = ? AND account_id = ?", (message_id, account_id)) is None:
        return None
    return [RecipientStatus(*row) for row in reader.all(_ALL, (message_id,))]


def opted_out_of(reader: Reader, account_id: int, message_id: int) -> set[int]:
    """Those recipients of the message that are on the account's STOP list now."""
    return {row[0] for row in reader.all(_STOPPED, (account_id, message_id))}
