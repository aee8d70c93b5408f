"""`chappe price`: list and set."""

from __future__ import annotations

import argparse
import json

from chappe.administration.commands import PriceList, PriceSet
from chappe.cli.administer import add_store_flags, administer, show
from chappe.cli.printed import print_list


def add_to(groups: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:  # noqa: UP037  # pyright: ignore[reportPrivateUsage]
    """Adds the command group to the command line."""
    group = groups.add_parser("price", help="list and set prices", description="List and set prices.")
    commands = group.add_subparsers(title="commands", metavar="COMMAND", required=True)

    listing = commands.add_parser("list", help="every price in force")
    listing.set_defaults(run=_list)

    change = commands.add_parser("set", help="set a price")
    change.add_argument(
        "article", help="sms, sms-lowcost, hlr, rcs, voicemail, tts-mobile, tts-landline, mail"
    )
    change.add_argument("prefix", help='E.164 digits without +, "" for every number')
    change.add_argument("price", metavar="EUROS", help="a unit, up to six decimals")
    change.add_argument("--account", metavar="EMAIL", help="for this account only")
    change.set_defaults(run=_set)

    for command in (listing, change):
        command.add_argument("--json", action="store_true", help="print one JSON object")
        add_store_flags(command)


def _list(options: argparse.Namespace) -> int:
    result = administer(options, PriceList())
    if options.json:
        print(json.dumps(result, ensure_ascii=False))
        return 0
    print_list(
        ("article", "prefix", "euros", "unit", "account"),
        [
            (
                price["article"],
                price["prefix"] or "*",
                price["price"],
                f"a {price['unit']}",
                price["email"] or "every account",
            )
            for price in result["prices"]
        ],
    )
    return 0


def _set(options: argparse.Namespace) -> int:
    show(
        options,
        administer(options, PriceSet(options.article, options.prefix, options.price, options.account)),
    )
    return 0
