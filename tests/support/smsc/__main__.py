"""`python -m tests.support.smsc --port 0 --journal FILE [--answer-delay-ms 50 ...]`: prints `ready PORT`, serves until
it is ended. Started again on the same journal, it owes what it owed before.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import signal
import sys
from pathlib import Path

import uvloop

from tests.support.smsc.connection import Connection
from tests.support.smsc.options import Options, add_options, options_of
from tests.support.smsc.smsc import Smsc


async def serve(port: int, journal: Path, options: Options) -> None:
    """Until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    smsc = Smsc(options, journal, loop)
    server = await loop.create_server(lambda: Connection(smsc, loop), "127.0.0.1", port)
    gc.collect()
    gc.freeze()
    sys.stdout.write(f"ready {server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await stop.wait()
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.support.smsc", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--journal", type=Path, required=True)
    add_options(parser)
    arguments = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(arguments.port, arguments.journal, options_of(arguments)))


if __name__ == "__main__":
    main()
