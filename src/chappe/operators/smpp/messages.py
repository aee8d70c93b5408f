"""The PDUs that carry messages: submit_sm, deliver_sm, data_sm, submit_multi (sections 4.4 to 4.7).

Classes and fields have their names in the specification. submit_sm, deliver_sm and their responses have
readers and writers of their own: a platform spends its life in them.
"""

import re
from dataclasses import dataclass, field
from typing import ClassVar, Final, Self

from chappe.operators.smpp.constants import CommandId, DataCoding
from chappe.operators.smpp.constants import CommandStatus as Status
from chappe.operators.smpp.errors import LocalError
from chappe.operators.smpp.fields import (
    DESTINATION,
    LONG_DESTINATION,
    LONG_SOURCE,
    MESSAGE_ID,
    OCTET,
    SCHEDULE,
    SERVICE_TYPE,
    SHORT_MESSAGE_OCTETS_MAX,
    SOURCE,
    VALIDITY,
    Destination,
    Destinations,
    ShortMessage,
    Unsuccessful,
    Unsuccessfuls,
)
from chappe.operators.smpp.pdu import HEADER, WRITE_ERRORS, Layout, Request, Response
from chappe.operators.smpp.tlv import TlvStreamError, read_tlvs, write_tlvs


@dataclass(slots=True)
class MessageIdResponse(Response):
    """What submit_sm_resp, deliver_sm_resp and data_sm_resp have in common: a message_id, perhaps empty."""

    layout: ClassVar[Layout] = (("message_id", MESSAGE_ID),)

    message_id: str = ""

    @classmethod
    def from_body(cls, body: bytes, command_status: int, sequence_number: int) -> Self:
        message_id, nul, rest = body.partition(b"\0")
        if nul and not rest and len(message_id) <= 64:
            return cls(
                message_id.decode("latin-1"), command_status=command_status, sequence_number=sequence_number
            )
        pdu = cls(command_status=command_status, sequence_number=sequence_number)
        pdu.read_body(body, lenient=True)
        return pdu


@dataclass(slots=True)
class SubmitSmResp(MessageIdResponse):
    """Section 4.4.2. `message_id` may be decimal, hexadecimal or anything else, and empty with an error."""

    command_id: ClassVar[int] = int(CommandId.SUBMIT_SM_RESP)

    def encode(self) -> bytes:
        # Section 4.4.2: no body with an error status, and some clients take one for a missing NUL.
        if self.command_status and not self.message_id and not self.tlvs:
            return self.frame(self.command_status, b"")
        return self.frame(self.command_status, self.encode_body())


@dataclass(slots=True)
class DeliverSmResp(MessageIdResponse):
    """Section 4.6.2. `message_id` is unused: always one NUL."""

    command_id: ClassVar[int] = int(CommandId.DELIVER_SM_RESP)

    def encode(self) -> bytes:
        if self.message_id or self.tlvs:
            return self.frame(self.command_status, self.encode_body())
        return self.frame(self.command_status, b"\0")


@dataclass(slots=True)
class DataSmResp(MessageIdResponse):
    command_id: ClassVar[int] = int(CommandId.DATA_SM_RESP)


# The layout below as one pattern, length caps included: what it accepts is right, and whatever it does not is
# read field by field to say what is wrong, or to be accepted where reading is liberal.
_MESSAGE: Final = re.compile(
    rb"([^\0]{0,5})\0(..)([^\0]{0,20})\0(..)([^\0]{0,20})\0(...)([^\0]{0,16})\0([^\0]{0,16})\0(.....)",
    re.DOTALL,
)


