"""SMS Partner, "Crédits": GET /v1/me (sms-partner-api.md section 2.1)."""

from __future__ import annotations

from chappe.accounts.account import Account
from chappe.credit.money import balance_text
from chappe.credit.prices import PriceBook
from chappe.partner.endpoint import Call, Endpoint, Payload
from chappe.partner.errors import Message
from chappe.partner.page import Page

PAGE = Page(
    product="sms",
    name="credits",
    methods=("GET",),
    paths=("/me",),
    family="send",
    errors={10: Message("Clé API incorrecte", "Invalid API key", 401)},
    xml_objects=frozenset({"user"}),
    json_only=frozenset({"creditSmsLowCost"}),
)


def payload(account: Account, prices: PriceBook) -> Payload:
    """What the balance buys, in SMS of both ranges and in HLR look-ups."""
    how_many = prices.how_many
    balance_micro = account.balance_micro
    low_cost = how_many(balance_micro, account.id, "sms-lowcost")
    balance = balance_text(balance_micro)
    return {
        "success": True,
        "code": 200,
        "user": {"username": account.email, "firstname": account.firstname, "lastname": account.lastname},
        "credits": {
            "creditSms": how_many(balance_micro, account.id, "sms"),
            "creditSmsECO": low_cost,
            "creditHlr": how_many(balance_micro, account.id, "hlr"),
            "toSend": account.waiting_count,
            "solde": balance,
            "currency": "EUR",
            "balance": balance,
            "creditSmsLowCost": low_cost,  # the name that clients of 2018 read
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
        "user": {"username": "ana@example.fr", "firstname": "Ana", "lastname": "Bel"},
        "credits": {
            "creditSms": 1160,
            "creditSmsECO": 1917,
            "creditHlr": 8820,
            "toSend": 0,
            "solde": "44.100",
            "currency": "EUR",
            "balance": "44.100",
            "creditSmsLowCost": 1917,
        },
    },
)
