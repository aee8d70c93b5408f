"""The PDUs about messages: query_sm, cancel_sm, replace_sm, alert_notification (sections 4.8 to 4.10, 4.12)."""

from dataclasses import dataclass, field
from typing import ClassVar

from chappe.operators.smpp.constants import CommandId
from chappe.operators.smpp.fields import (
    DATE,
    LONG_DESTINATION,
    LONG_SOURCE,
    MESSAGE_ID,
    OCTET,
    SCHEDULE,
    SERVICE_TYPE,
    VALIDITY,
    ShortMessage,
)
from chappe.operators.smpp.messages import Message
from chappe.operators.smpp.pdu import Layout, Request, Response


@dataclass(slots=True)
class QuerySmResp(Response):
    """Section 4.8.2. `message_state` as in `constants.MessageState`."""

    command_id: ClassVar[int] = int(CommandId.QUERY_SM_RESP)
    layout: ClassVar[Layout] = (
        ("message_id", MESSAGE_ID),
        ("final_date", DATE),
        ("message_state", OCTET),
        ("error_code", OCTET),
    )

    message_id: str = ""
    final_date: str = ""
    message_state: int = 0
    error_code: int = 0


@dataclass(slots=True)
class QuerySm(Request):
    command_id: ClassVar[int] = int(CommandId.QUERY_SM)
    response_type: ClassVar[type[Response] | None] = QuerySmResp
    layout: ClassVar[Layout] = (("message_id", MESSAGE_ID), *Message.layout[1:4])

    message_id: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""


@dataclass(slots=True)
class CancelSmResp(Response):
    command_id: ClassVar[int] = int(CommandId.CANCEL_SM_RESP)


@dataclass(slots=True)
class CancelSm(Request):
    """Section 4.9.1."""

    command_id: ClassVar[int] = int(CommandId.CANCEL_SM)
    response_type: ClassVar[type[Response] | None] = CancelSmResp
    layout: ClassVar[Layout] = (
        ("service_type", SERVICE_TYPE),
        ("message_id", MESSAGE_ID),
        *Message.layout[1:7],
    )

    service_type: str = ""
    message_id: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: str = ""


@dataclass(slots=True)
class ReplaceSmResp(Response):
    command_id: ClassVar[int] = int(CommandId.REPLACE_SM_RESP)


@dataclass(slots=True)
class ReplaceSm(Request):
    """Section 4.10.1."""

    command_id: ClassVar[int] = int(CommandId.REPLACE_SM)
    response_type: ClassVar[type[Response] | None] = ReplaceSmResp
    layout: ClassVar[Layout] = (
        ("message_id", MESSAGE_ID),
        *Message.layout[1:4],
        ("schedule_delivery_time", SCHEDULE),
        ("validity_period", VALIDITY),
        ("registered_delivery", OCTET),
        ("sm_default_msg_id", OCTET),
        ("short_message", ShortMessage()),
    )

    message_id: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    schedule_delivery_time: str = ""
    validity_period: str = ""
    registered_delivery: int = 0
    sm_default_msg_id: int = 0
    short_message: bytes = field(default=b"", repr=False)


@dataclass(slots=True)
class AlertNotification(Request):
    """Section 4.12.1: a handset became available. No response."""

    command_id: ClassVar[int] = int(CommandId.ALERT_NOTIFICATION)
    layout: ClassVar[Layout] = (
        ("source_addr_ton", OCTET),
        ("source_addr_npi", OCTET),
        ("source_addr", LONG_SOURCE),
        ("esme_addr_ton", OCTET),
        ("esme_addr_npi", OCTET),
        ("esme_addr", LONG_DESTINATION),
    )

    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    esme_addr_ton: int = 0
    esme_addr_npi: int = 0
    esme_addr: str = ""
