"""`chappe caller`: the numbers that an account may show when it calls."""

from __future__ import annotations

import argparse

from chappe.administration.commands import CallerChange
from chappe.cli.administer import add_store_flags, administer, show


def add_to(groups: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:  # noqa: UP037  # pyright: ignore[reportPrivateUsage]
    """Adds the command group to the command line."""
    group = groups.add_parser(
        "caller",
        help="the numbers that an account may show when it calls",
        description="Numbers of an account, once the operator of the server has seen that they are its own.",
    )
    commands = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    listing = commands.add_parser("list", help="the numbers of an account")
    add = commands.add_parser("add", help="the account may show this number")
    remove = commands.add_parser("remove", help="it may not any more")
    for command, what in ((listing, "list"), (add, "add"), (remove, "remove")):
        command.add_argument("email", metavar="EMAIL", help="the account's e-mail address")
        command.set_defaults(run=_change, change=what, number=None)
    for command in (add, remove):
        command.add_argument("number", metavar="NUMBER", help="+33162..., 0162...")
    for command in (listing, add, remove):
        command.add_argument("--json", action="store_true", help="print one JSON object")
        add_store_flags(command)


def _change(options: argparse.Namespace) -> int:
    added = options.number if options.change == "add" else None
    removed = options.number if options.change == "remove" else None
    show(options, administer(options, CallerChange(options.email, added, removed)))
    return 0