@dataclass(slots=True)
class Message(Request):
    """What submit_sm (section 4.4.1) and deliver_sm (section 4.6.1) have in common: the same layout."""

    layout: ClassVar[Layout] = (
        ("service_type", SERVICE_TYPE),
        ("source_addr_ton", OCTET),
        ("source_addr_npi", OCTET),
        ("source_addr", SOURCE),
        ("dest_addr_ton", OCTET),
        ("dest_addr_npi", OCTET),
        ("destination_addr", DESTINATION),
        ("esm_class", OCTET),
        ("protocol_id", OCTET),
        ("priority_flag", OCTET),
        ("schedule_delivery_time", SCHEDULE),
        ("validity_period", VALIDITY),
        ("registered_delivery", OCTET),
        ("replace_if_present_flag", OCTET),
        ("data_coding", OCTET),
        ("sm_default_msg_id", OCTET),
        ("short_message", ShortMessage()),
    )

    service_type: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: str = ""
    esm_class: int = 0
    protocol_id: int = 0
    priority_flag: int = 0
    schedule_delivery_time: str = ""
    validity_period: str = ""
    registered_delivery: int = 0
    replace_if_present_flag: int = 0
    data_coding: int = int(DataCoding.DEFAULT)
    sm_default_msg_id: int = 0
    short_message: bytes = field(default=b"", repr=False)

    @classmethod
    def from_body(cls, body: bytes, command_status: int, sequence_number: int) -> Self:
        match = _MESSAGE.match(body)
        if match is None:
            pdu = cls(sequence_number=sequence_number)
            pdu.read_body(body, lenient=False)
            return pdu
        service, source_type, source, dest_type, dest, classes, schedule, validity, rest = match.groups()
        source_ton, source_npi = source_type
        dest_ton, dest_npi = dest_type
        esm_class, protocol_id, priority = classes
        registered, replace, data_coding, default_id, length = rest
        start = match.end()
        end = start + length
        pdu = cls(
            service.decode("latin-1") if service else "",
            source_ton,
            source_npi,
            source.decode("latin-1"),
            dest_ton,
            dest_npi,
            dest.decode("latin-1"),
            esm_class,
            protocol_id,
            priority,
            schedule.decode("latin-1") if schedule else "",
            validity.decode("latin-1") if validity else "",
            registered,
            replace,
            data_coding,
            default_id,
            body[start:end],
            sequence_number=sequence_number,
        )
        octets = len(body)
        if end != octets:
            if end > octets:
                raise pdu.bad_body(Status.ESME_RINVMSGLEN, "sm_length runs past the end of the body")
            try:
                pdu.tlvs = read_tlvs(body, end)
            except TlvStreamError as error:
                raise pdu.bad_body(error.command_status, "an optional parameter runs past the end") from None
        return pdu

    def encode(self) -> bytes:
        short_message = self.short_message
        service, source, dest = self.service_type, self.source_addr, self.destination_addr
        schedule, validity = self.schedule_delivery_time, self.validity_period
        try:
            octets = len(short_message)
            if (
                len(service) > 5
                or len(source) > 20
                or len(dest) > 20
                or len(schedule) > 16
                or len(validity) > 16
                or octets > SHORT_MESSAGE_OCTETS_MAX
                or "\0" in "".join((service, source, dest, schedule, validity))
            ):
                self.encode_body()  # names the field
                raise AssertionError("the layout accepts what the writer does not")
            # Every octet as the character of the same number: one formatting, one conversion.
            fields = (
                f"{service}\0{chr(self.source_addr_ton)}{chr(self.source_addr_npi)}{source}\0"
                f"{chr(self.dest_addr_ton)}{chr(self.dest_addr_npi)}{dest}\0"
                f"{chr(self.esm_class)}{chr(self.protocol_id)}{chr(self.priority_flag)}{schedule}\0{validity}\0"
                f"{chr(self.registered_delivery)}{chr(self.replace_if_present_flag)}{chr(self.data_coding)}"
                f"{chr(self.sm_default_msg_id)}{chr(octets)}"
            ).encode("latin-1")
            tlvs = write_tlvs(self.tlvs) if self.tlvs else b""
            length = 16 + len(fields) + octets + len(tlvs)
            header = HEADER.pack(length, self.command_id, 0, self.sequence_number)
            return b"".join((header, fields, short_message, tlvs))
        except WRITE_ERRORS:
            raise LocalError(f"a field of {type(self).__name__} holds a value that it cannot") from None


@dataclass(slots=True)
class SubmitSm(Message):
    command_id: ClassVar[int] = int(CommandId.SUBMIT_SM)
    response_type: ClassVar[type[Response] | None] = SubmitSmResp


@dataclass(slots=True)
class DeliverSm(Message):
    command_id: ClassVar[int] = int(CommandId.DELIVER_SM)
    response_type: ClassVar[type[Response] | None] = DeliverSmResp


@dataclass(slots=True)
class DataSm(Request):
    """Section 4.7.1: a message whose text is in message_payload, from either side."""

    command_id: ClassVar[int] = int(CommandId.DATA_SM)
    response_type: ClassVar[type[Response] | None] = DataSmResp
    layout: ClassVar[Layout] = (
        ("service_type", SERVICE_TYPE),
        ("source_addr_ton", OCTET),
        ("source_addr_npi", OCTET),
        ("source_addr", LONG_SOURCE),
        ("dest_addr_ton", OCTET),
        ("dest_addr_npi", OCTET),
        ("destination_addr", LONG_DESTINATION),
        ("esm_class", OCTET),
        ("registered_delivery", OCTET),
        ("data_coding", OCTET),
    )

    service_type: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: str = ""
    esm_class: int = 0
    registered_delivery: int = 0
    data_coding: int = int(DataCoding.DEFAULT)


@dataclass(slots=True)
class SubmitMultiResp(Response):
    command_id: ClassVar[int] = int(CommandId.SUBMIT_MULTI_RESP)
    layout: ClassVar[Layout] = (("message_id", MESSAGE_ID), ("unsuccessful", Unsuccessfuls()))

    message_id: str = ""
    unsuccessful: tuple[Unsuccessful, ...] = ()


@dataclass(slots=True)
class SubmitMulti(Request):
    """Section 4.5.1."""

    command_id: ClassVar[int] = int(CommandId.SUBMIT_MULTI)
    response_type: ClassVar[type[Response] | None] = SubmitMultiResp
    layout: ClassVar[Layout] = (*Message.layout[:4], ("destinations", Destinations()), *Message.layout[7:])

    service_type: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    destinations: tuple[Destination, ...] = ()
    esm_class: int = 0
    protocol_id: int = 0
    priority_flag: int = 0
    schedule_delivery_time: str = ""
    validity_period: str = ""
    registered_delivery: int = 0
    replace_if_present_flag: int = 0
    data_coding: int = int(DataCoding.DEFAULT)
    sm_default_msg_id: int = 0
    short_message: bytes = field(default=b"", repr=False)
