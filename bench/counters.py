"""Numbers that one process counts and another one reads, so that asking costs the first one nothing."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from pathlib import Path


class Counters:
    """A shared file of them, by name. Times are nanoseconds of the monotonic clock, which processes share."""

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self._names = tuple(names)
        size = 8 * len(self._names)
        with path.open("a+b") as file:
            file.truncate(size)
            self._map = mmap.mmap(file.fileno(), size)
        self._numbers = memoryview(self._map).cast("q")

    def __getitem__(self, name: str) -> int:
        return self._numbers[self._names.index(name)]

    def put(self, *values: int) -> None:
        """All of them, in the order of the names."""
        for place, value in enumerate(values):
            self._numbers[place] = value
