"""Which operators a number may leave by: the longest prefix of a product's routes decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chappe.messages.port import Operator


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
        self._by_prefix: Mapping[str, Route] = {route.prefix: route for route in routes}
        self.all: tuple[Route, ...] = tuple(self._by_prefix.values())
        self._longest = max((len(route.prefix) for route in routes), default=0)
        self.operators: tuple[Operator, ...] = tuple(
            dict.fromkeys(operator for route in routes for operator in route.operators)
        )

    def find(self, number: int) -> Route | None:
        """The route of a number (E.164 digits), or None: then there is nowhere to send it (13)."""
        return self.find_all([str(number)])[0]

    def find_all(self, numbers: Sequence[str]) -> list[Route | None]:
        """The routes of many numbers: those that begin alike, as far as any route looks, are asked once."""
        known: dict[str, Route | None] = {}
        routes: list[Route | None] = []
        for digits in numbers:
            beginning = digits[: self._longest]
            if beginning not in known:
                known[beginning] = self._longest_prefix(beginning)
            routes.append(known[beginning])
        return routes

    def _longest_prefix(self, beginning: str) -> Route | None:
        for length in range(len(beginning), -1, -1):
            route = self._by_prefix.get(beginning[:length])
            if route is not None:
                return route
        return None
