"""`chappe webhook`: list and replay events for customers' URLs."""

from __future__ import annotations

import argparse
import json

from chappe.administration.commands import WebhookList, WebhookReplay
from chappe.cli.administer import add_store_flags, administer, show
from chappe.cli.printed import print_list
from chappe.webhooks.queue import STATES


def add_to(groups: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:  # noqa: UP037  # pyright: ignore[reportPrivateUsage]
    """Adds the command group to the command line."""
    group = groups.add_parser(
        "webhook",
        help="list and replay callbacks",
        description="Lists and replays events for customers' URLs.",
    )
    commands = group.add_subparsers(title="commands", metavar="COMMAND", required=True)

    listing = commands.add_parser("list", help="events, newest first")
    listing.add_argument("--state", choices=STATES, help="only those (default: all)")
    listing.add_argument("--limit", type=int, default=100, metavar="N", help="at most (default 100)")
    listing.set_defaults(run=_list)

    replayed = commands.add_parser("replay", help="post again, from the first attempt on")
    which = replayed.add_mutually_exclusive_group(required=True)
    which.add_argument("id", nargs="?", type=int, metavar="ID", help="this event, whatever its state")
    which.add_argument("--all-exhausted", action="store_true", help="every event that is exhausted")
    replayed.set_defaults(run=_replay)

    for command in (listing, replayed):
        command.add_argument("--json", action="store_true", help="print one JSON object")
        add_store_flags(command)


def _list(options: argparse.Namespace) -> int:
    result = administer(options, WebhookList(options.state, options.limit))
    if options.json:
        print(json.dumps(result, ensure_ascii=False))
        return 0
    print_list(
        ("id", "kind", "state", "attempts", "last result", "settled or next", "account", "url"),
        [
            (
                event["id"],
                event["kind"],
                event["state"],
                event["attempts"],
                event["lastResult"] or "-",
                event["settledAt"] or f"next {event['nextAttemptAt']}",
                event["email"] or "-",
                event["url"],
            )
            for event in result["events"]
        ],
    )
    return 0


def _replay(options: argparse.Namespace) -> int:
    show(options, administer(options, WebhookReplay(None if options.all_exhausted else options.id)))
    return 0
