"""What was recorded of calls that came in: listed, heard, deleted, by age too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from chappe.storage.database import Reader, Transaction
from chappe.storage.store import Store

OCTETS_PER_MS: Final = 8
PAGE: Final = 100
"""Calls or recordings that are deleted in one transaction."""
PAGES_MAX: Final = 50
_DAY_MS: Final = 24 * 3600 * 1000

_CALL_COLUMNS: Final = (
    "c.id, c.trunk, c.number, c.caller, c.action, c.target, c.onward, c.began_at_ms, c.answered_at_ms, c.ended_at_ms,"
    " c.result, c.status, c.cause"
)
_CALLS: Final = (
    f"SELECT {_CALL_COLUMNS}, r.octets FROM incoming_calls c LEFT JOIN recordings r ON r.id = c.id"
    "{where} ORDER BY c.id DESC LIMIT ?"
)
_RECORDINGS: Final = (
    "SELECT r.id, r.state, r.began_at_ms, r.octets, c.number, c.caller FROM recordings r"
    " JOIN incoming_calls c ON c.id = r.id ORDER BY r.id"
)
_PIECES: Final = "SELECT law, octets FROM recording_pieces WHERE recording_id = ? ORDER BY piece"
_OLD_RECORDINGS: Final = (
    f"SELECT id FROM recordings WHERE began_at_ms < ? AND state <> 'open' ORDER BY id LIMIT {PAGE}"
)
_OLD_CALLS: Final = (
    "SELECT c.id FROM incoming_calls c WHERE c.began_at_ms < ? AND c.result <> ''"
    f" AND NOT EXISTS (SELECT 1 FROM recordings r WHERE r.id = c.id) ORDER BY c.began_at_ms LIMIT {PAGE}"
)


class RecordingUnknown(Exception):
    """There is no such recording, or it is still being made."""


class IncomingCall(msgspec.Struct, frozen=True):
    """A call that came in. `result` is "" while it is under way; `recorded_octets` None where nothing was."""

    id: int
    trunk: str
    number: int
    caller: str
    action: str
    target: int
    onward: str
    began_at_ms: int
    answered_at_ms: int | None
    ended_at_ms: int | None
    result: str
    status: int
    cause: int
    recorded_octets: int | None


class Recording(msgspec.Struct, frozen=True):
    """`state`: open (the call is under way), complete, cut (the server or its audio died)."""

    id: int
    state: str
    began_at_ms: int
    octets: int
    number: int
    caller: str

    @property
    def duration_ms(self) -> int:
        return self.octets // OCTETS_PER_MS


@dataclass(frozen=True)
class Retention:
    """How long recordings and the history of calls are kept, in days (0: for ever), and how much of the former."""

    recording_days: int
    history_days: int
    octets_max: int


def incoming_calls(reader: Reader, number: int | None, limit: int) -> list[IncomingCall]:
    """The newest first; of one number of ours or of all."""
    if number is None:
        rows = reader.all(_CALLS.format(where=""), (limit,))
    else:
        rows = reader.all(_CALLS.format(where=" WHERE c.number = ?"), (number, limit))
    return [IncomingCall(*row) for row in rows]


def all_recordings(reader: Reader) -> list[Recording]:
    """Oldest first."""
    return [Recording(*row) for row in reader.all(_RECORDINGS)]


def stored_octets(reader: Reader) -> int:
    """Of all recordings together."""
    row = reader.one("SELECT COALESCE(SUM(octets), 0) FROM recordings")
    assert row is not None
    return int(row[0])


def wav_of(reader: Reader, recording_id: int) -> bytes:
    """A WAV file of what there is; raises `RecordingUnknown`."""
    if reader.one("SELECT 1 FROM recordings WHERE id = ?", (recording_id,)) is None:
        raise RecordingUnknown
    import numpy as np

    from chappe.audio import g711

    pieces = [g711.decode(bytes(octets), law) for law, octets in reader.all(_PIECES, (recording_id,))]
    return g711.wav(np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.int16))


async def delete_recording(store: Store, recording_id: int) -> None:
    """Takes it away for ever; raises `RecordingUnknown`, also while it is being made."""

    def unit(tx: Transaction) -> None:
        if not tx.run("DELETE FROM recordings WHERE id = ? AND state <> 'open'", (recording_id,)):
            raise RecordingUnknown
        tx.run("DELETE FROM recording_pieces WHERE recording_id = ?", (recording_id,))

    await store.database.write(unit)


async def purge(store: Store, retention: Retention) -> None:
    """Deletes what is older than it is kept, a page at a time. Raises `StorageUnavailable`."""
    now_ms = store.clock.now_ms()

    def recordings(tx: Transaction) -> int:
        ids = [(row[0],) for row in tx.all(_OLD_RECORDINGS, (now_ms - retention.recording_days * _DAY_MS,))]
        tx.run_many("DELETE FROM recording_pieces WHERE recording_id = ?", ids)
        tx.run_many("DELETE FROM recordings WHERE id = ?", ids)
        return len(ids)

    def calls(tx: Transaction) -> int:
        ids = [(row[0],) for row in tx.all(_OLD_CALLS, (now_ms - retention.history_days * _DAY_MS,))]
        tx.run_many("DELETE FROM incoming_calls WHERE id = ?", ids)
        return len(ids)

    for days, unit in ((retention.recording_days, recordings), (retention.history_days, calls)):
        for _ in range(PAGES_MAX if days else 0):
            if await store.database.write(unit, background=True) < PAGE:
                break


def breaches_of_recordings(reader: Reader) -> Iterator[str]:
    """Invariant: a recording is its call's, and exactly its pieces, none missing."""
    for (recording_id,) in reader.all(
        "SELECT r.id FROM recordings r LEFT JOIN incoming_calls c ON c.id = r.id WHERE c.id IS NULL ORDER BY r.id"
    ):
        yield f"recording {recording_id} is of no call"
    for (recording_id,) in reader.all(
        "SELECT DISTINCT p.recording_id FROM recording_pieces p LEFT JOIN recordings r ON r.id = p.recording_id"
        " WHERE r.id IS NULL ORDER BY p.recording_id"
    ):
        yield f"pieces of recording {recording_id} are there, the recording is not"
    for recording_id, octets, count, last, total in reader.all(
        "SELECT r.id, r.octets, COUNT(p.piece), COALESCE(MAX(p.piece), -1), COALESCE(SUM(LENGTH(p.octets)), 0)"
        " FROM recordings r LEFT JOIN recording_pieces p ON p.recording_id = r.id GROUP BY r.id, r.octets"
        " HAVING r.octets <> COALESCE(SUM(LENGTH(p.octets)), 0) OR COUNT(p.piece) <> COALESCE(MAX(p.piece), -1) + 1"
        " ORDER BY r.id"
    ):
        yield (
            f"recording {recording_id} says {octets} octets; it has {total} in {count} pieces, the last is number {last}"
        )
    for (recording_id,) in reader.all(
        "SELECT r.id FROM recordings r JOIN incoming_calls c ON c.id = r.id"
        " WHERE r.state = 'open' AND c.result <> '' ORDER BY r.id"
    ):
        yield f"recording {recording_id} is open, its call has ended"
