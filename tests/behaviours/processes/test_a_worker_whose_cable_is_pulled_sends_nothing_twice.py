"""The link between a worker and PostgreSQL stands still for a minute, unnoticed: no double send, everything ends."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.behaviours.processes.world import world
from tests.support.namespaces import Host
from tests.support.smsc.options import Options

CUT_S = 60.0


async def test_a_worker_whose_cable_is_pulled_sends_nothing_twice(tmp_path: Path) -> None:
    options = Options(answer_delay_ms=300, receipt_delay_ms=400)
    with Host(cables=2) as far:
        async with world(tmp_path, options=options, far=far) as all_of_it:
            load = all_of_it.load(connections=6)
            await load.until_accepted(100)
            far.pull(0)
            held = all_of_it.reading.all(
                "SELECT owner, COUNT(*) FROM recipients WHERE state = 20 GROUP BY owner"
            )
            await load.until_accepted(50)
            await load.stop()
            await asyncio.sleep(CUT_S)
            assert len(held) == 2, "both workers had messages under way when the cable was pulled"
            assert all_of_it.reading.leaving(), "what the cut-off worker has is nobody else's"
            far.plug(0)
            await all_of_it.ask_again()
            await all_of_it.until_ended()
            found = await all_of_it.judge()
            assert not found, "\n".join(found[:50])
