"""PostgreSQL restarts, connections are cut before and after COMMIT, the link stands still: the same judge, no doubles."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from tests.behaviours.processes.world import World, world
from tests.support.smsc.options import Options

OPTIONS = Options(
    answer_delay_ms=50, receipt_delay_ms=100, receipts_first=0.2, receipts_twice=0.1, refused=0.03
)


async def ends_well(all_of_it: World) -> None:
    """Nobody died, so nothing may be sent twice either."""
    await all_of_it.ask_again()
    await all_of_it.until_ended()
    found = await all_of_it.judge()
    assert not found, "\n".join(found[:50])


async def test_postgresql_restarts(tmp_path: Path) -> None:
    async with world(tmp_path, options=OPTIONS) as all_of_it:
        load = all_of_it.load()
        for how in (signal.SIGINT, signal.SIGQUIT):
            await load.until_accepted(150)
            await asyncio.to_thread(all_of_it.postgres.stop, how)
            await asyncio.to_thread(all_of_it.postgres.start)
        await load.until_accepted(150)
        await load.stop()
        await ends_well(all_of_it)


async def test_connections_are_cut_before_and_after_commit(tmp_path: Path) -> None:
    async with world(tmp_path, options=OPTIONS) as all_of_it:
        load = all_of_it.load()
        for _ in range(12):
            await load.until_accepted(30)
            all_of_it.proxy.cut_next_commits("after", "before", "after")
        all_of_it.proxy.cut_all()
        await load.until_accepted(100)
        await load.stop()
        assert all_of_it.proxy.cut_total >= 30
        await ends_well(all_of_it)
