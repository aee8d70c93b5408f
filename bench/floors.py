"""What the medians must reach: bench/floors.toml, a table for each benchmark, a key for each figure."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Figure

FLOORS = Path(__file__).with_name("floors.toml")


@dataclass(frozen=True)
class Floor:
    """`at_least` or `at_most` is held; `goal` informs."""

    at_least: float | None = None
    at_most: float | None = None
    goal: float | None = None

    def __post_init__(self) -> None:
        assert (self.at_least is None) != (self.at_most is None), "a floor has one bound"

    def holds(self, value: float) -> bool:
        if self.at_least is not None:
            return value >= self.at_least
        assert self.at_most is not None
        return value <= self.at_most

    def __str__(self) -> str:
        bound = f">= {self.at_least:,g}" if self.at_least is not None else f"<= {self.at_most:,g}"
        return bound if self.goal is None else f"{bound} (goal {self.goal:,g})"


def read_floors(path: Path) -> dict[str, dict[str, Floor]]:
    """Floors by benchmark and figure; TypeError or AssertionError for a key that is none."""
    tables = tomllib.loads(path.read_text())
    return {
        benchmark: {figure: Floor(**bounds) for figure, bounds in figures.items()}
        for benchmark, figures in tables.items()
    }


def breaches(figures: Sequence[Figure], floors: Mapping[str, Floor]) -> list[str]:
    """A line for each floor that is not held; a floor whose figure was not measured is not held."""
    medians = {figure.name: figure.median for figure in figures}
    assert len(medians) == len(figures), "two figures have one name"
    found: list[str] = []
    for name, floor in floors.items():
        if name not in medians:
            found.append(f"{name} was not measured")
        elif not floor.holds(medians[name]):
            found.append(f"{name} is {medians[name]:,.4g}, not {floor}")
    return found
