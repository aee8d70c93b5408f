"""The `chappe` command: one module a command group; exit 0 done, 1 refused, 2 usage."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from chappe import __version__
from chappe.cli import (
    account,
    audio,
    call,
    caller,
    check,
    client,
    database,
    message,
    price,
    recording,
    serve,
    voice,
    webhook,
)
from chappe.cli.refused import Refused


def parser() -> argparse.ArgumentParser:
    """The whole command line, for `main` and for the documentation's tests."""
    top = argparse.ArgumentParser(
        prog="chappe",
        description="SMS, voice and mail behind the HTTP APIs of SMS Partner, Voice Partner and Mail Partner.",
    )
    top.add_argument("--version", action="version", version=f"chappe {__version__}")
    groups = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for group in (
        serve,
        account,
        price,
        message,
        audio,
        call,
        caller,
        recording,
        webhook,
        check,
        database,
        client,
        voice,
    ):
        group.add_to(groups)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; gives its exit code."""
    options = parser().parse_args(arguments)
    try:
        code = int(options.run(options))
        sys.stdout.flush()
        return code
    except Refused as refused:
        print(f"chappe: {refused}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output is gone: nothing more can be written there, not even by the last flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
