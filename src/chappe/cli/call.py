"""`chappe call`: the history of a campaign of calls, for the operator of the server."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from typing import Any

from chappe.administration.commands import CallShow
from chappe.cli.administer import add_store_flags, administer


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


def _show(options: argparse.Namespace) -> int:
    result = administer(options, CallShow(options.id))
    if options.json:
        print(json.dumps(result, ensure_ascii=False))
        return 0
    ended = "under way" if result["endedAtMs"] is None else f"ended {_at(result['endedAtMs'])}"
    print(
        f"{result['kind']} {result['campaignId']} of {result['email']}, accepted {_at(result['acceptedAtMs'])}, {ended}"
    )
    if result["noticeTo"]:
        print(f"to be told by e-mail: {result['noticeTo']}")
    for callee in result["callees"]:
        back = f", {callee['refund']} given back" if callee["refund"] != "0" else ""
        print(
            f"{callee['number']}\t{callee['state']} since {_at(callee['changedAtMs'])}\t{callee['cost']} EUR{back}"
        )
        for call in callee["calls"]:
            print(f"  {_line(call)}")
    return 0


def _line(call: dict[str, Any]) -> str:
    line = f"call {call['attempt']}: {call['operator']} {_at(call['leftAtMs'])} {call['result']}"
    if call["status"]:
        line += f" ({call['progress']}; status {call['status']}, cause {call['cause']})"
    if call["answeredAtMs"] is not None:
        who = f" by a {call['party']} ({call['reason']})" if call["party"] else ""
        line += f"; answered{who} {_at(call['answeredAtMs'])}, {call['playedMs'] / 1000:.1f} s played"
    return line


def _at(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
