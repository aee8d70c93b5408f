"""kill -9 at a random instant, requests open and the window half full; the SMSC's journal is the judge.

Each round is drawn from its seed. Another one: `CHAPPE_CRASH_SEED=1234 pytest tests/behaviours/crash`; fifty of them
run in `make bench-long`. On PostgreSQL what was leaving is taken up after ten seconds only, when the process that died
is known to be dead: three of the seeds, which between them have receipts before their answers, throttling, two binds, and
a recovery that is killed too.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.behaviours.crash.plan import plan_of
from tests.behaviours.crash.round import OPEN_MIN, run_round
from tests.behaviours.crash.store import Store
from tests.behaviours.processes.reading import PostgresStore
from tests.support.postgres import PostgresServer

_SEED = os.environ.get("CHAPPE_CRASH_SEED")
SEEDS = [int(_SEED)] if _SEED else list(range(5))
POSTGRES_SEEDS = [int(_SEED)] if _SEED else [1, 3, 4]


@pytest.mark.parametrize("seed", SEEDS)
async def test_nothing_is_lost_or_charged_twice_when_the_server_dies(seed: int, tmp_path: Path) -> None:
    await judged(seed, tmp_path)


@pytest.mark.parametrize("seed", POSTGRES_SEEDS)
async def test_nor_on_postgresql(seed: int, postgres: PostgresServer, tmp_path: Path) -> None:
    await judged(seed, tmp_path, PostgresStore(postgres.url(postgres.create_database()), tmp_path))


async def judged(seed: int, folder: Path, store: Store | None = None) -> None:
    plan = plan_of(seed)
    print(plan)
    report = await run_round(plan, folder, store)
    print(report)
    assert report.open_requests >= OPEN_MIN
    assert report.leaving >= plan.window // 2
    assert not report.breaches, "\n".join(report.breaches[:50])
