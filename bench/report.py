"""The table of a benchmark, and the file that keeps a run with its conditions."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Figure
from bench.floors import Floor
from bench.machine import conditions

RESULTS = Path(__file__).with_name("results")


@dataclass(frozen=True)
class Section:
    """One benchmark of a run. `voids` are the runs that measured something else; `failures` the floors not held."""

    name: str
    says: str
    figures: Sequence[Figure]
    floors: Mapping[str, Floor]
    seconds: float
    voids: Sequence[str]
    failures: Sequence[str]


def table(section: Section) -> str:
    """A line a figure: name, median, unit, least and most of its rounds, floor, whether it is held."""
    lines = [f"{section.name} ({section.seconds:.0f} s)"]
    for figure in section.figures:
        floor = section.floors.get(figure.name)
        held = "" if floor is None else f"  {'ok' if floor.holds(figure.median) else 'NOT HELD'}  {floor}"
        spread = f"{_number(min(figure.values))} to {_number(max(figure.values))} in {len(figure.values)}"
        lines.append(
            f"  {figure.name:52} {_number(figure.median):>10} {figure.unit:<13} {spread:32}{held}".rstrip()
        )
    return "\n".join(lines)


def keep(sections: Sequence[Section]) -> Path:
    """Writes the run to bench/results/; never over another one."""
    now = datetime.datetime.now(datetime.UTC)
    RESULTS.mkdir(exist_ok=True)
    names = "-".join(section.name for section in sections) if len(sections) <= 3 else "all"
    path = RESULTS / f"{now:%Y-%m-%d-%H%M%S}-{names}.md"
    with path.open("x") as file:
        file.write(_document(sections))
    return path


def _document(sections: Sequence[Section]) -> str:
    lines = [f"# {', '.join(section.name for section in sections)}", ""]
    lines += [f"- {name}: {value}" for name, value in conditions().items()]
    for section in sections:
        lines += ["", f"## {section.name}", "", f"{section.says}; {section.seconds:.0f} s.", ""]
        lines += [f"- {void} (repeated)" for void in section.voids]
        lines += ["| figure | median | unit | floor | held | rounds |", "|---|---|---|---|---|---|"]
        for figure in section.figures:
            floor = section.floors.get(figure.name)
            held = "" if floor is None else "yes" if floor.holds(figure.median) else "**no**"
            rounds = ", ".join(_number(value) for value in figure.values)
            lines.append(
                f"| {figure.name} | {_number(figure.median)} | {figure.unit} | {floor or ''} | {held} | {rounds} |"
            )
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 0.001 else f"{value:g}"
