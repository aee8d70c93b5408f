"""kill -9 at a random instant, requests open and the window half full; the SMSC's journal is the judge.

Each round is drawn from its seed. Another one: `CHAPPE_CRASH_SEED=1234 pytest tests/behaviours/crash`; fifty of them
run in `make bench-long`.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.behaviours.crash.plan import plan_of
from tests.behaviours.crash.round import OPEN_MIN, run_round

_SEED = os.environ.get("CHAPPE_CRASH_SEED")
SEEDS = [int(_SEED)] if _SEED else list(range(5))


@pytest.mark.parametrize("seed", SEEDS)
async def test_nothing_is_lost_or_charged_twice_when_the_server_dies(seed: int, tmp_path: Path) -> None:
    plan = plan_of(seed)
    print(plan)
    report = await run_round(plan, tmp_path)
    print(report)
    assert report.open_requests >= OPEN_MIN
    assert report.leaving >= plan.window // 2
    assert not report.breaches, "\n".join(report.breaches[:50])
