"""Calls that came in, and recordings, as the command line prints them."""

from __future__ import annotations

from typing import Any

from chappe.calls.recordings import OCTETS_PER_MS, IncomingCall, Recording


def shown_incoming(call: IncomingCall) -> dict[str, Any]:
    """JSON-ready; times in milliseconds since the epoch. `caller` is None where it is withheld."""
    return {
        "id": call.id,
        "trunk": call.trunk,
        "number": f"+{call.number}",
        "caller": f"+{call.caller}" if call.caller else None,
        "action": call.action,
        "to": f"+{call.target}" if call.target else None,
        "onward": call.onward or None,
        "beganAtMs": call.began_at_ms,
        "answeredAtMs": call.answered_at_ms,
        "endedAtMs": call.ended_at_ms,
        "result": call.result or "under way",
        "status": call.status,
        "cause": call.cause,
        "recordedMs": None if call.recorded_octets is None else call.recorded_octets // OCTETS_PER_MS,
    }


def shown_recording(recording: Recording) -> dict[str, Any]:
    """JSON-ready."""
    return {
        "id": recording.id,
        "state": recording.state,
        "number": f"+{recording.number}",
        "caller": f"+{recording.caller}" if recording.caller else None,
        "beganAtMs": recording.began_at_ms,
        "durationMs": recording.duration_ms,
    }
