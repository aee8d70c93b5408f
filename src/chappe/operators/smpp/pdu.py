"""What every PDU is: header, mandatory fields in the order of its layout, optional parameters; read and written.

The PDUs themselves are in `binds.py`, `messages.py` and `ancillary.py`. They are mutable and slotted for speed,
compare by value, and show neither message text nor passwords in their `repr`.

Liberties taken with what is received, because real SMSCs take them:
- a response may end anywhere: fields that are not there have their defaults (bind_resp without system_id,
  submit_sm_resp without message_id, error responses without a body);
- the NUL at the very end of a body may be missing;
- one to three octets too many at the end are dropped; in a response also a parameter that runs past the end;
- the command status of a request, and a sequence number of 0 or above 0x7FFFFFFF, are taken as they come.
"""

import struct
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Self

from chappe.operators.smpp.constants import CommandStatus as Status
from chappe.operators.smpp.errors import BodyError, LocalError
from chappe.operators.smpp.fields import Field, FieldError, Missing
from chappe.operators.smpp.tlv import Tlvs, TlvStreamError, read_tlvs, write_tlvs

Layout = tuple[tuple[str, Field], ...]
"""Attribute name and kind of each mandatory field, in the order of the wire."""

HEADER: Final = struct.Struct(">IIII")

WRITE_ERRORS: Final = (TypeError, ValueError, OverflowError, AttributeError, struct.error)
"""What Python raises when a field holds a value that its octets cannot."""


@dataclass(slots=True)
class Pdu(ABC):
    """The parts that all PDUs have."""

    command_id: ClassVar[int] = 0
    layout: ClassVar[Layout] = ()

    tlvs: Tlvs = field(default=(), kw_only=True, repr=False)
    sequence_number: int = field(default=0, kw_only=True)
    """0 in a request that the session has not numbered yet."""

    @abstractmethod
    def encode(self) -> bytes:
        """The whole PDU. Raises LocalError where a field holds what it cannot."""

    @classmethod
    @abstractmethod
    def from_body(cls, body: bytes, command_status: int, sequence_number: int) -> Self:
        """Raises BodyError and nothing else, whatever the octets are."""

    def encode_body(self) -> bytes:
        """Mandatory fields and optional parameters."""
        parts: list[bytes] = []
        name = ""
        try:
            for name, kind in self.layout:
                parts.append(kind.write(name, getattr(self, name)))
        except WRITE_ERRORS:
            raise LocalError(f"{type(self).__name__}.{name} holds a value that it cannot") from None
        if self.tlvs:
            parts.append(write_tlvs(self.tlvs))
        return b"".join(parts)

    def frame(self, command_status: int, body: bytes) -> bytes:
        """Header and body."""
        try:
            return HEADER.pack(16 + len(body), self.command_id, command_status, self.sequence_number) + body
        except struct.error:
            raise LocalError("command_status and sequence_number are integers of 32 bits") from None

    def read_body(self, body: bytes, *, lenient: bool) -> None:
        """Sets the fields from `body`, for `from_body`; `lenient` as for responses."""
        position = 0
        try:
            for name, kind in self.layout:
                value, position = kind.read(name, body, position)
                setattr(self, name, value)
            if position < len(body):
                self.tlvs = read_tlvs(body, position, lenient=lenient)
        except Missing as missing:
            if not lenient:
                raise self.bad_body(missing.command_status, missing.reason) from None
        except FieldError as error:
            raise self.bad_body(error.command_status, error.reason) from None
        except TlvStreamError as error:
            raise self.bad_body(error.command_status, "an optional parameter runs past the end") from None

    def bad_body(self, command_status: int, reason: str) -> BodyError:
        """The error that names this PDU."""
        return BodyError(self.command_id, self.sequence_number, command_status, reason)


@dataclass(slots=True)
class Response(Pdu):
    """A PDU that answers one."""

    command_status: int = field(default=0, kw_only=True)

    def encode(self) -> bytes:
        return self.frame(self.command_status, self.encode_body())

    @classmethod
    def from_body(cls, body: bytes, command_status: int, sequence_number: int) -> Self:
        pdu = cls(command_status=command_status, sequence_number=sequence_number)
        if body:
            pdu.read_body(body, lenient=True)
        return pdu


@dataclass(slots=True)
class Request(Pdu):
    """A PDU that somebody sends first. `response_type` is None where SMPP foresees no answer."""

    response_type: ClassVar[type[Response] | None] = None
    windowed: ClassVar[bool] = True
    """Whether it takes a slot of the window: a full one must not keep a session from being kept alive or ended."""

    def encode(self) -> bytes:
        return self.frame(0, self.encode_body())

    @classmethod
    def from_body(cls, body: bytes, command_status: int, sequence_number: int) -> Self:
        pdu = cls(sequence_number=sequence_number)
        pdu.read_body(body, lenient=False)
        return pdu

    def response(self, command_status: int = Status.ESME_ROK, **fields: Any) -> Response:
        """The response to this request, its own fields (`message_id=...`) by name."""
        response_type = self.response_type
        if response_type is None:
            raise LocalError(f"{type(self).__name__} has no response")
        return response_type(command_status=command_status, sequence_number=self.sequence_number, **fields)


@dataclass(slots=True)
class GenericNack(Response):
    """Section 4.3: the answer to what cannot be answered otherwise. Sequence number 0: to something that could
    not even be read.
    """

    command_id: ClassVar[int] = 0x80000000
