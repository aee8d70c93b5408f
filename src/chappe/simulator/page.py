"""`GET /simulator`: the phones, live, on one page; the server renders it, one small script of ours keeps it current."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from jinja2 import Environment, PackageLoader, select_autoescape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from chappe.simulator.behaviours import TABLE
from chappe.simulator.call_behaviours import TABLE as CALL_TABLE
from chappe.simulator.simulator import MESSAGES_OF_EACH, Simulator

PHONES_MAX: Final = 20
_FRENCH: Final = re.compile(r"\+33([1-9])(\d\d)(\d\d)(\d\d)(\d\d)", re.ASCII)
CALLS_SHOWN: Final = 20
_STATIC: Final = Path(__file__).parent / "static"
_HEADERS: Final = {
    # Nothing from elsewhere, and nothing written into the page itself: texts on phones are anybody's.
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self';"
    " media-src 'self';"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


def page_routes(simulator: Simulator) -> list[BaseRoute]:
    """The page, its script, its style."""
    templates = Environment(loader=PackageLoader("chappe.simulator"), autoescape=select_autoescape())
    template = templates.get_template("phones.html")

    async def page(request: Request) -> Response:
        cards = await simulator.phones(PHONES_MAX, MESSAGES_OF_EACH)
        return HTMLResponse(
            template.render(
                cards=cards,
                calls=await simulator.calls(CALLS_SHOWN),
                info=simulator.info(),
                behaviours=TABLE,
                call_behaviours=CALL_TABLE,
                spaced=spaced,
                base_url=str(request.base_url).rstrip("/"),
            ),
            headers=_HEADERS,
        )

    return [
        Route("/simulator", page),
        _file("phones.js", "text/javascript; charset=utf-8"),
        _file("calls.js", "text/javascript; charset=utf-8"),
        _file("phones.css", "text/css; charset=utf-8"),
        _file("icon.svg", "image/svg+xml"),
    ]


def spaced(phone: str) -> str:
    """A French number as people read it; every other as it is."""
    return _FRENCH.sub("+33\u00a0\\1\u00a0\\2\u00a0\\3\u00a0\\4\u00a0\\5", phone)


def _file(name: str, media_type: str) -> Route:
    content = (_STATIC / name).read_bytes()

    async def answer(_: Request) -> Response:
        headers = {"cache-control": "no-cache", "x-content-type-options": "nosniff"}
        return Response(content, media_type=media_type, headers=headers)

    return Route(f"/simulator/{name}", answer)
