"""PostgreSQL connections as Chappe opens them, and `Transaction` over one of them."""

from __future__ import annotations

import asyncio
import secrets
import zlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import cache
from typing import Any, Protocol, cast

import asyncpg  # pyright: ignore[reportMissingTypeStubs]
from asyncpg import exceptions as pg  # pyright: ignore[reportMissingTypeStubs]

from chappe.storage.database import Params, Row, StorageRefused, StorageUnavailable
from chappe.storage.waiting import wait_for

VERSION_MIN = 13
CONNECT_S_MAX = 5.0
STATEMENT_S_MAX = 15.0
"""No statement of a unit or a short query takes so long, unless the way to the server is cut or its disk stands still."""
STREAM_ROWS = 1000
STATEMENTS_MAX = 512
APPLICATION = "chappe"
_ACTS = 0x63683
"""The kind of the advisory locks of `try_lock`."""


class Connection(Protocol):
    """What Chappe uses of asyncpg's connection."""

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str: ...  # noqa: ASYNC109
    async def executemany(self, command: str, args: Iterable[Params]) -> None: ...
    async def fetch(self, query: str, *args: Any) -> list[Any]: ...
    async def fetchmany(self, query: str, args: Iterable[Params]) -> list[Any]: ...
    async def fetchrow(self, query: str, *args: Any) -> Any: ...
    async def fetchval(self, query: str, *args: Any, timeout: float | None = None) -> Any: ...  # noqa: ASYNC109
    async def copy_records_to_table(
        self, table_name: str, *, records: Iterable[Params], columns: Sequence[str]
    ) -> str: ...
    def cursor(self, query: str, *args: Any) -> Awaitable[Any]: ...
    def transaction(self, *, isolation: str, readonly: bool) -> AbstractAsyncContextManager[Any]: ...
    async def add_listener(self, channel: str, callback: Callable[..., None]) -> None: ...
    def add_termination_listener(self, callback: Callable[..., None]) -> None: ...
    def get_server_pid(self) -> int: ...
    def get_server_version(self) -> Any: ...
    def is_closed(self) -> bool: ...
    def terminate(self) -> None: ...
    async def close(self, *, timeout: float | None = None) -> None: ...  # noqa: ASYNC109


_connect = cast(Callable[..., Awaitable[Connection]], asyncpg.connect)  # pyright: ignore[reportUnknownMemberType]

# The server, its machine or its disk failed, or somebody ended our session. Any other error is a mistake in a
# statement and must not pass for one of these: it is answered 500 and counted, not 503.
_FAULTS: tuple[type[Exception], ...] = (
    pg.PostgresConnectionError,
    pg.InsufficientResourcesError,
    pg.OperatorInterventionError,
    pg.PostgresSystemError,
    pg.InternalServerError,
    pg.ReadOnlySQLTransactionError,
    pg.LockNotAvailableError,
)
# Two transactions wanted each other's rows: the server chose one of them to be run again.
_COLLISIONS: tuple[type[Exception], ...] = (pg.DeadlockDetectedError, pg.SerializationError)


def is_broken(error: BaseException) -> bool:
    """Whether the connection is of no use any more: nobody knows what became of the last statement."""
    if isinstance(error, ValueError):
        return False  # a value that the driver could not encode: nothing was sent
    return isinstance(
        error,
        (
            pg.InterfaceError,
            pg.InternalClientError,
            pg.PostgresConnectionError,
            pg.AdminShutdownError,
            pg.CrashShutdownError,
            pg.CannotConnectNowError,
            pg.IdleSessionTimeoutError,
            pg.IdleInTransactionSessionTimeoutError,
            OSError,
            TimeoutError,
            EOFError,
        ),
    )


def is_fault(error: BaseException) -> bool:
    """Whether the storage failed, as opposed to a statement of ours."""
    return isinstance(error, _FAULTS) or is_broken(error)


def is_collision(error: BaseException) -> bool:
    """Whether the transaction is to be run again as it is."""
    return isinstance(error, _COLLISIONS)


class Link:
    """A connection with the name that the server knows it by."""

    __slots__ = ("connection", "is_durable", "name", "pid")

    def __init__(self, connection: Connection, name: str) -> None:
        self.connection = connection
        self.name = name
        self.pid = connection.get_server_pid()
        self.is_durable = True
        """Whether a commit of this session waits for the disk; known of the first one."""


