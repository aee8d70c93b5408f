"""SMS Partner, "Statut unitaire": GET /v1/message-status (sms-partner-api.md section 4.1)."""

from __future__ import annotations

from chappe.hours.dates import paris_text
from chappe.messages.states import documented_status
from chappe.messages.status import RecipientStatus, recipient_status
from chappe.numbers.country import country
from chappe.numbers.parse import Refusal as NumberRefusal
from chappe.numbers.parse import read
from chappe.optouts.numbers import opted_out_among
from chappe.partner.catalogue import CLE_INCORRECTE, CLE_REQUISE, refuse
from chappe.partner.endpoint import Call, Endpoint, Field, Payload
from chappe.partner.errors import Message
from chappe.partner.page import Page
from chappe.partner.sms.message_id import read_message_id
from chappe.partner.writer import money
from chappe.storage.database import Reader

PAGE = Page(
    product="sms",
    name="message-status",
    methods=("GET",),
    paths=("/message-status",),
    family="status",
    errors={
        1: CLE_REQUISE,
        2: Message("Le numéro de téléphone est requis", "The phone number is required"),
        3: Message("L'ID du message est requis", "The message ID is required"),
        4: Message("Message introuvable", "Message not found", 404),
        10: CLE_INCORRECTE,
    },
)


async def status(call: Call) -> Payload:
    """What became of a message for one number, which is echoed in the form it was asked in."""
    parameters, account = call.parameters, call.account
    given = parameters.text("phoneNumber") or parameters.text("phoneNumbers")
    if given is None:
        raise refuse(PAGE, 2)
    message_id = read_message_id(PAGE, parameters)
    e164 = read(given, mobile_only=False)
    if isinstance(e164, NumberRefusal):
        raise refuse(PAGE, 4)
    number = int(e164)

    def query(reader: Reader) -> tuple[RecipientStatus | None, bool]:
        found = recipient_status(reader, account.id, message_id, number)
        return found, found is not None and bool(opted_out_among(reader, account.id, [number]))

    found, is_stopped = await call.services.store.database.read(query)
    if found is None:
        raise refuse(PAGE, 4)
    return {
        "success": True,
        "code": 200,
        "number": _echo(given, e164),
        "messageId": str(message_id),
        "stopSms": is_stopped,
        "date": paris_text(found.changed_at_ms),
        "statut": documented_status(found.state),
        "cost": money(found.cost_micro),
        "countryCode": country(e164).iso2,
        "currency": "EUR",
    }


def _echo(given: str, e164: str) -> str:
    # A `+` that was sent unencoded comes as a blank: it is given back as the + it was.
    return e164 if given[:1] == " " and not given.strip().startswith("0") else given.strip()


ENDPOINT = Endpoint(
    PAGE,
    status,
    title="Statut unitaire",
    example={
        "success": True,
        "code": 200,
        "number": "0600000001",
        "messageId": "412",
        "stopSms": False,
        "date": "2026-01-05 08:00:07",
        "statut": "Delivered",
        "cost": 0.038,
        "countryCode": "FR",
        "currency": "EUR",
    },
    fields=(
        Field("messageId", "The id that the send answered", "integer", required=True),
        Field("phoneNumber", "One of the numbers it was sent to", required=True),
    ),
)
