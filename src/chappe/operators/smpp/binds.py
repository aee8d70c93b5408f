"""The PDUs that make, keep and end a session: the binds, outbind, unbind, enquire_link (sections 4.1, 4.2, 4.11).

Classes and fields have their names in the specification.
"""

from dataclasses import dataclass, field
from typing import ClassVar

from chappe.operators.smpp.constants import INTERFACE_VERSION, CommandId
from chappe.operators.smpp.constants import CommandStatus as Status
from chappe.operators.smpp.fields import OCTET, PASSWORD, SYSTEM_ID, CString
from chappe.operators.smpp.pdu import Layout, Request, Response


@dataclass(slots=True)
class BindResponse(Response):
    """What the three bind responses have in common (sections 4.1.2, 4.1.4, 4.1.6)."""

    layout: ClassVar[Layout] = (("system_id", SYSTEM_ID),)

    system_id: str = ""


@dataclass(slots=True)
class BindTransmitterResp(BindResponse):
    command_id: ClassVar[int] = int(CommandId.BIND_TRANSMITTER_RESP)


@dataclass(slots=True)
class BindReceiverResp(BindResponse):
    command_id: ClassVar[int] = int(CommandId.BIND_RECEIVER_RESP)


@dataclass(slots=True)
class BindTransceiverResp(BindResponse):
    command_id: ClassVar[int] = int(CommandId.BIND_TRANSCEIVER_RESP)


@dataclass(slots=True)
class Bind(Request):
    """What the three binds have in common (sections 4.1.1, 4.1.3, 4.1.5)."""

    windowed: ClassVar[bool] = False
    layout: ClassVar[Layout] = (
        ("system_id", SYSTEM_ID),
        ("password", PASSWORD),
        ("system_type", CString(13, Status.ESME_RINVSYSTYP)),
        ("interface_version", OCTET),
        ("addr_ton", OCTET),
        ("addr_npi", OCTET),
        ("address_range", CString(41)),
    )

    system_id: str = ""
    password: str = field(default="", repr=False)
    system_type: str = ""
    interface_version: int = INTERFACE_VERSION
    addr_ton: int = 0
    addr_npi: int = 0
    address_range: str = ""


@dataclass(slots=True)
class BindTransmitter(Bind):
    command_id: ClassVar[int] = int(CommandId.BIND_TRANSMITTER)
    response_type: ClassVar[type[Response] | None] = BindTransmitterResp


@dataclass(slots=True)
class BindReceiver(Bind):
    command_id: ClassVar[int] = int(CommandId.BIND_RECEIVER)
    response_type: ClassVar[type[Response] | None] = BindReceiverResp


@dataclass(slots=True)
class BindTransceiver(Bind):
    command_id: ClassVar[int] = int(CommandId.BIND_TRANSCEIVER)
    response_type: ClassVar[type[Response] | None] = BindTransceiverResp


@dataclass(slots=True)
class Outbind(Request):
    """Section 4.1.7: the SMSC asks an ESME to bind. No response; the ESME binds."""

    command_id: ClassVar[int] = int(CommandId.OUTBIND)
    layout: ClassVar[Layout] = (("system_id", SYSTEM_ID), ("password", PASSWORD))

    system_id: str = ""
    password: str = field(default="", repr=False)


@dataclass(slots=True)
class UnbindResp(Response):
    command_id: ClassVar[int] = int(CommandId.UNBIND_RESP)


@dataclass(slots=True)
class Unbind(Request):
    command_id: ClassVar[int] = int(CommandId.UNBIND)
    response_type: ClassVar[type[Response] | None] = UnbindResp
    windowed: ClassVar[bool] = False


@dataclass(slots=True)
class EnquireLinkResp(Response):
    command_id: ClassVar[int] = int(CommandId.ENQUIRE_LINK_RESP)


@dataclass(slots=True)
class EnquireLink(Request):
    command_id: ClassVar[int] = int(CommandId.ENQUIRE_LINK)
    response_type: ClassVar[type[Response] | None] = EnquireLinkResp
    windowed: ClassVar[bool] = False
