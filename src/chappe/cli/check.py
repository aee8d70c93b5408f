"""`chappe check`: verifies the invariants on a store, with or without a running server."""

from __future__ import annotations

import argparse

from chappe.administration.commands import Check
from chappe.cli.administer import add_store_flags, administer


def add_to(groups: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:  # noqa: UP037  # pyright: ignore[reportPrivateUsage]
    """Adds the command to the command line."""
    command = groups.add_parser(
        "check",
        help="verify the invariants of a store",
        description="Verifies ledger, messages, opt-outs, events, ownership and commit settings."
        " One line a breach, and exit 1.",
    )
    add_store_flags(command)
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    breaches: list[str] = administer(options, Check(), may_create=False)["breaches"]
    for breach in breaches:
        print(breach)
    if not breaches:
        print("every invariant holds")
    return 1 if breaches else 0
