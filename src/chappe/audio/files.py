"""The audio files of an account: store, find, list, rename, delete; validated by the operator of the server if so set."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final, Literal

import msgspec

from chappe.audio.sound import RATE_HZ, Converted
from chappe.storage.database import Reader, Transaction
from chappe.storage.store import Store

FILES_MAX: Final = 200
"""Of one account: a gigabyte at the most."""
NAME_CHARS_MIN: Final = 3
NAME_CHARS_MAX: Final = 50
TOKEN_CHARS_MAX: Final = 64

State = Literal["waiting", "valid", "refused"]


class TooManyFiles(Exception):
    """The account has as many files as it may have; nothing was stored."""


class AudioFileUnknown(Exception):
    """The account has no such file, or not any more."""


class AudioFile(msgspec.Struct, frozen=True, gc=False):
    """A stored file without its sound. `size_bytes` is what was uploaded."""

    id: int
    token: str
    account_id: int
    name: str
    size_bytes: int
    duration_ms: int
    state: State
    created_at_ms: int


_COLUMNS = "id, token, account_id, name, size_bytes, duration_ms, state, created_at_ms"
_BY_TOKEN = f"SELECT {_COLUMNS} FROM audio_files WHERE token = ? AND account_id = ? AND deleted_at_ms IS NULL"
_ANY_BY_TOKEN = f"SELECT {_COLUMNS} FROM audio_files WHERE token = ? AND deleted_at_ms IS NULL"
_OF_ACCOUNT = f"SELECT {_COLUMNS} FROM audio_files WHERE account_id = ? AND deleted_at_ms IS NULL ORDER BY id DESC LIMIT ?"


def clean_name(name: str) -> str | None:
    """The name as stored, or None when it is none: 3 to 50 printable characters."""
    cleaned = " ".join(name.split())
    return cleaned if NAME_CHARS_MIN <= len(cleaned) <= NAME_CHARS_MAX and cleaned.isprintable() else None


def name_of_file(filename: str) -> str:
    """A name made of a file's own, where none was given: without folders and ending, cut, filled up."""
    stem = filename.replace("\\", "/").rpartition("/")[2]
    stem = stem.rpartition(".")[0] or stem
    printable = "".join(c if c.isprintable() else " " for c in stem)
    return clean_name(printable[:NAME_CHARS_MAX]) or "audio"


async def add_file(
    store: Store,
    account_id: int,
    name: str,
    size_bytes: int,
    converted: Converted,
    *,
    is_moderated: bool,
    also: Callable[[Transaction, AudioFile], None] | None = None,
) -> AudioFile:
    """Stores a converted file; raises `TooManyFiles`. `also` runs in the same transaction."""
    file = AudioFile(
        id=await store.ids("audio_files").take(),
        token=secrets.token_hex(16),
        account_id=account_id,
        name=name,
        size_bytes=size_bytes,
        duration_ms=converted.duration_ms,
        state="waiting" if is_moderated else "valid",
        created_at_ms=store.clock.now_ms(),
    )

    def unit(tx: Transaction) -> None:
        row = tx.one(
            "SELECT COUNT(*) FROM audio_files WHERE account_id = ? AND deleted_at_ms IS NULL", (account_id,)
        )
        assert row is not None
        if row[0] >= FILES_MAX:
            raise TooManyFiles
        tx.run(
            f"INSERT INTO audio_files ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            msgspec.structs.astuple(file),
        )
        tx.run(
            "INSERT INTO audio_contents (audio_id, alaw, ulaw) VALUES (?, ?, ?)",
            (file.id, converted.alaw, converted.ulaw),
        )
        if also is not None:
            also(tx, file)

    await store.database.write(unit)
    return file


def valid_files(reader: Reader, account_id: int) -> list[AudioFile]:
    """The files that may be played, newest first."""
    rows = reader.all(_OF_ACCOUNT, (account_id, FILES_MAX))
    return [file for file in (AudioFile(*row) for row in rows) if file.state == "valid"]


def file_by_token(reader: Reader, account_id: int, token: str) -> AudioFile | None:
    """A file of the account, whatever its state."""
    row = reader.one(_BY_TOKEN, (token[:TOKEN_CHARS_MAX], account_id))
    return None if row is None else AudioFile(*row)


def all_files(reader: Reader, state: State | None) -> list[tuple[AudioFile, str]]:
    """Every file with its account's e-mail address, oldest first; for the operator of the server."""
    columns = ", ".join(f"f.{name}" for name in _COLUMNS.split(", "))
    rows = reader.all(
        f"SELECT {columns}, a.email FROM audio_files f JOIN accounts a ON a.id = f.account_id"
        " WHERE f.deleted_at_ms IS NULL AND (? = '' OR f.state = ?) ORDER BY f.id",
        (state or "", state or ""),
    )
    return [(AudioFile(*row[:-1]), row[-1]) for row in rows]


async def rename_file(store: Store, account_id: int, token: str, name: str) -> None:
    """Raises `AudioFileUnknown`."""

    def unit(tx: Transaction) -> None:
        changed = tx.run(
            "UPDATE audio_files SET name = ? WHERE token = ? AND account_id = ? AND deleted_at_ms IS NULL",
            (name, token[:TOKEN_CHARS_MAX], account_id),
        )
        if not changed:
            raise AudioFileUnknown

    await store.database.write(unit)


def delete_file(tx: Transaction, account_id: int, token: str, now_ms: int) -> int:
    """Takes the file away, and its sound; gives its id. Raises `AudioFileUnknown`."""
    row = tx.one(
        "UPDATE audio_files SET deleted_at_ms = ? WHERE token = ? AND account_id = ? AND deleted_at_ms IS NULL"
        " RETURNING id",
        (now_ms, token[:TOKEN_CHARS_MAX], account_id),
    )
    if row is None:
        raise AudioFileUnknown
    tx.run("DELETE FROM audio_contents WHERE audio_id = ?", (row[0],))
    return row[0]


async def moderate(store: Store, token: str, state: State) -> AudioFile:
    """The word of the operator of the server; raises `AudioFileUnknown`."""

    def unit(tx: Transaction) -> AudioFile:
        if not tx.run(
            "UPDATE audio_files SET state = ? WHERE token = ? AND deleted_at_ms IS NULL", (state, token)
        ):
            raise AudioFileUnknown
        row = tx.one(_ANY_BY_TOKEN, (token,))
        assert row is not None
        return AudioFile(*row)

    return await store.database.write(unit)


def sound_of(reader: Reader, audio_id: int) -> Converted | None:
    """What a stored file sounds like; None when it was deleted. Megabytes: to be read beside the loop."""
    row = reader.one("SELECT alaw, ulaw FROM audio_contents WHERE audio_id = ?", (audio_id,))
    if row is None:
        return None
    alaw, ulaw = bytes(row[0]), bytes(row[1])
    return Converted(len(alaw) * 1000 // RATE_HZ, alaw, ulaw)


def sound_by_token(reader: Reader, token: str) -> Converted | None:
    """What any account's file sounds like; for the operator of the server."""
    row = reader.one(_ANY_BY_TOKEN, (token,))
    return None if row is None else sound_of(reader, row[0])


def preview(sound: Converted) -> bytes:
    """A WAV file of what will be heard."""
    from chappe.audio import g711

    return g711.wav(g711.decode(sound.alaw, "alaw"))
