"""Session timers (RFC 4028): a call whose peer has vanished ends, because nobody refreshes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from chappe.operators.sip.agent.timers import Timer, Timers
from chappe.operators.sip.errors import RemoteError
from chappe.operators.sip.syntax.fields import parse_parametrised
from chappe.operators.sip.syntax.grammar import read_number
from chappe.operators.sip.syntax.message import Message

FLOOR_S: Final = 30
"""Section 5 allows no interval under 90 s; a peer that insists on less is refreshed so often and no oftener."""


@dataclass(frozen=True, slots=True)
class SessionInterval:
    """`refresher` is "uac", "uas", or empty where it is left open; it means the roles of the request at hand."""

    seconds: int
    refresher: str

    def __str__(self) -> str:
        return f"{self.seconds};refresher={self.refresher}" if self.refresher else str(self.seconds)


def read_interval(message: Message) -> SessionInterval | None:
    """Session-Expires. Raises RemoteError."""
    value = message.first("Session-Expires")
    if value is None:
        return None
    seconds, parameters = parse_parametrised(value, "Session-Expires")
    refresher = (parameters.get("refresher") or "").lower()
    if refresher not in ("", "uac", "uas"):
        raise RemoteError("Session-Expires names a refresher that is neither uac nor uas")
    return SessionInterval(read_number(seconds, "Session-Expires"), refresher)


class SessionTimer:
    """One call's. `refresh` is called at half time where that is our part, `expire` when nobody did in time."""

    __slots__ = ("_expire", "_expires_ms", "_refresh", "_timer", "_timers", "interval_s", "is_ours")

    def __init__(self, timers: Timers, refresh: Callable[[int], None], expire: Callable[[int], None]) -> None:
        self._timers = timers
        self._refresh = refresh
        self._expire = expire
        self._timer: Timer | None = None
        self._expires_ms = 0
        self.interval_s = 0
        """0 while none is agreed."""
        self.is_ours = False

    def agree(self, interval_s: int, now_ms: int, *, is_ours: bool) -> None:
        """A refresh, or the first answer, says so; it counts anew from here."""
        self.stop()
        self.interval_s = max(interval_s, FLOOR_S)
        self.is_ours = is_ours
        interval_ms = self.interval_s * 1000
        self._expires_ms = now_ms + interval_ms
        if is_ours:
            self._timer = self._timers.at(now_ms + interval_ms // 2, self._due)
        else:
            # Section 10: BYE slightly before the expiration.
            self._timer = self._timers.at(self._expires_ms - min(32_000, interval_ms // 3), self._expire)

    def try_again(self, now_ms: int) -> None:
        """A refresh of ours failed in a way that leaves the call standing: once more, while there is time."""
        again_ms = now_ms + self.interval_s * 250
        if self.interval_s and self.is_ours and self._timer is None:
            action = self._due if again_ms < self._expires_ms else self._expire
            self._timer = self._timers.at(min(again_ms, self._expires_ms), action)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None

    def _due(self, now_ms: int) -> None:
        self._timer = None
        self._refresh(now_ms)
