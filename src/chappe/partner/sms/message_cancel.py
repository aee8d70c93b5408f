"""SMS Partner, "Annuler l'envoi d'un SMS différé": GET /v1/message-cancel (sms-partner-api.md section 3.5)."""

from __future__ import annotations

from chappe.messages.cancel import CancelRefused, cancel_message
from chappe.partner.catalogue import CLE_INCORRECTE, CLE_REQUISE, refuse
from chappe.partner.endpoint import Call, Endpoint, Field, Payload
from chappe.partner.errors import Message
from chappe.partner.page import Page
from chappe.partner.sms.message_id import read_message_id

PAGE = Page(
    product="sms",
    name="message-cancel",
    methods=("GET", "DELETE"),
    paths=("/message-cancel", "/message-cancel/{messageId}"),
    family="status",
    errors={
        1: CLE_REQUISE,
        3: Message("L'ID du message est requis", "The message ID is required"),
        4: Message("Message introuvable", "Message not found", 404),
        5: Message("L'envoi du SMS a déjà été annulé", "The SMS sending has already been canceled"),
        6: Message(
            "Vous ne pouvez pas annuler l'envoi d'un SMS moins de 5 minutes avant son envoi",
            "You cannot cancel an SMS less than 5 minutes before it is sent",
        ),
        7: Message(
            "Vous ne pouvez pas annuler un SMS déjà envoyé",
            "You cannot cancel an SMS that has already been sent",
        ),
        10: CLE_INCORRECTE,
    },
)

_DONE = {"fr": "L'envoi du SMS a été annulé.", "en": "The SMS sending has been canceled."}


async def cancel(call: Call) -> Payload:
    """Takes a deferred message back, and gives its credit back."""
    message_id = read_message_id(PAGE, call.parameters)
    try:
        await cancel_message(
            call.services.store, call.account.id, message_id, on_events=call.services.on_events
        )
    except CancelRefused as refused:
        raise refuse(PAGE, refused.why.value) from None
    return {"success": True, "code": 200, "message": _DONE[call.parameters.language]}


ENDPOINT = Endpoint(
    PAGE,
    cancel,
    title="Annuler l'envoi d'un SMS différé",
    example={"success": True, "code": 200, "message": _DONE["fr"]},
    fields=(Field("messageId", "The id that the send answered", "integer", required=True),),
)
