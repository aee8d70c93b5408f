"""A callee whose time has come."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from chappe.calls.campaign import Campaign


@dataclass(frozen=True, slots=True)
class Due:
    """A callee that may be called now, after `attempts` calls, of which these trunks have not taken the latest."""

    campaign: Campaign
    number: int
    attempts: int
    refused_by: Collection[str] = ()
