"""What the `/docs` page shows, taken from the tables that serve the requests."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from chappe.partner import catalogue
from chappe.partner.endpoint import Endpoint, Field

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
    errors = [(str(page.missing_key_code), missing.fr, missing.http_status)]
    errors += [(str(code), message.fr, message.http_status) for code, message in page.errors.items()]
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
        example=json.dumps(endpoint.example, indent=2, ensure_ascii=False),
        errors=errors,
        curl=_curl(endpoint, base),
    )


def _curl(endpoint: Endpoint, base: str) -> str:
    page = endpoint.page
    path = page.paths[-1].replace("{apiKey}", "YOUR_API_KEY")
    required = {field.name: "…" for field in endpoint.fields if field.required}
    if page.methods[0] == "GET":
        query = "" if "{apiKey}" in page.paths[-1] else "apiKey=YOUR_API_KEY"
        query += "".join(f"&{name}={value}" for name, value in required.items())
        return f"curl 'http://127.0.0.1:8000{base}{path}{'?' if query else ''}{query}'"
    body = json.dumps({"apiKey": "YOUR_API_KEY", **required}, ensure_ascii=False)
    return f"curl -X {page.methods[0]} http://127.0.0.1:8000{base}{path} -d '{body}'"
