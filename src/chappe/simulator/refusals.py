"""The texts that a phone with "an error at submit, then accepted" has refused once: forgotten when they come again."""

from __future__ import annotations

from typing import Final

from chappe.operators.smpp.constants import CommandStatus as Status
from chappe.operators.smpp.long_message import IncomingText
from chappe.operators.smpp.pdu import Response
from chappe.simulator.deliver import Envelope

REMEMBERED_MAX: Final = 10_000

ERROR_STATUS: Final = int(Status.ESME_RX_T_APPN)
"""A temporary error, which SMPP means to be tried again."""
VENDOR_TLV: Final = 0x1400
"""The first tag that is each vendor's own (section 5.3.2)."""


class Refusals:
    """Memory only: after a restart a text is refused once more."""

    def __init__(self) -> None:
        self._seen: dict[object, None] = {}

    def first_time(self, phone: int, envelope: Envelope, incoming: IncomingText) -> Response | None:
        """The refusal of a text that was not refused before; None when it is to be accepted."""
        key = (phone, envelope.source_addr, incoming.concatenation, incoming.octets)
        if key in self._seen:
            del self._seen[key]
            return None
        if len(self._seen) >= REMEMBERED_MAX:
            del self._seen[next(iter(self._seen))]
        self._seen[key] = None
        # No additional_status_info_text: it is not for submit_sm_resp (section 4.4.2), and ends programs made with smpplib.
        return envelope.response(ERROR_STATUS, tlvs=((VENDOR_TLV, b"\x00\x00\x04\x2a"),))
