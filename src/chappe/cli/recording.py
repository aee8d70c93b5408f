"""`chappe recording`: what was recorded of calls that came in: listed, saved, deleted."""

from __future__ import annotations

import argparse
import base64
import json
from pathlib import Path

from chappe.administration.commands import RecordingDelete, RecordingList, RecordingSave
from chappe.cli.administer import add_store_flags, administer, show
from chappe.cli.printed import at, print_list
from chappe.cli.refused import Refused


def add_to(groups: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:  # noqa: UP037  # pyright: ignore[reportPrivateUsage]
    """Adds the command group to the command line."""
    group = groups.add_parser(
        "recording",
        help="listen to what callers said",
        description="Lists, saves and deletes what was recorded of calls that came in.",
    )
    commands = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    listing = commands.add_parser("list", help="all recordings, oldest first")
    listing.set_defaults(run=_list)
    save = commands.add_parser("save", help="writes a recording into a WAV file")
    save.set_defaults(run=_save)
    delete = commands.add_parser("delete", help="deletes a recording for ever")
    delete.set_defaults(run=_delete)
    for command in (save, delete):
        command.add_argument("id", type=int, metavar="ID", help="the number that list shows")
    save.add_argument("path", type=Path, metavar="FILE.wav", help="a file that does not exist yet")
    for command in (listing, save, delete):
        command.add_argument("--json", action="store_true", help="print one JSON object")
        add_store_flags(command)


def _list(options: argparse.Namespace) -> int:
    result = administer(options, RecordingList())
    if options.json:
        print(json.dumps(result, ensure_ascii=False))
        return 0
    print_list(
        ("id", "began", "caller", "number", "duration", "state"),
        [
            (
                item["id"],
                at(item["beganAtMs"]),
                item["caller"] or "withheld",
                item["number"],
                f"{item['durationMs'] / 1000:.1f} s",
                item["state"],
            )
            for item in result["recordings"]
        ],
    )
    return 0


def _save(options: argparse.Namespace) -> int:
    result = administer(options, RecordingSave(options.id))
    try:
        with options.path.open("xb") as file:
            file.write(base64.b64decode(result["wav"]))
    except OSError as error:
        raise Refused(f"cannot write {options.path}: {error.strerror}") from error
    show(options, {"id": options.id, "file": str(options.path)})
    return 0


def _delete(options: argparse.Namespace) -> int:
    show(options, administer(options, RecordingDelete(options.id)))
    return 0
