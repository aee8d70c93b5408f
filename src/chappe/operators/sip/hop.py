"""Where a message goes, or where it came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Transport = Literal["udp", "tcp", "tls"]


@dataclass(frozen=True, slots=True)
class Hop:
    """`host` is an address or a name, without brackets. `connection` numbers the stream that a message came on, so
    that its answer goes back there (RFC 3261, 18.2.2); 0 is any to this place, made if there is none.
    """

    transport: Transport
    host: str
    port: int
    connection: int = 0

    @property
    def is_reliable(self) -> bool:
        return self.transport != "udp"


@dataclass(slots=True)
class Outgoing:
    """Octets to be sent. If they cannot be, the owner of the sockets gives this back to whoever it came from."""

    hop: Hop
    data: bytes
    source: object = None
