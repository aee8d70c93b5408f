"""Reads the plainest body of `send`: a JSON object of documented names with the documented types, and nothing to refuse.

It gives what `send.read_draft` gives for the same body, or None for every body that is less plain. What may be in
such a body follows from `Parameters`: what is not here may also stand in a query or among the headers.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from chappe.http.outgoing import valid_callback_url
from chappe.messages.alphabets import RAW_CHARS_MAX, prepare
from chappe.numbers.parse import Recipients, TooManyNumbers, read_list
from chappe.partner.sms.send import LOW_COST, SENDER, SENDER_CHARS_MAX, SENDER_CHARS_MIN, TAG_CHARS_MAX, Draft

BODY_BYTES_MAX = 65_536
_PREMIUM = 1


class _Body(msgspec.Struct, forbid_unknown_fields=True, gc=False, rename="camel"):
    """Names are those of the documentation; a value of another type is not plain, and neither is null."""

    api_key: str
    phone_numbers: str | list[str]
    message: str
    sender: str = ""
    tag: str = ""
    url_dlr: str = ""
    url_response: str = ""
    gamme: int = _PREMIUM
    is_stop_sms: int | bool = 0
    is_unicode: int | bool = 0
    sandbox: int | bool = 0


_decode = msgspec.json.Decoder(_Body).decode

NAMES = frozenset(
    name.lower().encode()
    for name in (
        *_Body.__struct_encode_fields__,
        *("scheduledDeliveryDate", "time", "minute", "range"),
    )
)
"""What a header may be called that is a parameter then (parameters.py), in lower case."""


class PlainSend(NamedTuple):
    """A plain body, read."""

    api_key: str
    draft: Draft
    numbers: Recipients


def read_plain(body: bytes) -> PlainSend | None:
    """Whatever `body` holds, nothing is raised."""
    # An escaped NUL is dropped by the ordinary reader.
    if not body.startswith(b"{") or len(body) > BODY_BYTES_MAX or b"\\u0000" in body:
        return None
    try:
        read = _decode(body)
        given = read.phone_numbers
        numbers = read_list(given if isinstance(given, str) else ",".join(given), mobile_only=True)
    except (
        ValueError,
        RecursionError,
        TooManyNumbers,
    ):  # msgspec's errors and UnicodeDecodeError are ValueErrors
        return None
    text, sender, tag = read.message, read.sender, read.tag
    url_dlr, url_response = read.url_dlr, read.url_response
    is_plain = (
        numbers.e164
        and not numbers.refused
        and text
        and not text.isspace()
        and len(text) <= RAW_CHARS_MAX
        and (not sender or _is_plain_sender(sender))
        and len(tag) <= TAG_CHARS_MAX
        and not tag.isspace()
        and (not url_dlr or valid_callback_url(url_dlr))
        and (not url_response or valid_callback_url(url_response))
        and read.gamme in (_PREMIUM, LOW_COST)
        and read.is_stop_sms in (0, 1)
        and read.is_unicode in (0, 1)
        and read.sandbox in (0, 1)
    )
    if not is_plain:
        return None
    draft = Draft(
        text=prepare(text, unicode=bool(read.is_unicode)),
        is_unicode=bool(read.is_unicode),
        is_low_cost=read.gamme == LOW_COST,
        sender=sender,
        tag=tag,
        url_dlr=url_dlr,
        url_response=url_response,
        due_at_ms=None,
        is_sandbox=bool(read.sandbox),
        is_stop=bool(read.is_stop_sms),
    )
    return PlainSend(read.api_key, draft, numbers)


def _is_plain_sender(sender: str) -> bool:
    return (
        SENDER_CHARS_MIN <= len(sender) <= SENDER_CHARS_MAX
        and SENDER.fullmatch(sender) is not None
        and sender[0] != " "
        and sender[-1] != " "
    )
