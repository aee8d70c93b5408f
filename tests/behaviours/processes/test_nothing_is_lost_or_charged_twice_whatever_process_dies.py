"""Two API and two worker processes under load, each killed with -9 in turn: the SMSC's journal is the judge."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.behaviours.processes.world import world
from tests.support.smsc.options import Options


async def test_each_is_killed_in_turn(tmp_path: Path) -> None:
    options = Options(
        answer_delay_ms=50, receipt_delay_ms=100, receipts_first=0.2, receipts_twice=0.1, refused=0.03
    )
    async with world(tmp_path, options=options) as all_of_it:
        load = all_of_it.load()
        await load.until_accepted(200)
        for server in (*all_of_it.apis, *all_of_it.workers):
            await all_of_it.kill(server)
            await load.until_accepted(100)
            await asyncio.to_thread(server.start)
            await load.until_accepted(100)
        await load.stop()
        await all_of_it.ask_again()
        await all_of_it.until_ended()
        found = await all_of_it.judge()
        assert not found, "\n".join(found[:50])
        assert load.cut > 0
