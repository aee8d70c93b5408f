"""The PostgreSQL server dies under load, and its synchronous standby takes over: nothing is lost, twice, or half told."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from tests.behaviours.processes.world import world
from tests.support.smsc.options import Options


async def test_a_standby_takes_over(tmp_path: Path) -> None:
    options = Options(
        answer_delay_ms=50, receipt_delay_ms=100, receipts_first=0.2, receipts_twice=0.1, refused=0.03
    )
    async with world(tmp_path, options=options, has_standby=True) as all_of_it:
        standby = all_of_it.standby
        assert standby is not None
        load = all_of_it.load()
        await load.until_accepted(200)
        # Some commits arrive and their answers do not: what became of them is asked of the other server.
        all_of_it.proxy.cut_next_commits("after", "before", "after", "before")
        await asyncio.to_thread(all_of_it.postgres.stop, signal.SIGQUIT)
        await asyncio.to_thread(standby.promote)
        all_of_it.reading.move_to(standby.url())
        all_of_it.proxy.lead_to(standby.port)
        await load.until_accepted(200)
        await load.stop()
        await all_of_it.ask_again()
        await all_of_it.until_ended()
        found = await all_of_it.judge()
        assert not found, "\n".join(found[:50])
