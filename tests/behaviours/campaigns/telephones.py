"""The telephones behind the trunk of a round: each behaves by its number, one of them has the server killed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from chappe.calls.states import State
from tests.behaviours.campaigns.plan import Behaviour, Instant
from tests.behaviours.campaigns.store import Hand, state_of
from tests.wire.sip.far import FarEnd, Telephone, settle

RING_S = 0.15
FRAMES_BEFORE_HANGING_UP = 5
FRAMES_BEFORE_THE_KILL = 15


@dataclass
class Rung:
    """One INVITE. `life`: how often the server had been killed when it came."""

    number: int
    life: int
    telephone: Telephone
    answered: bool = False
    packets_when_killed: int = 0

    @property
    def packets(self) -> int:
        return len(self.telephone.packets)


@dataclass
class Telephones:
    """`sounds`: the octets that a number is to hear. `breaches`: what was wrong when it happened. `hand` is given
    before the first call.
    """

    behaviours: dict[int, Behaviour]
    kill: Callable[[], None]
    """Returns when the server is gone."""
    sounds: dict[int, bytes] = field(default_factory=dict[int, bytes])
    rung: list[Rung] = field(default_factory=list[Rung])
    breaches: list[str] = field(default_factory=list[str])
    life: int = 0
    trigger: tuple[Instant, int] | None = None

    def __post_init__(self) -> None:
        self.hand: Hand
        self.far = FarEnd(act=self._act)
        self.killed = asyncio.Event()

    def arm(self, instant: Instant, number: int) -> None:
        """The next call to `number` has the server killed at `instant`; `killed` is set then."""
        self.trigger = instant, number
        self.killed.clear()

    def hang_up_what_is_left(self) -> None:
        """As subscribers do who hear nothing any more; the server that they speak to knows nothing of these calls."""
        for rung in self.rung:
            telephone = rung.telephone
            if rung.life < self.life and telephone.is_established and telephone.ended is None:
                self.far.do(telephone.call.hang_up)

    def _kill(self, is_held: bool) -> None:
        self.kill()
        if is_held:
            self.hand.let_go()
        self.hand.settle()
        self.trigger = None
        self.life += 1
        for rung in self.rung:
            rung.packets_when_killed = rung.packets
        self.killed.set()

    async def _act(self, telephone: Telephone) -> None:
        assert telephone.request.uri.user is not None
        rung = Rung(int(telephone.request.uri.user.removeprefix("+")), self.life, telephone)
        self.rung.append(rung)
        telephone.on_packet = lambda: self._on_packet(rung)
        if self.trigger is not None and self.trigger[1] == rung.number:
            await self._be_killed_at(self.trigger[0], rung)
        else:
            await self._behave(self.behaviours[rung.number], rung)

    def _on_packet(self, rung: Rung) -> None:
        """The first frame came after the commit, so what is committed shows it."""
        if rung.packets == 1 and rung.life == self.life:
            state = state_of(self.hand.reads, rung.number)
            if state < State.ANSWERED:
                self.breaches.append(f"{rung.number} heard a frame in state {state}")

    async def _behave(self, behaviour: Behaviour, rung: Rung) -> None:
        far, telephone = self.far, rung.telephone
        if behaviour == "busy":
            far.do(telephone.call.reject, 486)
            return
        if behaviour == "unreachable":
            far.do(telephone.call.reject, 404)
            return
        far.do(telephone.call.ring)
        await settle(RING_S)
        if telephone.ended:
            return  # its caller gave up
        if behaviour == "rings out":
            far.do(telephone.call.reject, 480)
        elif behaviour == "declines":
            far.do(telephone.call.reject, 603)
        else:
            rung.answered = True
            await far.answer(telephone, codecs=("PCMA",))
            if behaviour == "hangs up":
                await telephone.until(lambda: rung.packets >= FRAMES_BEFORE_HANGING_UP or telephone.ended)
                if telephone.ended is None and rung.life == self.life:
                    far.do(telephone.call.hang_up)

    async def _be_killed_at(self, instant: Instant, rung: Rung) -> None:
        far, telephone = self.far, rung.telephone
        far.do(telephone.call.ring)
        if instant == "it rings":
            await settle(RING_S)
            self._kill(is_held=False)
            return
        if instant == "answered, not committed":
            self.hand.hold()
        rung.answered = True
        await far.answer(telephone, codecs=("PCMA",))
        if instant == "answered, not committed":
            await telephone.until(lambda: telephone.is_established)
            await settle(RING_S)  # for the frame that must not come
            self._kill(is_held=True)
        elif instant == "it plays":
            await telephone.until(lambda: rung.packets >= FRAMES_BEFORE_THE_KILL)
            self._kill(is_held=False)
        else:
            await telephone.until(lambda: self.sounds[rung.number] in telephone.heard)
            self.hand.hold()
            await telephone.until(lambda: telephone.ended)
            self._kill(is_held=True)