class Connector:
    """Opens connections to one database. `url` may hold a password: it never stands in an error or a log."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._statement_s_max = STATEMENT_S_MAX

    async def link(self, *, is_patient: bool = False, settings: Mapping[str, str] | None = None) -> Link:
        """A new connection; raises `StorageUnavailable`. `settings` are the server's, for this session.

        A patient one waits for its statements however long they take.
        """
        name = f"{APPLICATION} {secrets.token_hex(12)}"
        try:
            connection = await _connect(
                self._url,
                timeout=CONNECT_S_MAX,
                # Of several hosts the one that takes writes; of one, which has become a standby, nothing stale is read.
                target_session_attrs="primary",
                command_timeout=None if is_patient else self._statement_s_max,
                statement_cache_size=STATEMENTS_MAX,
                max_cached_statement_lifetime=0,
                # The plans are known and short: compiling them would take longer than running them.
                server_settings={"application_name": name, "jit": "off", **(settings or {})},
            )
        except Exception as error:
            raise StorageUnavailable(f"cannot connect to PostgreSQL: {_said(error)}") from error
        return Link(connection, name)

    async def first_link(self) -> Link:
        """A new connection to a server that has what is needed; raises `StorageRefused` with one clear line."""
        try:
            link = await self.link()
        except StorageUnavailable as error:
            raise StorageRefused(str(error)) from error
        connection = link.connection
        try:
            version = connection.get_server_version().major
            if version < VERSION_MIN:
                raise StorageRefused(f"PostgreSQL {VERSION_MIN} or newer is needed, the server is {version}")
            if await connection.fetchval("SELECT pg_backend_pid()") != link.pid:
                # It gives out numbers of its own. What Chappe relies on are sessions: locks that last as long, settings,
                # and that a session which was cut can be ended.
                raise StorageRefused(
                    "a connection pooler stands before PostgreSQL: Chappe must be connected to PostgreSQL itself"
                )
            encoding = await connection.fetchval("SHOW server_encoding")
            if encoding != "UTF8":
                raise StorageRefused(f"the database must be encoded in UTF8, it is in {encoding}")
            link.is_durable = await connection.fetchval("SHOW synchronous_commit") != "off"
        except BaseException as error:
            await close_quietly(link)
            if is_fault(error):
                raise StorageRefused(f"cannot use PostgreSQL: {_said(error)}") from error
            raise
        return link


def _said(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "it does not answer"
    if isinstance(error, pg.TargetServerAttributeNotMatched):
        return "it is a standby, which cannot be written to"
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return str(error).partition("\n")[0] or type(error).__name__


@cache
def translated(sql: str) -> str:
    """`?` placeholders as PostgreSQL numbers them; those within quotes stay. Once for each statement."""
    parts: list[str] = []
    count = 0
    quote = ""
    for character in sql:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == "?":
            count += 1
            parts.append(f"${count}")
            continue
        parts.append(character)
    return "".join(parts)


class PostgresTransaction:
    """`Transaction` over a connection; who opened the transaction ends it. Used within `call_waiting` only."""

    __slots__ = ("_connection", "_has_cursors", "notices")

    def __init__(self, connection: Connection, *, has_cursors: bool = False) -> None:
        self._connection = connection
        self._has_cursors = has_cursors
        """Whether the driver knows of the transaction: it gives cursors within its own only."""
        self.notices: set[str] = set()
        """Channels to wake after the commit."""

    def one(self, sql: str, params: Params = ()) -> Row | None:
        row = wait_for(self._connection.fetchrow(translated(sql), *params))
        return None if row is None else tuple(row)

    def all(self, sql: str, params: Params = ()) -> list[Row]:
        return list(map(tuple, wait_for(self._connection.fetch(translated(sql), *params))))

    def stream(self, sql: str, params: Params = ()) -> Iterable[Row]:
        if not self._has_cursors:
            yield from self.all(sql, params)
            return
        cursor = wait_for(self._connection.cursor(translated(sql), *params))
        while rows := wait_for(cursor.fetch(STREAM_ROWS)):
            yield from map(tuple, rows)

    def run(self, sql: str, params: Params = ()) -> int:
        # "INSERT 0 5", "UPDATE 5", "CREATE TABLE"
        count = wait_for(self._connection.execute(translated(sql), *params)).rpartition(" ")[2]
        return int(count) if count.isdecimal() else 0

    def run_many(self, sql: str, params: Iterable[Params]) -> None:
        rows = params if isinstance(params, list) else list(params)
        if rows:
            wait_for(self._connection.executemany(translated(sql), rows))

    def all_many(self, sql: str, params: Iterable[Params]) -> list[Row]:
        rows = params if isinstance(params, list) else list(params)
        return list(map(tuple, wait_for(self._connection.fetchmany(translated(sql), rows)))) if rows else []

    def try_lock(self, what: str) -> bool:
        key = zlib.crc32(what.encode()) & 0x7FFFFFFF
        return self.one("SELECT pg_try_advisory_xact_lock(?, ?)", (_ACTS, key)) == (True,)

    def notify(self, channel: str) -> None:
        self.notices.add(channel)


async def end_session(connection: Connection, link: Link) -> None:
    """Ends what the server still holds of a lost connection: its locks, and a transaction nobody will end."""
    await connection.fetchval(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND application_name = $2",
        link.pid,
        link.name,
    )


async def has_session(connection: Connection, link: Link) -> bool:
    """Whether the server still holds a lost connection, and with it perhaps a transaction under way."""
    return await connection.fetchval(
        "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE pid = $1 AND application_name = $2)",
        link.pid,
        link.name,
    )


async def close_quietly(link: Link) -> None:
    """Says good-bye, or at least hangs up."""
    try:
        await link.connection.close(timeout=1.0)
    except (Exception, asyncio.CancelledError):
        link.connection.terminate()
