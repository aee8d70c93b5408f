"""kill -9 in mid-campaign, at instants of a call: the telephones at the far end of the trunk are the judge.

Every round has two kills; between them the seeds 0 to 3 have each instant with both settings of `on_lost_response`. On
PostgreSQL a process is known to be dead after ten seconds only: one of them. Another one:
`CHAPPE_CRASH_SEED=1234 pytest tests/behaviours/campaigns`.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.behaviours.campaigns.plan import plan_of
from tests.behaviours.campaigns.round import run_round
from tests.support.postgres import PostgresServer

_SEED = os.environ.get("CHAPPE_CRASH_SEED")
SEEDS = [int(_SEED)] if _SEED else [0, 1, 2]
POSTGRES_SEEDS = [int(_SEED)] if _SEED else [3]


@pytest.mark.parametrize("seed", SEEDS)
async def test_nobody_is_called_twice_or_charged_for_nothing(seed: int, tmp_path: Path) -> None:
    await judged(seed, tmp_path)


@pytest.mark.parametrize("seed", POSTGRES_SEEDS)
async def test_nor_on_postgresql(
    seed: int, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tests.support.server.new_database", lambda: postgres.url(postgres.create_database()))
    await judged(seed, tmp_path)


async def judged(seed: int, folder: Path) -> None:
    plan = plan_of(seed)
    print(plan)
    report = await run_round(plan, folder)
    print(report)
    assert not report.breaches, "\n".join(report.breaches[:50])
