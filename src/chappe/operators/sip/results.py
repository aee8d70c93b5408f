"""What a SIP status and a Q.850 cause mean for a campaign: the results of `calls/port.py`."""

from __future__ import annotations

from typing import Final

from chappe.calls.port import NOT_TAKEN, Result
from chappe.operators.sip.agent.causes import Cause

_BY_STATUS: Final[dict[int, Result]] = {
    486: "busy",
    600: "busy",
    487: "no answer",
    404: "unreachable",
    410: "unreachable",
    484: "unreachable",
    485: "unreachable",
    604: "unreachable",
    401: "rejected",
    402: "rejected",
    403: "rejected",
    407: "rejected",
    603: "rejected",
    607: "rejected",
    608: "rejected",
}
# Gateways say it better by the cause of the network behind them (ITU-T Q.850, table 1).
_BY_CAUSE: Final[dict[int, Result]] = {
    1: "unreachable",
    3: "unreachable",
    17: "busy",
    18: "no answer",
    19: "no answer",
    20: "unreachable",
    21: "rejected",
    22: "unreachable",
    27: "unreachable",
    28: "unreachable",
}
_CREDENTIALS: Final = frozenset({401, 407})
"""It does not know us: that is nobody's answer."""


def result_of(cause: Cause, *, has_rung: bool, is_reliable: bool = False) -> Result:
    """How a call that was not answered ended. `has_rung`: whether anything came that may mean that a telephone rang.
    `is_reliable`: it went over a stream.
    """
    if cause.origin == "timeout":
        if has_rung:
            return "no answer"
        # A datagram is repeated, and so are its answers. On a stream that broke, one answer is lost once and for all.
        return "lost" if is_reliable else NOT_TAKEN
    if is_trunk_trouble(cause, has_rung=has_rung):
        return NOT_TAKEN
    status = cause.status
    if status in (408, 480):
        by_cause = _BY_CAUSE.get(cause.q850)
        if by_cause in ("busy", "unreachable", "rejected"):
            return by_cause
        return "no answer" if has_rung or cause.q850 == 19 else "unreachable"
    found = _BY_STATUS.get(status)
    if found is None and status >= 500:
        found = _BY_CAUSE.get(cause.q850)
    return found or "failed"


def is_trunk_trouble(cause: Cause, *, has_rung: bool) -> bool:
    """Whether it says more about the trunk than about the number: no circuit, no answer at all, not reachable, or a name
    and password that do not count. Then no telephone has rung.
    """
    if has_rung:
        return False
    if cause.origin in ("timeout", "unreachable"):
        return True
    if cause.status in _CREDENTIALS:
        return True
    return 500 <= cause.status < 600 and _BY_CAUSE.get(cause.q850) is None
