"""The bodies that are posted to customers: keys, order and types as the documentation prints them. Pure functions."""

from __future__ import annotations

from typing import Literal

import msgspec

from chappe.credit.money import exact_text

StatusWord = Literal["delivered", "not delivered"]
ReplyKind = Literal["response", "stop"]

_encode = msgspec.json.Encoder().encode


def dlr_payload(
    status_word: StatusWord, message_id: int, at_ms: int, number: int, cost_micro: int, tag: str
) -> str:
    """The delivery report of one recipient (`urlDlr`, SMS documentation, page Webhooks).

    `number` is E.164 digits, `at_ms` the moment of the final status. `msgId` and `cost` are strings, `date` whole
    Unix seconds; `tag` is left out when it is empty.
    """
    body: dict[str, object] = {
        "status": status_word,
        "msgId": str(message_id),
        "date": at_ms // 1000,
        "phone": f"+{number}",
        "cost": exact_text(cost_micro),
        "currency": "EUR",
    }
    if tag:
        body["tag"] = _encodable(tag)
    return _encode(body).decode()


def reply_payload(kind: ReplyKind, number: int, text: str, message_id: int) -> str:
    """A reply to a short number (`urlResponse`, SMS documentation, page Gestion des réponses).

    `message_id` is the message that the reply is taken to answer: an int here, unlike in delivery reports.
    """
    return _encode(
        {"type": kind, "phone_number": f"+{number}", "text": _encodable(text), "message_id": message_id}
    ).decode()


def _encodable(text: str) -> str:
    # A telephone may send half a surrogate pair, which no UTF-8 can carry: it becomes "?".
    return text.encode("utf-8", "replace").decode()
