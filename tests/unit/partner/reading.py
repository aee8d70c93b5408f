"""Short ways to write a request in these tests."""

from collections.abc import Mapping

from chappe.partner.page import Page
from chappe.partner.parameters import Parameters
from chappe.partner.reader import read
from tests.unit.partner.example_pages import SMS_SEND


def reading(
    body: bytes = b"",
    *,
    query: bytes = b"",
    headers: Mapping[str, str | bytes] | None = None,
    path: Mapping[str, str] | None = None,
    page: Page = SMS_SEND,
    method: str = "POST",
) -> Parameters:
    """What `read` makes of a request; header names are written as ASGI gives them."""
    lines = [
        (name.encode(), value if isinstance(value, bytes) else value.encode())
        for name, value in (headers or {}).items()
    ]
    return read(page, method, path or {}, query, lines, body)
