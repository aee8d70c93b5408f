"""Via (RFC 3261, 20.42), with `rport` (RFC 3581)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Final

from chappe.operators.sip.errors import RemoteError
from chappe.operators.sip.syntax.grammar import (
    CONTROL,
    TOKEN_CHARACTERS,
    Parameters,
    read_parameters,
    skip_blank,
    write_parameters,
)
from chappe.operators.sip.syntax.uri import DEFAULT_PORTS

MAGIC_COOKIE: Final = "z9hG4bK"
"""With it a branch begins that is unique, as RFC 3261 demands; without it, RFC 2543's rules match."""

_VIA: Final = re.compile(
    rf"[ \t]*+SIP[ \t]*+/[ \t]*+2\.0[ \t]*+/[ \t]*+([{TOKEN_CHARACTERS}]++)[ \t]++"
    r"([A-Za-z0-9\-._]++|\[[0-9A-Fa-f:.]++\])(?:[ \t]*+:[ \t]*+([0-9]{1,5}))?+",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Via:
    """`transport` in upper case, as it is written; `host` of an IPv6 address in brackets."""

    transport: str
    host: str
    port: int | None = None
    parameters: Parameters = field(default_factory=dict[str, "str | None"])

    @property
    def branch(self) -> str:
        return self.parameters.get("branch") or ""

    @property
    def is_unique(self) -> bool:
        """Whether the branch alone identifies the transaction (section 17.2.3): one that is nothing but the cookie
        does not.
        """
        branch = self.branch
        return len(branch) > len(MAGIC_COOKIE) and branch[: len(MAGIC_COOKIE)].lower() == "z9hg4bk"

    @property
    def sent_by(self) -> tuple[str, int]:
        """Host in lower case, and port with its default."""
        return self.host.lower(), self.port or DEFAULT_PORTS.get(self.transport.lower(), 5060)

    def received_from(self, host: str, port: int) -> Via:
        """As the server keeps it: where the request really came from (section 18.2.1; RFC 3581, section 4). What its
        sender wrote there itself does not count.
        """
        bare = self.host[1:-1] if self.host.startswith("[") else self.host
        wants_port = "rport" in self.parameters
        if bare == host and not wants_port and "received" not in self.parameters:
            return self
        parameters = dict(self.parameters)
        parameters["received"] = host
        if wants_port:
            parameters["rport"] = str(port)
        return replace(self, parameters=parameters)

    def reply_to(self) -> tuple[str, int]:
        """Where a response goes over an unreliable transport (section 18.2.2; RFC 3581, section 4).

        `maddr` is not followed: it is for multicast, and whoever writes it would have us send to others, or look up
        names, as often as he likes.
        """
        parameters = self.parameters
        host = parameters.get("received") or self.host
        if host.startswith("["):
            host = host[1:-1]
        rport = parameters.get("rport")
        if rport and parameters.get("received") and rport.isascii() and rport.isdecimal():
            port = int(rport)
            if 0 < port < 65536:
                return host, port
        return host, self.sent_by[1]

    def __str__(self) -> str:
        port = "" if self.port is None else f":{self.port}"
        return f"SIP/2.0/{self.transport} {self.host}{port}{write_parameters(self.parameters)}"


def parse_via(text: str) -> Via:
    """The topmost Via of a header value; what follows after a comma is not looked at. Raises RemoteError."""
    match = _VIA.match(text)
    if match is None:
        raise RemoteError("Via cannot be read")
    transport, host, port_text = match.groups()
    port = None if port_text is None else int(port_text)
    if port is not None and not 0 < port < 65536:
        raise RemoteError("Via has no port number for a port")
    parameters, position = read_parameters(text, match.end())
    if any(value and CONTROL.search(value) for value in parameters.values()):
        raise RemoteError("Via holds a control character")  # an answer could not repeat it
    position = skip_blank(text, position)
    if position != len(text) and text[position] != ",":
        raise RemoteError("Via has something behind it")
    return Via(transport.upper(), host, port, parameters)
