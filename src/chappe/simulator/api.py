"""The simulator over HTTP: `/simulator/...`, JSON in and out. It has no accounts: whoever reaches the server sees the
phones, as befits a stand-in; other web sites' scripts do not.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from chappe.messages.segments import PARTS_MAX, count
from chappe.operators.smpp.text import encode_gsm0338
from chappe.simulator.behaviours import phone_of
from chappe.simulator.live import TooManyClients
from chappe.simulator.page import page_routes
from chappe.simulator.screen import SHOWN_MAX
from chappe.simulator.simulator import MESSAGES_OF_EACH, PHONES_SHOWN_MAX, NobodyToReplyTo, Simulator
from chappe.storage.database import StorageUnavailable

BODY_OCTETS_MAX: Final = 65_536
PHONES_DEFAULT: Final = 20
CALLS_DEFAULT: Final = 20
CALLS_MAX: Final = 500
CALL_ID_MAX: Final = 2**63 - 1
ADVANCE_S_MAX: Final = 366 * 86_400.0

_ADDRESS: Final = re.compile(r"[\x20-\x7e]{1,20}")
_SEPARATORS: Final = str.maketrans("", "", " .-()")

T = TypeVar("T")
_encode = msgspec.json.Encoder().encode


class _Reply(msgspec.Struct):
    text: Annotated[str, msgspec.Meta(min_length=1)]
    to: str | None = None


class _Advance(msgspec.Struct):
    advance_s: Annotated[float, msgspec.Meta(ge=0, le=ADVANCE_S_MAX)]


class _Refused(Exception):
    """Answered with this status and text."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def routes(simulator: Simulator) -> list[BaseRoute]:
    """What the simulator adds to the pages of the server."""

    async def info(_: Request) -> Response:
        return _json(simulator.info())

    async def phones(request: Request) -> Response:
        limit = _limit(request, PHONES_DEFAULT, PHONES_SHOWN_MAX)
        return _json(await simulator.phones(limit, MESSAGES_OF_EACH))

    async def messages(request: Request) -> Response:
        limit = _limit(request, SHOWN_MAX, SHOWN_MAX)
        return _json(await simulator.messages(_phone(request), limit))

    async def reply(request: Request) -> Response:
        phone = _phone(request)
        body = await _body(request, _Reply)
        _check_text(body.text)
        if body.to is not None and _ADDRESS.fullmatch(body.to) is None:
            raise _Refused(400, '"to" is 1 to 20 printable ASCII characters')
        return _json(await simulator.reply(phone, body.text, body.to))

    async def calls(request: Request) -> Response:
        return _json(await simulator.calls(_limit(request, CALLS_DEFAULT, CALLS_MAX)))

    async def heard(request: Request) -> Response:
        call_id = int(request.path_params["call_id"])
        wav = await simulator.heard(call_id) if call_id <= CALL_ID_MAX else None
        if wav is None:
            raise _Refused(404, "nothing was heard in this call, or it is not kept any more")
        headers = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
        return Response(wav, headers=headers, media_type="audio/wav")

    async def clock(request: Request) -> Response:
        body = await _body(request, _Advance)
        settled = await simulator.advance(round(body.advance_s * 1000))
        return _json({"advanced_s": body.advance_s, "settled": settled})

    async def events(_: Request) -> Response:
        try:
            stream = simulator.live.listen()
        except TooManyClients:
            raise _Refused(503, "too many pages listen already") from None
        return StreamingResponse(
            stream,
            media_type="text/event-stream",
            headers={"cache-control": "no-store", "x-accel-buffering": "no"},
        )

    table: list[tuple[str, str, Any]] = [
        ("GET", "/simulator/info", info),
        ("GET", "/simulator/phones", phones),
        ("GET", "/simulator/phones/{phone}/messages", messages),
        ("POST", "/simulator/phones/{phone}/reply", reply),
        ("GET", "/simulator/calls", calls),
        ("GET", "/simulator/calls/{call_id:int}/heard.wav", heard),
        ("POST", "/simulator/clock", clock),
        ("GET", "/simulator/events", events),
    ]
    return [
        *(Route(path, _answering(handler), methods=[method]) for method, path, handler in table),
        *page_routes(simulator),
    ]


def _answering(handler: Any) -> Any:
    async def answer(request: Request) -> Response:
        try:
            if request.method == "POST":
                _check_origin(request)
            return await handler(request)
        except _Refused as refused:
            return _error(refused.status, str(refused))
        except NobodyToReplyTo as nobody:
            return _error(409, str(nobody))
        except StorageUnavailable:
            return _error(503, "the storage is unavailable", {"retry-after": "1"})
        except ClientDisconnect:
            return Response(status_code=400)

    return answer


def _json(content: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    headers = {"cache-control": "no-store", "x-content-type-options": "nosniff", **(headers or {})}
    return Response(_encode(content), status, headers, media_type="application/json")


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    return _json({"success": False, "code": status, "message": message}, status, headers)


def _check_origin(request: Request) -> None:
    # A page of another site can post to a server on this machine through its visitor's browser. Programs send
    # neither header.
    site = request.headers.get("sec-fetch-site")
    if site is None:
        origin = request.headers.get("origin")
        is_ours = origin is None or origin.partition("://")[2] == request.headers.get("host")
    else:
        is_ours = site in ("same-origin", "none")
    if not is_ours:
        raise _Refused(403, "not from a page of another site")


def _phone(request: Request) -> int:
    text = str(request.path_params["phone"]).translate(_SEPARATORS)
    phone = phone_of(text)
    if phone is None:
        raise _Refused(400, "this is no telephone number: E.164, with or without +, is expected")
    return phone


def _limit(request: Request, default: int, most: int) -> int:
    text = request.query_params.get("limit")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and 1 <= len(text) <= 6 and int(text) >= 1):
        raise _Refused(400, '"limit" is a positive integer')
    return min(int(text), most)


async def _body(request: Request, kind: type[T]) -> T:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_OCTETS_MAX:
            raise _Refused(413, f"the body is over {BODY_OCTETS_MAX} bytes")
    try:
        return msgspec.json.decode(bytes(body), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _Refused(400, f"the body is not as expected: {error}") from error


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _Refused(400, '"text" holds half of a surrogate pair') from None
    if "\0" in text:
        raise _Refused(400, '"text" holds a NUL')
    is_unicode = encode_gsm0338(text).count(b"?") != text.count("?")
    if count(text, unicode=is_unicode) > PARTS_MAX:
        raise _Refused(400, f'"text" is over {PARTS_MAX} parts')
