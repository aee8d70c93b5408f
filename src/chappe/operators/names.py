"""Names of operators' hosts and their addresses, looked up on threads of their own.

A resolver that does not answer then holds up nothing else. The event loop's own lookups share two threads, and the end of
the process waits for them; these are daemons.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Final, TypeVar

P = TypeVar("P", bound=asyncio.BaseProtocol)

LOOKUPS_MAX: Final = 64
"""At a time: a peer may name another host in each message."""

_slots: Final = threading.BoundedSemaphore(LOOKUPS_MAX)


async def addresses_of(host: str, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[str]:
    """At least one, in the system's order of preference; an address is its own. Raises OSError."""
    with contextlib.suppress(ValueError):
        return [str(ipaddress.ip_address(host))]
    if not _slots.acquire(blocking=False):
        raise OSError(errno.EAGAIN, "too many names are being looked up")
    loop = asyncio.get_running_loop()
    future: asyncio.Future[list[str]] = loop.create_future()

    def settle(found: list[str], error: OSError | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(found)

    def run() -> None:
        found: list[str] = []
        error: OSError | None = None
        try:
            infos = socket.getaddrinfo(host, None, family=family, type=socket.SOCK_STREAM)
            found = list(dict.fromkeys(str(info[4][0]) for info in infos))
        except OSError as failure:
            error = failure
        except UnicodeError:  # a label over 63 characters
            error = socket.gaierror(socket.EAI_NONAME, "not a host name")
        finally:
            _slots.release()
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile: nobody asks any more
            loop.call_soon_threadsafe(settle, found, error)

    threading.Thread(target=run, name="chappe-name", daemon=True).start()
    return await future


async def connected(
    factory: Callable[[], P], host: str, port: int, context: ssl.SSLContext | None = None
) -> P:
    """The protocol of a connection to the first of the host's addresses that takes it. Raises OSError."""
    loop = asyncio.get_running_loop()
    failure = OSError(errno.EADDRNOTAVAIL, "no address")
    for address in await addresses_of(host):
        try:
            _, protocol = await loop.create_connection(
                factory, address, port, ssl=context, server_hostname=None if context is None else host
            )
        except OSError as error:
            failure = error
        else:
            return protocol
    raise failure
