"""The one way out: every HTTP request that Chappe makes to an address somebody else chose goes through here.

The guard stands where the socket is made: the address that was checked is the address that is connected, however
it was spelled and whatever the name resolves to a moment later.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Mapping
from types import SimpleNamespace
from typing import Any, Literal

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from chappe import __version__
from chappe.http.public_addresses import AllowedAddresses

URL_CHARS_MAX = 2048
HOST_CHARS_MAX = 253
ANSWER_S_MAX = 15.0
ANSWER_BYTES_MAX = 64 * 1024
DRAIN_S_MAX = 2.0
# Below the 5 s after which many servers (Node, Apache, uvicorn) close a connection that is idle.
IDLE_S_MAX = 4.0
NAMES_S = 10
# A name server that does not answer keeps a look-up longer than its attempt lasts: more than twice as many as there
# are attempts at once (webhooks/lanes.py), so that names of one account's never take all places.
LOOKUPS_MAX = 320
STALE_MAX = 10

_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")

Lookup = Callable[[str], list[str]]
"""The IP addresses of a host name; blocks, and raises OSError."""


class NotAnswered(Exception):
    """No answer came. The text says why, in few words, and holds nothing of the request."""


class AddressNotAllowed(NotAnswered):
    """It leads to an address that is not public and not allowed by the configuration."""


class AddressRefused(OSError):
    """The guard: no connection is made there."""


def valid_callback_url(url: str) -> bool:
    """Whether `url` can be a callback: http or https, a host, at most 2048 characters, nothing ambiguous.

    Where the host leads is not looked at: that is checked at each connection.
    """
    return _parsed(url) is not None


def _parsed(url: str) -> URL | None:
    if len(url) > URL_CHARS_MAX or not url.isprintable() or any(c.isspace() or c == "\\" for c in url):
        return None
    try:
        # Plain ASCII goes out as it was given, octet for octet: secrets stand in query strings.
        parsed = URL(url, encoded=url.isascii())
        host, port = parsed.raw_host, parsed.port
    except (ValueError, UnicodeError):
        return None
    if parsed.scheme not in ("http", "https") or not host or len(host) > HOST_CHARS_MAX:
        return None
    if _HOST.fullmatch(host) is None or port is None or not 0 < port < 65536:
        return None
    return parsed


def look_up(host: str) -> list[str]:
    """The addresses of `host` by the machine's own resolver; blocks. Raises OSError."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # a label over 63 characters
        raise socket.gaierror(socket.EAI_NONAME, "not a host name") from error
    return list(dict.fromkeys(str(info[4][0]) for info in found))


