"""The machine: which core does what, and the conditions that a result is worth nothing without."""

from __future__ import annotations

import datetime
import os
import platform
import sqlite3
import subprocess
import sys
from pathlib import Path

import uvicorn
import uvloop

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")

_CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE = _CORES[0]
LOAD_CORE = _CORES[-1]


def pin_load() -> None:
    """Puts this process, which makes the load, on the core that the servers leave free."""
    os.sched_setaffinity(0, {LOAD_CORE})


def pin_server() -> None:
    """Puts the calling process, a server about to start, on its core."""
    os.sched_setaffinity(0, {SERVER_CORE})


def cpu_s(pid: int) -> float:
    """Seconds of processor time that the process used so far, all its threads together (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND


def resident_mb(pid: int) -> float:
    """Megabytes (10^6) of the process that are in memory."""
    return sum(resident_parts_mb(pid))


def resident_parts_mb(pid: int) -> tuple[float, float]:
    """Megabytes in memory that are the process's own, and those of files that it mapped (proc(5))."""
    kilobytes: dict[str, int] = {}
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.startswith("Rss"):
            kilobytes[name] = int(value.split()[0])
    own, files = kilobytes["RssAnon"], kilobytes["RssFile"] + kilobytes["RssShmem"]
    return own * 1024 / 1e6, files * 1024 / 1e6


def conditions() -> dict[str, str]:
    """What a reader must know to judge the figures."""
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _commit(),
        "processor": f"{_processor()}, {len(_CORES)} cores (server on {SERVER_CORE}, load on {LOAD_CORE})",
        "kernel": platform.release(),
        "python": sys.version.split()[0],
        "sqlite": sqlite3.sqlite_version,
        "uvicorn, uvloop": f"{uvicorn.__version__}, {uvloop.__version__}",
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 1e9:.0f} GB",
        "load average": " ".join(f"{load:.2f}" for load in os.getloadavg()),
    }


def _commit() -> str:
    """The commit measured, marked when files were changed since."""
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
