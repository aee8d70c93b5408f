"""`python -m chappe.operators.sip.media FD HOST FIRST LAST [MODULE:FACTORY]`: the media process itself."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import resource
import signal
import socket
import sys

from chappe.operators.sip.media.detector import Detector
from chappe.operators.sip.media.engine import Engine
from chappe.operators.sip.media.ports import Ports

DETECTORS = 8
"""They share the streams, and have their turns 2 or 3 ms apart."""


def main(arguments: list[str]) -> int:
    descriptor, host, first, last, *factory = arguments
    # The server's Ctrl-C reaches us too, as does the SIGTERM with which a service is stopped; calls are to be ended in
    # order first. The pipe tells when it is time to go.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    # numpy's matrices are small here: threads would only wait for each other, on cores that others need.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    detectors = [_made(factory[0]) for _ in range(DETECTORS)] if factory else []
    # Not before: what takes so long would hold up the audio of a process that runs already.
    _take_precedence()
    engine = Engine(socket.socket(fileno=int(descriptor)), Ports(host, int(first), int(last)), detectors)
    # Reference counts free what streams leave; a collection would stop all of them for tens of milliseconds.
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        engine.run()
    except OSError as error:
        sys.stderr.write(f"the media process cannot use {host}: {error.strerror}\n")
        return 1
    return 0


def _take_precedence() -> None:
    """Where the system allows it (root, or CAP_SYS_NICE), frames do not wait for other programs. The kernel keeps a
    twentieth of each second for those.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except OSError:
        with contextlib.suppress(OSError):
            os.nice(-10)


def _made(name: str) -> Detector:
    module, _, factory = name.partition(":")
    return getattr(importlib.import_module(module), factory)()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
