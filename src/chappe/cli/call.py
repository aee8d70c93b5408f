"""`chappe call`: the history of a campaign of calls, and of calls that came in, for the operator of the server."""

from __future__ import annotations

import argparse
import json
from typing import Any

from chappe.administration.commands import CallIncoming, CallList, CallShow
from chappe.cli.administer import add_list_flags, add_store_flags, administer
from chappe.cli.printed import at, print_list


def add_to(groups: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:  # noqa: UP037  # pyright: ignore[reportPrivateUsage]
    """Adds the command group to the command line."""
    group = groups.add_parser(
        "call", help="the history of a campaign of calls", description="Who was called, and how it ended."
    )
    commands = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    show = commands.add_parser("show", help="a campaign, its callees and every call")
    show.add_argument("id", metavar="CAMPAIGN", help="the campaignId that the send answered")
    show.add_argument("--json", action="store_true", help="print one JSON object")
    add_store_flags(show)
    show.set_defaults(run=_show)
    listing = commands.add_parser("list", help="the newest campaigns")
    add_list_flags(listing)
    listing.set_defaults(run=_list)
    incoming = commands.add_parser("incoming", help="calls that came in, the newest first")
    incoming.add_argument("--number", metavar="NUMBER", help="only those to this number of ours")
    incoming.add_argument("--limit", type=int, default=100, metavar="N", help="at most so many (100)")
    incoming.add_argument("--json", action="store_true", help="print one JSON object")
    add_store_flags(incoming)
    incoming.set_defaults(run=_incoming)


def _show(options: argparse.Namespace) -> int:
    result = administer(options, CallShow(options.id))
    if options.json:
        print(json.dumps(result, ensure_ascii=False))
        return 0
    ended = "under way" if result["endedAtMs"] is None else f"ended {at(result['endedAtMs'])}"
    print(
        f"{result['kind']} {result['campaignId']} of {result['email']}, accepted {at(result['acceptedAtMs'])}, {ended}"
    )
    if result["noticeTo"]:
        what = "is to be told" if result["endedAtMs"] is None else "would have been told"
        print(f"{result['noticeTo']} {what} of the end by e-mail, which is not sent yet")
    for callee in result["callees"]:
        back = f", {callee['refund']} given back" if callee["refund"] != "0" else ""
        print(
            f"{callee['number']}\t{callee['state']} since {at(callee['changedAtMs'])}\t{callee['cost']} EUR{back}"
        )
        for call in callee["calls"]:
            print(f"  {_line(call)}")
        if callee.get("waitsFor"):  # a server that runs since before an upgrade does not say
            print(f"  {_next_call(result, callee)}")
    return 0


def _list(options: argparse.Namespace) -> int:
    result = administer(options, CallList(options.account, options.limit))
    if options.json:
        print(json.dumps(result, ensure_ascii=False))
        return 0
    print_list(
        ("campaign", "accepted", "account", "kind", "state", "delivered", "EUR"),
        [
            (
                each["campaignId"],
                at(each["acceptedAtMs"]),
                each["email"],
                each["kind"],
                _campaign_state(each),
                f"{each['delivered']} of {each['callees']}",
                each["cost"],
            )
            for each in result["campaigns"]
        ],
    )
    return 0


def _campaign_state(campaign: dict[str, Any]) -> str:
    if campaign["cancelled"]:
        return "cancelled"
    if campaign["endedAtMs"] is not None:
        return f"ended {at(campaign['endedAtMs'])}"
    if campaign["dueAtMs"] is not None and campaign["open"] == campaign["callees"]:
        return f"due {at(campaign['dueAtMs'])}"
    return f"{campaign['open']} under way"


def _next_call(campaign: dict[str, Any], callee: dict[str, Any]) -> str:
    when = at(callee["nextCallAtMs"])
    match callee["waitsFor"]:
        case "trunk":
            return f"next call as soon as a trunk has a place for it; due since {when}"
        case "hours":
            return f"next call at {when}, when the hours of marketing calls begin"
        case "person":
            return f"next call at {when}, the last one, for a person answered where a mailbox was wanted"
        case "date":
            return f"next call at {when}, as the request asked"
        case _:
            made = sum(call["result"] != "not taken" for call in callee["calls"])
            why = "it was busy" if callee["waitsFor"] == "busy" else "nobody answered"
            return f"next call at {when}, retry {made} of {campaign['retries']}, for {why}"


def _incoming(options: argparse.Namespace) -> int:
    result = administer(options, CallIncoming(options.number, options.limit))
    if options.json:
        print(json.dumps(result, ensure_ascii=False))
        return 0
    print_list(
        ("id", "began", "caller", "number", "action", "result"),
        [
            (
                call["id"],
                at(call["beganAtMs"]),
                call["caller"] or "withheld",
                call["number"],
                _action(call),
                _result(call),
            )
            for call in result["calls"]
        ],
    )
    return 0


def _action(call: dict[str, Any]) -> str:
    if not call["to"]:
        return call["action"]
    return f"{call['action']} to {call['to']}" + (f" by {call['onward']}" if call["onward"] else "")


def _result(call: dict[str, Any]) -> str:
    line: str = call["result"]
    if call["status"]:
        line += f" ({call['status']}, cause {call['cause']})"
    if call["answeredAtMs"] is not None and call["endedAtMs"] is not None:
        line += f"; {(call['endedAtMs'] - call['answeredAtMs']) / 1000:.1f} s"
    if call["recordedMs"] is not None:
        line += f"; {call['recordedMs'] / 1000:.1f} s recorded"
    return line


def _line(call: dict[str, Any]) -> str:
    line = f"call {call['attempt']}: {call['operator']} {at(call['leftAtMs'])} {call['result']}"
    if call["status"]:
        line += f" ({call['progress']}; status {call['status']}, cause {call['cause']})"
    if call["answeredAtMs"] is not None:
        who = f" by a {call['party']} ({call['reason']})" if call["party"] else ""
        line += f"; answered{who} {at(call['answeredAtMs'])}, {call['playedMs'] / 1000:.1f} s played"
    return line
