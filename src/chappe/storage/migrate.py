"""Runs the Alembic migrations of `storage/migrations` on a database."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy
from alembic import command
from alembic.config import Config
from sqlalchemy.exc import DBAPIError

from chappe.storage.database import StorageRefused


def migrate_sqlite(path: Path) -> None:
    """Brings the SQLite file at `path` to the newest revision; raises `StorageRefused`, and nothing changed."""
    # Not a URL written by hand: a path may hold `?`, `#` and `%`.
    migrate(sqlalchemy.URL.create("sqlite", database=str(path)))


def migrate(url: sqlalchemy.URL) -> None:
    """Brings the database at `url` to the newest revision, in one transaction; raises `StorageRefused`."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    engine = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sqlalchemy.NullPool)
    try:
        with engine.connect() as connection:
            _upgrade(connection, config)
    except DBAPIError as error:
        raise StorageRefused(f"cannot migrate the database {url.database}: {error.orig}") from error
    finally:
        engine.dispose()


def _upgrade(connection: sqlalchemy.Connection, config: Config) -> None:
    # Begun by hand: SQLite's DDL is transactional, the driver's own transactions are not around DDL.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.dialect.name == "sqlite" else "BEGIN")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except BaseException:
        try:
            connection.exec_driver_sql("ROLLBACK")
        except DBAPIError:
            pass  # SQLite has rolled back by itself (disk full)
        raise
    connection.exec_driver_sql("COMMIT")
