"""What the `/docs` page shows, taken from the tables that serve the requests."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from chappe.partner import catalogue
from chappe.partner.endpoint import Endpoint, Field

BASE = "http://chappe.invalid"
"""Stands on the page for the address that it was asked at."""
_TITLES = {"sms": "SMS Partner", "voice": "Voice Partner", "mail": "Mail Partner"}


@dataclass(frozen=True)
class Entry:
    """One endpoint on the page."""

    anchor: str
    title: str
    calls: list[str]
    limit: str
    fields: list[Field]
    example: str
    errors: list[tuple[str, str, int]]
    curl: str


@dataclass(frozen=True)
class Section:
    """One product on the page."""

    title: str
    base: str
    entries: list[Entry]


def sections(endpoints: Iterable[Endpoint]) -> list[Section]:
    """The products in the order of the endpoints."""
    by_product: dict[str, list[Entry]] = {}
    for endpoint in endpoints:
        by_product.setdefault(endpoint.page.product, []).append(_entry(endpoint))
    return [Section(_TITLES[product], f"/{product}/v1", entries) for product, entries in by_product.items()]


def _entry(endpoint: Endpoint) -> Entry:
    page = endpoint.page
    base = f"/{page.product}/v1"
    missing = page.missing_key or catalogue.resolve(page, page.missing_key_code)
    table = {page.missing_key_code: missing, **catalogue.table(page)}
    codes = sorted(table, key=lambda code: (isinstance(code, str), code))
    return Entry(
        anchor=f"{page.product}-{page.name.replace('/', '-')}",
        title=endpoint.title,
        calls=[f"{method} {base}{path}" for path in page.paths for method in page.methods],
        limit=f"{page.limit.requests} requests in {page.limit.seconds} s" if page.limit else "",
        fields=[
            Field("apiKey", "The API key", required=True),
            *endpoint.fields,
            Field("_format", "json (default) or xml"),
        ],
        example="a WAV file (audio/wav)"
        if endpoint.example is None
        else json.dumps(endpoint.example, indent=2, ensure_ascii=False),
        errors=[(str(code), table[code].fr, table[code].http_status) for code in codes],
        curl=_curl(endpoint, base),
    )


def _curl(endpoint: Endpoint, base: str) -> str:
    """A line to copy: with the shortest path, and every other parameter where the documentation's samples have it."""
    page = endpoint.page
    path = min(page.paths, key=lambda path: path.count("{"))
    for name in re.findall(r"{(\w+)}", path):
        path = path.replace(f"{{{name}}}", "YOUR_API_KEY" if name == "apiKey" else name.upper())
    given = {} if "YOUR_API_KEY" in path else {"apiKey": "YOUR_API_KEY"}
    given |= {
        field.name: "…" for field in endpoint.fields if field.required and field.name.upper() not in path
    }
    url = f"{BASE}{base}{path}"
    method = page.methods[0]
    if page.accepts_multipart:
        parts = (f"-F '{name}={'@FILE' if name == 'file' else value}'" for name, value in given.items())
        return f"curl {url} {' '.join(parts)}"
    if method == "POST":
        return f"curl {url} -d '{json.dumps(given, ensure_ascii=False)}'"
    query = "&".join(f"{name}={value}" for name, value in given.items())
    verb = "" if method == "GET" else f"-X {method} "
    return f"curl {verb}'{url}{'?' if query else ''}{query}'"
