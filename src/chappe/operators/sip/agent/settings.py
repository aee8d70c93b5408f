"""Limits and habits of a user agent."""

from __future__ import annotations

from dataclasses import dataclass, field

from chappe.operators.sip.transactions.timing import Timing


@dataclass(frozen=True, slots=True)
class Settings:
    """Times of 0 are never."""

    timing: Timing = field(default_factory=Timing)
    product: str = "Chappe"
    """User-Agent and Server."""
    session_expires_s: int = 1800
    """What is proposed as the interval of session timers (RFC 4028)."""
    min_session_s: int = 90
    """Shorter intervals of the peer's are refused with 422."""
    wants_100rel: bool = False
    """Provisional answers to incoming calls are made reliable where the caller can do that. Where it demands it they
    always are.
    """
    redirects_max: int = 0
    """How many 3xx of one call are followed. They change whom is asked for, never which way the call goes."""
    handles: frozenset[str] = frozenset()
    """Methods outside of dialogs that the owner answers itself: REGISTER, MESSAGE."""
    transactions_max: int = 100_000
    calls_max: int = 20_000
    """Incoming calls beyond are answered 503."""

    def __post_init__(self) -> None:
        assert self.min_session_s >= 90 or self.session_expires_s == 0
        assert self.session_expires_s == 0 or self.session_expires_s >= self.min_session_s
        assert self.redirects_max >= 0
        assert min(self.transactions_max, self.calls_max) > 0
