"""`python -m bench [NAME ...]`: runs benchmarks, prints their table, exits 1 when a median is under its floor."""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

from bench.figures import Context, Figure, Void
from bench.floors import FLOORS, Floor, breaches, read_floors
from bench.machine import pin_load
from bench.report import Section, keep, table

ROOT = Path(__file__).parents[1]
TRIES_MAX = 2
"""A void run is repeated once: the machine may have been busy. A second void one is a failure."""


class Benchmark(NamedTuple):
    """A module with `run(context) -> list[Figure]`; `is_long`: only with --long, or by name."""

    name: str
    module: str
    says: str
    is_long: bool = False


BENCHMARKS = (
    Benchmark("credits", "bench.credits", "the three credits calls beside a bare ASGI hello-world"),
    Benchmark("start", "bench.start", "time to `ready` and resident memory with 10,000 accounts"),
    Benchmark(
        "send", "bench.send", "single sends, durable, beside the disk, Kannel and ourselves without groups"
    ),
    Benchmark(
        "lists", "bench.lists", "500 numbers a request, a million opt-outs, beside raw sqlite3 inserts"
    ),
    Benchmark("end-to-end", "bench.end_to_end", "single sends from request to stored receipt, beside Kannel"),
    Benchmark(
        "end-to-end-lists",
        "bench.end_to_end_lists",
        "requests of 100 from request to stored receipt, 200,000 messages",
    ),
    Benchmark(
        "postgres",
        "bench.postgres",
        "PostgreSQL: one account's sends beside pgbench, requests of 500, two workers",
    ),
    Benchmark(
        "voice-media",
        "bench.voice_media",
        "calls that play a file: how late packets leave, what a call costs",
    ),
    Benchmark(
        "voice-calls", "bench.voice_calls", "calls a second from request to committed end, memory of a call"
    ),
    Benchmark(
        "detection",
        "bench.detection",
        "answering machines told from people in noise: how often, when, at which cost",
    ),
    Benchmark("memory", "bench.memory", "resident memory from 10,000 to 1,000,000 messages"),
    Benchmark(
        "stored", "bench.stored", "end to end and status with 10,000,000 messages stored", is_long=True
    ),
    Benchmark("crashes", "bench.crashes", "50 rounds of kill -9 under load", is_long=True),
)


def main(words: Sequence[str] | None = None) -> int:
    """The exit code: 0 every floor held, 1 one did not or a run stayed void, 2 usage."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these (default: all short ones)")
    parser.add_argument("--list", action="store_true", help="name the benchmarks and what they measure")
    parser.add_argument("--long", action="store_true", help="hours: the long ones too, and more turns")
    parser.add_argument("--keep", action="store_true", help="keep the result in bench/results/")
    arguments = parser.parse_args(words)
    if arguments.list:
        for benchmark in BENCHMARKS:
            print(f"{benchmark.name:16} {benchmark.says}{' (--long)' if benchmark.is_long else ''}")
        return 0
    by_name = {benchmark.name: benchmark for benchmark in BENCHMARKS}
    unknown = [name for name in arguments.names if name not in by_name]
    if unknown:
        parser.error(f"no benchmark is named {', '.join(unknown)}; --list names them")
    chosen = [by_name[name] for name in arguments.names] or [
        benchmark for benchmark in BENCHMARKS if arguments.long or not benchmark.is_long
    ]
    floors = read_floors(FLOORS)
    # A supervisor that ends us must not leave servers behind: SystemExit unwinds what holds them.
    signal.signal(signal.SIGTERM, _ended)
    pin_load()
    sections: list[Section] = []
    for benchmark in chosen:
        section = _section(benchmark, floors.get(benchmark.name, {}), is_long=arguments.long)
        sections.append(section)
        print(table(section), flush=True)
    if arguments.keep:
        print(f"kept in {keep(sections).relative_to(ROOT)}")
    failures = [f"{section.name}: {failure}" for section in sections for failure in section.failures]
    for failure in failures:
        print(failure)
    print("every floor holds" if not failures else f"{len(failures)} not held")
    return 1 if failures else 0


def _section(benchmark: Benchmark, floors: dict[str, Floor], *, is_long: bool) -> Section:
    print(f"{benchmark.name}: {benchmark.says} ...", flush=True)
    begin_s = time.perf_counter()
    reasons: list[str] = []
    while len(reasons) < TRIES_MAX:
        try:
            figures = _run(benchmark, is_long=is_long)
        except Void as void:
            reasons.append(f"void: {void}")
            print(f"{benchmark.name}: {reasons[-1]}", flush=True)
            continue
        seconds = time.perf_counter() - begin_s
        return Section(
            benchmark.name, benchmark.says, figures, floors, seconds, reasons, breaches(figures, floors)
        )
    return Section(
        benchmark.name, benchmark.says, [], floors, time.perf_counter() - begin_s, reasons, reasons[-1:]
    )


def _run(benchmark: Benchmark, *, is_long: bool) -> list[Figure]:
    # On the disk of the checkout: a folder for temporary files may be memory, where a commit costs nothing.
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=ROOT) as folder:
        return importlib.import_module(benchmark.module).run(Context(Path(folder), is_long))


def _ended(number: int, frame: object) -> NoReturn:
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
