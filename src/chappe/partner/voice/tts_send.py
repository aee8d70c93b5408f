"""Voice Partner, "Envoyer un SMS Vocal": POST /v1/tts/send (voice-and-mail-partner-api.md section 2.5)."""

from __future__ import annotations

import math

from chappe.calls.request import AcceptedCampaign, CampaignRequest
from chappe.numbers.parse import can_be_mobile
from chappe.partner import catalogue_server
from chappe.partner.catalogue import refuse
from chappe.partner.endpoint import Call, Endpoint, Field, Payload
from chappe.partner.errors import Message
from chappe.partner.limits import Limit
from chappe.partner.page import Page
from chappe.partner.parameters import Parameters
from chappe.partner.voice import sending
from chappe.partner.writer import money
from chappe.speech.port import LanguageUnknown, SpeechUnavailable, TextRefused
from chappe.speech.text import clamped_rate

PAGE = Page(
    product="voice",
    name="tts/send",
    methods=("POST",),
    paths=("/tts/send",),
    family="send",
    errors={
        "TEXT_TOO_LONG": Message(
            "Le texte dépasse 3000 caractères ou 5 minutes",
            "The text is longer than 3000 characters or 5 minutes",
        ),
        "PHONE_NUMBER_DUPLICATE": Message(
            "Le numéro de téléphone est en double", "The phone number is given twice"
        ),
    },
    limit=Limit(requests=2000, seconds=3600),
    json_only=frozenset({"error"}),
)


async def send(call: Call) -> Payload:
    """Calls up to 500 numbers and speaks a text, or plays a file; the file is left on a machine where both are given."""
    callees = sending.read_callees(PAGE, call)
    text = call.parameters.text("text") or ""
    file = await sending.read_file(PAGE, call)
    if not text and file is None:
        raise refuse(PAGE, "TEXT_REQUIRED")
    lang = _lang(call, is_spoken=bool(text))
    rate = read_rate(call.parameters)
    spoken_ms = await _spoken_ms(call, text, lang, rate) if text else 0
    file_ms = 0 if file is None else file.duration_ms
    notify_url = sending.read_notify_url(PAGE, call)
    due_at_ms = sending.read_date(PAGE, call)
    # What is debited is what the longer of the two costs; what was not heard is given back.
    quoted_s = max(1, -(-max(spoken_ms, file_ms) // 1000))
    voice, prices, account = call.services.voice, call.services.prices, call.account
    units = [
        prices.unit_micro(account.id, "tts-mobile" if can_be_mobile(f"+{digits}") else "tts-landline", digits)
        for digits in callees.digits
    ]
    has_route = voice.routes.have(callees.digits)
    sending.leave_out(
        PAGE, callees, [unit is not None and routed for unit, routed in zip(units, has_route, strict=True)]
    )
    request = CampaignRequest(
        account_id=account.id,
        kind="speech",
        text=text,
        lang=lang,
        rate=rate,
        audio_id=None if file is None else file.id,
        sender="",
        notify_url=notify_url,
        email="",
        numbers=[int(digits) for digits in callees.digits],
        costs_micro=[
            unit * quoted_s
            for unit, routed in zip(units, has_route, strict=True)
            if unit is not None and routed
        ],
        quoted_s=quoted_s,
        due_at_ms=due_at_ms,
        is_marketing=bool(account.is_marketing),
    )
    duration = round((spoken_ms or file_ms) / 1000, 1)

    def answer(accepted: AcceptedCampaign) -> Payload:
        return {
            "success": True,
            "campaignId": accepted.token,
            "cost": money(accepted.cost_micro),
            "currency": "EUR",
            "nbSms": len(request.numbers) - len(accepted.opted_out),
            "lang": lang,
            "duration": duration,
            "detail": {
                code: {**item, "duration": duration}
                for code, item in sending.detail(request, accepted.opted_out).items()
            },
        }

    return await sending.accept(PAGE, call, request, callees, answer)


def read_rate(parameters: Parameters) -> float:
    """`speechRate`, or `speed` as the samples send it; 0.5 to 2, clamped, never refused."""
    for name in ("speechRate", "speed"):
        text = parameters.text(name)
        if text is None:
            continue
        try:
            rate = float(text.strip().replace(",", "."))
        except ValueError:
            continue
        if math.isfinite(rate):
            return clamped_rate(rate)
    return 1.0


def _lang(call: Call, *, is_spoken: bool) -> str:
    voice = call.services.voice
    lang = call.parameters.text("lang")
    if lang is None or not is_spoken:
        lang = voice.default_lang
    if not is_spoken:
        return lang
    try:
        return voice.speaker.clean_lang(lang)
    except LanguageUnknown:
        raise refuse(PAGE, "LANG_INVALID") from None


async def _spoken_ms(call: Call, text: str, lang: str, rate: float) -> int:
    try:
        return (await call.services.voice.speaker.speak(text, lang, rate, call.account.id)).duration_ms
    except TextRefused as refused:
        raise refuse(PAGE, "TEXT_TOO_LONG" if refused.is_too_long else "TEXT_REQUIRED") from None
    except LanguageUnknown:
        raise refuse(PAGE, "LANG_INVALID") from None
    except SpeechUnavailable:
        raise catalogue_server.unavailable() from None


ENDPOINT = Endpoint(
    PAGE,
    send,
    title="Envoyer un SMS Vocal",
    example={
        "success": True,
        "campaignId": "Zk29dmQ0abR7",
        "cost": 0.0063,
        "currency": "EUR",
        "nbSms": 1,
        "lang": "fr",
        "duration": 6.3,
        "detail": {
            "33": {"nbSms": 1, "cost_unity": 0.0063, "cost": 0.0063, "country_code": "fr", "duration": 6.3}
        },
    },
    fields=(
        Field("phoneNumbers", "Up to 500 numbers, separated by commas, or an array", "array", required=True),
        Field("text", "What is spoken; a comma is half a second. This or tokenAudio"),
        Field("tokenAudio", "A stored file to play; beside a text it is left on an answering machine"),
        Field("lang", "The language of the text: fr, en, ..."),
        Field("speechRate", "0.5 to 2; 1 is as the voice speaks", "number"),
        Field("notifyUrl", "Where the outcome for each number is posted"),
        Field("scheduledDate", "YYYY-mm-dd HH:MM:00, for a deferred send, on the clock of Paris"),
    ),
)
