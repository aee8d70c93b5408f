"""`chappe message`: the history of a message, for the operator of the server."""

from __future__ import annotations

import argparse
import json
from typing import Any

from chappe.administration.commands import MessageList, MessageShow
from chappe.cli.administer import add_list_flags, add_store_flags, administer
from chappe.cli.printed import at, print_list


def add_to(groups: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:  # noqa: UP037  # pyright: ignore[reportPrivateUsage]
    """Adds the command group to the command line."""
    group = groups.add_parser(
        "message", help="the history of a message", description="What was tried, where, and what came back."
    )
    commands = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    show = commands.add_parser("show", help="a message, its recipients and every submission to an operator")
    show.add_argument("id", type=int, help="the message_id that the send answered")
    show.add_argument("--number", help="this recipient only")
    show.add_argument("--json", action="store_true", help="print one JSON object")
    add_store_flags(show)
    show.set_defaults(run=_show)
    listing = commands.add_parser("list", help="the newest messages")
    add_list_flags(listing)
    listing.set_defaults(run=_list)


def _show(options: argparse.Namespace) -> int:
    result = administer(options, MessageShow(options.id, options.number))
    if options.json:
        print(json.dumps(result, ensure_ascii=False))
        return 0
    kind = "sandbox message" if result["sandbox"] else "message"
    print(f"{kind} {result['messageId']} of {result['email']}, accepted {at(result['acceptedAtMs'])}")
    for recipient in result["recipients"]:
        back = f", {recipient['refund']} given back" if recipient["refund"] != "0" else ""
        print(
            f"{recipient['number']}\t{recipient['state']} since {at(recipient['changedAtMs'])}"
            f"\t{recipient['cost']} EUR{back}"
        )
        for tried in recipient["tries"]:
            print(f"  {_line(tried)}")
    return 0


def _list(options: argparse.Namespace) -> int:
    result = administer(options, MessageList(options.account, options.limit))
    if options.json:
        print(json.dumps(result, ensure_ascii=False))
        return 0
    print_list(
        ("message", "accepted", "account", "state", "delivered", "EUR"),
        [
            (
                each["messageId"],
                at(each["acceptedAtMs"]),
                each["email"],
                _state(each),
                f"{each['delivered']} of {each['recipients']}",
                each["cost"],
            )
            for each in result["messages"]
        ],
    )
    return 0


def _state(message: dict[str, Any]) -> str:
    where = "sandbox, " if message["sandbox"] else ""
    if not message["open"]:
        return f"{where}ended"
    if message["dueAtMs"] is not None and message["open"] == message["recipients"]:
        return f"{where}due {at(message['dueAtMs'])}"
    return f"{where}{message['open']} under way"


def _line(tried: dict[str, Any]) -> str:
    line = f"attempt {tried['attempt']} part {tried['part'] + 1}: {tried['operator']}"
    line += f" {at(tried['leftAtMs'])} {tried['outcome']}"
    if tried["smscMessageId"]:
        line += f" as {tried['smscMessageId']}"
    if tried["commandStatus"]:
        line += f" (command_status 0x{tried['commandStatus']:08X})"
    if tried["receiptState"]:
        line += f"; receipt {tried['receiptState']} error {tried['receiptError']} {at(tried['receiptAtMs'])}"
    return line
