"""Mail Partner, "Crédits": GET /v1/me (voice-and-mail-partner-api.md section 4.1)."""

from __future__ import annotations

from chappe.accounts.account import Account
from chappe.credit.money import balance_text
from chappe.credit.prices import PriceBook
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


def payload(account: Account, prices: PriceBook) -> Payload:
    """How many mails the balance buys."""
    return {
        "success": True,
        "code": 200,
        "user": {"username": account.email},
        "credits": {
            "creditMail": prices.how_many(account.balance_micro, account.id, "mail"),
            "currency": "EUR",
            "balance": balance_text(account.balance_micro),
        },
    }


async def credits(call: Call) -> Payload:
    """The page as an endpoint."""
    return payload(call.account, call.services.prices)


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
