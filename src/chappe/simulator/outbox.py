"""The deliver_sm that are owed to one system_id, handed to its receiver and transceiver binds until acknowledged.

The database holds them all; memory holds the next few thousand, and none while no bind could take them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from chappe.operators.smpp.constants import THROTTLED
from chappe.operators.smpp.constants import CommandStatus as Status
from chappe.operators.smpp.messages import DeliverSm
from chappe.simulator.notebook import Delivery

WAITING_MAX: Final = 4_000
"""In memory; more stay in the database until it is their turn."""
LOADED_MAX: Final = 500
"""Read at a time."""
LOAD_BELOW: Final = 200
ATTEMPTS_MAX: Final = 5
"""Refusals of one delivery by the ESME; then it rests until the next bind after a time without any."""
REST_MS_MIN: Final = 1_000
REST_MS_MAX: Final = 60_000

# "Do not bring it again" (section 5.1.3); everything else that is not 0 may have been a bad moment.
_FINAL: Final = frozenset({int(Status.ESME_RX_P_APPN), int(Status.ESME_RX_R_APPN)})


class Receiver(Protocol):
    """A bind that takes deliver_sm."""

    rests_until_ms: int
    rest_ms: int

    @property
    def free(self) -> int:
        """How many `deliver` takes now."""
        ...

    def deliver(self, pdu: DeliverSm, delivery: Delivery) -> None:
        """Numbers and writes it; the answer comes to the outbox."""
        ...


class Outbox:
    """What is owed to one system_id."""

    def __init__(self, system_id: str) -> None:
        self.system_id = system_id
        self._receivers: list[Receiver] = []
        self._waiting: deque[Delivery] = deque()
        self._loaded_to = 0
        """Deliveries up to this id are in memory, given out, acknowledged or given up for now."""
        self._has_more = True
        """The database has, or may have, some beyond."""
        self._turn = 0

    @property
    def has_receiver(self) -> bool:
        return bool(self._receivers)

    @property
    def load_from(self) -> int | None:
        """Whether deliveries should be loaded: those with an id above this one."""
        if self._receivers and self._has_more and len(self._waiting) < LOAD_BELOW:
            return self._loaded_to
        return None

    def loaded(self, deliveries: Sequence[Delivery]) -> None:
        """What the database has after `load_from`, in order, `LOADED_MAX` at most."""
        self._has_more = len(deliveries) >= LOADED_MAX
        if deliveries:
            self._loaded_to = deliveries[-1].id
        self._waiting.extend(deliveries)

    def add(self, deliveries: Iterable[Delivery]) -> None:
        """Deliveries that were just committed, in the order of their ids."""
        for delivery in deliveries:
            if not self._receivers or self._has_more or len(self._waiting) >= WAITING_MAX:
                self._has_more = True
                return
            if delivery.is_early:
                self._waiting.appendleft(delivery)
            else:
                self._waiting.append(delivery)
            self._loaded_to = delivery.id

    def join(self, receiver: Receiver) -> None:
        """A bind came up."""
        self._receivers.append(receiver)

    def leave(self, receiver: Receiver, unanswered: Sequence[Delivery]) -> None:
        """A bind is gone, these were on it."""
        if receiver not in self._receivers:
            return
        self._receivers.remove(receiver)
        if self._receivers:
            self._waiting.extendleft(reversed(unanswered))
        else:
            self._waiting.clear()
            self._loaded_to = 0
            self._has_more = True

    def again(self, delivery: Delivery) -> None:
        """No answer came in time."""
        self._waiting.append(delivery)

    def answered(self, receiver: Receiver, delivery: Delivery, command_status: int, now_ms: int) -> bool:
        """The ESME's word on a delivery; whether it is settled. An ESME that refuses gets a rest, for some say "not
        now" with any status.
        """
        if command_status == Status.ESME_ROK or command_status in _FINAL:
            receiver.rest_ms = REST_MS_MIN
            delivery.is_done = True
            return True
        receiver.rests_until_ms = now_ms + receiver.rest_ms
        receiver.rest_ms = min(receiver.rest_ms * 2, REST_MS_MAX)
        if command_status not in THROTTLED:
            delivery.attempts += 1
        if delivery.attempts < ATTEMPTS_MAX:
            self._waiting.append(delivery)
        return False

    def pump(self, now_ms: int, *, early_only: bool = False) -> list[Receiver]:
        """Hands out what the binds take, beginning with another one each time; gives those that have something to
        write.
        """
        used: list[Receiver] = []
        waiting = self._waiting
        if not waiting:
            return used
        receivers = self._receivers
        first = self._turn = self._turn + 1
        for offset in range(len(receivers)):
            receiver = receivers[(first + offset) % len(receivers)]
            if receiver.rests_until_ms > now_ms:
                continue
            free = receiver.free
            while free > 0 and waiting and (waiting[0].is_early or not early_only):
                if waiting[0].ready_at_ms > now_ms:
                    break  # those behind it came later
                delivery = waiting.popleft()
                if delivery.is_done:
                    continue
                receiver.deliver(delivery.pdu, delivery)
                free -= 1
            used.append(receiver)
            if not waiting:
                break
        return used
