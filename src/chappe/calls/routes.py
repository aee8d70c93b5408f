"""Which trunks a number may be called by: the longest prefix of the voice routes decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chappe.calls.port import Trunk
from chappe.numbers.prefixes import ByPrefix


class CallRoutes:
    """Trunks in order of preference by prefix (E.164 digits, "" for all)."""

    def __init__(self, routes: Mapping[str, Sequence[Trunk]]) -> None:
        self._by_prefix = ByPrefix({prefix: tuple(trunks) for prefix, trunks in routes.items()})
        self.trunks: tuple[Trunk, ...] = tuple(
            dict.fromkeys(trunk for trunks in routes.values() for trunk in trunks)
        )

    def find(self, number: int) -> tuple[Trunk, ...]:
        """The trunks for a number; none: it cannot be called."""
        return self._by_prefix.find(str(number)) or ()

    def have(self, numbers: Sequence[str]) -> list[bool]:
        """Whether each of many numbers (digits) can be called."""
        return [trunks is not None for trunks in self._by_prefix.find_all(numbers)]
