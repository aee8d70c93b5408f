"""`chappe audio`: lists audio files, saves what they sound like, validates or refuses them."""

from __future__ import annotations

import argparse
import base64
import json
from pathlib import Path

from chappe.administration.commands import AudioList, AudioModerate, AudioSave
from chappe.cli.administer import add_store_flags, administer, show
from chappe.cli.printed import print_list
from chappe.cli.refused import Refused


def add_to(groups: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:  # noqa: UP037  # pyright: ignore[reportPrivateUsage]
    """Adds the command group to the command line."""
    group = groups.add_parser(
        "audio",
        help="listen to and validate audio files",
        description="Lists audio files, saves what they sound like, validates or refuses them.",
    )
    commands = group.add_subparsers(title="commands", metavar="COMMAND", required=True)

    listing = commands.add_parser("list", help="files of every account, oldest first")
    listing.add_argument("--state", choices=("waiting", "valid", "refused"), help="only those (default: all)")
    listing.set_defaults(run=_list)

    validate = commands.add_parser("validate", help="the file may be played")
    validate.set_defaults(run=_moderate, state="valid")
    refuse = commands.add_parser("refuse", help="the file may not be played")
    refuse.set_defaults(run=_moderate, state="refused")
    save = commands.add_parser("save", help="writes what is heard on the telephone into a WAV file")
    save.set_defaults(run=_save)
    for command in (validate, refuse, save):
        command.add_argument("token", metavar="TOKEN", help="the file's tokenAudio")
    save.add_argument("path", type=Path, metavar="FILE.wav", help="a file that does not exist yet")

    for command in (listing, validate, refuse, save):
        command.add_argument("--json", action="store_true", help="print one JSON object")
        add_store_flags(command)


def _list(options: argparse.Namespace) -> int:
    result = administer(options, AudioList(options.state))
    if options.json:
        print(json.dumps(result, ensure_ascii=False))
        return 0
    print_list(
        ("token", "state", "duration", "account", "name"),
        [
            (
                file["tokenAudio"],
                file["state"],
                f"{file['durationMs'] / 1000:.1f} s",
                file["email"],
                file["filename"],
            )
            for file in result["files"]
        ],
    )
    return 0


def _moderate(options: argparse.Namespace) -> int:
    show(options, administer(options, AudioModerate(options.token, options.state)))
    return 0


def _save(options: argparse.Namespace) -> int:
    result = administer(options, AudioSave(options.token))
    try:
        with options.path.open("xb") as file:
            file.write(base64.b64decode(result["wav"]))
    except OSError as error:
        raise Refused(f"cannot write {options.path}: {error.strerror}") from error
    show(options, {"tokenAudio": options.token, "file": str(options.path)})
    return 0
