"""The command line's end of the unix socket `DIR/chappe.sock`: one JSON line out, one JSON line in.

Apart from the server's end, which would cost every command the import of logs and event loops.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from chappe.administration.commands import Command, CommandRefused, Result

LINE_BYTES_MAX = 64 * 1024 * 1024
ADDRESS_BYTES_MAX = 100
ANSWER_S_MAX = 600.0  # a check of a large database takes minutes

_encode = msgspec.json.Encoder().encode


def ask_server(path: Path, command: Command) -> Result | None:
    """Has the server behind the socket carry out `command`; None when no server answers there.

    Raises `CommandRefused`. Whatever was done is on disk when this returns.
    """
    try:
        line = _encode(command) + b"\n"
    except UnicodeEncodeError as error:  # octets of a command line that are no text
        raise CommandRefused("an argument is not UTF-8 text") from error
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(ANSWER_S_MAX)
    with connection:
        try:
            with address_of(path) as address:
                connection.connect(address)
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            return None
        except OSError as error:
            raise CommandRefused(f"cannot reach the server at {path}: {error}") from error
        try:
            connection.sendall(line)
            with connection.makefile("rb") as answers:
                answer = answers.readline(LINE_BYTES_MAX)
        except OSError as error:
            raise CommandRefused(f"the server at {path} did not answer: {error}") from error
    if not answer.endswith(b"\n"):
        raise CommandRefused(
            "the server stopped before it answered; look whether the command was carried out"
        )
    decoded: dict[str, Any] = msgspec.json.decode(answer)
    if not decoded["ok"]:
        raise CommandRefused(decoded["message"])
    return decoded["result"]


@contextmanager
def address_of(path: Path) -> Generator[str]:
    """What to bind or connect to: an address holds 107 bytes, a path may be longer; then by way of the folder's
    file descriptor."""
    name = str(path.absolute())
    if len(os.fsencode(name)) < ADDRESS_BYTES_MAX:
        yield name
        return
    fd = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{fd}/{path.name}"
    finally:
        os.close(fd)
