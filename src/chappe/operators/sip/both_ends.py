"""A recording of both ends of a call that is passed on, mixed into one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import structlog
from numpy.typing import NDArray

from chappe.audio import g711
from chappe.operators.sip.leg import Leg
from chappe.operators.sip.media.messages import Heard, Record
from chappe.operators.sip.recorded import LAWS, Recorded

if TYPE_CHECKING:
    from chappe.operators.sip.arrived import ArrivedCall

_log: structlog.stdlib.BoundLogger = structlog.get_logger("sip")

QUIET: Final = 8
"""What silence is in A-law, which has no zero; added to a voice it would move it by half a step."""
AHEAD_SAMPLES_MAX: Final = 80_000
"""Both are paced by one clock, and told at least once in 5 s: whoever lags by 10 s says nothing any more."""


class BothEnds:
    """From `begin` to `finish`. `is_cut`: it ends before the call does, or has a hole."""

    def __init__(self, arrived: ArrivedCall, legs: Sequence[Leg]) -> None:
        self._arrived = arrived
        self._recorded = Recorded(arrived)
        self._heard = {leg: np.zeros(0, dtype=np.int16) for leg in legs}
        self.is_cut = False

    def begin(self, ms_max: int) -> None:
        for leg in self._heard:
            if leg.stream is not None:
                leg.tell(Record(leg.stream, ms_max, is_paced=True))

    def take(self, leg: Leg, event: Heard) -> None:
        if self.is_cut or leg not in self._heard:
            return
        if self._arrived.journal.is_full:
            # The call goes on without: what is said is theirs, the recording is ours.
            _log.error(
                "a recording ends: the storage has been away for too long", call=self._arrived.arriving.id
            )
            self.is_cut = True
            return
        self._heard[leg] = np.concatenate([self._heard[leg], g711.decode(event.octets, LAWS[event.codec])])
        lengths = [len(heard) for heard in self._heard.values()]
        self._mix(max(min(lengths), max(lengths) - AHEAD_SAMPLES_MAX))

    def finish(self) -> None:
        """Nothing more is heard."""
        self._mix(max(len(heard) for heard in self._heard.values()))
        self._recorded.flush()

    def _mix(self, count: int) -> None:
        mixed: NDArray[np.int32] = np.zeros(count, dtype=np.int32)
        for leg, heard in self._heard.items():
            part = heard[:count]
            mixed[: len(part)] += np.where(part == QUIET, 0, part)
            self._heard[leg] = heard[count:]
        # Both may shout at once.
        self._recorded.add("alaw", g711.encode(np.clip(mixed, -32768, 32767).astype(np.int16), "alaw"))
