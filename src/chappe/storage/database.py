"""The port to the database: what the nouns may ask of it, whatever stands behind.

A *unit* is a plain function that gets a `Transaction`, runs SQL and returns a value. The database runs
units in groups: one BEGIN, a savepoint each, one COMMIT; a unit's caller gets its value only after that
COMMIT is on disk. On PostgreSQL a unit may be run more than once before it is committed (what it did was taken back):
it changes nothing but what the transaction holds. SQL is written once, with `?` placeholders and the subset that SQLite 3.35+ and
PostgreSQL 13+ share (`RETURNING`, `ON CONFLICT`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from chappe.storage.presence import Presence

T = TypeVar("T")
Row = tuple[Any, ...]
Params = Sequence[Any]


class StorageUnavailable(Exception):
    """The database did not take or answer the work: nothing of it is stored. Callers answer 503."""


class OutcomeUnknown(Exception):
    """The work may be stored or not, and the database cannot tell any more: it was lost during a commit and did not
    come back, or came back as another. Nobody may do the work again by himself."""


class StorageRefused(Exception):
    """The store cannot be opened as it is; the text is one clear line for the operator of the server."""


class Reader(Protocol):
    """Runs queries. All methods raise the driver's error only for faults, never for empty results."""

    def one(self, sql: str, params: Params = ()) -> Row | None:
        """The first row, or None."""
        ...

    def all(self, sql: str, params: Params = ()) -> list[Row]:
        """Every row, in memory: for results that are bounded by the statement."""
        ...

    def stream(self, sql: str, params: Params = ()) -> Iterable[Row]:
        """Rows as they come, for checks and exports over a whole table."""
        ...


class Transaction(Reader, Protocol):
    """A reader that may also write; what it wrote is seen by its later statements."""

    def all_many(self, sql: str, params: Iterable[Params]) -> list[Row]:
        """Executes one statement for each parameter row; gives the rows that all of them return, one after another."""
        ...

    def try_lock(self, what: str) -> bool:
        """Whether nobody else does `what` at this moment; then nobody does until this is committed."""
        ...

    def run(self, sql: str, params: Params = ()) -> int:
        """Executes one statement; gives the number of rows it touched."""
        ...

    def run_many(self, sql: str, params: Iterable[Params]) -> None:
        """Executes one statement for each parameter row."""
        ...

    def notify(self, channel: str) -> None:
        """Once this is committed, wakes who listens on `channel` in other processes. Perhaps in this one too."""
        ...


Unit = Callable[[Transaction], T]

Item = TypeVar("Item")
Batch = Callable[[Transaction, list[Item]], list[T]]
"""A unit for many like items at once; gives a result for each, in order. When it raises, nothing of it stays, and
the items are given to it again one by one: so one bad item does not fail its neighbours."""


ReadBatch = Callable[[Reader, list[Item]], list[T]]
"""A query for many like items at once; gives a result for each, in order."""


class Database(Protocol):
    """An open database. When it is down, every method raises `StorageUnavailable`."""

    @property
    def is_shared(self) -> bool:
        """Whether other processes may write to it too."""
        ...

    @property
    def groups_total(self) -> int:
        """Groups committed since it was opened."""
        ...

    @property
    def units_total(self) -> int:
        """Units in those groups."""
        ...

    @property
    def foreground_waiting(self) -> int:
        """Units of requests that wait for a group now."""
        ...

    async def read(self, query: Callable[[Reader], T]) -> T:
        """Runs a short query on committed data (microseconds: it may run on the event loop itself)."""
        ...

    async def read_batched(self, batch: ReadBatch[Item, T], item: Item) -> T:
        """Runs a short query for one item of a batch: where a query costs a journey, those that wait go together."""
        ...

    async def scan(self, query: Callable[[Reader], T]) -> T:
        """Runs a long query in one snapshot, beside the event loop."""
        ...

    async def write(self, unit: Unit[T], *, background: bool = False) -> T:
        """Runs a unit in the next group; returns its value after the commit, or raises its error.

        `background` units (dispatching, receipts, callbacks) give way to those of requests.
        """
        ...

    async def write_light(self, unit: Unit[T]) -> T:
        """Runs a unit whose work may be lost when the machine of the database dies, because it can be found out again:
        it does not wait for the disk."""
        ...

    async def write_light_batched(self, batch: Batch[Item, T], item: Item) -> T:
        """As `write_light` for one item of a batch."""
        ...

    def write_batched(self, batch: Batch[Item, T], item: Item) -> asyncio.Future[T]:
        """Like `write` for one item of a batch: items that wait together are written together. Queued before it
        returns; what it gives is done after the commit."""
        ...

    @property
    def presence(self) -> Presence:
        """This process among those that share the database."""
        ...

    def listen(self, channel: str, callback: Callable[[], None]) -> None:
        """Calls `callback` when another process notifies `channel`. A hint that may be lost: look seldom anyway."""
        ...

    async def commit_settings(self) -> list[str]:
        """What is wrong with the settings that make a commit durable; empty when all is right."""
        ...

    async def close(self) -> None:
        """Waits for the groups under way, then closes."""
        ...
