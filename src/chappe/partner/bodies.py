"""From the octets of a query or a body to a map of parameters: form, JSON, XML.

Whatever comes in, what comes out is a ``dict[str, object]`` of str, int, float, bool, None, list and dict,
at most DEPTH_MAX deep, without NUL characters (PostgreSQL cannot store them) and without lone surrogates
(nothing can encode them). The only exception is Malformed.
"""

import re
from collections.abc import Iterable
from typing import cast
from xml.parsers import expat

import msgspec

Values = dict[str, object]

DEPTH_MAX = 32
QUERY_PARAMETERS_MAX = 1000
FORM_PARAMETERS_MAX = 10_000
"""A batch of 500 contacts written as a form (`contactsList[0][phoneNumber]=...`) has some 5,000."""
JSON_COMMAS_MAX = 500_000
"""In a body over a MiB: each may part two values, which cost many times their octets in memory and time."""
XML_ELEMENTS_MAX = 20_000
"""A batch of 500 contacts has some 5,000; each element is a call from expat into Python."""


class Malformed(Exception):
    """The body is not what its first octet says it is. `kind` is "JSON" or "XML"."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class TooMany(Exception):
    """More than `maximum` parameters in a query or a form."""

    def __init__(self, maximum: int) -> None:
        super().__init__(maximum)
        self.maximum = maximum


# --- JSON -----------------------------------------------------------------------------------------------

_decode = msgspec.json.Decoder(dict).decode

# A pair of surrogate escapes, a lone one, or any other escape (so that `\\ud800`, a backslash, is left
# alone).
_ESCAPE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2}|\\.",
    re.DOTALL,
)
_SURROGATE_HINT = re.compile(rb"\\u[dD][89a-fA-F]")


def read_json(body: bytes) -> Values:
    """A JSON object (RFC 8259). Duplicate names: the last one counts. NaN, Infinity and arrays are Malformed.

    A lone surrogate (`"\\ud83d"`: what a JavaScript client sends after cutting an emoji) becomes U+FFFD.
    """
    containers = body.count(b"{") + body.count(b"[")
    if len(body) > 1 << 20 and body.count(b",") > JSON_COMMAS_MAX:
        raise Malformed("JSON")
    try:
        values = _decode(body)
    except RecursionError:
        raise Malformed("JSON") from None
    except ValueError:  # msgspec's errors and UnicodeDecodeError are ones
        if _SURROGATE_HINT.search(body) is None:
            raise Malformed("JSON") from None
        try:
            values = _decode(_ESCAPE.sub(_without_lone, body))
        except (ValueError, RecursionError):
            raise Malformed("JSON") from None
    if containers > DEPTH_MAX and _deeper_than(values, DEPTH_MAX):
        raise Malformed("JSON")
    if b"\\u0000" in body:
        return cast(Values, _without_nul(values))
    return values


def _without_lone(match: re.Match[bytes]) -> bytes:
    escape = match[0]
    return rb"\ufffd" if len(escape) == 6 else escape


def _deeper_than(value: object, maximum: int) -> bool:
    # Level by level; exact types, because a batch of 500 passes here and the decoder makes no others.
    level: list[object] = [value]
    for _ in range(maximum):
        below: list[object] = []
        for container in level:
            if type(container) is dict:
                held: Iterable[object] = cast(Values, container).values()
            else:
                held = cast(list[object], container)
            for inner in held:
                kind = type(inner)
                if kind is dict or kind is list:
                    below.append(inner)
        if not below:
            return False
        level = below
    return True


def _without_nul(value: object) -> object:
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, list):
        return [_without_nul(item) for item in cast(list[object], value)]
    if isinstance(value, dict):
        return {k.replace("\0", ""): _without_nul(v) for k, v in cast(Values, value).items()}
    return value


# --- query and form -------------------------------------------------------------------------------------


def read_form(data: bytes, maximum: int = FORM_PARAMETERS_MAX) -> Values:
    """`application/x-www-form-urlencoded`: `+` is a blank, octets that are not UTF-8 become U+FFFD.

    The last of several parameters with one name counts. `list[]=a`, `map[key]=b` and `list[0][key]=c`
    are nested, as PHP clients write arrays (`http_build_query`) and PHP servers read them.
    """
    if data.count(b"&") >= maximum:
        raise TooMany(maximum)
    if b"+" in data:
        data = data.replace(b"+", b" ")
    escaped = b"%" in data
    values: Values = {}
    nested = False
    for pair in data.split(b"&"):
        octets, _, text = pair.partition(b"=")
        if not octets:
            continue
        if escaped:
            octets = _unescape(octets)
            text = _unescape(text)
        name = octets.decode("utf-8", "replace")
        value = text.decode("utf-8", "replace")
        if b"[" in octets and name.endswith("]") and not name.startswith("["):
            nested = True
            _put_nested(values, name, value)
        else:
            values[name] = value
    if nested:
        values = {name: _lists(value) for name, value in values.items()}
    if b"\0" in data or (escaped and b"%00" in data):
        return cast(Values, _without_nul(values))
    return values


_HEX = b"0123456789abcdefABCDEF"
_OCTETS = {bytes((a, b)): bytes((int(bytes((a, b)), 16),)) for a in _HEX for b in _HEX}


def _unescape(data: bytes) -> bytes:
    """Percent-decoding (RFC 3986, 2.1); what is no escape stays. Several times faster than urllib's."""
    first, *rest = data.split(b"%")
    if not rest:
        return data
    decoded = [first]
    for piece in rest:
        octet = _OCTETS.get(piece[:2])
        if octet is None:
            decoded += (b"%", piece)
        else:
            decoded += (octet, piece[2:])
    return b"".join(decoded)


