"""A lane is a route's way out: what waits for it in memory, and which of its operators is next.

While little is due it is found in one look, whoever's it is. Once more is due than such a look shows, the accounts are
asked one by one, so that each has its share of the memory, and with it of the operator.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from chappe.messages.meta import MessageCache, MessageMeta
from chappe.messages.port import Departure, Operator
from chappe.messages.request import OUTBOX_DUE
from chappe.messages.routes import Routes
from chappe.messages.states import State
from chappe.messages.turns import Turns
from chappe.storage.database import Reader, Transaction

LOADED_MAX = 1024
"""Recipients held in memory a lane: enough to fill every window, whatever the length of the outbox. Several accounts
share them; none has to do with less than `SHARE_MIN`."""
SHARE_MIN = 32
MESSAGES_PER_LOAD = 128
ACCOUNTS_PER_LOOK = 500
"""Accounts that are asked one by one in one look: a step of an index each."""

_ALONE = ""
# Of several processes each takes what no other has, and no one waits for another.
_SHARED = " AND lease_owner = ''"
_HEAD = (
    "SELECT message_id, account_id FROM outbox WHERE route = ? AND due_at_ms <= ?{free}"
    " ORDER BY due_at_ms, message_id LIMIT ?"
)
_FIRST = (
    "SELECT {column} FROM outbox WHERE route = ? AND account_id > {after}{free}"
    " ORDER BY account_id, due_at_ms, message_id LIMIT 1"
)
_OF_ACCOUNT = (
    "SELECT message_id FROM outbox WHERE route = ? AND account_id = ? AND due_at_ms <= ?{free}"
    " ORDER BY due_at_ms, message_id LIMIT ?"
)


def _accounts(free: str) -> str:
    """Accounts after one, each with when its first message is due."""
    first = _FIRST.format(column="account_id, due_at_ms", after="?", free=free)
    next_account = _FIRST.format(column="account_id", after="turns.account_id", free=free)
    next_due = _FIRST.format(column="due_at_ms", after="turns.account_id", free=free)
    return (
        f"WITH RECURSIVE turns (account_id, due_at_ms) AS (SELECT * FROM ({first}) AS first_turn"
        f" UNION ALL SELECT ({next_account}), ({next_due}) FROM turns WHERE turns.account_id IS NOT NULL)"
        f" SELECT account_id, due_at_ms FROM turns WHERE account_id IS NOT NULL LIMIT {ACCOUNTS_PER_LOOK}"
    )


_HEAD_ALONE, _HEAD_SHARED = _HEAD.format(free=_ALONE), _HEAD.format(free=_SHARED)
_ACCOUNTS_ALONE, _ACCOUNTS_SHARED = _accounts(_ALONE), _accounts(_SHARED)
_DUE = _OF_ACCOUNT.format(free=_ALONE)
_FREE = _OF_ACCOUNT.format(free=_SHARED) + " FOR UPDATE SKIP LOCKED"
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
    waiting: Turns[Loaded] = field(default_factory=lambda: Turns[Loaded]())
    again: deque[Loaded] = field(default_factory=deque[Loaded])
    counts: dict[int, int] = field(default_factory=dict[int, int])
    empty: list[int] = field(default_factory=list[int])
    """Messages that turned out to have nobody waiting here: their outbox row goes with the next commit."""
    elsewhere: set[int] = field(default_factory=set[int])
    """Messages of which recipients wait whose route is another one: the outbox must name it before this row goes."""
    down_since_s: float | None = None
    """Since when none of its operators is up."""
    more: set[int] = field(default_factory=set[int])
    """Accounts of which more is due than is in memory."""
    is_unseen: bool = True
    """Whether something may be due that no look has found yet."""
    is_long: bool = False
    """Whether more is due than one look shows."""
    _after: int = -1
    _last: int = -1
    _share: int = LOADED_MAX

    def operator(self) -> Operator | None:
        """The first operator that is up."""
        return next((operator for operator in self.operators if operator.is_up), None)

    def wants_more(self) -> bool:
        """Whether something due is known to be in nobody's memory that there is room for, or was not looked for yet."""
        return self.is_unseen or any(self._has_room(account_id) for account_id in self.more)

    def holds(self, message_id: int) -> bool:
        """Whether a message is in memory."""
        return message_id in self.counts or message_id in self.empty

    def look(self, reader: Reader, now_ms: int, *, is_shared: bool) -> list[int]:
        """Accounts of which something is due that is in nobody's memory, and for which there is room, in turn."""
        due: list[int] | None = None
        self.is_unseen = False
        if not self.is_long:
            limit = MESSAGES_PER_LOAD + (0 if is_shared else len(self.counts) + len(self.empty))
            head = reader.all(_HEAD_SHARED if is_shared else _HEAD_ALONE, (self.route, now_ms, limit))
            if len(head) < limit:
                due = list(
                    dict.fromkeys(account for message_id, account in head if not self.holds(message_id))
                )
                self.more.intersection_update(due)
        if due is None:
            self.is_long = True
            query = _ACCOUNTS_SHARED if is_shared else _ACCOUNTS_ALONE
            rows = reader.all(query, (self.route, self._after, self.route, self.route))
            due = [account_id for account_id, due_at_ms in rows if due_at_ms <= now_ms]
            if len(rows) == ACCOUNTS_PER_LOOK:
                self._after, self.is_unseen = rows[-1][0], True
            else:
                self._after = -1
                self.is_long = bool(due)
        due.sort(key=lambda account_id: (account_id <= self._last, account_id))
        self._share = max(SHARE_MIN, LOADED_MAX // max(1, len({*due, *self.waiting.accounts})))
        return [account_id for account_id in due if self._has_room(account_id)]

    def find(
        self,
        reader: Reader,
        accounts: Sequence[int],
        messages: MessageCache,
        routes: Routes | None,
        now_ms: int,
    ) -> list[Found]:
        """What of `accounts` is due and not in memory. `routes` None: every number is this lane's."""
        limit = len(self.counts) + len(self.empty) + MESSAGES_PER_LOAD

        def due(account_id: int) -> list[int]:
            rows = reader.all(_DUE, (self.route, account_id, now_ms, limit))
            return [message_id for (message_id,) in rows if not self.holds(message_id)]

        return self._load(reader, accounts, due, messages, routes)

    def lease(
        self,
        tx: Transaction,
        owner: int,
        accounts: Sequence[int],
        messages: MessageCache,
        routes: Routes | None,
        now_ms: int,
    ) -> list[Found]:
        """What of `accounts` is due and no process's; it is `owner`'s then.

        What is in memory all the same is `owner`'s again, and not loaded twice: a lease is not waited for until it is on
        a standby, and one that takes over may not have it.
        """
        again: list[int] = []

        def due(account_id: int) -> list[int]:
            free = [row[0] for row in tx.all(_FREE, (self.route, account_id, now_ms, MESSAGES_PER_LOAD))]
            again.extend(message_id for message_id in free if self.holds(message_id))
            new = [message_id for message_id in free if not self.holds(message_id)]
            messages.fetch(tx, new)
            return new

        found = self._load(tx, accounts, due, messages, routes)
        ours = [*again, *(each.message.id for each in found)]
        tx.run_many(_LEASE, [(str(owner), message_id, self.route) for message_id in ours])
        return found

    def _load(
        self,
        reader: Reader,
        accounts: Sequence[int],
        due: Callable[[int], list[int]],
        messages: MessageCache,
        routes: Routes | None,
    ) -> list[Found]:
        found: list[Found] = []
        count = 0
        for account_id in accounts:
            if count >= LOADED_MAX:
                self.is_unseen = True
                break
            self._last = account_id
            message_ids = due(account_id)
            of_account = self._recipients(
                reader, messages, routes, message_ids, self._share - self.waiting.count(account_id)
            )
            if len(of_account) < len(message_ids) or len(message_ids) >= MESSAGES_PER_LOAD:
                self.more.add(account_id)
            else:
                self.more.discard(account_id)
            count += sum(len(each.recipients) for each in of_account)
            found += of_account
        return found

    def _recipients(
        self,
        reader: Reader,
        messages: MessageCache,
        routes: Routes | None,
        message_ids: list[int],
        room: int,
    ) -> list[Found]:
        found: list[Found] = []
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

    def _has_room(self, account_id: int) -> bool:
        return self.waiting.count(account_id) <= self._share // 2

    def take_in(self, found: list[Found]) -> None:
        """Puts what was found into memory."""
        for message, recipients, has_others in found:
            if has_others:
                self.elsewhere.add(message.id)
            if recipients:
                for loaded in recipients:
                    self.waiting.add(message.account_id, loaded)
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
        self.more.clear()
        self.is_unseen = True

    def take(self, slots: int, recipients_max: int) -> list[Loaded]:
        """The next recipients whose parts fit into `slots`, the accounts in turn; what is to go again goes first."""
        taken: list[Loaded] = []
        while len(taken) < recipients_max and (self.again or self.waiting):
            size = len((self.again[0] if self.again else self.waiting.next()).which)
            if size > slots and (taken or slots < 1):
                break
            # One message longer than the whole window goes alone, when the window is free.
            slots -= size
            taken.append(self.again.popleft() if self.again else self.waiting.take())
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
            if loaded.is_again:
                self.again.appendleft(loaded)
            else:
                self.waiting.put_back(loaded.message.account_id, loaded)
