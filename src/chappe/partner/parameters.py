"""The parameters of one request, wherever they stood, with the types that real clients give them."""

import math
import re
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import cast

from chappe.credit.money import AMOUNT_MICRO_MAX, MICRO
from chappe.partner.bodies import Malformed, Values, read_json
from chappe.partner.errors import Header, Language, ParameterInvalid
from chappe.partner.multipart import File
from chappe.partner.negotiation import Format, format_of, language_of

INTEGER_MAX = 2**63 - 1

_INTEGER = re.compile(r"[+-]?0*([0-9]{1,19})(?:\.0*)?", re.ASCII)
_MONEY = re.compile(r"\+?0*([0-9]{1,12})?(?:[.,]([0-9]{0,32}))?", re.ASCII)
_FLAGS = {"0": False, "1": True, "true": True, "false": False, "0.0": False, "1.0": True}

# Headers that mean something else, and bear the name of a parameter (`from` in statistics, mail and vn/send).
_NOT_PARAMETERS = frozenset(
    b"accept age allow authorization connection cookie date dnt expect expires forwarded from host link "
    b"origin pragma priority range referer te trailer upgrade via warning".split()
)


class Parameters:
    """The parameters of one request.

    A name is looked for in the path, the body, the query; then without regard to case in body and query;
    then among the headers. JSON ``null`` is absent everywhere. Methods that find a value they cannot read
    raise ParameterInvalid; None means absent.
    """

    __slots__ = ("_body", "_caseless", "_headers", "_path", "_query")

    def __init__(
        self,
        path: Mapping[str, str],
        body: Values,
        query: Values,
        headers: Sequence[Header] = (),
    ) -> None:
        self._path = path
        self._body = body
        self._query = query
        self._headers = headers
        self._caseless: Values | None = None

    # --- as it came ---------------------------------------------------------------------------------

    def raw(self, name: str) -> object | None:
        """The value as the body gave it (str, int, float, bool, list, dict), or None."""
        value: object | None = self._path.get(name)
        if value:  # an empty segment is an empty key, not a value
            return value
        value = self._body.get(name)
        if value is not None:
            return value
        value = self._query.get(name)
        if value is not None:
            return value
        caseless = self._caseless
        if caseless is None:
            caseless = self._caseless = self._build_caseless()
        return caseless.get(name.lower())

    def _build_caseless(self) -> Values:
        # Built once, at the first name that is not there as written, from the weakest source to the
        # strongest.
        found: Values = {}
        for header, octets in self._headers:
            if header not in _NOT_PARAMETERS and b"-" not in header:
                found[header.decode("latin-1").lower()] = _header_text(octets)
        for source in (self._query, self._body):
            for name, value in source.items():
                if value is not None:
                    found[name.lower()] = value
        return found

    def __contains__(self, name: str) -> bool:
        return self.raw(name) is not None

    def within(self, value: object) -> "Parameters | None":
        """The same readings inside a nested map (an item of `SMSList`, the `params` of a mail), else None."""
        return Parameters({}, cast(Values, value), {}) if isinstance(value, dict) else None

    # --- typed --------------------------------------------------------------------------------------

    def text(self, name: str) -> str | None:
        """The text as sent, blanks around it included; None if absent or blank.

        Numbers and booleans become their text (33600000001.0 is "33600000001", true is "true"). A list or
        a map where text belongs counts as absent, so that the page's "is required" answers.
        """
        value = self.raw(name)
        if type(value) is not str:
            return _scalar_text(value)
        return value if value and not value.isspace() else None

    def integer(self, name: str) -> int | None:
        """``412``, ``"412"``, ``412.0``, ``" 412 "``, ``true`` (1); beyond 64 bits, fractions, words: invalid."""
        value = self.raw(name)
        if value is None:
            return None
        if isinstance(value, str):
            value = value.strip()
            if not value:
                return None
            match = _INTEGER.fullmatch(value)
            if match is None:
                raise ParameterInvalid(name)
            value = -int(match[1]) if value[0] == "-" else int(match[1])
        elif isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or not -INTEGER_MAX <= value <= INTEGER_MAX:
            raise ParameterInvalid(name)
        return int(value)

    def decimal_micro(self, name: str) -> int | None:
        """Euros as micro-euros: ``100``, ``12.5``, ``"12.50"``, ``"12,5"``; rounded half up at the sixth decimal.

        Negative, not a number, or over AMOUNT_MICRO_MAX: invalid.
        """
        value = self.raw(name)
        if isinstance(value, str):
            value = value.strip()
            if not value:
                return None
            match = _MONEY.fullmatch(value)
            if match is None or not any(c.isdigit() for c in value):
                raise ParameterInvalid(name)
            number = Decimal(f"{match[1] or '0'}.{match[2] or '0'}")
        elif isinstance(value, float) and math.isfinite(value):
            number = Decimal(repr(value))
        elif isinstance(value, int) and not isinstance(value, bool) and abs(value) <= AMOUNT_MICRO_MAX:
            number = Decimal(value)
        elif value is None:
            return None
        else:
            raise ParameterInvalid(name)
        if number < 0 or number > AMOUNT_MICRO_MAX // MICRO:
            raise ParameterInvalid(name)
        return int((number * MICRO).to_integral_value(ROUND_HALF_UP))

    def flag(self, name: str, default: bool = False) -> bool:
        """``0 1 "0" "1" true false "true" "false"``; absent or blank is `default`; anything else is invalid."""
        value = self.raw(name)
        if value is None:
            return default
        if isinstance(value, bool):
            return value
        if isinstance(value, (str, int, float)):
            word = str(value).strip().lower() if not isinstance(value, int) or 0 <= value <= 1 else ""
            if isinstance(value, str) and not word:
                return default
            if word in _FLAGS:
                return _FLAGS[word]
        raise ParameterInvalid(name)

    def items(self, name: str) -> list[object] | None:
        """A list. One value alone is a list of one; PHP's numbered maps and JSON written inside text count.

        A map with one key, whose value is a map or a list, is XML's wrapping of the items.
        """
        value = self._unfolded(name)
        if value is None:
            return None
        if isinstance(value, list):
            return cast(list[object], value)
        if isinstance(value, dict):
            fields = cast(Values, value)
            if fields and all(key.isdecimal() for key in fields):
                return list(fields.values())
            if len(fields) == 1:
                (only,) = fields.values()
                if isinstance(only, list):
                    return cast(list[object], only)
                if isinstance(only, dict):
                    return [cast(object, only)]
            return [cast(object, fields)]
        return [value]

    def mapping(self, name: str) -> Mapping[str, object] | None:
        """A map; None if absent, blank, or an empty list (PHP's empty array); anything else is invalid."""
        value = self._unfolded(name)
        if value is None or value == []:
            return None
        if isinstance(value, dict):
            return cast(Mapping[str, object], value)
        raise ParameterInvalid(name)

    def joined(self, name: str) -> str | None:
        """`phoneNumbers`: a comma list as it came, or an array joined with commas. None if absent or blank.

        What is no text in an array stands as "?", which is no number, so it is refused and not forgotten.
        """
        value = self.raw(name)
        if not isinstance(value, list):
            return self.text(name)
        parts = [
            item if isinstance(item, str) else (_scalar_text(item) or "?")
            for item in cast(list[object], value)
        ]
        text = ",".join(parts)
        return text if text and not text.isspace() else None

    def file(self, name: str) -> File | None:
        """An uploaded file, on the pages that accept one."""
        value = self.raw(name)
        return value if isinstance(value, File) else None

    def _unfolded(self, name: str) -> object | None:
        value = self.raw(name)
        if isinstance(value, str):
            written = value.strip()
            if written[:1] in ("{", "["):
                # A form or a query has no other way to hold a list of maps.
                try:
                    return read_json(b'{"v":' + written.encode() + b"}").get("v")
                except Malformed:
                    raise ParameterInvalid(name) from None
            return value if written else None
        return value

    # --- what every request may carry -----------------------------------------------------------------

    def api_key(self) -> str | None:
        """`apiKey` from anywhere, else ``Authorization: Bearer KEY``, else ``X-Api-Key``; None if there is none.

        Opaque: no format is documented, so none is checked.
        """
        key = self.text("apiKey") or self._key_in_headers()
        return None if key is None else key.strip()

    def _key_in_headers(self) -> str | None:
        other = None
        for name, value in self._headers:
            if name == b"authorization":
                scheme, _, key = value.strip().partition(b" ")
                if scheme.lower() == b"bearer" and key.strip():
                    return _header_text(key)
            elif name == b"x-api-key" and value.strip():
                other = _header_text(value)
        return other

    @property
    def format(self) -> Format:
        """`_format`: "xml" if it says so, else "json"."""
        return format_of(self._body.get("_format") or self._query.get("_format"))

    @property
    def language(self) -> Language:
        """`_lang`, else ``Accept-Language``, else French."""
        return language_of(self._body.get("_lang") or self._query.get("_lang"), self._headers)

    def __repr__(self) -> str:
        return "<Parameters>"  # never what they hold: keys and message bodies stay out of logs


def _scalar_text(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) <= INTEGER_MAX else repr(value)
    return None


def _header_text(value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = value.decode("latin-1")
    return text.strip().replace("\0", "")
