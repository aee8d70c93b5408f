"""This process among the others that share the database: who is alive, who does what only one may do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from chappe.settings import Role
from chappe.storage.database import Reader, Transaction


class Presence(Protocol):
    """When the database is away this process leads nothing, and nobody is declared dead."""

    @property
    def id(self) -> int:
        """Whose name stands on what this process holds; 0 where it is alone. Another one after it was given up."""
        ...

    def count(self, *roles: Role) -> int:
        """Processes alive in one of `roles`, this one included; at least 1."""
        ...

    def share(self, operator: str) -> float:
        """The part of an operator's throughput that this process may use, by the live binds of all of them."""
        ...

    def report_binds(self, operator: str, binds: Callable[[], int]) -> None:
        """Has the others told how many live binds this process has to `operator`."""
        ...

    @property
    def others_differ(self) -> int:
        """Processes alive whose routes or operators are configured otherwise than this one's."""
        ...

    @property
    def patience_ms(self) -> int:
        """How long what is due waits for a process that has its route before another one may settle it."""
        ...

    def send_by(self, product: str, routes: Sequence[str]) -> None:
        """Has the others told which routes this process sends by: what waits for them is theirs to leave alone."""
        ...

    def kept_routes(self, reader: Reader, product: str) -> set[str]:
        """Routes that some process sends by, or did until `patience_ms` ago."""
        ...

    def lead(self, what: str, on_change: Callable[[bool], None]) -> None:
        """Tries to become the only process that does `what`, for ever; `on_change` says when it is, or is no more."""
        ...

    async def is_only(self, what: str) -> bool:
        """Whether this process may be the only one that does `what`, from now to its end."""
        ...

    def take_dead(self, tx: Transaction) -> bool:
        """Forgets processes that have died; True when there may be things without an owner to take."""
        ...

    def changed(self) -> None:
        """The number of binds has changed: tell the others soon."""
        ...

    async def start(self, role: Role, configuration: str = "") -> None:
        """Becomes visible to the others; raises `StorageUnavailable`. `configuration`: a fingerprint of what it sends
        by, to be compared with theirs."""
        ...

    async def stop(self) -> None:
        """Leaves: what this process held is free at once."""
        ...


class Alone:
    """On SQLite: the only process there is."""

    id = 0

    def count(self, *roles: Role) -> int:
        del roles
        return 1

    def share(self, operator: str) -> float:
        del operator
        return 1.0

    def report_binds(self, operator: str, binds: Callable[[], int]) -> None:
        pass

    others_differ = 0
    patience_ms = 0

    def send_by(self, product: str, routes: Sequence[str]) -> None:
        pass

    def kept_routes(self, reader: Reader, product: str) -> set[str]:
        del reader, product
        return set()

    def lead(self, what: str, on_change: Callable[[bool], None]) -> None:
        del what
        on_change(True)

    async def is_only(self, what: str) -> bool:
        del what
        return True

    def take_dead(self, tx: Transaction) -> bool:
        """What is without an owner was left by the process before this one: it is looked for once."""
        del tx
        return True

    def changed(self) -> None:
        pass

    async def start(self, role: Role, configuration: str = "") -> None:
        pass

    async def stop(self) -> None:
        pass
