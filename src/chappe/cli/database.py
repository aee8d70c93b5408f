"""`chappe database move`: from the data folder's own database to PostgreSQL."""

from __future__ import annotations

import argparse
import asyncio
import sys
from urllib.parse import urlsplit

from chappe.administration.commands import Administration, Check
from chappe.cli.refused import Refused
from chappe.clock import SystemClock
from chappe.settings import Flags, SettingsRefused, data_folder
from chappe.storage.database import StorageRefused, StorageUnavailable
from chappe.storage.folder import Folder
from chappe.storage.store import SECRET_FILE_VARIABLE, Store, open_store, secret_path

BREACHES_SHOWN = 20


def add_to(groups: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:  # noqa: UP037  # pyright: ignore[reportPrivateUsage]
    """Adds the command group to the command line."""
    group = groups.add_parser("database", help="move a store to PostgreSQL", description="Moves a store.")
    commands = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    move = commands.add_parser(
        "move",
        help="copies everything to PostgreSQL",
        description=(
            "Copies the store of a data folder into an empty PostgreSQL database, and verifies it on both sides."
            " Stop the server first. Afterwards the data folder's own database is not opened any more, so that nothing"
            " is sent twice. --undo --from URL makes it usable again, while nothing was done on PostgreSQL, and empties the"
            " database there; --undo --force does without looking."
        ),
    )
    what = move.add_mutually_exclusive_group(required=True)
    what.add_argument("--to", metavar="URL", help="postgresql://USER@HOST/DATABASE")
    what.add_argument("--undo", action="store_true", help="use the data folder's own database again")
    move.add_argument(
        "--from", dest="source", metavar="URL", help="with --undo: the PostgreSQL database, to compare"
    )
    move.add_argument(
        "--force", action="store_true", help="with --undo: it is gone, or nothing was done there"
    )
    move.add_argument("--data", metavar="DIR", help="data folder (CHAPPE_DATA; default ./var)")
    move.set_defaults(run=_move)


def _move(options: argparse.Namespace) -> int:
    try:
        folder = Folder(data_folder(Flags(data=options.data)))
        if not folder.database.exists():
            raise Refused(f"there is no database in {folder.path}")
        folder.hold(as_server=False)
        try:
            if options.undo:
                if options.source is None and not options.force:
                    raise Refused(
                        "what was accepted, sent or debited on PostgreSQL would be unknown here, and sent twice: stop"
                        " every process there and say --undo --from URL, which compares; --undo --force if it is gone"
                    )
                return asyncio.run(_undo(folder, options.source))
            return asyncio.run(_move_store(folder, options.to))
        finally:
            folder.release()
    except (StorageRefused, StorageUnavailable, SettingsRefused) as refused:
        raise Refused(str(refused)) from refused


async def _undo(folder: Folder, url: str | None) -> int:
    from chappe.storage.move import mark, take_back
    from chappe.storage.postgres_connection import Connector

    store = await open_store(folder, although_moved=True)
    await store.close()
    if url is None:
        mark(folder.database, None)
    else:
        where = _where(url)
        await take_back(folder.database, Connector(url), where)
        print(f"{where} held the same, and is empty now")
    print(f"the store in {folder.path} is in use again")
    return 0


async def _move_store(folder: Folder, url: str) -> int:
    where = _where(url)
    # Its driver and the progress bar cost nobody else anything.
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    from chappe.storage.move import move
    from chappe.storage.postgres import PostgresDatabase
    from chappe.storage.postgres_connection import Connector

    source = await open_store(folder, although_moved=True)
    try:
        await _verify(source, f"the store in {folder.path}")
    finally:
        await source.close()
    await (await PostgresDatabase.open(url)).close()
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(file=sys.stderr),
        disable=not sys.stderr.isatty(),
    ) as progress:
        bars: dict[str, TaskID] = {}

        def report(table: str, done: int, total: int) -> None:
            if table not in bars:
                bars[table] = progress.add_task(table, total=total)
            progress.update(bars[table], completed=done)

        moved = await move(folder.database, Connector(url), where, report)
    count = sum(moved.rows.values())
    print(
        f"{count} rows of {len(moved.rows)} tables are in {where}{' since an earlier try' if moved.was_there else ''}"
    )
    target = Store(await PostgresDatabase.open(url, create=False), source.vault, SystemClock())
    try:
        await _verify(target, where)
    finally:
        await target.close()
    print(f"start it with --database URL and {SECRET_FILE_VARIABLE}={secret_path(folder).absolute()}")
    return 0


async def _verify(store: Store, name: str) -> None:
    result = await Administration(store).carry_out(Check())
    breaches: list[str] = result["breaches"]
    if breaches:
        listed = "\n".join(breaches[:BREACHES_SHOWN])
        raise Refused(f"{name} breaks {len(breaches)} invariants:\n{listed}")
    print(f"{name}: every invariant holds")


def _where(url: str) -> str:
    """The URL without its password."""
    parts = urlsplit(url)
    if parts.scheme not in ("postgresql", "postgres"):
        raise Refused("not a postgresql:// URL")
    host = parts.netloc.rpartition("@")[2]
    return f"postgresql://{host}{parts.path}"
