"""What an operator was handed and has not written yet: one queue, let go as windows and pace allow.

A submission that was throttled keeps its slot and goes again; one whose bind parts loses it and goes by another.
"""

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

import structlog

from chappe.operators.smpp.connection import Connection
from chappe.operators.smpp.errors import LocalError
from chappe.operators.smpp.link import Link
from chappe.operators.smpp.messages import SubmitSm
from chappe.operators.smpp.pacing import Pacing, back_off_ms
from chappe.operators.smpp.submission import Submission

_log: structlog.stdlib.BoundLogger = structlog.get_logger("smpp")

AGAIN_MS_FIRST: Final = 1_000
AGAIN_MS_MAX: Final = 60_000
THROTTLES_MAX: Final = 3
"""A submission throttled more often while others are accepted waits by itself: "queue full" may be about its number."""


class Sender:
    """The queue of one operator. Times are the loop's, in milliseconds.

    `stranded_after_ms`: what waits so long without any bind is given to `on_stranded`; `on_unwritable` gets what the
    session refuses to write.
    """

    def __init__(
        self,
        pacing: Pacing,
        *,
        stranded_after_ms: float,
        on_stranded: Callable[[Submission], None],
        on_unwritable: Callable[[Submission], None],
        random: Callable[[], float],
    ) -> None:
        self._pacing = pacing
        self._stranded_after_ms = stranded_after_ms
        self._on_stranded = on_stranded
        self._on_unwritable = on_unwritable
        self._random = random
        self._links: list[Link] = []
        self._queue: deque[Submission] = deque()
        self._later: list[tuple[float, int, Submission]] = []
        """A heap by the time when each is to go again."""
        self._numbers = itertools.count()
        self._slotless = 0
        """Of both, those that have no slot of a window."""
        self._accepted_ms = 0
        self._stranded_ms: float | None = None
        self._is_writing = False

    @property
    def is_empty(self) -> bool:
        return not self._queue

    def free(self, now_ms: float) -> int:
        """How many more submissions would be written at once."""
        free = -self._slotless
        for link in self._links:
            free += link.room
        if free <= 0:
            return 0
        return max(0, min(free, self._pacing.allowance(now_ms, self._in_flight) - len(self._queue)))

    def next_ms(self, now_ms: float) -> float | None:
        """When `write` is to be called again, if nothing happens."""
        due = [self._later[0][0]] if self._later else []
        if self._links:
            pace_ms = self._pacing.next_ms(now_ms)
            if pace_ms is not None:
                due.append(pace_ms)
        elif self._stranded_ms is not None:
            due.append(self._stranded_ms)
        return min(due, default=None)

    # What comes in

    def add(self, submissions: list[Submission]) -> None:
        """Queues; `write` sends."""
        self._slotless += len(submissions)
        self._queue.extend(submissions)

    def accepted(self, submission: Submission) -> None:
        """The operator took it."""
        self._accepted_ms = submission.sent_at_ms
        self._pacing.accepted(submission.sent_at_ms)

    def throttled(self, submission: Submission, now_ms: float) -> None:
        """The operator said "not now": it goes again, and for a while nothing else does."""
        if not submission.throttles:
            submission.throttled_ms = now_ms
        submission.throttles += 1
        if submission.throttles > THROTTLES_MAX and self._accepted_ms > submission.throttled_ms:
            self.put_off(submission, submission.throttles - THROTTLES_MAX, now_ms)
            return
        self._pacing.throttled(submission.sent_at_ms, now_ms, self._in_flight)
        self._queue.append(submission)
        self._keep_slots((submission,))

    def put_off(self, submission: Submission, failures: int, now_ms: float) -> None:
        """It goes again by itself, later each time."""
        due_ms = now_ms + back_off_ms(failures, AGAIN_MS_FIRST, AGAIN_MS_MAX, self._random)
        heapq.heappush(self._later, (due_ms, next(self._numbers), submission))
        self._keep_slots((submission,))

    def links_changed(self, ready: list[Link]) -> None:
        """These can be written to now, and no others."""
        self._links = ready
        self._keep_slots(self._waiting())

    def give_back(self) -> None:
        """Nothing more can leave: `on_stranded` gets all that waits."""
        waiting = list(self._waiting())
        self._queue.clear()
        self._later.clear()
        self._slotless = 0
        self._stranded_ms = None
        for submission in waiting:
            self._on_stranded(submission)

    # What goes out

    def write(self, now_ms: int) -> None:
        """Sends what may go; one write a connection."""
        if self._is_writing:
            return
        self._is_writing = True
        try:
            later, queue = self._later, self._queue
            while later and later[0][0] <= now_ms:
                queue.append(heapq.heappop(later)[2])
            if queue:
                self._write_queue(now_ms)
            self._look_after_stranded(now_ms)
        finally:
            self._is_writing = False

    def _write_queue(self, now_ms: int) -> None:
        queue = self._queue
        allowed = self._pacing.allowance(now_ms, self._in_flight)
        written = 0
        touched: dict[Connection, None] = {}
        while queue and written < allowed:
            connection = self._connection_for(queue[0])
            if connection is None:
                if self._let_slot_holder_pass():
                    continue
                break
            if not self._send(queue.popleft(), connection, now_ms):
                break
            written += 1
            touched[connection] = None
        if written:
            self._pacing.took(written)
        for connection in touched:
            connection.flush()

    def _let_slot_holder_pass(self) -> bool:
        """Where the first has no slot and the windows are full: of what was throttled behind it and kept its slots, one
        goes first. Else each would wait for the other.
        """
        queue = self._queue
        if queue[0].connection is not None:
            return False
        for index, submission in enumerate(queue):
            if submission.connection is not None and not submission.connection.is_paused:
                del queue[index]
                queue.appendleft(submission)
                return True
        return False

    def _connection_for(self, submission: Submission) -> Connection | None:
        """Where it has its slot already, else the window with the most room."""
        connection = submission.connection
        if connection is not None:
            return None if connection.is_paused else connection
        links = self._links
        if not links:
            return None
        link = links[0] if len(links) == 1 else max(links, key=_room)
        return link.connection if link.room > 0 else None

    def _send(self, submission: Submission, connection: Connection, now_ms: int) -> bool:
        """False where the connection does not take it."""
        if submission.connection is None:
            self._slotless -= 1
        else:
            connection.settle(1)  # the slot of its last try, taken again at once
            submission.connection = None
        submission.sent_at_ms = now_ms
        try:
            connection.session.send(submission.request, now_ms, submission)
        except LocalError as error:
            _log.error("a message was not written", reason=str(error))
            if is_writable(submission.request):
                self._slotless += 1
                self._queue.appendleft(submission)
                return False
            self._on_unwritable(submission)
            return True
        submission.connection = connection
        return True

    # Inside

    @property
    def _in_flight(self) -> int:
        return sum(link.connection.session.in_flight for link in self._links if link.connection is not None)

    def _waiting(self) -> Iterable[Submission]:
        return itertools.chain(self._queue, (submission for _, _, submission in self._later))

    def _keep_slots(self, submissions: Iterable[Submission]) -> None:
        """Takes the slots of binds that part away from what waits."""
        ready = {link.connection for link in self._links}
        for submission in submissions:
            connection = submission.connection
            if connection is not None and connection not in ready:
                connection.settle(1)
                submission.connection = None
                self._slotless += 1

    def _look_after_stranded(self, now_ms: float) -> None:
        if self._links or not (self._queue or self._later):
            self._stranded_ms = None
        elif self._stranded_ms is None:
            self._stranded_ms = now_ms + self._stranded_after_ms
        elif now_ms >= self._stranded_ms:
            self.give_back()


def is_writable(request: SubmitSm) -> bool:
    """Whether the request itself is right; what is not never will be."""
    try:
        request.encode()
    except LocalError:
        return False
    return True


def _room(link: Link) -> int:
    return link.room
