"""One page of the documentation is one endpoint: its paths, its methods, its error table, its XML."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple
from urllib.parse import unquote

from chappe.partner.errors import Code, Message, MethodNotAllowed, NotFound
from chappe.partner.limits import Limit

Product = Literal["sms", "voice", "mail"]
Family = Literal["", "send", "status", "verification", "location", "subaccount"]

PATH_MAX = 4096
"""Characters in a path. The longest real one is a key and a campaign's name."""

BODY_MAX_BYTES: Mapping[Product, int] = {"sms": 8 << 20, "voice": 1 << 20, "mail": 32 << 20}
"""Caps on a body; a page can have its own (upload of audio files: 25 MiB)."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the documentation.

    `paths` are templates relative to the product's base: ``/me``, ``/me/{apiKey}``. The methods go for all
    of them. `errors` is the page's own table, which comes before the central one of `family` (catalogue.py).
    """

    product: Product
    name: str
    """As in ``subaccount/create``; one per product; what limits and metrics are counted by."""
    methods: tuple[str, ...]
    paths: tuple[str, ...]
    family: Family = ""
    errors: Mapping[Code, Message] = field(default_factory=dict[Code, Message])
    missing_key_code: int = 1
    missing_key: Message | None = None
    """Where the page gives the same number to a missing and to a wrong key, with two texts (contacts: 10)."""
    limit: Limit | None = None
    xml_objects: frozenset[str] = frozenset()
    """Values that keep their element names in XML: `user` of the credits pages."""
    json_only: frozenset[str] = frozenset()
    """Aliases for other clients, left out of XML because its values count by position."""
    body_max_bytes: int = 0
    """0 is the product's own cap, BODY_MAX_BYTES."""
    accepts_multipart: bool = False

    def __post_init__(self) -> None:
        assert self.methods
        assert self.paths
        assert all(path.startswith("/") and not path.endswith("/") for path in self.paths)
        if self.body_max_bytes == 0:
            object.__setattr__(self, "body_max_bytes", BODY_MAX_BYTES[self.product])


class Match(NamedTuple):
    """The page of a request, and what its path said, percent-decoded."""

    page: Page
    path_parameters: Mapping[str, str]


_Methods = dict[str, Page]
_NOTHING: Mapping[str, str] = {}


class _Template(NamedTuple):
    segments: tuple[str, ...]
    """A literal, or `{name}`."""
    methods: _Methods


class _Product:
    """The paths of one product."""

    def __init__(self) -> None:
        self.exact: dict[str, _Methods] = {}
        self.tail: dict[str, tuple[str, _Methods]] = {}
        """`/me` -> (apiKey, ...) for templates whose only parameter stands last: the hot ones."""
        self.by_length: dict[int, list[_Template]] = {}
        self.listed: list[str] = []

    def add(self, page: Page, path: str) -> None:
        segments = tuple(path.split("/")[1:])
        named = [segment for segment in segments if segment.startswith("{")]
        templates = self.by_length.setdefault(len(segments), [])
        methods = next((known.methods for known in templates if known.segments == segments), None)
        if methods is None:
            methods = {}
            templates.append(_Template(segments, methods))
            # Literals are tried before parameters: `/audio-file/rename` is no token.
            templates.sort(key=lambda known: tuple(segment.startswith("{") for segment in known.segments))
            self.listed.append(path)
        for method in page.methods:
            assert method not in methods, f"{method} {path} belongs to two pages of {page.product}"
            methods[method] = page
        if not named:
            self.exact[path] = methods
        elif len(named) == 1 and segments[-1] == named[0]:
            prefix = path.rpartition("/")[0]
            known = self.tail.setdefault(prefix, (named[0][1:-1], methods))
            assert known[1] is methods, f"{prefix} is followed by two parameters of different names"

    def search(self, path: str) -> tuple[_Methods, Mapping[str, str]] | None:
        """The ordinary way, for every path that the two dictionaries do not answer."""
        if len(path) > PATH_MAX or not path.startswith("/"):
            return None
        # `base + "/" + "/me"` is common in clients, and so is `base + "me/" + an empty key`.
        path = "/" + path.lstrip("/")
        if path.endswith("/"):
            path = path[:-1]
        segments = [unquote(segment) if "%" in segment else segment for segment in path.split("/")[1:]]
        for template in self.by_length.get(len(segments), ()):
            found: dict[str, str] = {}
            for expected, segment in zip(template.segments, segments, strict=True):
                if expected.startswith("{"):
                    found[expected[1:-1]] = segment
                elif expected != segment:
                    break
            else:
                return template.methods, found
        return None


class PageTable:
    """Finds the page of a request. Built once; answers in about half a microsecond on the hot paths."""

    def __init__(self, pages: Iterable[Page]) -> None:
        self.pages = tuple(pages)
        self._products: dict[str, _Product] = {product: _Product() for product in BODY_MAX_BYTES}
        for page in self.pages:
            for path in page.paths:
                self._products[page.product].add(page, path)

    def find(self, product: Product, method: str, path: str) -> Match:
        """The page for `path`, which is as it stood in the request line (still percent-encoded), without the
        product's base and without the query.

        HEAD finds what GET does. Raises NotFound, or MethodNotAllowed.
        """
        methods, parameters = self._methods(product, path)
        page = methods.get("GET" if method == "HEAD" else method)
        if page is None:
            raise MethodNotAllowed(_allowed(methods))
        return Match(page, parameters)

    def allowed(self, product: Product, path: str) -> tuple[str, ...]:
        """The methods of `path`, for the ``Allow`` header that answers OPTIONS. Raises NotFound."""
        return _allowed(self._methods(product, path)[0])

    def _methods(self, product: Product, path: str) -> tuple[_Methods, Mapping[str, str]]:
        routes = self._products[product]
        methods = routes.exact.get(path)
        if methods is not None:
            return methods, _NOTHING
        prefix, _, last = path.rpartition("/")
        tail = routes.tail.get(prefix)
        # Only when nothing else could match: no escape, no empty segment; literals were looked for above.
        if tail is not None and last and "%" not in last and len(path) <= PATH_MAX:
            return tail[1], {tail[0]: last}
        found = routes.search(path)
        if found is None:
            raise NotFound(routes.listed)
        return found


def _allowed(methods: _Methods) -> tuple[str, ...]:
    names = set(methods)
    if "GET" in names:
        names.add("HEAD")
    return (*sorted(names), "OPTIONS")
