"""What is owed to an ESME: when it is handed out, and in which order."""

from __future__ import annotations

from dataclasses import dataclass, field

from chappe.operators.smpp.messages import DeliverSm
from chappe.simulator.notebook import Delivery
from chappe.simulator.outbox import Outbox


@dataclass(eq=False)
class Bind:
    """Takes what it is given."""

    free: int = 100
    rests_until_ms: int = 0
    rest_ms: int = 1_000
    taken: list[int] = field(default_factory=list)

    def deliver(self, pdu: DeliverSm, delivery: Delivery) -> None:
        del pdu
        self.taken.append(delivery.id)


def owed(delivery_id: int, **fields: object) -> Delivery:
    return Delivery(delivery_id, "sim", delivery_id, False, DeliverSm(), b"", **fields)  # type: ignore[arg-type]


def test_what_is_not_ready_waits_and_nothing_overtakes_it_but_what_is_early() -> None:
    outbox, bind = Outbox("sim"), Bind()
    outbox.join(bind)
    outbox.loaded([])
    outbox.add([owed(1, ready_at_ms=200), owed(2, ready_at_ms=200), owed(3)])
    outbox.add([owed(4, is_early=True)])
    outbox.pump(199)
    assert bind.taken == [4]
    outbox.pump(200)
    assert bind.taken == [4, 1, 2, 3]
