"""Large bodies at once: so many octets of them are in memory at the same time, whoever sends them.

A body is read before its key can be: without this, a hundred clients that have no account fill gigabytes within the
seconds that a body may take.
"""

from __future__ import annotations

from typing import Final

SMALL_BYTES: Final = 64 << 10
"""Of each body, which are not counted: ordinary requests are taken whatever others upload."""
HELD_BYTES_MAX: Final = 256 << 20


class LargeBodies:
    """Counts what is held, from the first octet beyond `SMALL_BYTES` until its request is answered."""

    def __init__(self, held_bytes_max: int = HELD_BYTES_MAX) -> None:
        self._left = held_bytes_max

    def take(self, octets: int) -> bool:
        """False: there is no room for so many more."""
        if octets > self._left:
            return False
        self._left -= octets
        return True

    def give_back(self, octets: int) -> None:
        """A request is answered, or its client is gone."""
        self._left += octets
