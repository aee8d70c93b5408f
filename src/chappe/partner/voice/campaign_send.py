"""Voice Partner, "Déposer un message vocal": POST /v1/campaign/send (voice-and-mail-partner-api.md section 2.4)."""

from __future__ import annotations

from chappe.accounts.account import AccountRefused, clean_email
from chappe.calls.accept import TOKEN_CHARS
from chappe.calls.callers import is_verified, may_show
from chappe.calls.payloads import deposit_url
from chappe.calls.request import AcceptedCampaign, CampaignRequest
from chappe.http.outgoing import valid_callback_url
from chappe.numbers.parse import COUNT_MAX, Refusal, read
from chappe.partner.catalogue import refuse
from chappe.partner.endpoint import Call, Endpoint, Field, Payload
from chappe.partner.errors import Message
from chappe.partner.limits import Limit
from chappe.partner.page import Page
from chappe.partner.voice import sending
from chappe.partner.voice.shown import size_text
from chappe.partner.writer import money

PAGE = Page(
    product="voice",
    name="campaign/send",
    methods=("POST",),
    paths=("/campaign/send",),
    family="send",
    errors={
        "PHONE_NUMBER_DUPLICATE": Message(
            "Le numéro de téléphone est en double", "The phone number is given twice"
        ),
    },
    limit=Limit(requests=5, seconds=60),
    json_only=frozenset({"error"}),
)


async def send(call: Call) -> Payload:
    """Leaves a stored file in the mailboxes of up to 500 numbers."""
    callees = sending.read_callees(PAGE, call)
    file = await sending.read_file(PAGE, call)
    if file is None:
        raise refuse(PAGE, "TOKEN_AUDIO_REQUIRED")
    notify_url = _notify_url(call)
    sender = await _sender(call)
    due_at_ms = sending.read_date(PAGE, call)
    email = _email(call)
    services, account = call.services, call.account
    units = services.prices.units_micro(account.id, "voicemail", callees.digits)
    has_route = services.voice.routes.have(callees.digits)
    sending.leave_out(
        PAGE, callees, [unit is not None and routed for unit, routed in zip(units, has_route, strict=True)]
    )
    request = CampaignRequest(
        account_id=account.id,
        kind="deposit",
        text="",
        lang="",
        rate=1.0,
        audio_id=file.id,
        sender=sender,
        notify_url=notify_url,
        email=email,
        numbers=[int(digits) for digits in callees.digits],
        costs_micro=[
            unit for unit, routed in zip(units, has_route, strict=True) if unit is not None and routed
        ],
        quoted_s=1,
        due_at_ms=due_at_ms,
        is_marketing=bool(account.is_marketing),
    )

    def answer(accepted: AcceptedCampaign) -> Payload:
        return {
            "success": True,
            "campaignId": accepted.token,
            "cost": money(accepted.cost_micro),
            "currency": "EUR",
            "nbSms": len(request.numbers) - len(accepted.opted_out),
            "audioFile": {"filename": file.name, "size": size_text(file.size_bytes)},
            "detail": {
                code: {name: value for name, value in item.items() if name != "country_code"}
                for code, item in sending.detail(request, accepted.opted_out).items()
            },
        }

    return await sending.accept(PAGE, call, request, callees, answer)


async def _sender(call: Call) -> str:
    """The number to show, as digits, "" for the trunk's; raises `SENDER_INVALID` or `SENDER_NOT_AUTHORIZED`."""
    text = (call.parameters.text("sender") or "").strip()
    if not text:
        return ""
    number = read(text, mobile_only=False)
    if isinstance(number, Refusal):
        raise refuse(PAGE, "SENDER_INVALID")
    digits, account_id = number[1:], call.account.id
    if not await call.services.store.database.read(lambda reader: is_verified(reader, account_id, digits)):
        raise refuse(PAGE, "SENDER_NOT_AUTHORIZED")
    if not may_show(digits):
        raise refuse(PAGE, "SENDER_NOT_AUTHORIZED")
    return digits


def _notify_url(call: Call) -> str:
    """`notifyUrl`; what is asked for at the end, with its quantities, must be an address too: `NOTIFY_URL_INVALID`."""
    url = sending.read_notify_url(PAGE, call)
    now_ms = call.services.store.clock.now_ms()
    if url and not valid_callback_url(deposit_url(url, "x" * TOKEN_CHARS, 0, now_ms, COUNT_MAX, COUNT_MAX)):
        raise refuse(PAGE, "NOTIFY_URL_INVALID")
    return url


def _email(call: Call) -> str:
    """`emailForNotification`, "" without one: clients leave it out; raises `EMAIL_INVALID`."""
    text = call.parameters.text("emailForNotification")
    if text is None:
        return ""
    try:
        return clean_email(text)
    except AccountRefused:
        raise refuse(PAGE, "EMAIL_INVALID") from None


ENDPOINT = Endpoint(
    PAGE,
    send,
    title="Déposer un message vocal",
    example={
        "success": True,
        "campaignId": "aB3xY9Kq02Lm",
        "cost": 0.15,
        "currency": "EUR",
        "nbSms": 1,
        "audioFile": {"filename": "annonce", "size": "120.4Ko"},
        "detail": {"33": {"nbSms": 1, "cost_unity": 0.15, "cost": 0.15}},
    },
    fields=(
        Field("tokenAudio", "The stored file to leave", required=True),
        Field("phoneNumbers", "Up to 500 numbers, separated by commas, or an array", "array", required=True),
        Field("emailForNotification", "Who is told that the campaign has ended"),
        Field("sender", "A number of the account that automatic calls may show"),
        Field("scheduledDate", "YYYY-mm-dd HH:MM:00, for a deferred send, on the clock of Paris"),
        Field("notifyUrl", "Asked for by GET when the campaign has ended"),
    ),
)
