"""The calls that the built-in telephones got: what happened, and what was heard."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import msgspec

from chappe.audio.sound import RATE_HZ, Converted
from chappe.simulator.screen import e164
from chappe.storage.database import Reader, Transaction

KEPT: Final = 500
HEARD_KEPT: Final = 100
"""Of so many calls the sound is kept: 8 kilobytes a second."""

State = str
"""ringing, talking, or how it ended: hung up, busy, no answer, unreachable, cut off."""

_COLUMNS: Final = "id, phone, caller, behaviour, state, began_at_ms, answered_at_ms, ended_at_ms, heard_ms"


class SeenCall(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """A call as the page and the API show it; times in ISO 8601, UTC."""

    id: int
    phone: str
    from_: str
    behaviour: str
    state: State
    began_at: str
    answered_at: str | None
    ended_at: str | None
    heard_s: float
    heard: str | None
    """Where the WAV file of what was heard is."""


def begin(tx: Transaction, call_id: int, phone: int, caller: str, behaviour: str, now_ms: int) -> None:
    """It rings."""
    tx.run(
        f"INSERT INTO sim_calls ({_COLUMNS}, heard) VALUES (?, ?, ?, ?, 'ringing', ?, NULL, NULL, 0, ?)",
        (call_id, phone, caller, behaviour, now_ms, b""),
    )
    # Ids have gaps after a crash: the calls are counted.
    oldest = "(SELECT id FROM sim_calls ORDER BY id DESC LIMIT 1 OFFSET ?)"
    tx.run(f"DELETE FROM sim_calls WHERE id <= {oldest}", (KEPT,))
    tx.run(f"UPDATE sim_calls SET heard = ? WHERE id <= {oldest} AND LENGTH(heard) > 0", (b"", HEARD_KEPT))


def answer(tx: Transaction, call_id: int, now_ms: int) -> None:
    """Somebody picked up."""
    tx.run("UPDATE sim_calls SET state = 'talking', answered_at_ms = ? WHERE id = ?", (now_ms, call_id))


def end(tx: Transaction, call_id: int, state: State, heard: bytes, now_ms: int) -> None:
    """It is over; `heard` is A-law."""
    tx.run(
        "UPDATE sim_calls SET state = ?, ended_at_ms = ?, heard_ms = ?, heard = ? WHERE id = ?",
        (state, now_ms, len(heard) * 1000 // RATE_HZ, heard, call_id),
    )


def cut_off(tx: Transaction, now_ms: int) -> None:
    """Calls that were under way when the server ended."""
    tx.run("UPDATE sim_calls SET state = 'cut off', ended_at_ms = ? WHERE ended_at_ms IS NULL", (now_ms,))


def newest_calls(reader: Reader, limit: int) -> list[SeenCall]:
    """The newest first."""
    rows = reader.all(f"SELECT {_COLUMNS}, LENGTH(heard) FROM sim_calls ORDER BY id DESC LIMIT ?", (limit,))
    return [
        SeenCall(
            id=row[0],
            phone=e164(row[1]),
            from_=row[2],
            behaviour=row[3],
            state=row[4],
            began_at=_iso(row[5]),
            answered_at=None if row[6] is None else _iso(row[6]),
            ended_at=None if row[7] is None else _iso(row[7]),
            heard_s=row[8] / 1000,
            heard=f"/simulator/calls/{row[0]}/heard.wav" if row[9] else None,
        )
        for row in rows
    ]


def heard_wav(reader: Reader, call_id: int) -> bytes | None:
    """What came out of the receiver, as a WAV file; None when nothing did, or it is not kept any more."""
    row = reader.one("SELECT heard FROM sim_calls WHERE id = ?", (call_id,))
    if row is None or not row[0]:
        return None
    from chappe.audio.files import preview

    heard = bytes(row[0])
    return preview(Converted(len(heard) * 1000 // RATE_HZ, heard, b""))


def _iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
