"""Judges a round of calls: what the telephones met and what the customer was told, against what is stored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from chappe.calls.states import State
from tests.behaviours.campaigns.plan import Instant, Plan
from tests.behaviours.campaigns.store import Attempt, Callee
from tests.behaviours.campaigns.telephones import Rung

OCTETS_A_SECOND = 8000
STRAY_FRAMES_MAX = 25
"""Frames that may come after the kill: what was on its way, and what the media process sends until its pipe breaks."""
CALLED: dict[Instant, State] = {
    "it rings": State.CALLING,
    "answered, not committed": State.CALLING,
    "it plays": State.ANSWERED,
    "heard, not committed": State.ANSWERED,
}
DELIVERED = ("hears", "hangs up")


@dataclass
class Evidence:
    """Everything that is known at the end. `at_kills`: the callees as they were committed at each kill."""

    plan: Plan
    sounds: dict[int, bytes]
    """What a number is to hear."""
    rung: Sequence[Rung]
    at_kills: Sequence[dict[int, Callee]]
    callees: dict[int, Callee]
    attempts: dict[int, list[Attempt]]
    callbacks: Sequence[dict[str, Any]]
    credit_micro: int
    balance_micro: int
    postings: dict[str, tuple[int, int]]
    """By token of a campaign: debited, given back."""


def breaches(evidence: Evidence) -> list[str]:
    """One line for each promise that was not kept."""
    return list(_Judge(evidence).judge())


class _Judge:
    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._rung: dict[int, list[Rung]] = defaultdict(list)
        for rung in evidence.rung:
            self._rung[rung.number].append(rung)

    def judge(self) -> Iterator[str]:
        evidence = self._evidence
        if sorted(evidence.callees) != evidence.plan.numbers:
            yield f"callees {sorted(evidence.callees)}, asked for {evidence.plan.numbers}"
        for life, (instant, number) in enumerate(evidence.plan.kills):
            if evidence.at_kills[life][number].state != CALLED[instant]:
                yield f"kill {life} was not when {instant}: {evidence.at_kills[life][number]}"
        for number, callee in evidence.callees.items():
            for line in self._callee(callee, evidence.attempts.get(number, []), self._rung[number]):
                yield f"{number} ({evidence.plan.behaviours[number]}): {line}"
        yield from self._money()
        yield from self._told()

    def _callee(self, callee: Callee, attempts: list[Attempt], rung: list[Rung]) -> Iterator[str]:
        if callee.state < State.DELIVERED:
            yield f"has not come to an end: {callee}"
        if callee.attempts != len(attempts):
            yield f"says {callee.attempts} attempts, has {len(attempts)}"
        # The last call of a life may have been committed without its INVITE having left.
        if len(rung) > len(attempts):
            yield f"was called {len(rung)} times, the history says {len(attempts)}"
        again = [attempt for attempt in attempts if attempt.reason == "called again"]
        if len(attempts) > 1 + len(again):
            yield f"called {len(attempts)} times without a reason: {attempts}"
        if again and self._evidence.plan.on_lost_response == "hold":
            yield f"was called again: {attempts}"
        if sum(each.packets > 0 for each in rung) > 1:
            yield f"heard something {sum(each.packets > 0 for each in rung)} times"
        for each in rung:
            if each.packets - each.packets_when_killed > STRAY_FRAMES_MAX and each.packets_when_killed:
                yield f"{each.packets - each.packets_when_killed} frames came after the kill"
        yield from self._over_kills(callee, rung)
        if all(attempt.result != "lost" for attempt in attempts):
            yield from self._undisturbed(callee, attempts, rung)
        if not 0 <= callee.refund_micro <= callee.cost_micro:
            yield f"got {callee.refund_micro} of {callee.cost_micro} back"

    def _over_kills(self, callee: Callee, rung: list[Rung]) -> Iterator[str]:
        for life, at_kill in enumerate(self._evidence.at_kills):
            if callee.number not in at_kill:
                continue  # its campaign came later
            was = at_kill[callee.number]
            later = [each for each in rung if each.life > life]
            if was.state == State.WAITING:
                if not later and callee.state != State.LOST:
                    yield f"waited at kill {life}, and was never called"
            elif was.state == State.CALLING:
                if any(each.packets for each in rung if each.life <= life):
                    yield f"had heard something at kill {life}, and was not committed as answered"
                if self._evidence.plan.on_lost_response == "resend":
                    if not later and callee.state != State.LOST:
                        yield f"rang at kill {life}, and was not called again"
                elif later or callee.state != State.LOST or callee.refund_micro != callee.cost_micro:
                    yield f"rang at kill {life}: called {len(later)} times since, now {callee}"
            elif was.state == State.ANSWERED:
                if later or callee.state != State.DELIVERED or callee.refund_micro:
                    yield f"was answered at kill {life}: called {len(later)} times since, now {callee}"
            elif later or callee != was:
                yield f"had ended at kill {life} as {was}, called {len(later)} times since, now {callee}"

    def _undisturbed(self, callee: Callee, attempts: list[Attempt], rung: list[Rung]) -> Iterator[str]:
        """One call, which ended as its telephone behaved."""
        behaviour = self._evidence.plan.behaviours[callee.number]
        if len(rung) != 1 or len(attempts) != 1:
            yield f"was called {len(rung)} times, the history says {len(attempts)}"
            return
        (attempt,), (one,) = attempts, rung
        expected = {
            "hears": ("answered", 200),
            "hangs up": ("answered", 200),
            "busy": ("busy", 486),
            "rings out": ("no answer", 480),
            "unreachable": ("unreachable", 404),
            "declines": ("rejected", 603),
        }[behaviour]
        if (attempt.result, attempt.status) != expected:
            yield f"ended as {attempt}"
        if behaviour not in DELIVERED:
            if callee.state != State.UNDELIVERED or callee.refund_micro != callee.cost_micro or one.packets:
                yield f"heard {one.packets} frames, now {callee}"
            return
        sound = self._evidence.sounds[callee.number]
        if behaviour == "hears" and sound not in one.telephone.heard:
            yield f"heard {len(one.telephone.heard)} octets of {len(sound)}"
        price_micro = callee.cost_micro // max(1, -(-len(sound) // OCTETS_A_SECOND))
        heard_s = max(1, -(-attempt.played_ms // 1000))
        if callee.state != State.DELIVERED or callee.duration_s != heard_s:
            yield f"{attempt.played_ms} ms were played, now {callee}"
        if callee.cost_micro - callee.refund_micro != price_micro * callee.duration_s:
            yield f"{callee.duration_s} s of {price_micro} cost {callee.cost_micro - callee.refund_micro}"

    def _money(self) -> Iterator[str]:
        evidence = self._evidence
        by_token: dict[str, list[Callee]] = defaultdict(list)
        for callee in evidence.callees.values():
            by_token[callee.token].append(callee)
        for token, those in by_token.items():
            stored = sum(c.cost_micro for c in those), sum(c.refund_micro for c in those)
            if evidence.postings.get(token) != stored:
                yield f"campaign {token}: posted {evidence.postings.get(token)}, its callees say {stored}"
        kept = sum(callee.cost_micro - callee.refund_micro for callee in evidence.callees.values())
        if evidence.balance_micro != evidence.credit_micro - kept:
            yield f"{evidence.balance_micro} are left of {evidence.credit_micro}, of which {kept} were kept"

    def _told(self) -> Iterator[str]:
        """At least once, and always the same."""
        words: dict[int, set[tuple[str, str, int]]] = defaultdict(set)
        for body in self._evidence.callbacks:
            number = int(body["phoneNumber"].removeprefix("00"))
            words[number].add((body["status"], body["additionnal_status"], body["duration"]))
        for number, callee in self._evidence.callees.items():
            is_delivered = callee.state == State.DELIVERED
            word = ("delivered", "VOICE_ANSWERED") if is_delivered else ("undelivered", "VOICE_NOT_ANSWERED")
            if words[number] != {(*word, callee.duration_s)}:
                yield f"{number}: now {callee}, the customer was told {words[number]}"
