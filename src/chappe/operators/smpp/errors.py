"""What can go wrong: the peer's framing, the peer's body, or our own side. Anything else is a defect of ours.

No text here ever holds content of a PDU: field names, lengths and numbers only.
"""

from chappe.operators.smpp.constants import command_name, status_name


class SmppError(Exception):
    """The base of the three."""


class FramingError(SmppError):
    """The stream cannot be cut into PDUs any more; the only error that ends a session (section 3.2)."""

    def __init__(self, reason: str, sequence_number: int = 0) -> None:
        super().__init__(reason)
        self.sequence_number = sequence_number
        """As far as the header could be read, else 0: what a generic_nack answers."""


class BodyError(SmppError):
    """One PDU cannot be understood; its borders are known, so the session goes on."""

    def __init__(self, command_id: int, sequence_number: int, command_status: int, reason: str) -> None:
        super().__init__(f"{command_name(command_id)}: {reason} ({status_name(command_status)})")
        self.command_id = command_id
        self.sequence_number = sequence_number
        self.command_status = command_status
        """The status to answer."""
        self.reason = reason


class LocalError(SmppError):
    """Our side asked for what the protocol, the session's state or a limit does not allow. Nothing was sent."""


class WindowFull(LocalError):
    """As many requests wait for their response as the window holds."""
