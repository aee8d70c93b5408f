"""Command id -> PDU class, and the reading of one whole PDU."""

from typing import Final

from chappe.operators.smpp.ancillary import AlertNotification, CancelSm, QuerySm, ReplaceSm
from chappe.operators.smpp.binds import (
    BindReceiver,
    BindTransceiver,
    BindTransmitter,
    EnquireLink,
    Outbind,
    Unbind,
)
from chappe.operators.smpp.constants import CommandStatus as Status
from chappe.operators.smpp.errors import BodyError, FramingError
from chappe.operators.smpp.messages import DataSm, DeliverSm, SubmitMulti, SubmitSm
from chappe.operators.smpp.pdu import HEADER, GenericNack, Pdu, Request, Response

REQUESTS: Final[dict[int, type[Request]]] = {
    kind.command_id: kind
    for kind in (
        BindTransmitter,
        BindReceiver,
        BindTransceiver,
        Outbind,
        Unbind,
        EnquireLink,
        SubmitSm,
        SubmitMulti,
        DeliverSm,
        DataSm,
        QuerySm,
        CancelSm,
        ReplaceSm,
        AlertNotification,
    )
}

RESPONSES: Final[dict[int, type[Response]]] = {
    GenericNack.command_id: GenericNack,
    **{kind.response_type.command_id: kind.response_type for kind in REQUESTS.values() if kind.response_type},
}


def decode_body(command_id: int, command_status: int, sequence_number: int, body: bytes) -> Pdu:
    """The PDU of a header and its body. Raises BodyError; an unknown command has ESME_RINVCMDID."""
    kind = REQUESTS.get(command_id) or RESPONSES.get(command_id)
    if kind is None:
        raise BodyError(command_id, sequence_number, Status.ESME_RINVCMDID, "unknown command")
    return kind.from_body(body, command_status, sequence_number)


def decode(octets: bytes) -> Pdu:
    """Exactly one PDU. Raises FramingError if it is not, BodyError if its body is bad."""
    if len(octets) < 16:
        raise FramingError("a PDU is at least 16 octets")
    length, command_id, command_status, sequence_number = HEADER.unpack_from(octets)
    if length != len(octets):
        raise FramingError("command_length is not the length of the PDU", sequence_number)
    return decode_body(command_id, command_status, sequence_number, octets[16:])
