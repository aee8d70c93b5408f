"""An opened store: the database, the vault that matches it, its id sequences and the clock."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from chappe.clock import Clock, SystemClock
from chappe.storage.database import Database, StorageRefused, StorageUnavailable, Transaction
from chappe.storage.folder import Folder, make_secret, read_secret
from chappe.storage.ids import IdBlocks
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
            sequence = self._sequences[name] = IdBlocks(self.database, name)
        return sequence

    async def close(self) -> None:
        await self.database.close()


async def open_store(folder: Folder, clock: Clock | None = None) -> Store:
    """Opens the SQLite store of a folder that the caller holds; raises `StorageRefused` with one clear line.

    The secret is made once, before the first fingerprint is written: a crash in between leaves a secret
    without a fingerprint, which the next start adopts.
    """
    path = _secret_path(folder)
    secret = read_secret(path)
    _make_private(folder.database)
    database = SqliteDatabase(folder.database)
    try:
        fingerprint = await database.read(
            lambda r: r.one("SELECT value FROM meta WHERE name = 'secret_fingerprint'")
        )
        if secret is None:
            if fingerprint is not None:
                raise StorageRefused(
                    f"the secret {path} of this database is missing: restore it from your backup"
                )
            secret = make_secret(path)
        vault = Vault(secret)
        if fingerprint is None:

            def remember(tx: Transaction) -> None:
                tx.run(
                    "INSERT INTO meta (name, value) VALUES ('secret_fingerprint', ?)", (vault.fingerprint,)
                )

            await database.write(remember)
        elif fingerprint[0] != vault.fingerprint:
            raise StorageRefused(f"the secret {path} is not the one of this database (fingerprint differs)")
    except BaseException as error:
        await database.close()
        if isinstance(error, StorageUnavailable):
            raise StorageRefused(f"cannot use the database {folder.database}: {error}") from error
        raise
    return Store(database=database, vault=vault, clock=clock or SystemClock())


def _make_private(path: Path) -> None:
    # SQLite gives its log files the mode of the database: it must be right before the first byte is written.
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StorageRefused(f"cannot use the database {path}: {error.strerror}") from error


def _secret_path(folder: Folder) -> Path:
    configured = os.environ.get(SECRET_FILE_VARIABLE) or None
    return Path(configured) if configured else folder.secret
