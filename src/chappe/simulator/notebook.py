"""What the simulator writes in one transaction: messages of phones, those that wait, deliveries that are owed.

Ids are counted in memory by the one process that runs the simulator, and stored in the transaction that uses them:
a message id is told to an ESME only after its commit, so none is ever told twice. After a rollback there is a gap.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from chappe.operators.smpp.messages import DeliverSm
from chappe.storage.database import Reader, Transaction

RECEIVED: Final = "received"
SENT: Final = "sent"

WAITING: Final = "waiting"
DELIVERED: Final = "delivered"

_MESSAGE: Final = (
    "INSERT INTO sim_messages (id, phone, direction, system_id, peer, text, octets, data_coding, reference, parts,"
    " part, status, at_ms, changed_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_PENDING: Final = (
    "INSERT INTO sim_pending (message_id, answered_id, due_at_ms, state, pdu) VALUES (?, ?, ?, ?, ?)"
)
_DELIVERY: Final = (
    "INSERT INTO sim_deliveries (id, system_id, message_id, is_reply, pdu) VALUES (?, ?, ?, ?, ?)"
)
_SEQUENCE: Final = (
    "INSERT INTO sequences (name, next_id) VALUES (?, ?)"
    " ON CONFLICT (name) DO UPDATE SET next_id = excluded.next_id"
)
_NAMES: Final = ("sim_messages", "sim_deliveries")

KEPT_MAX: Final = 1_000_000
"""Messages and deliveries that are kept; the oldest go first."""
PRUNE_EVERY: Final = 1_000


@dataclass(slots=True, eq=False)
class Delivery:
    """A deliver_sm that is owed to the binds of `system_id`."""

    id: int
    system_id: str
    message_id: int
    is_reply: bool
    pdu: DeliverSm = field(repr=False)
    octets: bytes = field(repr=False)
    """`pdu` as it is stored: without sequence number."""
    is_early: bool = False
    """To be sent before the answer to the submit."""
    is_done: bool = False
    """Acknowledged."""
    attempts: int = 0
    ready_at_ms: int = 0
    """Of the loop's clock: not to be sent before."""


class Numbering:
    """The next ids."""

    def __init__(self, next_message_id: int, next_delivery_id: int) -> None:
        self.next_message_id = next_message_id
        self.next_delivery_id = next_delivery_id

    @classmethod
    def read(cls, reader: Reader) -> Numbering:
        """As the last transaction left them."""
        rows = dict(reader.all("SELECT name, next_id FROM sequences WHERE name IN (?, ?)", _NAMES))
        return cls(*(rows.get(name, 1) for name in _NAMES))


class Notebook:
    """Collects rows; `write` stores them all."""

    def __init__(self, numbering: Numbering, now_ms: int) -> None:
        self.now_ms = now_ms
        self.phones: set[int] = set()
        """Those with something new to show."""
        self.deliveries: list[Delivery] = []
        self.due_at_ms_min: int | None = None
        """The first of the messages that wait."""
        self._numbering = numbering
        self._messages: list[tuple[Any, ...]] = []
        self._pending: list[tuple[int, int, int, int, bytes]] = []

    def next_reference(self) -> int:
        """A number that differs from that of the last long text."""
        return self._numbering.next_delivery_id

    def message(
        self,
        phone: int,
        direction: str,
        system_id: str,
        peer: str,
        text: str,
        status: str,
        *,
        parts: int = 1,
        part: int = 1,
        octets: bytes | None = None,
        data_coding: int = 0,
        reference: int | None = None,
    ) -> int:
        """A message on a phone; gives its id."""
        numbering = self._numbering
        message_id = numbering.next_message_id
        numbering.next_message_id = message_id + 1
        now_ms = self.now_ms
        self._messages.append(
            (
                message_id,
                phone,
                direction,
                system_id,
                peer,
                text,
                octets,
                data_coding,
                reference,
                parts,
                part,
                status,
                now_ms,
                now_ms,
            )
        )
        self.phones.add(phone)
        return message_id

    def pending(self, message_id: int, answered_id: int, due_at_ms: int, state: int, pdu: bytes) -> None:
        """A message reaches this final state when it is due. `answered_id`: the id that the ESME was told."""
        self._pending.append((message_id, answered_id, due_at_ms, state, pdu))
        if self.due_at_ms_min is None or due_at_ms < self.due_at_ms_min:
            self.due_at_ms_min = due_at_ms

    def delivery(
        self,
        system_id: str,
        message_id: int,
        pdu: DeliverSm,
        *,
        is_reply: bool = False,
        is_early: bool = False,
    ) -> None:
        """A deliver_sm is owed."""
        numbering = self._numbering
        delivery_id = numbering.next_delivery_id
        numbering.next_delivery_id = delivery_id + 1
        self.deliveries.append(
            Delivery(delivery_id, system_id, message_id, is_reply, pdu, pdu.encode(), is_early)
        )

    def write(self, tx: Transaction) -> None:
        """Stores what was collected, and the ids that it used."""
        message_name, delivery_name = _NAMES
        if self._messages:
            tx.run_many(_MESSAGE, self._messages)
            last_id = self._messages[-1][0]
            tx.run(_SEQUENCE, (message_name, last_id + 1))
            if last_id % PRUNE_EVERY < len(self._messages):
                tx.run("DELETE FROM sim_messages WHERE id <= ?", (last_id - KEPT_MAX,))
        if self._pending:
            tx.run_many(_PENDING, self._pending)
        if self.deliveries:
            tx.run_many(
                _DELIVERY,
                [(d.id, d.system_id, d.message_id, int(d.is_reply), d.octets) for d in self.deliveries],
            )
            last_id = self.deliveries[-1].id
            tx.run(_SEQUENCE, (delivery_name, last_id + 1))
            if last_id % PRUNE_EVERY < len(self.deliveries):
                tx.run("DELETE FROM sim_deliveries WHERE id <= ?", (last_id - KEPT_MAX,))
