"""A submit_sm, data_sm or submit_multi -> what happens to it, as rows and answers. No socket, no database."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from chappe.operators.smpp.constants import CommandStatus as Status
from chappe.operators.smpp.constants import MessageState
from chappe.operators.smpp.fields import Unsuccessful
from chappe.operators.smpp.long_message import Concatenation, read_text
from chappe.operators.smpp.messages import DataSm, SubmitMulti, SubmitSm
from chappe.operators.smpp.pdu import Response
from chappe.simulator.behaviours import Behaviour, behaviour_of, phone_of
from chappe.simulator.deliver import Envelope, from_phone, receipt, wants_notification, wants_receipt
from chappe.simulator.notebook import DELIVERED, RECEIVED, SENT, WAITING, Notebook
from chappe.simulator.refusals import Refusals
from chappe.simulator.times import BadTime, read_time

ADDRESS_OCTETS_MAX: Final = 20
"""data_sm has room for 64 octets, the deliver_sm of its receipt has not."""
REFUSED: Final = "refused"

_DELIVERED_STATE: Final = int(MessageState.DELIVERED)
STATUS_OF_STATE: Final = {
    _DELIVERED_STATE: DELIVERED,
    int(MessageState.EXPIRED): "expired",
    int(MessageState.DELETED): "deleted",
    int(MessageState.UNDELIVERABLE): "undeliverable",
}
STATE_OF_STATUS: Final = {
    **{status: state for state, status in STATUS_OF_STATE.items()},
    WAITING: int(MessageState.ENROUTE),
    REFUSED: int(MessageState.REJECTED),
}


@dataclass(slots=True)
class Item:
    """A message for one phone."""

    phone: int
    behaviour: Behaviour
    envelope: Envelope
    text: str = field(repr=False)
    octets: bytes = field(repr=False)
    concatenation: Concatenation | None
    state: int
    due_at_ms: int
    """When it is in `state`; 0 for at once."""


@dataclass(slots=True)
class Submission:
    """A request with messages. `items` is empty where all of it is refused without a trace on a phone."""

    request: SubmitSm | DataSm | SubmitMulti
    items: list[Item]
    unsuccessful: list[Unsuccessful]
    refusal: Response | None = None
    """The answer, where no message is accepted; else the answer is made with the message id."""

    def answer(self, message_id: int) -> Response:
        """What is sent when `items` are stored."""
        request = self.request
        if self.refusal is not None:
            return self.refusal
        if type(request) is SubmitMulti:
            return request.response(message_id=str(message_id), unsuccessful=tuple(self.unsuccessful))
        return request.response(message_id=str(message_id))


def read_submission(request: SubmitSm | DataSm | SubmitMulti, refusals: Refusals, now_ms: int) -> Submission:
    """What a request asks, with the answer where it is refused. `refusals` remembers what failed once."""
    if isinstance(request, SubmitMulti):
        return _read_multi(request, refusals, now_ms)
    read = _read_item(request, refusals, now_ms)
    if isinstance(read, Response):
        return Submission(request, [], [], read)
    refusal = request.response(Status.ESME_RINVDSTADR) if read.behaviour.refuses else None
    return Submission(request, [read], [], refusal)


def _read_multi(request: SubmitMulti, refusals: Refusals, now_ms: int) -> Submission:
    items: list[Item] = []
    unsuccessful: list[Unsuccessful] = []
    for address, ton, npi, list_name in request.destinations:
        if list_name:
            unsuccessful.append(Unsuccessful(list_name, 0, 0, int(Status.ESME_RINVDLNAME)))
            continue
        envelope = SubmitSm(
            request.service_type,
            request.source_addr_ton,
            request.source_addr_npi,
            request.source_addr,
            ton,
            npi,
            address,
            request.esm_class,
            request.protocol_id,
            request.priority_flag,
            request.schedule_delivery_time,
            request.validity_period,
            request.registered_delivery,
            request.replace_if_present_flag,
            request.data_coding,
            request.sm_default_msg_id,
            request.short_message,
            tlvs=request.tlvs,
        )
        read = _read_item(envelope, refusals, now_ms)
        if isinstance(read, Response):
            unsuccessful.append(Unsuccessful(address, ton, npi, read.command_status))
            continue
        items.append(read)
        if read.behaviour.refuses:
            unsuccessful.append(Unsuccessful(address, ton, npi, int(Status.ESME_RINVDSTADR)))
    refusal = None
    if len(unsuccessful) == len(request.destinations):
        refusal = request.response(unsuccessful[0].command_status, unsuccessful=tuple(unsuccessful))
    return Submission(request, items, unsuccessful, refusal)


def _read_item(envelope: Envelope, refusals: Refusals, now_ms: int) -> Item | Response:
    phone = phone_of(envelope.destination_addr)
    if phone is None:
        return envelope.response(Status.ESME_RINVDSTADR)
    if len(envelope.source_addr) > ADDRESS_OCTETS_MAX:
        return envelope.response(Status.ESME_RINVSRCADR)
    behaviour = behaviour_of(phone)
    incoming = read_text(envelope)
    if behaviour.fails_once:
        refused = refusals.first_time(phone, envelope, incoming)
        if refused is not None:
            return refused
    state = int(behaviour.state)
    due_at_ms = now_ms + behaviour.delay_ms if behaviour.delay_ms else 0
    if type(envelope) is SubmitSm and (envelope.schedule_delivery_time or envelope.validity_period):
        try:
            schedule_ms = read_time(envelope.schedule_delivery_time, now_ms)
        except BadTime:
            return envelope.response(Status.ESME_RINVSCHED)
        try:
            expiry_ms = read_time(envelope.validity_period, now_ms)
        except BadTime:
            return envelope.response(Status.ESME_RINVEXPIRY)
        if schedule_ms is not None and schedule_ms > now_ms:
            due_at_ms = schedule_ms + behaviour.delay_ms
        if expiry_ms is not None and expiry_ms < (due_at_ms or now_ms):
            state, due_at_ms = int(MessageState.EXPIRED), max(expiry_ms, now_ms + 1)
    text = incoming.text
    if "\0" in text:
        text = text.replace("\0", "\ufffd")  # PostgreSQL has no NUL in a text
    return Item(phone, behaviour, envelope, text, incoming.octets, incoming.concatenation, state, due_at_ms)


def store(note: Notebook, system_id: str, submission: Submission) -> int:
    """Writes the messages of a submission down; gives the id to answer (0 where nothing was accepted)."""
    answered_id = 0
    for item in submission.items:
        message_id = _store_item(note, system_id, item, answered_id)
        if not answered_id and not item.behaviour.refuses:
            answered_id = message_id
    return answered_id


def _store_item(note: Notebook, system_id: str, item: Item, answered_id: int) -> int:
    envelope = item.envelope
    behaviour = item.behaviour
    concatenation = item.concatenation
    is_last_part = True
    is_waiting = bool(item.due_at_ms)
    status = REFUSED if behaviour.refuses else WAITING if is_waiting else STATUS_OF_STATE[item.state]
    peer = envelope.source_addr
    if concatenation is None:
        message_id = note.message(item.phone, RECEIVED, system_id, peer, item.text, status)
    else:
        is_last_part = concatenation.part_number == concatenation.parts_total
        message_id = note.message(
            item.phone,
            RECEIVED,
            system_id,
            peer,
            item.text,
            status,
            parts=concatenation.parts_total,
            part=concatenation.part_number,
            octets=item.octets,
            data_coding=envelope.data_coding,
            reference=concatenation.reference_bits << 16 | concatenation.reference,
        )
    if behaviour.refuses:
        return message_id
    told_id = answered_id or message_id
    if is_waiting:
        note.pending(message_id, told_id, item.due_at_ms, item.state, envelope.encode())
        if wants_notification(envelope.registered_delivery):
            notification = receipt(
                envelope,
                told_id,
                MessageState.ENROUTE,
                text=item.text,
                submitted_at_ms=note.now_ms,
                done_at_ms=note.now_ms,
            )
            note.delivery(system_id, message_id, notification)
        return message_id
    settle(
        note,
        system_id,
        message_id,
        told_id,
        item.phone,
        envelope,
        item.state,
        text=item.text,
        submitted_at_ms=note.now_ms,
        is_last_part=is_last_part,
    )
    return message_id


def settle(
    note: Notebook,
    system_id: str,
    message_id: int,
    told_id: int,
    phone: int,
    envelope: Envelope,
    state: int,
    *,
    text: str,
    submitted_at_ms: int,
    is_last_part: bool,
) -> None:
    """A message has come to its end: the receipts, and what the phone does about it. `told_id`: the message id that
    the ESME knows.
    """
    behaviour = behaviour_of(phone)
    if behaviour.receipts and wants_receipt(envelope.registered_delivery, state):
        for _ in range(behaviour.receipts):
            pdu = receipt(
                envelope, told_id, state, text=text, submitted_at_ms=submitted_at_ms, done_at_ms=note.now_ms
            )
            note.delivery(system_id, message_id, pdu, is_early=behaviour.is_receipt_first)
    if behaviour.reply and state == _DELIVERED_STATE and is_last_part:
        reply(note, system_id, phone, envelope.source_addr, behaviour.reply)


def reply(note: Notebook, system_id: str, phone: int, to: str, text: str) -> int:
    """A text typed on a phone: its row and the deliver_sm that are owed; gives its id."""
    pdus = from_phone(phone, to, text, reference=note.next_reference())
    message_id = note.message(phone, SENT, system_id, to, text, WAITING, parts=len(pdus))
    for pdu in pdus:
        note.delivery(system_id, message_id, pdu, is_reply=True)
    return message_id
