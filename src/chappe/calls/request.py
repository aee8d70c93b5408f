"""A campaign that is asked for, understood and priced, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from chappe.storage.database import Transaction

Kind = Literal["speech", "deposit"]
"""speech: a voice SMS (`tts/send`). deposit: a message left in a mailbox (`campaign/send`)."""


@dataclass(frozen=True, slots=True)
class CampaignRequest:
    """One campaign for up to 500 numbers, which are E.164 digits as integers, distinct.

    `text` or `audio_id` or both. `quoted_s` are the started seconds a callee may cost at the most (1 for a deposit),
    `costs_micro` what each number is debited for them. `due_at_ms` is None for at once.
    """

    account_id: int
    kind: Kind
    text: str
    lang: str
    rate: float
    audio_id: int | None
    sender: str
    notify_url: str
    email: str
    numbers: Sequence[int]
    costs_micro: Sequence[int]
    quoted_s: int
    due_at_ms: int | None
    is_marketing: bool


@dataclass(frozen=True, slots=True)
class AcceptedCampaign:
    """On disk, debited once. `token` is the public campaignId. `opted_out` were left out and cost nothing."""

    id: int
    token: str
    cost_micro: int
    opted_out: frozenset[int]


class NobodyToCall(Exception):
    """Every number of the request had opted out; nothing was written."""


class AudioGone(Exception):
    """The audio file was deleted, or refused, a moment ago; nothing was written."""


Also = Callable[[Transaction, AcceptedCampaign], None]
"""Something to be written in the same transaction as an accepted campaign: the remembered answer."""
