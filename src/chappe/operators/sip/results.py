"""What a SIP status and a Q.850 cause mean for a campaign: the results of `calls/port.py`."""

from __future__ import annotations

from typing import Final

from chappe.calls.port import Result
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
_TRUNK_TROUBLE: Final = frozenset({500, 502, 503, 504})
_CONGESTION: Final = frozenset({34, 38, 41, 42, 44, 47})


def result_of(cause: Cause, *, has_rung: bool) -> Result:
    """How a call that was not answered ended."""
    if cause.origin == "timeout":
        return "no answer" if has_rung else "lost"
    if cause.origin == "unreachable":
        return "failed"
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
    """Whether it says more about the trunk than about the number: no circuit, no answer at all, not reachable."""
    if has_rung:
        return False
    if cause.origin in ("timeout", "unreachable"):
        return True
    return cause.status in _TRUNK_TROUBLE and _BY_CAUSE.get(cause.q850) is None
