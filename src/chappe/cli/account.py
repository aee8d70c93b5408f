"""`chappe account`: create, list, show, credit, set, rotate-key."""

from __future__ import annotations

import argparse

from chappe.accounts.account import STATES
from chappe.administration.commands import (
    AccountCreate,
    AccountCredit,
    AccountList,
    AccountRotateKey,
    AccountSet,
    AccountShow,
    Command,
)
from chappe.cli.administer import add_store_flags, administer, show
from chappe.cli.printed import print_list


def add_to(groups: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:  # noqa: UP037  # pyright: ignore[reportPrivateUsage]
    """Adds the command group to the command line."""
    group = groups.add_parser(
        "account", help="create and manage accounts", description="Create and manage accounts."
    )
    commands = group.add_subparsers(title="commands", metavar="COMMAND", required=True)

    create = commands.add_parser("create", help="a new account, with its key")
    create.add_argument("email")
    create.add_argument("--credit", metavar="EUROS", default="0", help="opening credit (default 0)")
    create.add_argument("--firstname", default="")
    create.add_argument("--lastname", default="")
    create.set_defaults(command=_create)

    listing = commands.add_parser("list", help="every account")
    listing.set_defaults(command=_list)

    shown = commands.add_parser("show", help="one account")
    shown.add_argument("email")
    shown.add_argument(
        "--key", action="store_true", help="also its API key and the secret of its callbacks, in clear"
    )
    shown.set_defaults(command=_show)

    credit = commands.add_parser("credit", help="add credit; a negative amount takes some off")
    credit.add_argument("email")
    credit.add_argument("amount", metavar="EUROS")
    credit.add_argument("--reason", default="", help="kept in the ledger")
    credit.set_defaults(command=_credit)

    change = commands.add_parser("set", help="change rights, state, allow-list")
    change.add_argument("email")
    change.add_argument("--subaccounts", choices=("on", "off"), help="may have sub-accounts")
    change.add_argument(
        "--marketing", choices=("on", "off"), help="sends commercial messages: hours and STOP apply"
    )
    change.add_argument("--state", choices=STATES)
    change.add_argument("--allow-ip", metavar="CIDR,...", help='only from there; "" for everywhere')
    change.add_argument(
        "--voice-retries",
        type=int,
        metavar="N",
        help="further calls to a number after busy and no answer, 0 to 3 (0 at first)",
    )
    change.add_argument(
        "--voice-retry-delay",
        type=int,
        metavar="S",
        help="seconds before each of them, 10 to 86400 (300 at first)",
    )
    change.set_defaults(command=_set)

    rotate = commands.add_parser("rotate-key", help="a new key; the old one stops at once")
    rotate.add_argument("email")
    rotate.set_defaults(command=_rotate_key)

    for command in (create, listing, shown, credit, change, rotate):
        command.add_argument("--json", action="store_true", help="print one JSON object")
        add_store_flags(command)
        command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    command: Command = options.command(options)
    result = administer(options, command)
    if isinstance(command, AccountList) and not options.json:
        print_list(
            ("email", "balance", "state", "rights"),
            [
                (
                    account["email"],
                    account["balance"],
                    account["state"],
                    ",".join(name for name in ("marketing", "subaccounts") if account[name]) or "-",
                )
                for account in result["accounts"]
            ],
        )
        return 0
    show(options, result)
    return 0


def _create(options: argparse.Namespace) -> Command:
    return AccountCreate(
        options.email, credit=options.credit, firstname=options.firstname, lastname=options.lastname
    )


def _list(_: argparse.Namespace) -> Command:
    return AccountList()


def _show(options: argparse.Namespace) -> Command:
    return AccountShow(options.email, with_key=options.key)


def _credit(options: argparse.Namespace) -> Command:
    return AccountCredit(options.email, options.amount, options.reason)


def _set(options: argparse.Namespace) -> Command:
    return AccountSet(
        options.email,
        state=options.state,
        marketing=_switch(options.marketing),
        subaccounts=_switch(options.subaccounts),
        allow_ip=options.allow_ip,
        voice_retries=options.voice_retries,
        voice_retry_delay_s=options.voice_retry_delay,
    )


def _rotate_key(options: argparse.Namespace) -> Command:
    return AccountRotateKey(options.email)


def _switch(value: str | None) -> bool | None:
    return None if value is None else value == "on"
