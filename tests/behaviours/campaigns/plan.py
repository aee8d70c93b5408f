"""What one round of calls does, drawn from its seed: who behaves how, and at which instants the server is killed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

Behaviour = Literal["hears", "hangs up", "busy", "rings out", "unreachable", "declines"]

Instant = Literal["it rings", "answered, not committed", "it plays", "heard, not committed"]
"""it rings: the INVITE has left, nothing has come back but 180. answered, not committed: the 200 is there, its ACK too.
it plays: frames are on their way. heard, not committed: the whole sound was played and the call hung up.
"""

INSTANTS: tuple[tuple[Instant, Instant], ...] = (
    ("it rings", "heard, not committed"),
    ("answered, not committed", "it plays"),
)
FIRST_NUMBER = 33_612_300_000
CALLEES = 36
PLACES = 8
"""Calls at a time: what is called before the first kill is less than half of them."""
BEHAVIOURS: tuple[Behaviour, ...] = ("hears", "hangs up", "busy", "rings out", "unreachable", "declines")


@dataclass(frozen=True)
class Plan:
    """`kills`: each at an instant of the call to a number."""

    seed: int
    on_lost_response: Literal["hold", "resend"]
    behaviours: dict[int, Behaviour]
    kills: tuple[tuple[Instant, int], ...]

    @property
    def numbers(self) -> list[int]:
        return list(self.behaviours)


def plan_of(seed: int) -> Plan:
    """The same seed gives the same plan. Seeds 0 to 3 between them have every instant under both settings."""
    chosen = random.Random(f"calls {seed}")
    numbers = range(FIRST_NUMBER, FIRST_NUMBER + CALLEES)
    behaviours = {number: chosen.choices(BEHAVIOURS, [8, 2, 2, 2, 1, 1])[0] for number in numbers}
    first, second = INSTANTS[seed % 2]
    if chosen.random() < 0.5:
        first, second = second, first
    early = FIRST_NUMBER + chosen.randrange(2, PLACES)
    late = FIRST_NUMBER + chosen.randrange(25, 29)
    return Plan(seed, "resend" if seed // 2 % 2 else "hold", behaviours, ((first, early), (second, late)))
