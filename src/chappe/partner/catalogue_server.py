"""The errors outside the documented tables: what HTTP or this server refuses. Their code is the HTTP
status.
"""

from chappe.partner import catalogue_mail
from chappe.partner.errors import Message, Refusal
from chappe.partner.limits import Decision, Limit, headers
from chappe.partner.page import Page

_UNITS = {1: ("seconde", "second"), 60: ("minute", "minute"), 3600: ("heure", "hour"), 86400: ("jour", "day")}


def unknown_host() -> Refusal:
    """Bare ``/v1`` with a Host that is no product's, and no `default_product`."""
    return Refusal(
        404,
        Message(
            "Produit inconnu : l'adresse doit commencer par /sms/v1, /voice/v1 ou /mail/v1",
            "Unknown product: the address must start with /sms/v1, /voice/v1 or /mail/v1",
            404,
        ),
    )


def body_too_large(page: Page) -> Refusal:
    size = page.body_max_bytes
    text = f"{size >> 20} Mio" if size % (1 << 20) == 0 else f"{size} octets"
    english = text.replace("Mio", "MiB").replace("octets", "bytes")
    return Refusal(
        413,
        Message(
            f"Le corps de la requête dépasse {text}", f"The body of the request is larger than {english}", 413
        ),
        # The rest of the body is not read, so the connection cannot serve another request.
        headers=((b"connection", b"close"),),
    )


def encoding_unsupported() -> Refusal:
    """A compressed body: expanding what strangers send is how a small request fills a server's memory."""
    return Refusal(
        415,
        Message(
            "Le corps de la requête doit être envoyé sans compression (Content-Encoding)",
            "The body of the request must be sent uncompressed (Content-Encoding)",
            415,
        ),
        headers=((b"accept-encoding", b"identity"),),
    )


def multipart_unsupported() -> Refusal:
    return Refusal(
        415,
        Message(
            "multipart/form-data n'est accepté que pour l'envoi de fichiers : envoyez du JSON",
            "multipart/form-data is accepted for file uploads only: send JSON",
            415,
        ),
    )


def too_many_parameters(maximum: int) -> Refusal:
    return Refusal(
        400,
        Message(
            f"Plus de {maximum} paramètres dans la requête", f"More than {maximum} parameters in the request"
        ),
    )


def body_timeout() -> Refusal:
    return Refusal(
        408,
        Message(
            "Le corps de la requête n'est pas arrivé à temps",
            "The body of the request did not arrive in time",
            408,
        ),
        headers=((b"connection", b"close"),),
    )


def too_many_requests(page: Page, limit: Limit, decision: Decision) -> Refusal:
    """429 with its four headers. Mail has a documented text, true while its documented limit is in force."""
    message = page.errors.get(429)
    if message is None and page.product == "mail" and limit == Limit(2000, 60):
        message = catalogue_mail.SEND[429]
    if message is None:
        fr, en = _UNITS.get(limit.seconds, (f"{limit.seconds} secondes", f"{limit.seconds} seconds"))
        message = Message(
            f"Trop de requêtes effectuées (limite : {limit.requests} requêtes / {fr})",
            f"Too many requests (limit: {limit.requests} requests / {en})",
            429,
        )
    return Refusal(429, message, headers=headers(decision))


def idempotency_key_reused() -> Refusal:
    return Refusal(
        409,
        Message(
            "Cette Idempotency-Key a déjà servi pour une autre requête",
            "This Idempotency-Key has already been used for another request",
            409,
        ),
    )


def idempotency_in_progress() -> Refusal:
    return Refusal(
        409,
        Message(
            "La requête de même Idempotency-Key est encore en cours",
            "The request with the same Idempotency-Key is still in progress",
            409,
        ),
        headers=((b"retry-after", b"1"),),
    )


def idempotency_key_invalid(length_max: int) -> Refusal:
    return Refusal(
        400,
        Message(
            f"Idempotency-Key doit comporter entre 1 et {length_max} caractères visibles",
            f"Idempotency-Key must have between 1 and {length_max} visible characters",
        ),
    )


def internal() -> Refusal:
    """An unexpected exception: nothing of it is shown."""
    return Refusal(500, Message("Erreur interne du serveur", "Internal server error", 500))


def unavailable(retry_after_s: int = 1) -> Refusal:
    """Overloaded, stopping, or the storage is down; nothing was accepted."""
    return Refusal(
        503,
        Message(
            "Service momentanément indisponible, veuillez réessayer",
            "Service temporarily unavailable, please try again",
            503,
        ),
        headers=((b"retry-after", b"%d" % retry_after_s),),
    )
