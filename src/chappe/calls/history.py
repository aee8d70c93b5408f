"""The history of a campaign, for a person: who was called when, by which trunk, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from chappe.calls.states import State
from chappe.calls.waiting import WaitsFor, waits_for
from chappe.storage.database import Reader


class Attempt(msgspec.Struct, frozen=True):
    """One call. `result` is "" while it is under way."""

    attempt: int
    operator: str
    left_at_ms: int
    answered_at_ms: int | None
    ended_at_ms: int | None
    result: str
    status: int
    cause: int
    party: str
    reason: str
    played_ms: int
    progress: str


@dataclass(frozen=True)
class CalleeHistory:
    """A callee and its calls, oldest first. `waits_for`: why it is not called now; None unless it waits."""

    number: int
    state: State
    due_at_ms: int
    changed_at_ms: int
    cost_micro: int
    refund_micro: int
    duration_s: int
    attempts: list[Attempt]
    waits_for: WaitsFor | None


@dataclass(frozen=True)
class CampaignHistory:
    """A campaign without its text. `notice_to`: who is to be told by e-mail that it has ended. `retries`: further calls
    to a number after busy and no answer, each `retry_delay_s` later.
    """

    token: str
    email: str
    kind: str
    accepted_at_ms: int
    ended_at_ms: int | None
    notice_to: str
    retries: int
    retry_delay_s: int
    callees: list[CalleeHistory]


def campaign_history(reader: Reader, token: str, now_ms: int) -> CampaignHistory | None:
    """The history of a campaign of any account; None when there is no such campaign."""
    row = reader.one(
        "SELECT c.id, a.email, c.kind, c.created_at_ms, c.ended_at_ms, c.email, c.is_marketing, c.retries,"
        " c.retry_delay_s FROM campaigns c"
        " JOIN accounts a ON a.id = c.account_id WHERE c.token = ?",
        (token,),
    )
    if row is None:
        return None
    campaign_id, email, kind, created_at_ms, ended_at_ms, notice_to, is_marketing, retries, retry_delay_s = (
        row
    )
    attempts: dict[int, list[Attempt]] = {}
    for number, *columns in reader.all(
        "SELECT number, attempt, operator, left_at_ms, answered_at_ms, ended_at_ms, result, status, cause, party,"
        " reason, played_ms, progress FROM call_attempts WHERE campaign_id = ? ORDER BY number, attempt",
        (campaign_id,),
    ):
        attempts.setdefault(number, []).append(Attempt(*columns))
    callees: list[CalleeHistory] = []
    for number, state, due_at_ms, changed_at_ms, cost_micro, refund_micro, duration_s in reader.all(
        "SELECT number, state, due_at_ms, changed_at_ms, cost_micro, refund_micro, duration_s FROM callees"
        " WHERE campaign_id = ? ORDER BY number",
        (campaign_id,),
    ):
        calls = attempts.get(number, [])
        reason = None
        if state == State.WAITING:
            reason = waits_for(
                number,
                is_marketing=bool(is_marketing),
                due_at_ms=due_at_ms,
                changed_at_ms=changed_at_ms,
                results=[call.result for call in calls],
                now_ms=now_ms,
            )
        callees.append(
            CalleeHistory(
                number,
                State(state),
                due_at_ms,
                changed_at_ms,
                cost_micro,
                refund_micro,
                duration_s,
                calls,
                reason,
            )
        )
    return CampaignHistory(
        token, email, kind, created_at_ms, ended_at_ms, notice_to, retries, retry_delay_s, callees
    )


@dataclass(frozen=True)
class CampaignLine:
    """A campaign in a list. `due_at_ms`: its date, where it has one; `open_count`: callees that have not ended."""

    token: str
    email: str
    kind: str
    accepted_at_ms: int
    due_at_ms: int | None
    ended_at_ms: int | None
    callee_count: int
    open_count: int
    delivered_count: int
    cost_micro: int
    is_cancelled: bool


def latest_campaigns(reader: Reader, account_id: int | None, limit: int) -> list[CampaignLine]:
    """The newest campaigns, of one account or of all; the newest first."""
    where, params = ("", ()) if account_id is None else (" WHERE c.account_id = ?", (account_id,))
    rows = reader.all(
        "SELECT c.cancelled_at_ms, c.token, a.email, c.kind, c.created_at_ms, c.due_at_ms, c.ended_at_ms, c.callee_count,"
        " c.open_count, (SELECT COUNT(*) FROM callees x WHERE x.campaign_id = c.id AND"
        f" x.state = {State.DELIVERED:d}), c.cost_micro FROM campaigns c JOIN accounts a ON a.id = c.account_id{where}"
        " ORDER BY c.id DESC LIMIT ?",
        (*params, limit),
    )
    return [
        CampaignLine(*columns, is_cancelled=cancelled_at_ms is not None) for cancelled_at_ms, *columns in rows
    ]
