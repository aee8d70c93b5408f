"""kill -9 at random instants, round after round: the rounds of tests/behaviours/crash with other seeds."""

from __future__ import annotations

import asyncio

from bench.figures import Context, Figure
from tests.behaviours.crash.plan import plan_of
from tests.behaviours.crash.round import OPEN_MIN, run_round

ROUNDS = 50
FIRST_SEED = 1000


def run(context: Context) -> list[Figure]:
    """Promises broken; one value a round, and the median of a sum, so that one breach in fifty rounds shows."""
    breaches: list[float] = []
    doubles: list[float] = []
    ended_s: list[float] = []
    for seed in range(FIRST_SEED, FIRST_SEED + (ROUNDS if context.long else 5)):
        folder = context.folder / str(seed)
        folder.mkdir()
        report = asyncio.run(run_round(plan_of(seed), folder))
        assert report.open_requests >= OPEN_MIN, report
        print(f"  {report}", *report.breaches[:20], sep="\n    ", flush=True)
        breaches.append(len(report.breaches))
        doubles.append(report.doubles)
        ended_s.append(report.ended_after_s)
    return [
        Figure("broken promises of all rounds", "", [sum(breaches)]),
        Figure("broken promises a round", "", breaches),
        Figure("doubles a round", "", doubles),
        Figure("everything ended after", "s", ended_s),
    ]
