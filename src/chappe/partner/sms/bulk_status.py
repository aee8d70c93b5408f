"""SMS Partner, "Statut par message": GET /v1/bulk-status (sms-partner-api.md section 4.3)."""

from __future__ import annotations

from chappe.messages.states import documented_status
from chappe.messages.status import RecipientStatus, message_statuses, opted_out_of
from chappe.partner.catalogue import CLE_INCORRECTE, CLE_REQUISE, refuse
from chappe.partner.endpoint import Call, Endpoint, Field, Payload
from chappe.partner.errors import Message
from chappe.partner.page import Page
from chappe.partner.sms.message_id import read_message_id
from chappe.storage.database import Reader

PAGE = Page(
    product="sms",
    name="bulk-status",
    methods=("GET",),
    paths=("/bulk-status",),
    family="status",
    errors={
        1: CLE_REQUISE,
        3: Message("L'ID du message est requis", "The message ID is required"),
        4: Message("Message introuvable", "Message not found", 404),
        10: CLE_INCORRECTE,
    },
)


async def statuses(call: Call) -> Payload:
    """What became of a message for every number of its request."""
    account = call.account
    message_id = read_message_id(PAGE, call.parameters)

    def query(reader: Reader) -> tuple[list[RecipientStatus] | None, set[int]]:
        found = message_statuses(reader, account.id, message_id)
        return found, opted_out_of(reader, account.id, message_id) if found else set()

    found, stopped = await call.services.store.database.read(query)
    if found is None:
        raise refuse(PAGE, 4)
    return {
        "success": True,
        "code": 200,
        "message_id": str(message_id),
        "StatutResponse_List": [
            {
                "phoneNumber": f"+{recipient.number}",
                "status": documented_status(recipient.state),
                "stopSMS": recipient.number in stopped,
                "date": str(recipient.changed_at_ms // 1000),
            }
            for recipient in found
        ],
    }


ENDPOINT = Endpoint(
    PAGE,
    statuses,
    title="Statut par message",
    example={
        "success": True,
        "code": 200,
        "message_id": "412",
        "StatutResponse_List": [
            {"phoneNumber": "+33600000001", "status": "Delivered", "stopSMS": False, "date": "1767596407"}
        ],
    },
    fields=(Field("messageId", "The id that the send answered", "integer", required=True),),
)
