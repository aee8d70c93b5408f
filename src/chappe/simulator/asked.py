"""Answers to query_sm, cancel_sm and replace_sm (sections 4.8 to 4.10), inside the transaction that they belong to."""

from __future__ import annotations

from typing import Final

from chappe.operators.smpp.ancillary import CancelSm, QuerySm, ReplaceSm
from chappe.operators.smpp.commands import decode
from chappe.operators.smpp.constants import CommandStatus as Status
from chappe.operators.smpp.constants import MessageState
from chappe.operators.smpp.long_message import read_text
from chappe.operators.smpp.messages import SubmitSm
from chappe.operators.smpp.pdu import Response
from chappe.simulator.behaviours import phone_of
from chappe.simulator.due import PENDING_OF_ANSWER, settle_pending
from chappe.simulator.intake import STATE_OF_STATUS
from chappe.simulator.notebook import RECEIVED, WAITING, Notebook
from chappe.simulator.times import write_time
from chappe.storage.database import Transaction

CANCELLED_MAX: Final = 1_000
"""Messages that one cancel_sm without message id cancels."""

Asking = QuerySm | CancelSm | ReplaceSm


def answer(tx: Transaction, note: Notebook, system_id: str, request: Asking) -> Response:
    """What an ESME that asks about its own message is told; an ESME has the messages of its system_id only."""
    if isinstance(request, QuerySm):
        return _query(tx, system_id, request)
    if isinstance(request, CancelSm):
        return _cancel(tx, note, system_id, request)
    return _replace(tx, note, system_id, request)


def _id_of(text: str) -> int:
    """0, which no message has, where the text is no id of ours."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else 0


def _query(tx: Transaction, system_id: str, request: QuerySm) -> Response:
    row = tx.one(
        "SELECT status, peer, changed_at_ms FROM sim_messages WHERE id = ? AND system_id = ? AND direction = ?",
        (_id_of(request.message_id), system_id, RECEIVED),
    )
    if row is None or request.source_addr not in ("", row[1]):
        return request.response(Status.ESME_RQUERYFAIL)
    status, _, changed_at_ms = row
    return request.response(
        message_id=request.message_id,
        final_date="" if status == WAITING else write_time(changed_at_ms),
        message_state=STATE_OF_STATUS[status],
    )


def _cancel(tx: Transaction, note: Notebook, system_id: str, request: CancelSm) -> Response:
    answered_ids = [_id_of(request.message_id)]
    if not request.message_id:
        phone = phone_of(request.destination_addr)
        answered_ids = [
            answered_id
            for (answered_id,) in tx.all(
                "SELECT DISTINCT p.answered_id FROM sim_pending p JOIN sim_messages m ON m.id = p.message_id"
                " WHERE m.system_id = ? AND m.phone = ? AND m.peer = ? LIMIT ?",
                (system_id, phone, request.source_addr, CANCELLED_MAX),
            )
        ]
    cancelled = 0
    for answered_id in answered_ids:
        for row in tx.all(PENDING_OF_ANSWER, (system_id, answered_id)):
            settle_pending(tx, note, row, int(MessageState.DELETED))
            cancelled += 1
    return request.response(Status.ESME_ROK if cancelled else Status.ESME_RCANCELFAIL)


def _replace(tx: Transaction, note: Notebook, system_id: str, request: ReplaceSm) -> Response:
    rows = tx.all(PENDING_OF_ANSWER, (system_id, _id_of(request.message_id)))
    if len(rows) != 1:
        return request.response(Status.ESME_RREPLACEFAIL)
    message_id, _, _, octets, phone, *_, parts, _ = rows[0]
    envelope = decode(bytes(octets))
    if (
        not isinstance(envelope, SubmitSm)
        or parts > 1
        or request.source_addr not in ("", envelope.source_addr)
    ):
        return request.response(Status.ESME_RREPLACEFAIL)
    # The new text is in the alphabet of the old one: replace_sm has no data_coding.
    envelope.short_message = request.short_message
    envelope.registered_delivery = request.registered_delivery
    envelope.tlvs = ()
    tx.run("UPDATE sim_pending SET pdu = ? WHERE message_id = ?", (envelope.encode(), message_id))
    text = read_text(envelope).text.replace("\0", "\ufffd")
    tx.run(
        "UPDATE sim_messages SET text = ?, changed_at_ms = ? WHERE id = ?", (text, note.now_ms, message_id)
    )
    note.phones.add(phone)
    return request.response()
