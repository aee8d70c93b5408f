"""Brings a PostgreSQL database to the revision of the schema that this version of Chappe writes."""

from __future__ import annotations

import asyncio

from chappe.storage.database import StorageRefused
from chappe.storage.postgres_connection import Connector, Link
from chappe.storage.schema import OLDEST_BESIDE_NAME, REVISIONS, newer_than_known


async def bring_up_to_date(connector: Connector, link: Link, *, create: bool) -> None:
    """Migrates; refuses a database that a newer version has written, or that is somebody else's."""
    revision = await _revision(link)
    if revision == REVISIONS[-1]:
        return
    if revision is None and not create:
        raise StorageRefused("there is no store of Chappe in this database")
    if revision is not None and revision not in REVISIONS:
        if await _oldest_beside(link) in REVISIONS:
            return  # a newer version has been here that we may run beside
        raise StorageRefused(newer_than_known("the database", revision))
    # Imported only when there is something to do, as on SQLite; on a loop of its own, for it takes a second.
    from chappe.storage.migrate import migrate_postgres

    await asyncio.to_thread(lambda: asyncio.run(migrate_postgres(connector)))


async def _oldest_beside(link: Link) -> str | None:
    """The oldest revision whose code may work on this database, as the version that made it what it is says."""
    return await link.connection.fetchval("SELECT value FROM meta WHERE name = $1", OLDEST_BESIDE_NAME)


async def _revision(link: Link) -> str | None:
    """None for a database without tables."""
    tables = {
        row[0]
        for row in await link.connection.fetch(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"
        )
    }
    if "alembic_version" in tables and "meta" in tables:
        return await link.connection.fetchval("SELECT version_num FROM alembic_version")
    if await link.connection.fetchval("SELECT current_schema()") is None:
        raise StorageRefused("the database has no schema that this user may use (search_path)")
    if tables:
        raise StorageRefused("this database holds the tables of something else, not those of Chappe")
    return None
