"""`chappe serve`: the server."""

from __future__ import annotations

import argparse

from chappe.cli.administer import add_store_flags
from chappe.cli.refused import Refused
from chappe.settings import Flags, SettingsRefused, load_settings


def add_to(groups: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:  # noqa: UP037  # pyright: ignore[reportPrivateUsage]
    """Adds the command to the command line."""
    command = groups.add_parser(
        "serve",
        help="run the server",
        description="Runs the server. Prints `ready http://HOST:PORT` when it accepts work;"
        " SIGTERM lets what is under way end, and stops it.",
    )
    command.add_argument("--host", help="address to listen on (CHAPPE_HOST; default 127.0.0.1)")
    command.add_argument("--port", type=int, help="port, 0 for any free one (CHAPPE_PORT; default 8000)")
    command.add_argument(
        "--role", choices=("api", "worker", "all"), help="which parts run here (default all)"
    )
    command.add_argument("--no-simulator", action="store_true", help="without the built-in network")
    command.add_argument(
        "--demo", action="store_true", help="with a demo account; prints its key and first calls"
    )
    command.add_argument("--tls-port", type=int, help="also HTTPS, on this port")
    command.add_argument("--tls-cert", metavar="FILE", help="certificate chain, PEM")
    command.add_argument("--tls-key", metavar="FILE", help="private key, PEM")
    add_store_flags(command)
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    try:
        settings = load_settings(
            Flags(
                data=options.data,
                config=options.config,
                database=options.database,
                host=options.host,
                port=options.port,
                role=options.role,
                no_simulator=options.no_simulator,
                demo=options.demo,
                tls_port=options.tls_port,
                tls_cert=options.tls_cert,
                tls_key=options.tls_key,
            )
        )
    except SettingsRefused as refused:
        raise Refused(str(refused)) from refused
    # The server's parts are imported for this command only: the others must start in a blink.
    from chappe.app import ServerRefused, serve

    try:
        return serve(settings)
    except ServerRefused as refused:
        raise Refused(str(refused)) from refused
