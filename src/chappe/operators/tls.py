"""TLS towards an operator, as its settings want it."""

from __future__ import annotations

import ssl

import structlog

from chappe.settings import OperatorSettings, SettingsRefused

_log: structlog.stdlib.BoundLogger = structlog.get_logger("operators")


def client_context(settings: OperatorSettings) -> ssl.SSLContext:
    """Verifies the operator's certificate, unless it is told not to. Raises `SettingsRefused` for a file of
    certificates that is none.
    """
    try:
        context = ssl.create_default_context(cafile=settings.tls_ca or None)
    except OSError as error:
        raise SettingsRefused(
            f"operator {settings.name}: tls_ca {settings.tls_ca}: {error.strerror}"
        ) from error
    if not settings.tls_verify:
        _log.warning("the operator's certificate is not verified", operator=settings.name)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
