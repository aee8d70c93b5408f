"""Lets a callee be called: the last look at the rules, then `calling`, in one transaction, before the INVITE leaves."""

from __future__ import annotations

from typing import Final

from chappe.calls.due import Due
from chappe.calls.finish import Ending, Ids, finish
from chappe.calls.port import NOT_TAKEN
from chappe.calls.states import State
from chappe.hours.windows import next_opening
from chappe.hours.zones import zone_of
from chappe.optouts.numbers import opted_out_among
from chappe.storage.database import Reader, Transaction

ATTEMPTS_MAX: Final = 4
ATTEMPTS_DAYS: Final = 30
"""Marketing: at most four attempts for one number in thirty days (Code de la consommation D223-9)."""
_DAY_MS: Final = 86_400_000

_LATER: Final = (
    "UPDATE callees SET due_at_ms = ?, changed_at_ms = ?"
    f" WHERE campaign_id = ? AND number = ? AND state = {State.WAITING:d}"
)
_CALL: Final = (
    f"UPDATE callees SET state = {State.CALLING:d}, attempts = ?, operator = ?, owner = ?, changed_at_ms = ?"
    f" WHERE campaign_id = ? AND number = ? AND attempts = ? AND state = {State.WAITING:d}"
)
_RECORD: Final = (
    "INSERT INTO call_attempts (campaign_id, number, attempt, account_id, operator, left_at_ms, result, status, cause,"
    " party, reason, played_ms, progress) VALUES (?, ?, ?, ?, ?, ?, '', 0, 0, '', '', 0, '')"
)
_ATTEMPTS: Final = (
    "SELECT COUNT(*) FROM call_attempts t JOIN campaigns c ON c.id = t.campaign_id"
    " WHERE t.account_id = ? AND t.number = ? AND t.left_at_ms > ? AND c.is_marketing = 1"
    f" AND t.result <> '{NOT_TAKEN}'"
)

_HAS_LEFT: Final = (
    "SELECT 1 FROM callees WHERE campaign_id = ? AND number = ? AND attempts = ? AND operator = ? AND owner = ?"
    f" AND changed_at_ms = ? AND state = {State.CALLING:d}"
)


def let_call(tx: Transaction, due: Due, trunk: str, owner: int, ids: Ids, now_ms: int) -> bool:
    """True when the call is to be made now; otherwise the callee was ruled out, put off, or was not waiting any more."""
    campaign, number = due.campaign, due.number
    if opted_out_among(tx, campaign.account_id, [number]):
        finish(tx, campaign, number, Ending(State.OPTED_OUT, 0, now_ms), ids, now_ms)
        return False
    if campaign.is_marketing:
        opens_ms = next_opening("voice", now_ms, zone_of(f"+{number}"))
        if opens_ms > now_ms:
            tx.run(_LATER, (opens_ms, now_ms, campaign.id, number))
            return False
        if not tx.try_lock(f"attempts of account {campaign.account_id} at {number}"):
            return False  # another process counts and calls this moment; the next look finds what it did
        since_ms = now_ms - ATTEMPTS_DAYS * _DAY_MS
        row = tx.one(_ATTEMPTS, (campaign.account_id, number, since_ms))
        assert row is not None
        if row[0] >= ATTEMPTS_MAX:
            # Attempts of this campaign were made and charged nothing; what was heard before is another campaign's.
            finish(tx, campaign, number, Ending(State.CAPPED, 0, now_ms), ids, now_ms)
            return False
    attempt = due.attempts + 1
    if not tx.run(_CALL, (attempt, trunk, owner, now_ms, campaign.id, number, due.attempts)):
        return False  # cancelled a moment ago
    tx.run(_RECORD, (campaign.id, number, attempt, campaign.account_id, trunk, now_ms))
    return True


def is_to_be_made(reader: Reader, due: Due, trunk: str, owner: int, now_ms: int) -> bool:
    """Whether a `let_call` at `now_ms`, of whose commit nothing is known, was committed."""
    key = (due.campaign.id, due.number, due.attempts + 1, trunk, owner, now_ms)
    return reader.one(_HAS_LEFT, key) is not None
