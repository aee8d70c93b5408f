"""What the two sends of Voice Partner share: numbers, dates, callbacks, files, prices, and the answer.

The checks stand in the order of the page's error table: numbers, sound, callback, sender, date, destinations, credit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from chappe.audio.files import AudioFile, file_by_token
from chappe.calls.request import AcceptedCampaign, AudioGone, CampaignRequest, NobodyToCall
from chappe.credit.ledger import InsufficientCredit
from chappe.hours.dates import paris_ms
from chappe.http.outgoing import valid_callback_url
from chappe.numbers.country import country
from chappe.numbers.parse import Refusal as NumberRefusal
from chappe.numbers.parse import TooManyNumbers, is_premium_rate, read_list
from chappe.partner import catalogue_voice
from chappe.partner.catalogue import refuse, resolve
from chappe.partner.endpoint import Call, Payload
from chappe.partner.errors import Fault, Message, refused_number
from chappe.partner.page import Page
from chappe.partner.writer import money
from chappe.storage.database import Transaction

PAST_MS_MAX: Final = 60_000
"""A date that was "now" when the client wrote it."""
AHEAD_MS_MAX: Final = 1000 * 366 * 86_400_000
"""A thousand years: well before the end of 9999, after which the next opening of the hours is no date any more."""

_DATE: Final = re.compile(
    r"\s*([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})[ T]([0-9]{1,2}):([0-9]{1,2})(?::[0-9]{1,2}(?:\.[0-9]{1,9})?)?\s*"
)


@dataclass(slots=True)
class Callees:
    """The numbers of a request that can be called, as digits; `refused` are told of, and cost nothing."""

    digits: list[str]
    refused: list[Fault] = field(default_factory=list[Fault])


def read_callees(page: Page, call: Call) -> Callees:
    """`phoneNumbers`; raises `PHONE_NUMBER_REQUIRED`, `PHONE_NUMBER_SIZE_ERROR`."""
    joined = call.parameters.joined("phoneNumbers")
    if joined is None or not joined.strip(" ,"):
        raise refuse(page, "PHONE_NUMBER_REQUIRED")
    try:
        found = read_list(joined, mobile_only=False)
    except TooManyNumbers:
        raise refuse(page, "PHONE_NUMBER_SIZE_ERROR") from None
    callees = Callees([number[1:] for number in found.e164 if not is_premium_rate(number)])
    callees.refused += [
        _not_a_destination(number, catalogue_voice.NUMBER_PREMIUM)
        for number in found.e164
        if is_premium_rate(number)
    ]
    for refused in found.refused:
        if refused.why is NumberRefusal.DUPLICATE:
            code = "PHONE_NUMBER_DUPLICATE"
            callees.refused.append(refused_number(refused.raw, code, resolve(page, code)))
        else:
            callees.refused.append(
                _not_a_destination(refused.raw, catalogue_voice.number_invalid(refused.raw))
            )
    return callees


def leave_out(page: Page, callees: Callees, is_good: Sequence[bool]) -> None:
    """Those that have no route or no price; raises `DESTINATION_INVALID` when nobody is left."""
    callees.refused += [
        _not_a_destination(f"+{digits}", catalogue_voice.NUMBER_UNREACHABLE)
        for digits, good in zip(callees.digits, is_good, strict=True)
        if not good
    ]
    callees.digits = [digits for digits, good in zip(callees.digits, is_good, strict=True) if good]
    if not callees.digits:
        raise refuse(page, "DESTINATION_INVALID", faults=callees.refused)


async def read_file(page: Page, call: Call) -> AudioFile | None:
    """The file of `tokenAudio`, None without one; raises `AUDIO_FILE_NOT_FOUND`, also for one that waits."""
    token = call.parameters.text("tokenAudio")
    if token is None:
        return None
    account_id = call.account.id
    file = await call.services.store.database.read(
        lambda reader: file_by_token(reader, account_id, token.strip())
    )
    if file is None or file.state != "valid":
        raise refuse(page, "AUDIO_FILE_NOT_FOUND")
    return file


def read_notify_url(page: Page, call: Call) -> str:
    """`notifyUrl`, "" without one; raises `NOTIFY_URL_INVALID`."""
    url = (call.parameters.text("notifyUrl") or "").strip()
    if url and not valid_callback_url(url):
        raise refuse(page, "NOTIFY_URL_INVALID")
    return url


def read_date(page: Page, call: Call) -> int | None:
    """`scheduledDate` on the clock of Paris, `YYYY-mm-dd HH:MM:SS` or with a T; raises `SCHEDULED_DATE_INVALID`.

    Seconds are not kept: the documentation writes them 00.
    """
    text = call.parameters.text("scheduledDate")
    if text is None:
        return None
    match = _DATE.fullmatch(text)
    at_ms: int | None = None
    if match is not None:
        year, month, day, hour, minute = map(int, match.groups())
        try:
            at_ms = paris_ms(date(year, month, day), hour, minute)
        except ValueError:
            at_ms = None
    now_ms = call.services.store.clock.now_ms()
    if at_ms is None or at_ms + 60_000 <= now_ms - PAST_MS_MAX or at_ms > now_ms + AHEAD_MS_MAX:
        raise refuse(page, "SCHEDULED_DATE_INVALID")
    return at_ms if at_ms > now_ms else None


async def accept(
    page: Page,
    call: Call,
    request: CampaignRequest,
    callees: Callees,
    answer: Callable[[AcceptedCampaign], Payload],
) -> Payload:
    """Accepts and answers; raises `NOT_CREDIT`, `DESTINATION_INVALID` or `AUDIO_FILE_NOT_FOUND`."""

    def complete(accepted: AcceptedCampaign) -> Payload:
        payload = dict(answer(accepted))
        refused = callees.refused + _stopped(f"+{number}" for number in sorted(accepted.opted_out))
        if refused:
            items = [fault.as_item(call.parameters.language) for fault in refused]
            payload["errors"] = items
            payload["error"] = items
        return payload

    def also(tx: Transaction, accepted: AcceptedCampaign) -> None:
        assert call.remember is not None
        call.remember(tx, complete(accepted))

    try:
        accepted = await call.services.voice.campaigns.accept(
            request, also if call.remember is not None else None
        )
    except InsufficientCredit:
        raise refuse(page, "NOT_CREDIT") from None
    except NobodyToCall:
        everyone = callees.refused + _stopped(f"+{digits}" for digits in callees.digits)
        raise refuse(page, "DESTINATION_INVALID", faults=everyone) from None
    except AudioGone:
        raise refuse(page, "AUDIO_FILE_NOT_FOUND") from None
    return complete(accepted)


def detail(request: CampaignRequest, opted_out: frozenset[int]) -> dict[str, dict[str, object]]:
    """By calling code: how many are called, what one costs (where they differ, on the average), what all cost."""
    by_code: dict[str, list[int]] = {}
    iso2: dict[str, str] = {}
    for number, cost_micro in zip(request.numbers, request.costs_micro, strict=True):
        if number in opted_out:
            continue
        found = country(f"+{number}")
        by_code.setdefault(str(found.code), []).append(cost_micro)
        iso2.setdefault(str(found.code), found.iso2.lower())
    return {
        code: {
            "nbSms": len(costs),
            "cost_unity": money(sum(costs) // len(costs)),
            "cost": money(sum(costs)),
            "country_code": iso2[code],
        }
        for code, costs in by_code.items()
    }


def _not_a_destination(number: str, why: Message) -> Fault:
    return refused_number(number, "DESTINATION_INVALID", why)


def _stopped(numbers: Iterable[str]) -> list[Fault]:
    return [_not_a_destination(number, catalogue_voice.NUMBER_STOPPED) for number in numbers]
