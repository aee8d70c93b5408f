"""The yardstick of what a disk can promise: `python -m bench.appends FILE OCTETS SECONDS` prints appends a second.

Each append is written and then forced to the disk by fdatasync, one after the other, as the log of a database is.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from bench.machine import pin_server


def appends_per_second(folder: Path, octets: int, seconds: float) -> float:
    """Runs it on the servers' core, in a process of its own, on the disk of `folder`."""
    file = folder / "appended"
    done = subprocess.run(
        [sys.executable, "-m", "bench.appends", file, str(octets), str(seconds)],
        capture_output=True,
        check=True,
        preexec_fn=pin_server,
        timeout=seconds + 30,
    )
    file.unlink()
    return float(done.stdout)


def _append(path: str, octets: int, seconds: float) -> float:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    data = os.urandom(octets)
    os.sync()  # what others left to be written would be waited for by the first appends
    count, begin_s = 0, time.perf_counter()
    while (now_s := time.perf_counter()) < begin_s + seconds:
        written = os.write(fd, data)
        assert written == octets
        os.fdatasync(fd)
        count += 1
    os.close(fd)
    return count / (now_s - begin_s)


if __name__ == "__main__":
    print(_append(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
