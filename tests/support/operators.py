"""An operator in memory, for tests of what stands before the network: it answers when the test says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from chappe.messages.port import Departure, Outcome, Outcomes, Receipt, ReceiptState, Reply, Submitted, Wake


@dataclass(eq=False)
class MemoryOperator:
    """Takes departures into `taken`. With `answers` it accepts at once, with `delivers` it sends receipts too."""

    name: str = "memory"
    smsc: str = "memory"
    window: int = 10
    is_up: bool = True
    taken: list[Departure] = field(default_factory=list)
    in_flight: int = 0
    next_id: int = 1
    outcomes: Outcomes | None = None
    wake: Wake | None = None

    @property
    def free_slots(self) -> int:
        return max(0, self.window - self.in_flight)

    def submit(self, departures: Sequence[Departure]) -> None:
        self.taken += departures
        self.in_flight += sum(len(departure.which) for departure in departures)

    async def start(self, outcomes: Outcomes, wake: Wake) -> None:
        self.outcomes, self.wake = outcomes, wake

    async def stop(self) -> None:
        self.is_up = False

    async def say(self, *outcomes: Outcome) -> None:
        """Commits outcomes, then gives their slots back."""
        assert self.outcomes is not None
        assert self.wake is not None
        await self.outcomes.commit(self, outcomes)
        self.in_flight -= sum(isinstance(outcome, Submitted) for outcome in outcomes)
        self.wake()

    def accept(self, departure: Departure, part: int = 0, smsc_message_id: str | None = None) -> Submitted:
        """The answer that takes a part."""
        if smsc_message_id is None:
            smsc_message_id, self.next_id = str(self.next_id), self.next_id + 1
        return Submitted(departure, part, "accepted", smsc_message_id, 0)

    @staticmethod
    def refuse(departure: Departure, part: int = 0, command_status: int = 0x0B) -> Submitted:
        return Submitted(departure, part, "refused", "", command_status)

    @staticmethod
    def lose(departure: Departure, part: int = 0) -> Submitted:
        return Submitted(departure, part, "lost", "", 0)

    @staticmethod
    def receipt(smsc_message_id: str, state: ReceiptState = "delivered") -> Receipt:
        return Receipt((smsc_message_id,), state, "000")

    @staticmethod
    def reply(number: int, text: str) -> Reply:
        return Reply(number, "36000", text)
