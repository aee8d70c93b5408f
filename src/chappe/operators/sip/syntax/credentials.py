"""The challenges and answers of digest authentication as headers hold them (RFC 3261, 20.44; RFC 7616)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from chappe.operators.sip.errors import RemoteError
from chappe.operators.sip.syntax.grammar import TOKEN_CHARACTERS, quote, skip_blank, unescape
from chappe.operators.sip.syntax.limits import PARAMETERS_MAX

_SCHEME: Final = re.compile(rf"[ \t]*+([{TOKEN_CHARACTERS}]++)(?:[ \t]++|$)")
_PARAMETER: Final = re.compile(
    rf"([{TOKEN_CHARACTERS}]++)[ \t]*+=[ \t]*+" + r"""(?:"([^"\\]*+(?:\\.[^"\\]*+)*+)"|([^\s,"]++))[ \t]*+""",
    re.DOTALL,
)
# What RFC 7616, 3.3 and 3.4 give without quotes; everything else of Digest stands in quotes.
_UNQUOTED: Final = frozenset({"algorithm", "stale", "nc", "qop"})


@dataclass(frozen=True, slots=True)
class Credentials:
    """A challenge or its answer. `scheme` in lower case; parameters by name in lower case, quotes taken off."""

    scheme: str
    parameters: Mapping[str, str]

    def get(self, name: str) -> str:
        """Empty where there is none."""
        return self.parameters.get(name, "")


def parse_credentials(text: str) -> Credentials:
    """One header value, which holds one challenge or answer (RFC 3261, 7.3.1). Raises RemoteError."""
    match = _SCHEME.match(text)
    if match is None:
        raise RemoteError("an authentication header has no scheme")
    parameters: dict[str, str] = {}
    position = match.end()
    while position < len(text):
        if text[position] == ",":
            position = skip_blank(text, position + 1)
            continue
        found = _PARAMETER.match(text, position)
        if found is None:
            raise RemoteError("an authentication header cannot be read")
        name, quoted, plain = found.groups()
        parameters.setdefault(name.lower(), plain if quoted is None else unescape(quoted))
        if len(parameters) > PARAMETERS_MAX:
            raise RemoteError(f"more than {PARAMETERS_MAX} parameters")
        position = found.end()
        if position < len(text) and text[position] != ",":
            raise RemoteError("an authentication header has something behind a parameter")
    return Credentials(match.group(1).lower(), parameters)


def write_credentials(credentials: Credentials, *, is_challenge: bool = False) -> str:
    """As a header value. In a challenge `qop` is a list in quotes, in an answer a token. Raises LocalError."""
    parts: list[str] = []
    for name, value in credentials.parameters.items():
        is_bare = name in _UNQUOTED and not (is_challenge and name == "qop")
        parts.append(f"{name}={value if is_bare else quote(value)}")
    return f"{credentials.scheme.capitalize()} {', '.join(parts)}"
