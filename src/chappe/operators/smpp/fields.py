"""The kinds of mandatory field (section 3.1) and how each is read, checked and written.

Reading is as liberal as real peers require: the NUL at the very end of a body may be missing. A field that
cannot be read raises FieldError with the command status that names it.
"""

import struct
from typing import Any, Final, NamedTuple, Protocol

from chappe.operators.smpp.constants import CommandStatus as Status
from chappe.operators.smpp.errors import LocalError

_U32: Final = struct.Struct(">I")

SHORT_MESSAGE_OCTETS_MAX: Final = 254
"""Section 4.4.1. Received, 255 are accepted: it is what the length octet can say."""


class FieldError(Exception):
    """A field of the peer's is bad: the status to answer, and which and why."""

    def __init__(self, command_status: int, reason: str) -> None:
        super().__init__(reason)
        self.command_status = command_status
        self.reason = reason


class Field(Protocol):
    """One kind of field. `read` gives the value and where the next field starts; `write` raises LocalError."""

    def read(self, name: str, body: bytes, position: int) -> tuple[Any, int]: ...
    def write(self, name: str, value: Any) -> bytes: ...


class Missing(FieldError):
    """The body ends before this field: an error in a request, the default value in a response."""

    def __init__(self, name: str) -> None:
        super().__init__(Status.ESME_RINVCMDLEN, f"the body ends before {name}")


class CString(NamedTuple):
    """A C-octet string of at most `octets_max` octets with its NUL. Text is Latin-1 both ways: ASCII as the
    specification says, and every other octet that a peer puts there survives.
    """

    octets_max: int
    status: int = Status.ESME_RINVPARLEN

    def read(self, name: str, body: bytes, position: int) -> tuple[str, int]:
        if position >= len(body):
            raise Missing(name)
        end = body.find(b"\0", position)
        following = end + 1
        if end < 0:
            end = following = len(body)
        if end - position >= self.octets_max:
            raise FieldError(self.status, f"{name} is over {self.octets_max - 1} octets")
        return body[position:end].decode("latin-1"), following

    def write(self, name: str, value: str) -> bytes:
        octets = value.encode("latin-1")
        if len(octets) >= self.octets_max:
            raise LocalError(f"{name} is over {self.octets_max - 1} octets")
        if b"\0" in octets:
            raise LocalError(f"{name} holds a NUL")
        return octets + b"\0"


class Octet:
    """An integer of one octet."""

    __slots__ = ()

    def read(self, name: str, body: bytes, position: int) -> tuple[int, int]:
        if position >= len(body):
            raise Missing(name)
        return body[position], position + 1

    def write(self, name: str, value: int) -> bytes:
        return bytes((value,))


class ShortMessage:
    """sm_length and short_message, together."""

    __slots__ = ()

    def read(self, name: str, body: bytes, position: int) -> tuple[bytes, int]:
        if position >= len(body):
            raise Missing("sm_length")
        end = position + 1 + body[position]
        if end > len(body):
            raise FieldError(Status.ESME_RINVMSGLEN, "sm_length runs past the end of the body")
        return body[position + 1 : end], end

    def write(self, name: str, value: bytes) -> bytes:
        if len(value) > SHORT_MESSAGE_OCTETS_MAX:
            raise LocalError(f"{name} is over {SHORT_MESSAGE_OCTETS_MAX} octets: use message_payload")
        return bytes((len(value),)) + value


class Destination(NamedTuple):
    """An entry of submit_multi's dest_address(es): a number, or a distribution list by its name."""

    address: str = ""
    ton: int = 0
    npi: int = 0
    list_name: str = ""


class Unsuccessful(NamedTuple):
    """An entry of submit_multi_resp's unsuccess_sme(s): a number that was refused, and why."""

    address: str
    ton: int
    npi: int
    command_status: int


_ADDRESS: Final = CString(21, Status.ESME_RINVDSTADR)
_LIST_NAME: Final = CString(21, Status.ESME_RINVDLNAME)


