"""One number a request, 64 connections, every answer after its commit: beside what the disk can promise, beside
ourselves without groups, beside Kannel that promises nothing; and how long an answer takes at half that load.

The operator is away meanwhile: messages are taken in and wait, as on a bad day. What sending costs, end-to-end measures.
"""

from __future__ import annotations

from pathlib import Path

from bench.appends import appends_per_second
from bench.figures import Context, Figure, Void, in_turns
from bench.kannel import Kannel, sendsms
from bench.paced import pace
from bench.requests import FIRST_NUMBER, TEXT, sending_folder, singles, verify
from bench.servers import WINDOW, Measured, Smsc, chappe, free_ports, ungrouped

REQUESTS = 20_000
APPENDED_OCTETS = 4096
"""The least a commit can write is one page. Those of a group are more: the yardstick is on the strict side."""
APPENDS_S = 1.0
KANNEL_MIN = 4_000
HALF = 0.5


def run(context: Context) -> list[Figure]:
    """Answers a second and their ratios; the three references take turns with the subject, one after the other."""
    rounds, turn_s = (9, 8.0) if context.long else (5, 2.0)
    folder, data = context.folder, context.folder / "data"
    (nobody,) = free_ports(1)
    account = sending_folder(data, nobody, WINDOW)
    exchanges = singles(account, REQUESTS)
    with chappe(data) as server:
        ours = Measured(server, exchanges, turn_s)
        figures = _beside_disk(folder, ours, rounds)
        figures += _beside_kannel(folder, ours, turn_s, rounds)
        alone, paced = _without_groups(folder / "alone", nobody, ours, turn_s, rounds), 0
        figures += alone
        p50s, p99s = [], []
        rate = figures[1].median * HALF
        for _ in range(rounds):
            latencies = pace(server.address, exchanges, rate=rate, seconds=turn_s)
            paced += latencies.answers
            p50s.append(latencies.percentile_ms(0.50))
            p99s.append(latencies.percentile_ms(0.99))
    verify(data, account, ours.answers + paced, ours.answers + paced)
    return [*figures, Figure("p99 at half load", "ms", p99s), Figure("p50 at half load", "ms", p50s)]


def _beside_disk(folder: Path, ours: Measured, rounds: int) -> list[Figure]:
    references, subjects, ratios = in_turns(
        lambda: appends_per_second(folder, APPENDED_OCTETS, APPENDS_S), ours.turn, rounds
    )
    return [
        Figure("sends / fdatasync appends", "x", ratios),
        Figure("sends", "/s", subjects),
        Figure("fdatasync appends", "/s", references),
        Figure("server CPU a send", "us", ours.cpu_us[-rounds:]),
        Figure("load generator busy", "of its core", ours.busy[-rounds:]),
    ]


def _beside_kannel(folder: Path, ours: Measured, turn_s: float, rounds: int) -> list[Figure]:
    calls = [sendsms(FIRST_NUMBER + number, TEXT, receipt=False) for number in range(REQUESTS)]
    with Smsc(folder / "counters") as smsc, Kannel(folder / "kannel", smsc) as kannel:
        theirs = Measured(kannel, calls, turn_s)

        def turn() -> float:
            per_second = theirs.turn()
            smsc.done(theirs.answers, receipts=False)  # its queue is empty before it is our turn
            return per_second

        references, subjects, ratios = in_turns(turn, ours.turn, rounds)
    if max(references) < KANNEL_MIN:
        raise Void(f"Kannel came to {max(references):.0f} sends a second at best: the machine was not quiet")
    return [
        Figure("sends / Kannel in memory", "x", ratios),
        Figure("sends beside Kannel", "/s", subjects),
        Figure("Kannel's sends", "/s", references),
        Figure("Kannel CPU a send", "us", theirs.cpu_us),
    ]


def _without_groups(folder: Path, nobody: int, ours: Measured, turn_s: float, rounds: int) -> list[Figure]:
    folder.mkdir()
    account = sending_folder(folder / "data", nobody, WINDOW)
    with ungrouped(folder / "data") as server:
        theirs = Measured(server, singles(account, REQUESTS), turn_s)
        references, subjects, ratios = in_turns(theirs.turn, ours.turn, rounds)
    verify(folder / "data", account, theirs.answers, theirs.answers)
    return [
        Figure("sends / sends without groups", "x", ratios),
        Figure("sends beside those", "/s", subjects),
        Figure("sends without groups", "/s", references),
    ]
