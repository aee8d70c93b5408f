"""Mail Partner, "Crédits": GET /v1/me (voice-and-mail-partner-api.md section 4.1)."""

from __future__ import annotations

from chappe.credit.money import balance_text
from chappe.partner.endpoint import Call, Endpoint, Payload
from chappe.partner.errors import Message
from chappe.partner.limits import Limit
from chappe.partner.page import Page

# Documented for the whole product, per address; counted per account (decisions.md, "Limits").
LIMIT = Limit(requests=2000, seconds=60)

PAGE = Page(
    product="mail",
    name="credits",
    methods=("GET",),
    paths=("/me",),
    family="send",
    errors={10: Message("Clé API incorrecte", "Invalid API key", 401)},
    limit=LIMIT,
    xml_objects=frozenset({"user"}),
)


async def credits(call: Call) -> Payload:
    """How many mails the balance buys."""
    account = call.account
    return {
        "success": True,
        "code": 200,
        "user": {"username": account.email},
        "credits": {
            "creditMail": call.services.prices.how_many(account.balance_micro, account.id, "mail"),
            "currency": "EUR",
            "balance": balance_text(account.balance_micro),
        },
    }


ENDPOINT = Endpoint(
    PAGE,
    credits,
    title="Crédits",
    example={
        "success": True,
        "code": 200,
        "user": {"username": "client@example.org"},
        "credits": {"creditMail": 241365, "currency": "EUR", "balance": "482.730"},
    },
)
