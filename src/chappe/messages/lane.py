"""A lane is a route's way out: what waits for it in memory, and which of its operators is next."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from chappe.messages.meta import MessageCache, MessageMeta
from chappe.messages.port import Departure, Operator
from chappe.messages.routes import Routes
from chappe.messages.states import State
from chappe.storage.database import Reader

LOADED_MAX = 1024
"""Recipients held in memory a lane: enough to fill every window, whatever the length of the outbox."""
MESSAGES_PER_LOAD = 128

_DUE = (
    "SELECT message_id FROM outbox WHERE route = ? AND due_at_ms <= ? ORDER BY due_at_ms, message_id LIMIT ?"
)
_WAITING = f"SELECT number, attempts FROM recipients WHERE message_id = ? AND state = {State.WAITING:d}"


@dataclass(frozen=True, slots=True)
class Loaded:
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

    def operator(self) -> Operator | None:
        """The first operator that is up."""
        return next((operator for operator in self.operators if operator.is_up), None)

    def load(self, reader: Reader, messages: MessageCache, routes: Routes | None, now_ms: int) -> int:
        """Takes more from the outbox, if there is room; gives how many recipients came. `routes` None: all of them."""
        if len(self.waiting) >= LOADED_MAX // 2:
            return 0
        loaded = 0
        limit = len(self.counts) + len(self.empty) + MESSAGES_PER_LOAD
        for (message_id,) in reader.all(_DUE, (self.route, now_ms, limit)):
            if message_id in self.counts or message_id in self.empty:
                continue
            message = messages.get(reader, message_id)
            parts = message.parts
            count = 0
            for number, attempts in reader.all(_WAITING, (message_id,)):
                if routes is not None:
                    route = routes.find(number)
                    if route is None or route.prefix != self.route:
                        self.elsewhere.add(message_id)
                        continue
                self.waiting.append(Loaded(message, number, attempts + 1, parts, tuple(range(len(parts)))))
                count += 1
            if count:
                self.counts[message_id] = count
            else:
                self.empty.append(message_id)
            loaded += count
            if len(self.waiting) >= LOADED_MAX:
                break
        return loaded

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
        self.counts[message_id] -= 1
        if self.counts[message_id]:
            return False
        del self.counts[message_id]
        return True

    def put_back(self, taken: list[Loaded]) -> None:
        """Undoes `take` after a commit that failed."""
        for loaded in reversed(taken):
            (self.again if loaded.is_again else self.waiting).appendleft(loaded)
