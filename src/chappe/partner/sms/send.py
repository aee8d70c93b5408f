"""SMS Partner, "Envoi unitaire": POST /v1/send (sms-partner-api.md section 3.1).

The checks stand in the order of decisions.md, "Order of checks".
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from chappe.accounts.account import Account
from chappe.credit.ledger import InsufficientCredit
from chappe.hours.dates import ScheduleError, paris_text, read_schedule
from chappe.http.outgoing import valid_callback_url
from chappe.messages.alphabets import RAW_CHARS_MAX, prepare, with_stop
from chappe.messages.request import SANDBOX_ROUTE, Accepted, NobodyLeft, SendRequest
from chappe.messages.routes import Route
from chappe.messages.segments import PARTS_MAX, count
from chappe.numbers.parse import Recipients, TooManyNumbers, read_list
from chappe.numbers.parse import Refusal as NumberRefusal
from chappe.partner import catalogue_sms
from chappe.partner.catalogue import CLE_INCORRECTE, CLE_REQUISE, refuse, resolve
from chappe.partner.endpoint import Call, Endpoint, Field, Payload, Services
from chappe.partner.errors import Code, Fault, Language, Message, ParameterInvalid, constraint, refused_number
from chappe.partner.page import Page
from chappe.partner.parameters import Parameters
from chappe.partner.writer import money
from chappe.storage.database import Transaction

PAGE = Page(
    product="sms",
    name="send",
    methods=("POST",),
    paths=("/send",),
    family="send",
    errors={
        1: CLE_REQUISE,
        2: Message("Le numéro de téléphone est requis", "The phone number is required"),
        10: CLE_INCORRECTE,
        11: Message("Manque de crédits", "Insufficient credits", 402),
    },
    json_only=frozenset({"error", "messageId"}),
)

SENDER_CHARS_MIN = 3
SENDER_CHARS_MAX = 11
TAG_CHARS_MAX = 20
LOW_COST = 2
SENDER = re.compile(r"[A-Za-z0-9 ]+")

_TAG_TOO_LONG = constraint(
    "tag",
    Message(
        f"Le tag ne peut pas être plus long que {TAG_CHARS_MAX} caractères",
        f"The tag cannot be longer than {TAG_CHARS_MAX} characters",
    ),
)


def _url_invalid(name: str) -> Fault:
    return constraint(name, Message("Cette URL n'est pas valide", "This URL is not valid"))


class Draft(msgspec.Struct, gc=False):
    """What a send asks for, found good but not yet priced. `due_at_ms` None: at once."""

    text: str
    is_unicode: bool
    is_low_cost: bool
    sender: str
    tag: str
    url_dlr: str
    url_response: str
    due_at_ms: int | None
    is_sandbox: bool
    is_stop: bool


async def send(call: Call) -> Payload:
    """Takes one message for up to 500 numbers: debits, and answers when all of it is on disk."""
    parameters = call.parameters
    numbers = read_numbers(parameters)
    draft = read_draft(call, numbers)
    priced = price(call.services, call.account, draft, numbers)
    language = parameters.language

    def also(tx: Transaction, accepted: Accepted) -> None:
        assert call.remember is not None
        call.remember(tx, answer_payload(accepted, priced.refused, language))

    try:
        accepted = await call.services.acceptor.accept(
            priced.request, None if call.remember is None else also
        )
    except (InsufficientCredit, NobodyLeft) as error:
        raise not_accepted(error, priced.refused) from None
    return answer_payload(accepted, priced.refused, language)


def read_numbers(parameters: Parameters) -> Recipients:
    """`phoneNumbers`; raises 2 (absent) and 50 (too many)."""
    joined = parameters.joined("phoneNumbers")
    if joined is None:
        raise refuse(PAGE, 2)
    try:
        return read_list(joined, mobile_only=True)
    except TooManyNumbers:
        raise refuse(PAGE, 50) from None


def read_draft(call: Call, numbers: Recipients) -> Draft:
    """Everything but the numbers; raises the code-9 list with every fault found, then 44 to 52."""
    parameters = call.parameters
    faults: list[Fault] = []
    text = parameters.text("message")
    if text is None:
        faults.append(catalogue_sms.MESSAGE_REQUIRED)
    if not numbers.e164:
        faults += _number_faults(numbers)
    sender = (parameters.text("sender") or "").strip()
    if len(sender) > SENDER_CHARS_MAX:
        faults.append(catalogue_sms.SENDER_TOO_LONG)
    schedule_code, due_at_ms = _read_schedule(call, faults)
    tag = parameters.text("tag") or ""
    if len(tag) > TAG_CHARS_MAX:
        faults.append(_TAG_TOO_LONG)
    urls = {name: (parameters.text(name) or "").strip() for name in ("urlDlr", "urlResponse")}
    faults += [_url_invalid(name) for name, url in urls.items() if url and not valid_callback_url(url)]
    if faults:
        if numbers.e164:
            faults += _number_faults(numbers)
        raise refuse(PAGE, 9, faults=faults)
    assert text is not None
    if sender and (len(sender) < SENDER_CHARS_MIN or not SENDER.fullmatch(sender)):
        raise refuse(PAGE, 44)
    if schedule_code is not None:
        raise refuse(PAGE, schedule_code)
    is_unicode = _flag(parameters, "isUnicode")
    is_low_cost = _range(parameters) == LOW_COST
    if len(text) > RAW_CHARS_MAX:
        raise refuse(PAGE, 42 if is_low_cost else 52)
    return Draft(
        text=prepare(text, unicode=is_unicode),
        is_unicode=is_unicode,
        is_low_cost=is_low_cost,
        sender=sender,
        tag=tag,
        url_dlr=urls["urlDlr"],
        url_response=urls["urlResponse"],
        due_at_ms=due_at_ms,
        is_sandbox=_flag(parameters, "sandbox"),
        is_stop=_flag(parameters, "isStopSms"),
    )


class Priced(msgspec.Struct, frozen=True, gc=False):
    """A draft that can be accepted: it has a way and a price. `refused`: the numbers left out, with their codes."""

    request: SendRequest
    refused: list[Fault]


def price(services: Services, account: Account, draft: Draft, numbers: Recipients) -> Priced:
    """Finds the way and the price of each number; raises 51, 42, 52, or the codes of the numbers if none is left."""
    digits = [e164[1:] for e164 in numbers.e164]
    refused = _number_refusals(numbers)
    routes = services.sms_routes.find_all(digits)
    article = "sms-lowcost" if draft.is_low_cost else "sms"
    units = services.prices.units_micro(account.id, article, digits)
    if draft.is_low_cost and None in units:
        raise refuse(PAGE, 51)
    if None in units or None in routes:
        digits, routes, units = _with_a_way(digits, routes, units, refused)
    text = _with_stop(draft, routes[0]) if digits else draft.text
    segments = count(text, unicode=draft.is_unicode)
    if draft.is_low_cost and segments > 1:
        raise refuse(PAGE, 42)
    if segments > PARTS_MAX:
        raise refuse(PAGE, 52)
    if not digits:
        raise _nobody(refused)
    request = SendRequest(
        account_id=account.id,
        text=text,
        is_unicode=draft.is_unicode,
        segments=segments,
        sender=draft.sender,
        tag=draft.tag,
        url_dlr=draft.url_dlr,
        url_response=draft.url_response,
        numbers=list(map(int, digits)),
        costs_micro=[segments * unit for unit in units if unit is not None],
        routes=(SANDBOX_ROUTE,)
        if draft.is_sandbox
        else [route.prefix for route in routes if route is not None],
        due_at_ms=draft.due_at_ms,
        is_date_explicit=draft.due_at_ms is not None,
        is_sandbox=draft.is_sandbox,
        is_marketing=bool(account.is_marketing),
    )
    return Priced(request, refused)


def not_accepted(error: Exception, refused: list[Fault]) -> Exception:
    """What the transaction found, as the refusal that it is answered with; any other error as it is."""
    if isinstance(error, InsufficientCredit):
        return refuse(PAGE, 11)
    if isinstance(error, NobodyLeft):
        return _nobody(refused + _stopped(error.opted_out))
    return error


def answer_payload(accepted: Accepted, refused: Sequence[Fault], language: Language) -> Payload:
    """The good answer; `refused` without those that the transaction found on the STOP list."""
    payload: dict[str, object] = {
        "success": True,
        "code": 200,
        "message_id": accepted.message_id,
        "nb_sms": accepted.segments_total,
        "cost": money(accepted.cost_micro),
        "currency": "EUR",
    }
    if accepted.due_at_ms is not None:
        payload["scheduledDeliveryDate"] = paris_text(accepted.due_at_ms)
    faults = [*refused, *_stopped(accepted.opted_out)]
    if faults:
        items = [fault.as_item(language) for fault in faults]
        payload["errors"] = items
        payload["error"] = items
    payload["messageId"] = accepted.message_id
    return payload


# --- numbers ----------------------------------------------------------------------------------------------


def _number_faults(numbers: Recipients) -> list[Fault]:
    """Bad numbers as items of a code-9 list; a number given twice is no fault there."""
    faults: list[Fault] = []
    for refused in numbers.refused:
        if refused.why is NumberRefusal.NOT_MOBILE:
            faults.append(catalogue_sms.number_not_mobile(refused.raw))
        elif refused.why is NumberRefusal.INVALID:
            faults.append(catalogue_sms.number_invalid(refused.raw))
    if not faults and not numbers.e164:
        faults.append(catalogue_sms.number_invalid(""))  # nothing but commas
    return faults


def _number_refusals(numbers: Recipients) -> list[Fault]:
    """Bad numbers beside good ones, each with the code that a request for it alone would meet."""
    faults: list[Fault] = []
    for refused in numbers.refused:
        if refused.why is NumberRefusal.DUPLICATE:
            faults.append(refused_number(refused.raw, 15, resolve(PAGE, 15)))
        elif refused.why is NumberRefusal.NOT_MOBILE:
            faults.append(
                refused_number(refused.raw, 9, catalogue_sms.number_not_mobile(refused.raw).message)
            )
        else:
            faults.append(refused_number(refused.raw, 9, catalogue_sms.number_invalid(refused.raw).message))
    return faults


def _stopped(opted_out: frozenset[int]) -> list[Fault]:
    return [refused_number(f"+{number}", 14, resolve(PAGE, 14)) for number in sorted(opted_out)]


def _with_a_way(
    digits: list[str], routes: list[Route | None], units: list[int | None], refused: list[Fault]
) -> tuple[list[str], list[Route | None], list[int | None]]:
    """Leaves out the numbers that have no price or no route (13)."""
    kept: list[tuple[str, Route | None, int | None]] = []
    for number, route, unit in zip(digits, routes, units, strict=True):
        if route is None or unit is None:
            refused.append(refused_number(f"+{number}", 13, resolve(PAGE, 13)))
        else:
            kept.append((number, route, unit))
    return [k[0] for k in kept], [k[1] for k in kept], [k[2] for k in kept]


def _nobody(refused: list[Fault]) -> Exception:
    """No number is left: the cause they share, else 55 with the list (duplicates say nothing of the first one)."""
    causes: set[Code] = {fault.code for fault in refused if fault.code != 15}
    code = causes.pop() if len(causes) == 1 else 55
    return refuse(PAGE, code, faults=refused)


# --- the rest ---------------------------------------------------------------------------------------------


def _read_schedule(call: Call, faults: list[Fault]) -> tuple[int | None, int | None]:
    """(code 45 to 49 or None, the instant or None); what belongs into the code-9 list goes there."""
    parameters = call.parameters
    day, time, minute = (parameters.raw(name) for name in ("scheduledDeliveryDate", "time", "minute"))
    try:
        return None, read_schedule(day, time, minute, now_ms=call.services.store.clock.now_ms())
    except ScheduleError as error:
        if error.code != 9:
            return error.code, None
        for field in error.fields:
            if field == "scheduledDeliveryDate":
                given = [parameters.text(name) or "" for name in ("scheduledDeliveryDate", "time", "minute")]
                faults.append(catalogue_sms.date_past(*(text.strip()[:32] for text in given)))
            else:
                faults.append(
                    catalogue_sms.MINUTE_REQUIRED if field == "minute" else catalogue_sms.TIME_REQUIRED
                )
        return None, None


def _with_stop(draft: Draft, route: Route | None) -> str:
    # In the low-cost range isStopSms is ignored (sms-partner-api.md section 1.9).
    if not draft.is_stop or draft.is_low_cost or route is None:
        return draft.text
    return with_stop(draft.text, route.short_number)


def _flag(parameters: Parameters, name: str) -> bool:
    # Any other value a client may have found to work is taken as "on" or "off" by its truth, never refused.
    try:
        return parameters.flag(name)
    except ParameterInvalid:
        return bool(parameters.raw(name))


def _range(parameters: Parameters) -> int:
    # 1 Premium, 2 low cost, and 3, which one client sends, is served as Premium.
    try:
        return parameters.integer("gamme") or parameters.integer("range") or 1
    except ParameterInvalid:
        return 1


ENDPOINT = Endpoint(
    PAGE,
    send,
    title="Envoi unitaire",
    example={
        "success": True,
        "code": 200,
        "message_id": 412,
        "nb_sms": 1,
        "cost": 0.038,
        "currency": "EUR",
        "messageId": 412,
    },
    fields=(
        Field("phoneNumbers", "Up to 500 numbers, separated by commas, or an array", "array", required=True),
        Field("message", "The text; :br: is a line break, :euro: the euro sign", required=True),
        Field("sender", "3 to 11 letters and digits; the operator's short number when absent"),
        Field("tag", "Up to 20 characters, for the status and statistics calls"),
        Field("scheduledDeliveryDate", "dd/mm/YYYY, for a deferred send, on the clock of Paris"),
        Field("time", "Hour, 0 to 24", "integer"),
        Field("minute", "0 to 55 in steps of 5", "integer"),
        Field("urlResponse", "Where replies are posted"),
        Field("urlDlr", "Where delivery reports are posted"),
        Field("isStopSms", "1 appends STOP and the short number to answer to", "integer"),
        Field("isUnicode", "1 keeps every character, 70 to an SMS", "integer"),
        Field("gamme", "1 Premium, 2 low cost", "integer"),
        Field("sandbox", "1: answered as a real send; nothing leaves, nothing is debited", "integer"),
    ),
)
