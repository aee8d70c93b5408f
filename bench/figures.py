"""What a benchmark gives back: figures of several rounds each, and how two things are compared in turns."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Context:
    """What a benchmark is given: a folder of its own that is deleted afterwards, and whether it has hours."""

    folder: Path
    long: bool


@dataclass(frozen=True)
class Figure:
    """One line of the table. `values` holds one value a round; the median is held against floors.toml.

    A figure without a floor informs. `unit` is "x" for a ratio.
    """

    name: str
    unit: str
    values: Sequence[float]

    @property
    def median(self) -> float:
        return statistics.median(self.values)


class Void(Exception):
    """The run measured something else than it was meant to (wrong answers, a busy generator): no figures."""


def in_turns(
    reference: Callable[[], float], subject: Callable[[], float], rounds: int
) -> tuple[list[float], list[float], list[float]]:
    """Runs A B A B ... A: the values of A, those of B, and each B over the mean of the two A around it."""
    assert rounds > 0
    references, subjects = [reference()], list[float]()
    for _ in range(rounds):
        subjects.append(subject())
        references.append(reference())
    ratios = [value / statistics.mean(references[turn : turn + 2]) for turn, value in enumerate(subjects)]
    return references, subjects, ratios
