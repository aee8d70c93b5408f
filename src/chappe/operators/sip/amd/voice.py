"""Where somebody speaks into the telephone. Arrays with one row a slot.

Of each frame its level is kept, and what in it is like a voice by itself: harmonics, and a level that moves as syllables
do. What of that was speech is judged again and again, from the beginning, by how loud the quiet and the loud moments of
the call are by then, and by how harmonic its noise is. So noise that is there from the beginning is no speech, nor is a
car that passes; and voices in the background are none once somebody was nearer.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from chappe.operators.sip.amd.parameters import Parameters
from chappe.operators.sip.amd.spectrum import Floats, Indexes, decibels

FRAME_MS: Final = 20
SMOOTH: Final = np.float32(0.5)
"""Of the new frame in the smoothed power: the dips within a word fill up."""
AROUND: Final = 4
"""A frame is known with so many on either side of it."""
NEAR: Final = 3
"""Its level is the mean of so many on either side ..."""
WIDE: Final = 8
"""... and of so many, as far as they came, for a syllable has neighbours ..."""
NEXT: Final = 2
"""... and its harmony of so many."""
RECENT: Final = 16
KEPT: Final = 768
"""Frames that are kept: 15 s; then the older half is forgotten."""
LEVELS: Final = 160
LEVEL_DB: Final = np.float32(0.5)
"""Levels are kept in steps of so much, down from full scale."""
HARMONIES: Final = 128
NEVER: Final = np.float32(-1000)
"""Evidence of a frame that is no speech whatever the others are: a tone, or nothing that came."""
EVIDENCE_MAX: Final = 6.0
"""A frame counts with no more in the mean."""
WORD: Final = 4
WORD_LEAST: Final = 3
"""So many of so many frames in a row are speech: somebody speaks."""

Ints = NDArray[np.int32]
Flags = NDArray[np.bool_]
Octets = NDArray[np.uint8]


class Voice:
    """`take` a frame of each slot; `judge` what was taken so far."""

    def __init__(self, parameters: Parameters, slots: int) -> None:
        self._parameters = parameters
        self._learn = parameters.learn_ms // FRAME_MS
        self.taken: Ints = np.zeros(slots, np.int32)
        """Frames that came."""
        self.first: Ints = np.full(slots, -1, np.int32)
        """The frame in which speech began first; -1: nobody has spoken."""
        self.last: Ints = np.full(slots, -1, np.int32)
        """The last frame of speech so far."""
        self.voiced: Ints = np.zeros(slots, np.int32)
        """Frames of speech among those that are kept."""
        self.strength: Floats = np.zeros(slots, np.float32)
        """Mean evidence of these, above what speech needs."""
        self.strong: Ints = np.zeros(slots, np.int32)
        """Frames among these that have much evidence."""
        self.spread_db: Floats = np.zeros(slots, np.float32)
        """Between the quiet and the loud moments."""
        self.noise_harmony: Floats = np.zeros(slots, np.float32)
        """Of the frames that have least, so of the noise: voices in the background have more than wind."""
        self._smooth: Floats = np.zeros(slots, np.float32)
        self._recent_db: Floats = np.zeros((slots, RECENT), np.float32)
        self._recent_harmony: Floats = np.zeros((slots, RECENT), np.float32)
        self._levels: Octets = np.zeros((slots, KEPT), np.uint8)
        self._evidence: Floats = np.zeros((slots, KEPT), np.float32)
        self._base: Ints = np.zeros(slots, np.int32)
        """Frames that are forgotten."""
        self._seen_levels: Floats = np.zeros((slots, LEVELS), np.float32)
        """How many frames had which level."""
        self._seen_harmonies: Floats = np.zeros((slots, HARMONIES), np.float32)
        self._is_sound: NDArray[np.bool_] = np.zeros((slots, RECENT), np.bool_)
        """Whether one of the last frames was audio that may be speech."""

    def reset(self, slot: int) -> None:
        self.taken[slot] = self.voiced[slot] = self.strong[slot] = self._base[slot] = 0
        self.first[slot] = self.last[slot] = -1
        self.strength[slot] = self.spread_db[slot] = self.noise_harmony[slot] = 0
        self._smooth[slot] = 0
        self._recent_db[slot] = self._parameters.floor_dbov
        self._recent_harmony[slot] = 0
        self._is_sound[slot] = False
        self._seen_levels[slot] = 0
        self._seen_harmonies[slot] = 0
        self._evidence[slot] = NEVER

    def take(self, at: Indexes, bands: Floats, harmony: Floats, is_audio: Flags, is_quiet: Flags) -> None:
        """A frame of each of `at`. What is neither audio nor quiet is lost, and counts as what was before."""
        power = bands[:, 1:].sum(axis=1)  # the first band is for hum
        smooth = self._smooth[at]
        weight = np.where(smooth == 0, np.float32(1), SMOOTH)
        smooth = np.where(is_audio, smooth + weight * (power - smooth), smooth)
        smooth[is_quiet] = 0
        self._smooth[at] = smooth
        taken = self.taken[at]
        now, before = taken % RECENT, (taken - 1) % RECENT
        is_lost = ~(is_audio | is_quiet)
        self._recent_db[at, now] = np.maximum(decibels(smooth), np.float32(self._parameters.floor_dbov))
        self._recent_harmony[at, now] = np.where(is_lost, self._recent_harmony[at, before], harmony)
        self._is_sound[at, now] = np.where(is_lost, self._is_sound[at, before], is_audio)
        self.taken[at] = taken + 1
        known = at[taken >= 2 * AROUND]
        if len(known):
            self._keep(known)

    def mark_tone(self, slot: int, frames: int) -> None:
        """The last so many frames are a tone, not speech."""
        taken = int(self.taken[slot])
        for back in range(1, min(frames, RECENT) + 1):
            self._is_sound[slot, (taken - back) % RECENT] = False
        end = taken - AROUND - int(self._base[slot])
        begin = max(0, end - frames)
        if begin >= end:
            return
        was_sound = self._evidence[slot, begin:end] > NEVER
        levels = self._levels[slot, begin:end][was_sound]
        np.subtract.at(self._seen_levels[slot], levels, 1)
        self._evidence[slot, begin:end] = NEVER
        self._levels[slot, begin:end] = 0  # nor is what is beside it loud for that

    def judge(self, at: Indexes) -> None:
        """What was speech, by all that is known now. Nothing is said while the noise is being learnt."""
        at = at[self.taken[at] >= self._learn]
        if not len(at):
            return
        parameters = self._parameters
        below = np.cumsum(self._seen_levels[at], axis=1)
        quiet = _step_of(below, parameters.quiet_part) * LEVEL_DB
        loud = _step_of(below, parameters.loud_part) * LEVEL_DB
        spread = loud - quiet
        below = np.cumsum(self._seen_harmonies[at], axis=1)
        harmony = _step_of(below, parameters.noise_harmony_part) / np.float32(HARMONIES)
        base = self._base[at]
        length = int((self.taken[at] - base).max())
        more = spread + np.float32(parameters.spread_db_more)
        slope = np.float32(parameters.level_weight) / more
        wide_slope = np.float32(parameters.around_weight) / more
        levels = self._levels[at, :length] * LEVEL_DB
        least = (
            np.float32(parameters.speech_evidence)
            + np.float32(parameters.spread_weight) * spread
            + np.float32(parameters.noise_harmony_weight) * harmony
            + (slope + wide_slope) * quiet
        )
        evidence = self._evidence[at, :length] + slope[:, None] * levels
        evidence += wide_slope[:, None] * _around(levels, self.taken[at] - AROUND - base)
        evidence -= least[:, None]
        is_active = evidence > 0
        above = np.where(is_active, np.minimum(evidence, np.float32(EVIDENCE_MAX)), 0).sum(axis=1)
        self.strength[at] = above / np.maximum(1, is_active.sum(axis=1))
        self.spread_db[at], self.noise_harmony[at] = spread, harmony
        self.strong[at] = (evidence > np.float32(parameters.strong_evidence)).sum(axis=1)
        self._judge(at, base, is_active)

    # Inside

    def _keep(self, at: Indexes) -> None:
        """The frame in the middle of the last ones."""
        parameters = self._parameters
        middle = self.taken[at] - 1 - AROUND
        rows = at[:, None]

        def around(count: int) -> NDArray[np.int32]:
            return (middle[:, None] + np.arange(-count, count + 1)) % RECENT

        recent_db = self._recent_db[rows, around(AROUND)]
        moves = recent_db.std(axis=1)
        level = recent_db[:, AROUND - NEAR : AROUND + NEAR + 1].mean(axis=1)
        harmony = self._recent_harmony[rows, around(NEXT)].mean(axis=1)
        is_sound = self._is_sound[at, middle % RECENT]
        levels = np.clip((level + LEVEL_DB * LEVELS) / LEVEL_DB, 0, LEVELS - 1).astype(np.uint8)
        place = middle - self._base[at]
        for slot in at[place >= KEPT - 2]:
            half = KEPT // 2
            self._levels[slot, :half] = self._levels[slot, half:]
            self._evidence[slot, :half] = self._evidence[slot, half:]
            self._evidence[slot, half:] = NEVER
            self._base[slot] += half
        place = middle - self._base[at]
        evidence = (
            np.float32(parameters.moves_weight) * moves + np.float32(parameters.harmony_weight) * harmony
        )
        self._levels[at, place] = levels
        self._evidence[at, place] = np.where(is_sound, evidence, NEVER)
        heard = at[is_sound]
        self._seen_levels[heard, levels[is_sound]] += 1
        steps = np.clip(harmony[is_sound] * HARMONIES, 0, HARMONIES - 1).astype(np.intp)
        self._seen_harmonies[heard, steps] += 1

    def _judge(self, at: Indexes, base: Ints, is_active: Flags) -> None:
        length = is_active.shape[1]
        counts = np.zeros((len(at), length + 1), np.int16)
        np.cumsum(is_active, axis=1, out=counts[:, 1:])
        is_word = counts[:, WORD:] - counts[:, :-WORD] >= WORD_LEAST
        has_word = is_word.any(axis=1)
        first = np.argmax(is_word, axis=1) + base
        last = length - WORD - np.argmax(is_word[:, ::-1], axis=1) + base + WORD - 1
        # What is forgotten was judged in its time.
        keeps = (base > 0) & (self.first[at] >= 0)
        self.first[at] = np.where(keeps, self.first[at], np.where(has_word, first, -1))
        self.last[at] = np.where(has_word, last, np.where(keeps, self.last[at], -1))
        self.voiced[at] = counts[:, -1]


def _around(levels: Floats, known: Ints) -> Floats:
    """The mean of `WIDE` on either side, of the first `known` in each row."""
    length = levels.shape[1]
    sums = np.zeros((len(levels), length + 1), np.float32)
    np.cumsum(levels, axis=1, out=sums[:, 1:])
    frames: NDArray[np.intp] = np.arange(length, dtype=np.intp)
    begin = np.maximum(frames - WIDE, 0)
    end = np.minimum(np.minimum(frames + WIDE + 1, length), np.maximum(known, 1)[:, None])
    counts = np.maximum(end - begin, 1)
    return (np.take_along_axis(sums, end, axis=1) - sums[:, begin]) / counts.astype(np.float32)


def _step_of(below: Floats, part: float) -> Floats:
    """The step that this part of the frames stays under. `below`: how many stay under each."""
    return np.argmax(below >= np.float32(part) * below[:, -1:], axis=1).astype(np.float32)
