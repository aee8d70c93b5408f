"""Accepts a campaign: debit and twin, campaign, callees, in ONE transaction. The callees are the outbox themselves."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable
from typing import Final

from chappe.calls.request import AcceptedCampaign, Also, AudioGone, CampaignRequest, NobodyToCall
from chappe.calls.states import State
from chappe.credit.ledger import HOUSE_SALES, Posting, post
from chappe.hours.windows import next_opening
from chappe.hours.zones import zone_of
from chappe.optouts.numbers import opted_out_among
from chappe.storage.database import Transaction
from chappe.storage.store import Store

CAUSE_CALL: Final = "voice"
TOKEN_CHARS: Final = 12
_ALPHABET: Final = string.ascii_letters + string.digits

_CAMPAIGN: Final = (
    "INSERT INTO campaigns (id, token, account_id, kind, text, lang, rate_percent, audio_id, sender, notify_url, email,"
    " is_marketing, due_at_ms, quoted_s, retries, retry_delay_s, cost_micro, callee_count, open_count, created_at_ms)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_CALLEE: Final = (
    "INSERT INTO callees (campaign_id, number, state, cost_micro, refund_micro, attempts, operator, due_at_ms,"
    f" changed_at_ms) VALUES (?, ?, {State.WAITING:d}, ?, 0, 0, '', ?, ?)"
)
# It changes nothing, and keeps the row: whoever deletes the file, or refuses it, was before or comes after.
_HOLD_FILE: Final = (
    "UPDATE audio_files SET state = state WHERE id = ? AND state = 'valid' AND deleted_at_ms IS NULL"
)


class CampaignAcceptor:
    """Takes campaigns in. `on_accepted` is called after the commit, to wake the dispatcher."""

    def __init__(self, store: Store, on_accepted: Callable[[], None]) -> None:
        self._store = store
        self._on_accepted = on_accepted

    async def accept(self, request: CampaignRequest, also: Also | None = None) -> AcceptedCampaign:
        """Raises `InsufficientCredit`, `NobodyToCall` or `AudioGone`; then nothing is written."""
        assert len(request.numbers) == len(request.costs_micro)
        campaign_id = await self._store.ids("campaigns").take()
        posting_id = await self._store.ids("postings").take()
        token = "".join(secrets.choice(_ALPHABET) for _ in range(TOKEN_CHARS))
        now_ms = self._store.clock.now_ms()

        def unit(tx: Transaction) -> AcceptedCampaign:
            accepted = _write(tx, request, campaign_id, token, posting_id, now_ms)
            if also is not None:
                also(tx, accepted)
            return accepted

        accepted = await self._store.database.write(unit)
        self._on_accepted()
        return accepted


def _write(
    tx: Transaction, request: CampaignRequest, campaign_id: int, token: str, posting_id: int, now_ms: int
) -> AcceptedCampaign:
    opted_out = frozenset(opted_out_among(tx, request.account_id, request.numbers))
    left = [
        (number, cost_micro)
        for number, cost_micro in zip(request.numbers, request.costs_micro, strict=True)
        if number not in opted_out
    ]
    if not left:
        raise NobodyToCall
    if request.audio_id is not None and not tx.run(_HOLD_FILE, (request.audio_id,)):
        raise AudioGone
    cost_micro = sum(cost for _, cost in left)
    dues = [first_due_ms(request, number, now_ms) for number, _ in left]
    is_deferred = request.due_at_ms is not None or min(dues) > now_ms
    settings = tx.one(
        "SELECT voice_retries, voice_retry_delay_s FROM accounts WHERE id = ?", (request.account_id,)
    )
    assert settings is not None
    posting = Posting(
        posting_id, request.account_id, -cost_micro, HOUSE_SALES, CAUSE_CALL, str(campaign_id), now_ms
    )
    post(tx, posting)
    tx.run(
        _CAMPAIGN,
        (
            campaign_id,
            token,
            request.account_id,
            request.kind,
            request.text,
            request.lang,
            round(request.rate * 100),
            request.audio_id,
            request.sender,
            request.notify_url,
            request.email,
            int(request.is_marketing),
            min(dues) if is_deferred else None,
            request.quoted_s,
            *settings,
            cost_micro,
            len(left),
            len(left),
            now_ms,
        ),
    )
    tx.run_many(
        _CALLEE,
        [
            (campaign_id, number, cost, due_at_ms, now_ms)
            for (number, cost), due_at_ms in zip(left, dues, strict=True)
        ],
    )
    return AcceptedCampaign(campaign_id, token, cost_micro, opted_out)


def first_due_ms(request: CampaignRequest, number: int, now_ms: int) -> int:
    """When a number may be called first: at the date asked for, and for marketing not before its hours open."""
    due_at_ms = max(request.due_at_ms or now_ms, now_ms)
    return next_opening("voice", due_at_ms, zone_of(f"+{number}")) if request.is_marketing else due_at_ms