class Destinations:
    """number_of_dests and dest_address(es) (section 4.5.1): 1 to 254 of them."""

    __slots__ = ()

    def read(self, name: str, body: bytes, position: int) -> tuple[tuple[Destination, ...], int]:
        if position >= len(body):
            raise Missing("number_of_dests")
        count = body[position]
        position += 1
        if not 1 <= count <= 254:
            raise FieldError(Status.ESME_RINVNUMDESTS, "number_of_dests is not 1 to 254")
        destinations: list[Destination] = []
        for _ in range(count):
            flag = body[position] if position < len(body) else 0
            if flag == 1 and position + 3 <= len(body):
                ton, npi = body[position + 1], body[position + 2]
                address, position = _ADDRESS.read("destination_addr", body, position + 3)
                destinations.append(Destination(address, ton, npi))
            elif flag == 2:
                list_name, position = _LIST_NAME.read("dl_name", body, position + 1)
                destinations.append(Destination(list_name=list_name))
            else:
                raise FieldError(Status.ESME_RINVDESTFLAG, "dest_flag is neither 1 nor 2")
        return tuple(destinations), position

    def write(self, name: str, value: tuple[Destination, ...]) -> bytes:
        if not 1 <= len(value) <= 254:
            raise LocalError("submit_multi takes 1 to 254 destinations")
        parts = [bytes((len(value),))]
        for address, ton, npi, list_name in value:
            if list_name:
                parts.append(b"\x02" + _LIST_NAME.write("dl_name", list_name))
            else:
                parts.append(bytes((1, ton, npi)) + _ADDRESS.write("destination_addr", address))
        return b"".join(parts)


class Unsuccessfuls:
    """no_unsuccess and unsuccess_sme(s) (section 4.5.2)."""

    __slots__ = ()

    def read(self, name: str, body: bytes, position: int) -> tuple[tuple[Unsuccessful, ...], int]:
        if position >= len(body):
            raise Missing("no_unsuccess")
        count = body[position]
        position += 1
        refused: list[Unsuccessful] = []
        for _ in range(count):
            if position + 2 > len(body):
                raise Missing("unsuccess_sme")
            ton, npi = body[position], body[position + 1]
            address, position = _ADDRESS.read("unsuccess_sme", body, position + 2)
            if position + 4 > len(body):
                raise Missing("error_status_code")
            refused.append(Unsuccessful(address, ton, npi, _U32.unpack_from(body, position)[0]))
            position += 4
        return tuple(refused), position

    def write(self, name: str, value: tuple[Unsuccessful, ...]) -> bytes:
        if len(value) > 254:
            raise LocalError("submit_multi_resp takes at most 254 refused numbers")
        parts = [bytes((len(value),))]
        for address, ton, npi, command_status in value:
            parts.append(
                bytes((ton, npi)) + _ADDRESS.write("unsuccess_sme", address) + _U32.pack(command_status)
            )
        return b"".join(parts)


# Lengths with the NUL. system_id and password are 16 and 9 in the specification; operators hand out longer
# ones, and whoever has such a contract must be able to bind.
SYSTEM_ID: Final = CString(65, Status.ESME_RINVSYSID)
PASSWORD: Final = CString(65, Status.ESME_RINVPASWD)
SERVICE_TYPE: Final = CString(6, Status.ESME_RINVSERTYP)
SOURCE: Final = CString(21, Status.ESME_RINVSRCADR)
LONG_SOURCE: Final = CString(65, Status.ESME_RINVSRCADR)
DESTINATION: Final = CString(21, Status.ESME_RINVDSTADR)
LONG_DESTINATION: Final = CString(65, Status.ESME_RINVDSTADR)
SCHEDULE: Final = CString(17, Status.ESME_RINVSCHED)
VALIDITY: Final = CString(17, Status.ESME_RINVEXPIRY)
MESSAGE_ID: Final = CString(65, Status.ESME_RINVMSGID)
DATE: Final = CString(17)
OCTET: Final = Octet()
