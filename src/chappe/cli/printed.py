"""How commands print what programs read as JSON: times in one manner, lists under a head."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

MARGIN = "  "


def at(at_ms: int) -> str:
    """Milliseconds since the epoch as `2026-11-27T08:00:00.000Z`."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def print_list(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Prints a line for each row under a head; columns stand between tabs, and below each other on a terminal."""
    lines = [[name.upper() for name in head], *([str(cell) for cell in row] for row in rows)]
    if not sys.stdout.isatty():
        for line in lines:
            print("\t".join(line))
        return
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        print(MARGIN.join(padded).rstrip())