def _put_nested(values: Values, name: str, value: str) -> None:
    first, _, rest = name[:-1].partition("[")
    keys = rest.split("][")
    if len(keys) >= DEPTH_MAX:
        values[name] = value
        return
    target: Values = values
    key = first
    for following in keys:
        inside = target.get(key)
        if not isinstance(inside, dict):
            inside = {}
            target[key] = inside
        target = cast(Values, inside)
        key = following or str(len(target))
    target[key] = value


def _lists(value: object) -> object:
    """Maps whose keys are 0, 1, 2, ... are lists, as everywhere in PHP."""
    if not isinstance(value, dict):
        return value
    items = cast(Values, value)
    if all(key == str(index) for index, key in enumerate(items)):
        return [_lists(item) for item in items.values()]
    return {key: _lists(item) for key, item in items.items()}


# --- XML ------------------------------------------------------------------------------------------------


class _Element:
    """An open element: its text so far and its children."""

    __slots__ = ("children", "text")

    def __init__(self) -> None:
        self.text: list[str] = []
        self.children: list[tuple[str, object]] | None = None

    def value(self) -> object:
        """Text; or a list, when the children are `entry` or share one name; or a map."""
        if self.children is None:
            return "".join(self.text)
        names = {name for name, _ in self.children}
        if len(names) == 1 and (len(self.children) > 1 or names == {"entry"}):
            return [value for _, value in self.children]
        return self.mapping()

    def mapping(self) -> Values:
        """The children by name; those that stand several times are lists."""
        values: Values = {}
        repeated: dict[str, list[object]] = {}
        for name, value in self.children or ():
            if name in repeated:
                repeated[name].append(value)
            elif name in values:
                values[name] = repeated[name] = [values[name], value]
            else:
                values[name] = value
        return values


class _XmlReader:
    """Collects the events of expat. No document type, hence no entities but the five of XML itself."""

    def __init__(self) -> None:
        self.open: list[_Element] = [_Element()]
        self.elements = 0

    def start(self, name: str, attributes: object) -> None:
        self.elements += 1
        if len(self.open) > DEPTH_MAX or self.elements > XML_ELEMENTS_MAX:
            raise Malformed("XML")
        self.open.append(_Element())

    def end(self, name: str) -> None:
        element = self.open.pop()
        parent = self.open[-1]
        if parent.children is None:
            parent.children = []
        parent.children.append((name.rpartition(":")[2], element.value() if len(self.open) > 1 else element))

    def characters(self, text: str) -> None:
        self.open[-1].text.append(text)

    def refuse(self, *_: object) -> None:
        raise Malformed("XML")


def read_xml(body: bytes) -> Values:
    """An XML document: the children of the root are the parameters; attributes and prefixes do not count.

    Document types are refused whole, so neither entity bombs nor external entities can be written.
    """
    reader = _XmlReader()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters
    parser.StartDoctypeDeclHandler = reader.refuse
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, LookupError, ValueError):
        # The two latter: an encoding that Python does not know, or cannot use one octet at a time.
        raise Malformed("XML") from None
    top = reader.open[0].children
    assert top is not None
    root = top[0][1]
    assert isinstance(root, _Element)
    return root.mapping()
