"""Which of the three APIs a request is for: by path prefix, or bare /v1 by the Host it names."""

from __future__ import annotations

from collections.abc import Sequence

from chappe.partner.errors import Header
from chappe.partner.page import Product
from chappe.settings import HttpSettings

PREFIXES: dict[str, Product] = {"/sms/v1": "sms", "/voice/v1": "voice", "/mail/v1": "mail"}
_HOSTS: dict[str, Product] = {
    "api.smspartner.fr": "sms",
    "api.voicepartner.fr": "voice",
    "api.mailpartner.fr": "mail",
}


class Products:
    """Tells the product and the rest of a path."""

    def __init__(self, settings: HttpSettings) -> None:
        self._hosts: dict[str, Product] = dict(_HOSTS)
        configured: dict[Product, tuple[str, ...]] = {
            "sms": settings.sms_hosts,
            "voice": settings.voice_hosts,
            "mail": settings.mail_hosts,
        }
        for product, hosts in configured.items():
            for host in hosts:
                self._hosts[host.lower()] = product
        self._default: Product | None = settings.default_product

    def is_partner_path(self, path: str) -> bool:
        """Whether the path belongs to the three APIs at all."""
        path = "/" + path.lstrip("/")
        return path.startswith(("/sms/v1", "/voice/v1", "/mail/v1", "/v1/")) or path == "/v1"

    def find(self, path: str, headers: Sequence[Header]) -> tuple[Product, str] | None:
        """The product and the path after its base, or None for a bare /v1 whose host says nothing."""
        if path.startswith("//"):  # a client that joins "http://host/" and "/sms/v1/me"
            path = "/" + path.lstrip("/")
        slash = path.find("/v1", 1)
        product = PREFIXES.get(path[: slash + 3]) if slash > 0 else None
        if product is not None and path[slash + 3 : slash + 4] in ("/", ""):
            return product, path[slash + 3 :]
        if not (path == "/v1" or path.startswith("/v1/")):
            return None
        product = self._by_host(headers) or self._default
        return None if product is None else (product, path[3:])

    def _by_host(self, headers: Sequence[Header]) -> Product | None:
        for name, value in headers:
            if name == b"host":
                host = value.decode("latin-1").rsplit(":", 1)[0].rstrip(".").lower()
                return self._hosts.get(host)
        return None
