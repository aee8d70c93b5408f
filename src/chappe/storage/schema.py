"""Which revision of the schema this version of Chappe knows, and how a database is brought to it.

Alembic and SQLAlchemy are imported only when there is something to do: they cost 40 MB and half a second,
and on an existing database there is nothing.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from chappe.storage.database import StorageRefused

# In order. The last one is what this version writes; a database that says another one is newer than we are.
REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009")

# The oldest revision whose code may work on the last one, beside ours: what that code needs is still there, and what it
# writes is understood. Processes of two versions run side by side during an upgrade (docs/changing/README.md).
OLDEST_BESIDE = "0003"
OLDEST_BESIDE_NAME = "oldest_revision"
"""The row of `meta` that holds it, for versions that do not know our revision."""


def bring_up_to_date(path: Path) -> None:
    """Migrates the SQLite file at `path`; refuses one that a newer version of Chappe has written."""
    revision = _sqlite_revision(path)
    if revision == REVISIONS[-1]:
        return
    if revision is not None and revision not in REVISIONS:
        raise StorageRefused(newer_than_known(f"the database {path}", revision))
    from chappe.storage.migrate import migrate_sqlite

    migrate_sqlite(path)


def newer_than_known(what: str, revision: str) -> str:
    """Why a database that another version has written cannot be used."""
    return (
        f"{what} is at revision {revision}, newer than this version of Chappe"
        f" ({REVISIONS[-1]}): upgrade Chappe, or restore the backup made before the upgrade"
    )


def _sqlite_revision(path: Path) -> str | None:
    if not path.exists() or path.stat().st_size == 0:
        return None
    # Not read-only: a migration that died has left a journal, which the first to open the file plays back.
    connection = sqlite3.connect(path.absolute().as_uri() + "?mode=rw", uri=True)
    try:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        if not tables:
            return None
        if ("alembic_version",) not in tables or ("meta",) not in tables:
            raise StorageRefused(f"{path} is not a database of Chappe")
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return row[0] if row else None
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_NOTADB:
            raise StorageRefused(f"{path} is not a database of Chappe: {error}") from error
        raise StorageRefused(f"cannot read the database {path}: {error}") from error
    finally:
        connection.close()
