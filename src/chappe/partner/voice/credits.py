"""Voice Partner, "Crédits": GET /v1/me/{apiKey} (voice-and-mail-partner-api.md section 2.1)."""

from __future__ import annotations

from chappe.accounts.account import Account
from chappe.credit.money import exact_text
from chappe.credit.prices import PriceBook
from chappe.partner.endpoint import Call, Endpoint, Payload
from chappe.partner.errors import Message
from chappe.partner.limits import Limit
from chappe.partner.page import Page

PAGE = Page(
    product="voice",
    name="credits",
    methods=("GET",),
    paths=("/me", "/me/{apiKey}"),
    errors={10: Message("Clé API incorrecte", "Invalid API key", 401)},
    limit=Limit(requests=5, seconds=60),
)


def payload(account: Account, prices: PriceBook) -> Payload:
    """The balance, how long it can speak to mobiles and landlines, and how many messages it can deposit."""
    how_many = prices.how_many
    return {
        "success": True,
        "credit": exact_text(account.balance_micro),
        "currency": "€",
        "details": {
            "tts": _duration(how_many(account.balance_micro, account.id, "tts-mobile")),
            "tts_fixe": _duration(how_many(account.balance_micro, account.id, "tts-landline")),
            "voice": {"message": how_many(account.balance_micro, account.id, "voicemail")},
        },
    }


def _duration(seconds: int) -> dict[str, int]:
    minutes, s = divmod(seconds, 60)
    h, m = divmod(minutes, 60)
    return {"h": h, "m": m, "s": s}


async def credits(call: Call) -> Payload:
    """The page as an endpoint."""
    return payload(call.account, call.services.prices)


ENDPOINT = Endpoint(
    PAGE,
    credits,
    title="Crédits",
    example={
        "success": True,
        "credit": "19",
        "currency": "€",
        "details": {
            "tts": {"h": 5, "m": 51, "s": 51},
            "tts_fixe": {"h": 3, "m": 46, "s": 11},
            "voice": {"message": 126},
        },
    },
)
