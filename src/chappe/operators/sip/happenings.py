"""What may happen to a call that came in, one after the other: to the call, to its audio, to the server."""

from __future__ import annotations

from dataclasses import dataclass

from chappe.operators.sip.agent.events import Event
from chappe.operators.sip.leg import Leg
from chappe.operators.sip.media.messages import Event as MediaEvent


@dataclass(frozen=True, slots=True)
class LegEvent:
    leg: Leg
    event: MediaEvent


@dataclass(frozen=True, slots=True)
class LegLost:
    """The media process has died."""

    leg: Leg


@dataclass(frozen=True, slots=True)
class Stopped:
    """The server stops."""


Item = Event | LegEvent | LegLost | Stopped
