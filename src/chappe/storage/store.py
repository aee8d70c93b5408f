"""An opened store: the database, the vault that matches it, its id sequences and the clock."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from chappe.clock import Clock, SystemClock
from chappe.storage.database import Database, Reader, StorageRefused, StorageUnavailable, Transaction
from chappe.storage.folder import Folder, make_secret, read_secret
from chappe.storage.ids import MESSAGE_ID_MAX, IdBlocks
from chappe.storage.sqlite import SqliteDatabase
from chappe.storage.vault import Vault

SECRET_FILE_VARIABLE = "CHAPPE_SECRET_FILE"  # noqa: S105 - a variable's name


@dataclass
class Store:
    """What the nouns work on."""

    database: Database
    vault: Vault
    clock: Clock
    _sequences: dict[str, IdBlocks] = field(default_factory=dict[str, IdBlocks])

    def ids(self, name: str) -> IdBlocks:
        """The id sequence `name`."""
        sequence = self._sequences.get(name)
        if sequence is None:
            id_max = MESSAGE_ID_MAX if name == "messages" else 2**63 - 1
            sequence = self._sequences[name] = IdBlocks(self.database, name, id_max=id_max)
        return sequence

    async def close(self) -> None:
        await self.database.close()


async def open_store(folder: Folder, clock: Clock | None = None, *, although_moved: bool = False) -> Store:
    """Opens the SQLite store of a folder that the caller holds; raises `StorageRefused` with one clear line.

    One that was moved to PostgreSQL is refused: it would send once more what is sent from there.
    """
    _make_private(folder.database)
    path = secret_path(folder)
    secret = read_secret(path)  # before the database: what is wrong with it costs nothing to say
    database = SqliteDatabase(folder.database)
    moved_to = await database.read(_moved_to)
    if moved_to is not None and not although_moved:
        await database.close()
        raise StorageRefused(
            f"the store in {folder.path} was moved to {moved_to}: use --database, or see chappe database move --help"
        )
    return await _open(database, path, secret, clock)


def secret_path(folder: Folder) -> Path:
    """Where the secret of the store in `folder` is, or will be."""
    return _configured_secret() or folder.secret


async def open_shared_store(url: str, clock: Clock | None = None, *, create: bool = True) -> Store:
    """Opens a store on PostgreSQL, which other processes may have open too; raises `StorageRefused`."""
    path = _configured_secret()
    if path is None:
        raise StorageRefused(
            f"--database needs {SECRET_FILE_VARIABLE}: the secret that every process on this database shares"
        )
    secret = read_secret(path)
    from chappe.storage.postgres import PostgresDatabase  # its driver costs who has SQLite nothing

    return await _open(await PostgresDatabase.open(url, create=create), path, secret, clock)


async def _open(database: Database, path: Path, secret: bytes | None, clock: Clock | None) -> Store:
    """The secret is made once, before the first fingerprint is written: a crash in between leaves a secret
    without a fingerprint, which the next start adopts."""
    try:
        fingerprint = await database.read(_fingerprint)
        if secret is None:
            secret = read_secret(path)  # another process may have made both meanwhile
        if secret is None:
            if fingerprint is not None:
                raise StorageRefused(
                    f"the secret {path} of this database is missing: restore it from your backup"
                )
            secret = make_secret(path)
        vault = Vault(secret)
        if fingerprint is None:
            fingerprint = await database.write(lambda tx: _remember(tx, vault.fingerprint))
        if fingerprint != vault.fingerprint:
            raise StorageRefused(f"the secret {path} is not the one of this database (fingerprint differs)")
    except BaseException as error:
        await database.close()
        if isinstance(error, StorageUnavailable):
            raise StorageRefused(f"cannot use the database: {error}") from error
        raise
    return Store(database=database, vault=vault, clock=clock or SystemClock())


def _fingerprint(reader: Reader) -> str | None:
    row = reader.one("SELECT value FROM meta WHERE name = 'secret_fingerprint'")
    return None if row is None else row[0]


def _moved_to(reader: Reader) -> str | None:
    row = reader.one("SELECT value FROM meta WHERE name = 'moved_to'")
    return None if row is None else row[0]


def _remember(tx: Transaction, fingerprint: str) -> str | None:
    # Another process may have been faster, with another secret.
    tx.run(
        "INSERT INTO meta (name, value) VALUES ('secret_fingerprint', ?) ON CONFLICT (name) DO NOTHING",
        (fingerprint,),
    )
    return _fingerprint(tx)


def _make_private(path: Path) -> None:
    # SQLite gives its log files the mode of the database: it must be right before the first byte is written.
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StorageRefused(f"cannot use the database {path}: {error.strerror}") from error


def _configured_secret() -> Path | None:
    configured = os.environ.get(SECRET_FILE_VARIABLE)
    return Path(configured) if configured else None