class Outgoing:
    """An HTTP client with connection reuse. Belongs to one event loop; `close` it.

    `allow` are the networks (CIDR) that may be reached beside public addresses. No redirect is followed, no proxy
    and no cookie is used, TLS certificates are verified.
    """

    def __init__(
        self,
        allow: Iterable[str] = (),
        *,
        answer_s_max: float = ANSWER_S_MAX,
        lookup: Lookup = look_up,
        names_s: int = NAMES_S,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._allowed = AllowedAddresses(allow)
        self._answer_s_max = answer_s_max
        self._lookup = lookup
        self._names_s = names_s
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    async def send(
        self, method: Literal["GET", "POST"], url: str, *, headers: Mapping[str, str], body: bytes = b""
    ) -> int:
        """The HTTP status of the answer; its body is read up to 64 KiB and dropped.

        Raises `NotAnswered`; `AddressNotAllowed` where the guard did not let it through.
        """
        parsed = _parsed(url)
        if parsed is None:
            raise NotAnswered("not a usable http or https URL")
        try:
            async with asyncio.timeout(self._answer_s_max):
                response = await self._request(method, parsed, headers, body)
        except TimeoutError as error:
            raise NotAnswered(f"no answer within {self._answer_s_max:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if isinstance(_cause(error), AddressRefused):
                raise AddressNotAllowed(str(_cause(error))) from error
            raise NotAnswered(_reason(error)) from error
        await _drain(response)
        return response.status

    async def close(self) -> None:
        """Ends every connection."""
        if self._session is not None:
            await self._session.close()
            await asyncio.sleep(0)  # the transports close in the next turn of the loop
            self._session = None

    async def _request(
        self, method: str, url: URL, headers: Mapping[str, str], body: bytes
    ) -> aiohttp.ClientResponse:
        session = self._opened()
        for _ in range(STALE_MAX):
            connection = SimpleNamespace(is_reused=False)
            try:
                return await session.request(
                    method,
                    url,
                    headers={"Accept-Encoding": "identity", **headers},
                    data=body or None,
                    allow_redirects=False,
                    trace_request_ctx=connection,
                )
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                # A kept connection that its server closed at this very moment says nothing about the server:
                # once more, on the next one. Each turn takes one connection out of the pool.
                if not connection.is_reused:
                    raise
        raise NotAnswered("the server closes its connections")

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            trace = aiohttp.TraceConfig()
            trace.on_connection_reuseconn.append(_note_reuse)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=0,  # whoever sends bounds how much it sends at once
                    resolver=_GuardedResolver(self._lookup, self._allowed),
                    ttl_dns_cache=self._names_s,
                    keepalive_timeout=IDLE_S_MAX,
                    socket_factory=self._socket,
                    ssl=self._tls or True,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": f"Chappe/{__version__}"},
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
                auto_decompress=False,
                trust_env=False,
                trace_configs=[trace],
            )
        return self._session

    def _socket(self, info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, address = info
        if address[0] not in self._allowed:
            raise AddressRefused(f"the address {address[0]} is not public and not in callback_allow")
        return socket.socket(family, kind, protocol)


class _GuardedResolver(AbstractResolver):
    """Resolves on threads of its own, so that a name server that does not answer holds up nothing else.

    They are daemons: the process does not wait for them when it ends.
    """

    def __init__(self, lookup: Lookup, allowed: AllowedAddresses) -> None:
        self._lookup = lookup
        self._allowed = allowed
        self._slots = asyncio.Semaphore(LOOKUPS_MAX)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        del family
        found = await self._addresses(host)
        allowed = [address for address in found if address in self._allowed]
        if not allowed:
            raise AddressRefused(
                f"the host leads to {found[0]}, which is not public and not in callback_allow"
            )
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in allowed
        ]

    async def close(self) -> None:
        pass

    async def _addresses(self, host: str) -> list[str]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[str]] = loop.create_future()

        def settle(found: list[str], error: Exception | None) -> None:
            self._slots.release()
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            elif found:
                future.set_result(found)
            else:
                future.set_exception(socket.gaierror(socket.EAI_NONAME, "no address"))

        def run() -> None:
            found, error = list[str](), None
            try:
                found = self._lookup(host)
            except Exception as raised:
                error = raised
            try:
                loop.call_soon_threadsafe(settle, found, error)
            except RuntimeError:
                pass  # the loop was closed meanwhile: nobody asks any more

        await self._slots.acquire()
        threading.Thread(target=run, name="chappe-lookup", daemon=True).start()
        return await future


async def _note_reuse(
    _session: aiohttp.ClientSession, context: SimpleNamespace, _: aiohttp.TraceConnectionReuseconnParams
) -> None:
    context.trace_request_ctx.is_reused = True


async def _drain(response: aiohttp.ClientResponse) -> None:
    """Reads a short body so that its connection can be used again; whatever is longer or slower is cut off."""
    left = ANSWER_BYTES_MAX
    try:
        async with asyncio.timeout(DRAIN_S_MAX):
            while left > 0 and (chunk := await response.content.readany()):
                left -= len(chunk)
    except (aiohttp.ClientError, OSError, ValueError, TimeoutError):
        pass
    finally:
        # A body that was read to its end has given the connection back already; this ends any other.
        response.close()


def _cause(error: Exception) -> BaseException:
    return getattr(error, "os_error", None) or error


def _reason(error: Exception) -> str:
    cause = _cause(error)
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "the TLS certificate cannot be verified"
    if isinstance(error, aiohttp.ClientSSLError) or isinstance(cause, ssl.SSLError):
        return "TLS cannot be agreed on"
    if isinstance(cause, socket.gaierror):
        return "the host name does not resolve"
    if isinstance(error, aiohttp.InvalidURL):
        return "not a usable http or https URL"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the connection was closed before the answer"
    if isinstance(cause, OSError) and cause.errno:
        return os.strerror(cause.errno).lower()
    return "the answer is not HTTP"
