"""A callee whose time has come."""

from __future__ import annotations

from dataclasses import dataclass

from chappe.calls.campaign import Campaign


@dataclass(frozen=True, slots=True)
class Due:
    """A callee that may be called now, after `attempts` calls."""

    campaign: Campaign
    number: int
    attempts: int
