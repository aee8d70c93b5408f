"""The longest prefix of a number decides: routes of every product."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")

KNOWN_MAX = 4096


class ByPrefix(Generic[T]):
    """Values by prefix (E.164 digits, "" for every number)."""

    def __init__(self, values: Mapping[str, T]) -> None:
        self._values = values
        self._longest = max(map(len, values), default=0)
        self._known: dict[str, T | None] = {}
        """What `find_all` found, by the beginnings of numbers."""

    def find(self, digits: str) -> T | None:
        """The value for one number, None where no prefix matches."""
        for length in range(min(len(digits), self._longest), -1, -1):
            value = self._values.get(digits[:length])
            if value is not None:
                return value
        return None

    def find_all(self, numbers: Sequence[str]) -> list[T | None]:
        """The values for many numbers: those that begin alike, as far as any prefix looks, are asked once."""
        known = self._known
        if len(known) > KNOWN_MAX:
            known.clear()
        found: list[T | None] = []
        for digits in numbers:
            beginning = digits[: self._longest]
            if beginning not in known:
                known[beginning] = self.find(beginning)
            found.append(known[beginning])
        return found
