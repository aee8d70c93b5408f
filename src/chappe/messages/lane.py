"""A lane is a route's way out: what waits for it in memory, and which of its operators is next."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from chappe.messages.meta import MessageCache, MessageMeta
from chappe.messages.port import Departure, Operator
from chappe.messages.request import OUTBOX_DUE
from chappe.messages.routes import Routes
from chappe.messages.states import State
from chappe.storage.database import Reader, Transaction

LOADED_MAX = 1024
"""Recipients held in memory a lane: enough to fill every window, whatever the length of the outbox."""
MESSAGES_PER_LOAD = 128

_DUE = (
    "SELECT message_id FROM outbox WHERE route = ? AND due_at_ms <= ? ORDER BY due_at_ms, message_id LIMIT ?"
)
# Of several processes each takes what no other has, and no one waits for another.
_FREE = (
    "SELECT message_id FROM outbox WHERE route = ? AND due_at_ms <= ? AND lease_owner = ''"
    " ORDER BY due_at_ms, message_id LIMIT ? FOR UPDATE SKIP LOCKED"
)
_LEASE = "UPDATE outbox SET lease_owner = ?, leased_until_ms = 0 WHERE message_id = ? AND route = ?"
_GIVE_BACK = "UPDATE outbox SET lease_owner = '' WHERE lease_owner = ? AND route = ?"
_WAITING = f"SELECT number, attempts FROM recipients WHERE message_id = ? AND state = {State.WAITING:d}"


class Loaded(msgspec.Struct, frozen=True, gc=False):
    """A recipient ready to leave. `is_again`: it is `leaving` already, its answer was lost."""

    message: MessageMeta
    number: int
    attempt: int
    parts: tuple[str, ...]
    which: tuple[int, ...]
    is_again: bool = False

    def departure(self, now_ms: int) -> Departure:
        """What is handed to an operator."""
        message = self.message
        return Departure(
            message_id=message.id,
            number=self.number,
            attempt=self.attempt,
            sender=message.sender,
            parts=self.parts,
            which=self.which,
            is_unicode=bool(message.is_unicode),
            left_at_ms=now_ms,
        )


_HAS_FREE = "SELECT 1 FROM outbox WHERE route = ? AND due_at_ms <= ? AND lease_owner = '' LIMIT 1"
_GIVE_BACK_ALL = "UPDATE outbox SET lease_owner = '' WHERE lease_owner = ?"
_GIVE_BACK_ONE = "UPDATE outbox SET lease_owner = '' WHERE lease_owner = ? AND message_id = ? AND route = ?"
_LEASED = "SELECT message_id, route FROM outbox WHERE lease_owner = ? AND lease_owner <> ''"
# lease_owner <> '' is said too, so that the partial index is used.
_FREE_OWNERLESS = (
    "UPDATE outbox SET lease_owner = '' WHERE lease_owner <> ''"
    " AND lease_owner NOT IN (SELECT CAST(id AS TEXT) FROM processes)"
)


def free_ownerless(tx: Transaction) -> None:
    """Gives back what processes had taken that are gone."""
    tx.run(_FREE_OWNERLESS)


def give_back_all(tx: Transaction, owner: int) -> None:
    """Lets other processes have everything that `owner` has taken."""
    tx.run(_GIVE_BACK_ALL, (str(owner),))
    tx.notify(OUTBOX_DUE)


def give_back_one(tx: Transaction, owner: int, message_id: int, route: str) -> None:
    """Lets other processes have one message."""
    tx.run(_GIVE_BACK_ONE, (str(owner), message_id, route))


def leased_to(tx: Transaction, owner: int) -> list[tuple[int, str]]:
    """(message id, route) of what `owner` has taken."""
    return [(message_id, route) for message_id, route in tx.all(_LEASED, (str(owner),))]


class Found(NamedTuple):
    """A message of the outbox with its recipients that wait."""

    message: MessageMeta
    recipients: list[Loaded]
    has_others: bool
    """Whether recipients wait whose route is another one."""


@dataclass
class Lane:
    """`claimed` are messages of which recipients are in memory; `counts` how many of each are not gone yet."""

    route: str
    operators: tuple[Operator, ...]
    waiting: deque[Loaded] = field(default_factory=deque[Loaded])
    again: deque[Loaded] = field(default_factory=deque[Loaded])
    counts: dict[int, int] = field(default_factory=dict[int, int])
    empty: list[int] = field(default_factory=list[int])
    """Messages that turned out to have nobody waiting here: their outbox row goes with the next commit."""
    elsewhere: set[int] = field(default_factory=set[int])
    """Messages of which recipients wait whose route is another one: the outbox must name it before this row goes."""
    down_since_s: float | None = None
    """Since when none of its operators is up."""

    def operator(self) -> Operator | None:
        """The first operator that is up."""
        return next((operator for operator in self.operators if operator.is_up), None)

    @property
    def has_room(self) -> bool:
        """Whether more is to be taken from the outbox."""
        return len(self.waiting) < LOADED_MAX // 2

    def has_free(self, reader: Reader, now_ms: int) -> bool:
        """Whether anything is due that no process has taken."""
        return reader.one(_HAS_FREE, (self.route, now_ms)) is not None

    def holds(self, message_id: int) -> bool:
        """Whether a message is in memory."""
        return message_id in self.counts or message_id in self.empty

    def find(self, reader: Reader, messages: MessageCache, routes: Routes | None, now_ms: int) -> list[Found]:
        """What is due and not in memory. `routes` None: every number is this lane's."""
        limit = len(self.counts) + len(self.empty) + MESSAGES_PER_LOAD
        due = [message_id for (message_id,) in reader.all(_DUE, (self.route, now_ms, limit))]
        new = [each for each in due if each not in self.counts and each not in self.empty]
        return self._recipients(reader, messages, routes, new)

    def lease(
        self, tx: Transaction, owner: int, messages: MessageCache, routes: Routes | None, now_ms: int
    ) -> list[Found]:
        """What is due and no process's; it is `owner`'s then."""
        free = [row[0] for row in tx.all(_FREE, (self.route, now_ms, MESSAGES_PER_LOAD))]
        messages.fetch(tx, free)
        found = self._recipients(tx, messages, routes, free)
        tx.run_many(_LEASE, [(str(owner), each.message.id, self.route) for each in found])
        return found

    def _recipients(
        self, reader: Reader, messages: MessageCache, routes: Routes | None, message_ids: list[int]
    ) -> list[Found]:
        found: list[Found] = []
        room = LOADED_MAX - len(self.waiting)
        for message_id in message_ids:
            message = messages.get(reader, message_id)
            parts = message.parts
            which = tuple(range(len(parts)))
            recipients: list[Loaded] = []
            has_others = False
            for number, attempts in reader.all(_WAITING, (message_id,)):
                if routes is not None:
                    route = routes.find(number)
                    if route is None or route.prefix != self.route:
                        has_others = True
                        continue
                recipients.append(Loaded(message, number, attempts + 1, parts, which))
            found.append(Found(message, recipients, has_others))
            room -= len(recipients)
            if room <= 0:
                break
        return found

    def take_in(self, found: list[Found]) -> None:
        """Puts what was found into memory."""
        for message, recipients, has_others in found:
            if has_others:
                self.elsewhere.add(message.id)
            if recipients:
                self.waiting += recipients
                self.counts[message.id] = len(recipients)
            else:
                self.empty.append(message.id)

    def give_back(self, tx: Transaction, owner: int) -> None:
        """Lets other processes have what this one has taken."""
        tx.run(_GIVE_BACK, (str(owner), self.route))
        tx.notify(OUTBOX_DUE)

    def forget(self) -> None:
        """What is in memory and has not left is others' now, or is found again."""
        self.waiting.clear()
        self.counts.clear()
        self.empty.clear()
        self.elsewhere.clear()

    def take(self, slots: int, recipients_max: int) -> list[Loaded]:
        """The next recipients whose parts fit into `slots`; what is to go again goes first."""
        taken: list[Loaded] = []
        for queue in (self.again, self.waiting):
            while queue and len(taken) < recipients_max:
                size = len(queue[0].which)
                if size > slots and (taken or slots < 1):
                    return taken
                # One message longer than the whole window goes alone, when the window is free.
                slots -= size
                taken.append(queue.popleft())
        return taken

    def gone(self, message_id: int) -> bool:
        """One recipient of a message is done with; True when it was the last one in memory."""
        if message_id not in self.counts:
            return False  # forgotten meanwhile
        self.counts[message_id] -= 1
        if self.counts[message_id]:
            return False
        del self.counts[message_id]
        return True

    def put_back(self, taken: list[Loaded]) -> None:
        """Undoes `take` after a commit that failed."""
        for loaded in reversed(taken):
            (self.again if loaded.is_again else self.waiting).appendleft(loaded)
