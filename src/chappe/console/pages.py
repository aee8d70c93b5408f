"""`/`, `/healthz`, `/readyz`, `/metrics`, `/openapi.json`, `/docs`; JSON for every wrong path and method."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import escape
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from chappe import __version__
from chappe.console.reference import BASE, sections
from chappe.metrics import Metrics
from chappe.partner.endpoint import Endpoint
from chappe.partner.errors import Message
from chappe.partner.negotiation import language_of
from chappe.partner.openapi import description
from chappe.settings import Settings
from chappe.storage.database import StorageUnavailable
from chappe.storage.store import Store

_LINKS = ("/openapi.json", "/healthz", "/readyz", "/metrics")
_encode = msgspec.json.Encoder().encode
# Pages load nothing from elsewhere and run no script that is not their own.
_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self' 'unsafe-inline'; script-src 'self';"
    " img-src 'self' data:; media-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


def json_response(content: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer of these pages."""
    return Response(_encode(content), status, headers, media_type="application/json")


_ERRORS = {
    404: Message(
        "Cette adresse n'existe pas. La documentation est à l'adresse /docs",
        "This address does not exist. The documentation is at /docs",
    ),
    405: Message("Méthode non autorisée", "Method not allowed"),
    500: Message("Erreur interne du serveur", "Internal server error"),
}


def _error(
    request: Request, status: int, detail: str = "", headers: dict[str, str] | None = None
) -> Response:
    known = _ERRORS.get(status)
    text = known.text(language_of(None, request.headers.raw)) if known else detail
    return json_response({"success": False, "code": status, "message": text}, status, headers)


def pages(
    settings: Settings,
    store: Store,
    metrics: Metrics,
    endpoints: tuple[Endpoint, ...],
    more: list[BaseRoute],
    *,
    trunks: Callable[[], Mapping[str, bool]],
    audio: Callable[[], bool],
) -> Starlette:
    """The application for everything that is not one of the three APIs; `more` are other rooms' routes.

    `trunks` says by name whether calls can be made by it now, `audio` whether the media process works that they share.
    """
    openapi = _encode(description(endpoints))
    templates = Environment(loader=PackageLoader("chappe.console"), autoescape=select_autoescape())
    reference = templates.get_template("reference.html").render(
        version=__version__, sections=sections(endpoints), simulated=settings.simulated_products, links=_LINKS
    )

    async def healthz(_: Request) -> Response:
        """The process turns its loop."""
        return json_response({"status": "ok", "version": __version__})

    async def readyz(_: Request) -> Response:
        """The database answers; says which products the simulator serves, which have no route, which trunks are there.

        Without any trunk it is ready all the same: what it accepts waits for them.
        """
        body: dict[str, object] = {"status": "ready", "simulated": list(settings.simulated_products)}
        if settings.unrouted_products:
            body["unrouted"] = list(settings.unrouted_products)
        if found := trunks():
            body["trunks"] = {name: "up" if is_up else "down" for name, is_up in found.items()}
            body["audio"] = "up" if audio() else "down"
        try:
            await store.database.read(lambda reader: reader.one("SELECT 1 FROM meta LIMIT 1"))
        except StorageUnavailable:
            return json_response({**body, "status": "storage unavailable"}, 503, {"retry-after": "1"})
        return json_response(body)

    async def metrics_page(_: Request) -> Response:
        return Response(metrics.page(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def openapi_page(_: Request) -> Response:
        return Response(openapi, media_type="application/json")

    async def docs(request: Request) -> Response:
        """The reference, its examples with the address that it was asked at."""
        address = str(request.base_url).rstrip("/")
        return HTMLResponse(reference.replace(BASE, escape(address)), headers=_HEADERS)

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return _error(request, error.status_code, error.detail, dict(error.headers or {}))

    async def failed(request: Request, error: Exception) -> Response:
        del error  # Starlette raises it again, for the server's own log
        metrics.unexpected.labels(where="page").inc()
        return _error(request, 500)

    return Starlette(
        routes=[
            Route("/", docs),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", metrics_page),
            Route("/openapi.json", openapi_page),
            Route("/docs", docs),
            *more,
        ],
        exception_handlers={HTTPException: refused, Exception: failed},
    )
