"""Which operators a number may leave by: the longest prefix of a product's routes decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chappe.messages.port import Operator
from chappe.numbers.prefixes import ByPrefix


@dataclass(frozen=True, slots=True)
class Route:
    """Operators in order of preference for numbers that begin with `prefix` (E.164 digits, "" for all)."""

    prefix: str
    operators: tuple[Operator, ...]
    short_number: str
    """What phones answer STOP to: 36xxx."""


class Routes:
    """The routes of one product."""

    def __init__(self, routes: Sequence[Route]) -> None:
        by_prefix = {route.prefix: route for route in routes}
        self._by_prefix = ByPrefix(by_prefix)
        self.all: tuple[Route, ...] = tuple(by_prefix.values())
        self.operators: tuple[Operator, ...] = tuple(
            dict.fromkeys(operator for route in routes for operator in route.operators)
        )

    def find(self, number: int) -> Route | None:
        """The route of a number (E.164 digits), or None: then there is nowhere to send it (13)."""
        return self._by_prefix.find(str(number))

    def find_all(self, numbers: Sequence[str]) -> list[Route | None]:
        """The routes of many numbers."""
        return self._by_prefix.find_all(numbers)
