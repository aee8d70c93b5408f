"""The tokens of RFC 3261, section 25: parameters, quoted strings, numbers.

Every pattern is possessive: it never goes back over what it has read, so that reading is linear whatever comes in.
A header value is one line here: folds are undone before.
"""

from __future__ import annotations

import re
from typing import Final

from chappe.operators.sip.errors import LocalError, RemoteError
from chappe.operators.sip.syntax.limits import NUMBER_MAX, PARAMETERS_MAX

Parameters = dict[str, str | None]
"""By name in lower case. A parameter without `=` has None. Of two with one name, the first counts."""

TOKEN_CHARACTERS: Final = r"A-Za-z0-9\-.!%*_+`'~"  # noqa: S105 - the RFC's word
TOKEN: Final = re.compile(f"[{TOKEN_CHARACTERS}]++")
QUOTED: Final = re.compile(r'"([^"\\]*+(?:\\.[^"\\]*+)*+)"', re.DOTALL)
BLANK: Final = re.compile(r"[ \t]*+")
# A value may be a host ([::1] as well) or, from careless peers, anything that ends neither the parameter nor the
# field. Blanks around ";" and "=" are allowed by the RFC.
_PARAMETER: Final = re.compile(
    rf"[ \t]*+;[ \t]*+([{TOKEN_CHARACTERS}]++)"
    r"""(?:[ \t]*+=[ \t]*+(?:"([^"\\]*+(?:\\.[^"\\]*+)*+)"|([^\s;,"<>]*+)))?+""",
    re.DOTALL,
)
_SPARE_SEMICOLON: Final = re.compile(r"[ \t]*+;[ \t]*+(?=,|$)")
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_DIGITS: Final = re.compile("[0-9]{1,20}", re.ASCII)
_TO_QUOTE: Final = re.compile(r'[\\"]')
CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def is_token(text: str) -> bool:
    return TOKEN.fullmatch(text) is not None


def read_parameters(text: str, position: int) -> tuple[Parameters, int]:
    """`;name=value;name` from `position` on -> the parameters and where they end. Quotes are taken off."""
    parameters: Parameters = {}
    count = 0
    while match := _PARAMETER.match(text, position):
        position = match.end()
        count += 1
        if count > PARAMETERS_MAX:
            raise RemoteError(f"more than {PARAMETERS_MAX} parameters")
        name, quoted, plain = match.groups()
        parameters.setdefault(name.lower(), plain if quoted is None else unescape(quoted))
    spare = _SPARE_SEMICOLON.match(text, position)
    return parameters, position if spare is None else spare.end()


def write_parameters(parameters: Parameters) -> str:
    """`;name=value;name`. What is not a token is quoted."""
    written: list[str] = []
    for name, value in parameters.items():
        if not is_token(name):
            raise LocalError("a parameter's name is not a token")
        written.append(f";{name}" if value is None else f";{name}={token_or_quoted(value)}")
    return "".join(written)


def token_or_quoted(value: str) -> str:
    if TOKEN.fullmatch(value) or _HOST_VALUE.fullmatch(value):
        return value
    return quote(value)


_HOST_VALUE: Final = re.compile(r"\[[0-9A-Fa-f:.]++\]")


def quote(text: str) -> str:
    """A quoted string (with its quotes). Control characters cannot be written."""
    if CONTROL.search(text):
        raise LocalError("a quoted string cannot hold control characters")
    return '"' + _TO_QUOTE.sub(lambda match: "\\" + match.group(), text) + '"'


def unescape(inside: str) -> str:
    """What stands between the quotes, without the backslashes."""
    return _ESCAPED.sub(r"\1", inside) if "\\" in inside else inside


def skip_blank(text: str, position: int) -> int:
    match = BLANK.match(text, position)
    return position if match is None else match.end()


def read_number(text: str, what: str, number_max: int = NUMBER_MAX) -> int:
    """A decimal number, leading zeros allowed."""
    if _DIGITS.fullmatch(text):
        number = int(text)
        if number <= number_max:
            return number
    raise RemoteError(f"{what} is not a number up to {number_max}")


def split_list(text: str) -> list[str]:
    """The values of a comma-separated header, blanks at their ends taken off; empty ones are left out.

    Commas in quoted strings and between angle brackets do not separate.
    """
    if "," not in text:
        text = text.strip(" \t")
        return [text] if text else []
    values: list[str] = []
    start = 0
    bracketed = False
    for match in _SEPARATORS.finditer(text):
        found = match.group()
        if found == "<":
            bracketed = True
        elif found == ">":
            bracketed = False
        elif found == "," and not bracketed:
            values.append(text[start : match.start()])
            start = match.end()
    values.append(text[start:])
    return [value for value in (value.strip(" \t") for value in values) if value]


_SEPARATORS: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[<>,]', re.DOTALL)
