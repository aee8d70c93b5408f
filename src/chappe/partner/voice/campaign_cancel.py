"""Voice Partner, "Supprimer un envoi différé": DELETE /v1/campaign/cancel/{apiKey}/{campaignId}
(voice-and-mail-partner-api.md section 2.6). For deposits and voice SMS alike.
"""

from __future__ import annotations

from chappe.calls.cancel import CampaignLeft, CampaignUnknown, cancel_campaign
from chappe.credit.money import exact_text
from chappe.partner.catalogue import refuse
from chappe.partner.endpoint import Call, Endpoint, Field, Payload
from chappe.partner.errors import Message
from chappe.partner.page import Page

CAMPAIGN_ID_CHARS_MAX = 64

PAGE = Page(
    product="voice",
    name="campaign/cancel",
    methods=("DELETE",),
    paths=("/campaign/cancel", "/campaign/cancel/{apiKey}/{campaignId}"),
    errors={
        10: Message("Action non autorisé.", "Unauthorized action", 401),
        400: Message("Mauvaise requête", "Bad request"),
        404: Message("Ressource non trouvé.", "Resource not found", 404),
    },
)


async def cancel(call: Call) -> Payload:
    """Takes a deferred campaign back, with all its credit; 400 once it has begun, or was cancelled before."""
    token = (call.parameters.text("campaignId") or "").strip()
    if not token:
        raise refuse(PAGE, 400)
    if len(token) > CAMPAIGN_ID_CHARS_MAX:
        raise refuse(PAGE, 404)
    try:
        given_back_micro = await cancel_campaign(call.services.store, call.account.id, token)
    except CampaignUnknown:
        raise refuse(PAGE, 404) from None
    except CampaignLeft:
        raise refuse(PAGE, 400) from None
    return {
        "success": True,
        "campaignId": token,
        "assignedCredit": exact_text(given_back_micro),
        "currency": "EUR",
    }


ENDPOINT = Endpoint(
    PAGE,
    cancel,
    title="Supprimer un envoi différé",
    example={"success": True, "campaignId": "D5x2MzQ81kPv", "assignedCredit": "1.8", "currency": "EUR"},
    fields=(Field("campaignId", "The campaign, as the send answered it", required=True),),
)
