"""Limits and timers of a session."""

from dataclasses import dataclass

from chappe.operators.smpp.constants import HEADER_OCTETS, PDU_OCTETS_MAX


@dataclass(frozen=True, slots=True)
class Settings:
    """Limits and timers. A timer of 0 never fires."""

    window: int = 100
    """Requests of ours that may wait for their response at a time."""
    settled_by_owner: bool = False
    """A slot is free again only when the owner says so (`Session.settle`), after it committed the result."""
    unanswered_max: int = 4096
    """Requests of the peer's that may wait for our owner; more are answered ESME_RMSGQFUL."""
    late_max: int = 1024
    """Timed-out requests that are remembered for a late response."""
    pdu_octets_max: int = PDU_OCTETS_MAX
    response_ms: int = 30_000
    enquire_link_ms: int = 30_000
    """Nothing received for so long: ask. No answer, and nothing else either, within `response_ms`: the end."""
    inactivity_ms: int = 0
    bind_ms: int = 30_000
    """From the connection to the end of the bind."""

    def __post_init__(self) -> None:
        assert self.window >= 1
        assert self.unanswered_max >= 1
        assert self.late_max >= 0
        assert self.pdu_octets_max >= HEADER_OCTETS
        assert min(self.response_ms, self.enquire_link_ms, self.inactivity_ms, self.bind_ms) >= 0
