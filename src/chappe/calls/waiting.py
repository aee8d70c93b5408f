"""Why a callee that waits is not called at this moment: what `chappe call show` says beside the time of its next call."""

from __future__ import annotations

from typing import Literal

from chappe.calls.port import NOT_TAKEN
from chappe.hours.windows import next_opening
from chappe.hours.zones import zone_of

WaitsFor = Literal["trunk", "hours", "busy", "no answer", "person", "date"]
"""trunk: it is due; the next trunk of its route that is up and has a place calls it. hours: those of marketing calls.
busy, no answer: a retry of the account's. person: one answered where a mailbox was wanted. date: the one asked for."""


def waits_for(
    number: int, *, is_marketing: bool, due_at_ms: int, changed_at_ms: int, results: list[str], now_ms: int
) -> WaitsFor:
    """Of a callee that waits until `due_at_ms` since `changed_at_ms`, after calls that had these `results`."""
    if due_at_ms <= now_ms:
        return "trunk"
    if is_marketing and next_opening("voice", changed_at_ms, zone_of(f"+{number}")) == due_at_ms:
        return "hours"
    taken = [result for result in results if result != NOT_TAKEN]
    match taken[-1] if taken else "":
        case "busy":
            return "busy"
        case "no answer":
            return "no answer"
        case "answered":
            return "person"
        case _:
            return "date"
