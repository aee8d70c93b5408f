"""Why a call failed or ended: status codes, the Reason header (RFC 3326) and the causes of Q.850."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from chappe.operators.sip.errors import RemoteError
from chappe.operators.sip.syntax.fields import parse_parametrised
from chappe.operators.sip.syntax.grammar import quote, split_list
from chappe.operators.sip.syntax.message import Message, Response

Origin = Literal["remote", "local", "timeout", "unreachable"]
"""Who or what ended it: the peer's word, ours, no answer, or no way to the peer."""

NORMAL: Final = 16
USER_BUSY: Final = 17
NO_ANSWER: Final = 19
NOT_ALLOCATED: Final = 1
TEMPORARY_FAILURE: Final = 41
RECOVERY_ON_TIMER: Final = 102

# RFC 3398, 8.2.6.1 and 7.2.4.1 read backwards, where one cause fits.
_CAUSE_OF_STATUS: Final = {
    400: 41,
    401: 21,
    402: 21,
    403: 21,
    404: 1,
    405: 63,
    406: 79,
    407: 21,
    408: 102,
    410: 22,
    413: 127,
    414: 127,
    415: 79,
    416: 127,
    420: 127,
    421: 127,
    423: 127,
    480: 18,
    481: 41,
    482: 25,
    483: 25,
    484: 28,
    485: 1,
    486: 17,
    487: 16,
    488: 79,
    500: 41,
    501: 79,
    502: 38,
    503: 41,
    504: 102,
    505: 127,
    513: 127,
    600: 17,
    603: 21,
    604: 1,
    606: 79,
    607: 21,
    608: 21,
}


@dataclass(frozen=True, slots=True)
class Cause:
    """`status` is the SIP status, 0 where there was none (a BYE); `q850` the peer's own cause where it gave one, else
    what RFC 3398 makes of the status. `text` may be kept and shown: it holds no control characters.
    """

    origin: Origin
    status: int = 0
    q850: int = NORMAL
    text: str = ""
    retry_after_s: int | None = None


def cause_of_response(response: Response) -> Cause:
    """The cause of a final response that is no success."""
    q850, text = read_reason(response)
    return Cause(
        "remote",
        response.status,
        q850 if q850 is not None else _CAUSE_OF_STATUS.get(response.status, TEMPORARY_FAILURE),
        text or response.reason,
        _retry_after_s(response),
    )


def cause_of_request(request: Message) -> Cause:
    """The cause of a BYE or CANCEL of the peer's."""
    q850, text = read_reason(request)
    return Cause("remote", 0, NORMAL if q850 is None else q850, text)


def read_reason(message: Message) -> tuple[int | None, str]:
    """The Q.850 cause of the Reason header and its text. One that cannot be read counts as none: nobody hangs up
    differently for it.
    """
    text = ""
    for value in message.all("Reason"):
        for item in split_list(value):
            try:
                protocol, parameters = parse_parametrised(item, "Reason")
            except RemoteError:
                continue
            cause = parameters.get("cause") or ""
            if protocol.lower() == "q.850" and cause.isascii() and cause.isdecimal() and len(cause) <= 3:
                number = int(cause)
                if number <= 127:
                    return number, _safe(parameters.get("text") or text)
            text = text or parameters.get("text") or ""
    return None, _safe(text)


def write_reason(q850: int, text: str = "") -> str:
    """A Reason header of ours."""
    return f"Q.850;cause={q850}" + (f";text={quote(text)}" if text else "")


def _safe(text: str) -> str:
    text = text[:200].encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(character if character.isprintable() else "?" for character in text)


def _retry_after_s(response: Response) -> int | None:
    value = response.first("Retry-After")
    if value is None:
        return None
    try:
        seconds = parse_parametrised(value, "Retry-After").value
    except RemoteError:
        return None
    return int(seconds) if seconds.isascii() and seconds.isdecimal() and len(seconds) <= 9 else None
