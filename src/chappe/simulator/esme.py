"""One ESME's connection to the simulator's SMSC."""

from __future__ import annotations

import contextlib
from copy import copy
from typing import Final

from chappe.operators.smpp.binds import Unbind
from chappe.operators.smpp.connection import Connection, Handler
from chappe.operators.smpp.errors import LocalError
from chappe.operators.smpp.messages import DeliverSm
from chappe.operators.smpp.settings import Settings
from chappe.operators.smpp.states import Role, State
from chappe.simulator.notebook import Delivery
from chappe.simulator.outbox import REST_MS_MIN

SETTINGS: Final = Settings(
    window=100, unanswered_max=2_000, bind_ms=10_000, enquire_link_ms=60_000, response_ms=30_000
)
_RECEIVING: Final = frozenset({State.BOUND_RX, State.BOUND_TRX})


class Esme(Connection):
    """`system_id` is set by the bind, and empty before."""

    def __init__(self, handler: Handler) -> None:
        super().__init__(handler, Role.SMSC, SETTINGS)
        self.system_id = ""
        self.is_leaving = False
        """It has asked to unbind: nothing is sent to it any more."""
        self.refused_binds = 0
        self.rests_until_ms = 0
        self.rest_ms = REST_MS_MIN

    @property
    def is_receiver(self) -> bool:
        """It takes what phones send."""
        return self.session.state in _RECEIVING

    @property
    def free(self) -> int:
        """How many deliver_sm it takes now."""
        return self.room if self.is_receiver and not self.is_leaving else 0

    def deliver(self, pdu: DeliverSm, delivery: Delivery) -> None:
        """Sends it, with the next `flush`."""
        if pdu.sequence_number:
            pdu = copy(pdu)  # it was sent before, and a late answer may still ask for that one
        self.session.send(pdu, self.now_ms(), delivery)

    def say_goodbye(self) -> None:
        """Unbinds without waiting for the answer, and closes."""
        with contextlib.suppress(LocalError):  # not bound, or the ESME was faster
            self.session.send(Unbind(), self.now_ms())
        self.close()
