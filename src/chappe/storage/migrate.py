"""Runs the Alembic migrations of `storage/migrations` on a database."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy
from alembic import command
from alembic.config import Config
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from chappe.storage.database import StorageRefused, StorageUnavailable
from chappe.storage.postgres_connection import Connector
from chappe.storage.schema import OLDEST_BESIDE, OLDEST_BESIDE_NAME

_SAY_OLDEST = "INSERT INTO meta (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
MIGRATION_LOCK = 0x636861707065
"""The number of the advisory lock, which nobody else's program is likely to use."""


def migrate_sqlite(path: Path) -> None:
    """Brings the SQLite file at `path` to the newest revision; raises `StorageRefused`, and nothing changed."""
    # Not a URL written by hand: a path may hold `?`, `#` and `%`.
    migrate(sqlalchemy.URL.create("sqlite", database=str(path)))


async def migrate_postgres(connector: Connector) -> None:
    """Brings a PostgreSQL database to the newest revision; raises `StorageRefused`, and nothing changed.

    Several processes may start at once: the first one migrates, the others wait for it and find nothing to do.
    """

    async def connect() -> object:
        return (await connector.link(is_patient=True)).connection

    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        isolation_level="AUTOCOMMIT",
        poolclass=sqlalchemy.NullPool,
    )
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_upgrade, _config())
    except DBAPIError as error:
        raise StorageRefused(f"cannot migrate the database: {error.orig}") from error
    except StorageUnavailable as error:
        raise StorageRefused(f"cannot migrate the database: {error}") from error
    finally:
        await engine.dispose()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config


def migrate(url: sqlalchemy.URL) -> None:
    """Brings the database at `url` to the newest revision, in one transaction; raises `StorageRefused`."""
    engine = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sqlalchemy.NullPool)
    try:
        with engine.connect() as connection:
            _upgrade(connection, _config())
    except DBAPIError as error:
        raise StorageRefused(f"cannot migrate the database {url.database}: {error.orig}") from error
    finally:
        engine.dispose()


def _upgrade(connection: sqlalchemy.Connection, config: Config) -> None:
    # Begun by hand: SQLite's DDL is transactional, the driver's own transactions are not around DDL.
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql("BEGIN")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except BaseException:
        try:
            connection.exec_driver_sql("ROLLBACK")
        except DBAPIError:
            pass  # SQLite has rolled back by itself (disk full)
        raise
    if connection.dialect.name == "postgresql":
        connection.execute(sqlalchemy.text(_SAY_OLDEST), {"name": OLDEST_BESIDE_NAME, "value": OLDEST_BESIDE})
    connection.exec_driver_sql("COMMIT")
