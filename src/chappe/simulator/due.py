"""Messages that wait for their delay. Advancing the simulator's clock brings what waits nearer, and nothing else."""

from __future__ import annotations

from typing import Final

from chappe.operators.smpp.commands import decode
from chappe.operators.smpp.messages import DataSm, SubmitSm
from chappe.simulator.intake import STATUS_OF_STATE, settle
from chappe.simulator.notebook import Notebook
from chappe.storage.database import Reader, Row, Transaction

AT_ONCE_MAX: Final = 200
"""Messages that are settled in one transaction."""

_DUE: Final = (
    "SELECT p.message_id, p.answered_id, p.state, p.pdu, m.phone, m.system_id, m.text, m.at_ms, m.parts, m.part"
    " FROM sim_pending p JOIN sim_messages m ON m.id = p.message_id"
    " WHERE p.due_at_ms <= ? ORDER BY p.due_at_ms, p.message_id LIMIT ?"
)
PENDING_OF_ANSWER: Final = (
    "SELECT p.message_id, p.answered_id, p.state, p.pdu, m.phone, m.system_id, m.text, m.at_ms, m.parts, m.part"
    " FROM sim_pending p JOIN sim_messages m ON m.id = p.message_id"
    " WHERE m.system_id = ? AND p.answered_id = ? ORDER BY p.message_id"
)


def settle_due(tx: Transaction, note: Notebook) -> int:
    """Ends the messages whose delay is over, `AT_ONCE_MAX` at most; gives how many."""
    rows = tx.all(_DUE, (note.now_ms, AT_ONCE_MAX))
    for row in rows:
        settle_pending(tx, note, row, row[2])
    return len(rows)


def settle_pending(tx: Transaction, note: Notebook, row: Row, state: int) -> None:
    """Ends one message that waits, a row of the queries above, in this state."""
    message_id, answered_id, _, octets, phone, system_id, text, at_ms, parts, part = row
    envelope = decode(bytes(octets))
    assert isinstance(envelope, SubmitSm | DataSm)
    tx.run("DELETE FROM sim_pending WHERE message_id = ?", (message_id,))
    tx.run(
        "UPDATE sim_messages SET status = ?, changed_at_ms = ? WHERE id = ?",
        (STATUS_OF_STATE[state], note.now_ms, message_id),
    )
    note.phones.add(phone)
    settle(
        note,
        system_id,
        message_id,
        answered_id,
        phone,
        envelope,
        state,
        text=text,
        submitted_at_ms=at_ms,
        is_last_part=part == parts,
    )


def advance(tx: Transaction, milliseconds: int) -> int:
    """Everything that waits is due so much earlier; gives how many messages wait."""
    return tx.run("UPDATE sim_pending SET due_at_ms = due_at_ms - ?", (milliseconds,))


def next_due_ms(reader: Reader) -> int | None:
    """When the first message that waits is due."""
    row = reader.one("SELECT MIN(due_at_ms) FROM sim_pending")
    return row[0] if row else None
