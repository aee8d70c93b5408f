"""What one crash round does, drawn from its seed: who behaves how, and when the server is killed."""

from __future__ import annotations

import random
from dataclasses import dataclass

from tests.support.smsc.options import Options

WINDOW = 100


@dataclass(frozen=True)
class Plan:
    """`kill_after_s`: from the moment the load runs. `kills`: 2 when the recovery is killed as well."""

    seed: int
    smsc: Options
    binds: int
    kills: int
    kill_after_s: float
    kill_again_after_s: float
    connections: int = 40
    window: int = WINDOW

    @property
    def slots(self) -> int:
        """Submissions that can be without a committed outcome at one instant: one window per bind."""
        return self.window * self.binds


def plan_of(seed: int) -> Plan:
    """The same seed gives the same plan. Seeds 0 to 4 between them have every kind of trouble."""
    chosen = random.Random(f"crash {seed}")
    trouble = seed % 5
    options = Options(
        # So slow that the window is full when the server dies, whatever else the machine does; and quick
        # afterwards, so that what was accepted meanwhile is through within the minute.
        answer_delay_ms=chosen.choice([150, 200, 300]),
        slow_until_ended=1,
        answer_jitter_ms=chosen.choice([0, 40]),
        receipt_delay_ms=chosen.choice([0, 0, 200, 1500]),
        receipts_first=0.3 if trouble in (1, 4) else 0.0,
        receipts_twice=0.2 if trouble in (1, 3) else 0.0,
        refused=0.05 if trouble in (2, 4) else 0.0,
        undelivered=0.05,
        throttle_every_ms=2000 if trouble == 3 else 0,
        throttle_ms=100 if trouble == 3 else 0,
        seed=seed,
    )
    return Plan(
        seed=seed,
        smsc=options,
        binds=2 if trouble == 4 else 1,
        kills=2 if trouble in (2, 4) else 1,
        kill_after_s=chosen.uniform(0.2, 1.5),
        kill_again_after_s=chosen.uniform(0.0, 1.2),
    )
