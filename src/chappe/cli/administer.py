"""Carries out an administration command: through the server that holds the folder, else by itself."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from typing import Any

from chappe.administration.ask import ask_server
from chappe.administration.commands import Administration, Command, CommandRefused
from chappe.cli.refused import Refused
from chappe.settings import Flags, SettingsRefused, data_folder, load_settings
from chappe.storage.database import StorageRefused
from chappe.storage.folder import Folder, FolderHeld
from chappe.storage.store import Store, open_shared_store, open_store

SERVER_S_MAX = 15.0
"""Seconds for a server that holds the folder to answer: it may be starting, or stopping."""
SERVER_RETRY_S = 0.05


def add_store_flags(parser: argparse.ArgumentParser) -> None:
    """The flags that every command takes which touches a store."""
    parser.add_argument("--data", metavar="DIR", help="data folder (CHAPPE_DATA; default ./var)")
    parser.add_argument(
        "--config", metavar="FILE", help="configuration (CHAPPE_CONFIG; default DIR/chappe.toml)"
    )
    parser.add_argument(
        "--database", metavar="URL", help="PostgreSQL instead of the data folder's own (CHAPPE_DATABASE)"
    )


def add_list_flags(parser: argparse.ArgumentParser) -> None:
    """Those, and the flags of a list whose newest lines come first."""
    parser.add_argument("--account", metavar="EMAIL", help="only those of this account")
    parser.add_argument("--limit", type=int, default=100, metavar="N", help="at most so many (100)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_store_flags(parser)


def store_flags(options: argparse.Namespace) -> Flags:
    """Those flags, as given."""
    return Flags(data=options.data, config=options.config, database=options.database)


def administer(options: argparse.Namespace, command: Command, *, may_create: bool = True) -> dict[str, Any]:
    """The command's result, once its effect is on disk; raises `Refused`.

    Without `may_create` a folder that holds no database is refused, instead of made.
    """
    flags = store_flags(options)
    try:
        folder = Folder(data_folder(flags))
        # Whichever server holds the folder has its own store.
        has_other_store = flags.database or os.environ.get("CHAPPE_DATABASE")
        result = None if has_other_store else ask_server(folder.socket, command)
        if result is None:
            # A configuration that is wrong is said now, not when the server starts.
            database = load_settings(flags).database
            if database is not None:
                return asyncio.run(_on_shared_store(database, command, may_create=may_create))
            if not may_create and not folder.database.exists():
                raise Refused(f"there is no database in {folder.path}")
            result = _by_itself(folder, command)
        return result
    except (CommandRefused, StorageRefused, SettingsRefused) as refused:
        raise Refused(str(refused)) from refused


def _by_itself(folder: Folder, command: Command) -> dict[str, Any]:
    deadline_s = time.monotonic() + SERVER_S_MAX
    while True:
        try:
            folder.hold(as_server=False)
            break
        except FolderHeld as held:
            result = ask_server(folder.socket, command)
            if result is not None:
                return result
            if not held.by_server or time.monotonic() > deadline_s:
                raise Refused(f"{held}, which does not answer on {folder.socket}") from held
            time.sleep(SERVER_RETRY_S)
    try:
        return asyncio.run(_open_and_carry_out(folder, command))
    finally:
        folder.release()


async def _on_shared_store(url: str, command: Command, *, may_create: bool) -> dict[str, Any]:
    store = await open_shared_store(url, create=may_create)
    return await _carry_out(store, command)


async def _open_and_carry_out(folder: Folder, command: Command) -> dict[str, Any]:
    return await _carry_out(await open_store(folder), command)


async def _carry_out(store: Store, command: Command) -> dict[str, Any]:
    try:
        return await Administration(store).carry_out(command)
    finally:
        await store.close()


def show(options: argparse.Namespace, result: dict[str, Any]) -> None:
    """Prints a result: one JSON object with --json, else one `name: value` line each."""
    if options.json:
        print(json.dumps(result, ensure_ascii=False))
        return
    for name, value in result.items():
        print(f"{name}: {_plain(value)}")


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        items: list[object] = list(value)  # pyright: ignore[reportUnknownArgumentType]
        return ",".join(str(item) for item in items) or "-"
    return "-" if value in (None, "") else str(value)
