"""Where somebody speaks: power in bands above a noise floor that follows the noise. Arrays with one row a slot.

How far each frame is above the noise is kept; what of that was speech is judged again and again, from the beginning, by
what is known of the noise by then. So noise that is there from the beginning is no speech, and voices in the background
are none once somebody was nearer.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from chappe.operators.sip.amd.parameters import Parameters
from chappe.operators.sip.amd.spectrum import BANDS, SILENT_DBOV, Floats, Indexes, decibels

FRAME_MS: Final = 20
PARTS: Final = 8
"""The floor's time is so many parts: the oldest is forgotten at once."""
SMOOTH: Final = np.float32(0.5)
"""Of the new frame in the smoothed power: the dips within a word fill up."""
AROUND: Final = 3
"""A frame's score is the mean of so many on either side."""
RECENT: Final = 16
KEPT: Final = 768
"""Scores that are kept: 15 s; then the older half is forgotten."""
STEPS: Final = 128
STEP_DB: Final = np.float32(0.25)
"""Scores are kept in steps of so much."""
WORD: Final = 4
WORD_LEAST: Final = 3
"""So many of so many frames in a row are above the least: somebody speaks."""

Ints = NDArray[np.int32]
Flags = NDArray[np.bool_]
Octets = NDArray[np.uint8]


class Voice:
    """`take` a frame of each slot; `judge` what was taken so far."""

    def __init__(self, parameters: Parameters, slots: int) -> None:
        self._parameters = parameters
        self._learn = parameters.learn_ms // FRAME_MS
        self._part = max(1, parameters.floor_ms // FRAME_MS // PARTS)
        self.taken: Ints = np.zeros(slots, np.int32)
        """Frames that came."""
        self.first: Ints = np.full(slots, -1, np.int32)
        """The frame in which speech began first; -1: nobody has spoken."""
        self.last: Ints = np.full(slots, -1, np.int32)
        """The last frame of speech so far."""
        self.voiced: Ints = np.zeros(slots, np.int32)
        """Frames of speech among those that are kept."""
        self.is_noisy: Flags = np.zeros(slots, np.bool_)
        """Other people's voices are there."""
        self.is_near: Flags = np.zeros(slots, np.bool_)
        """Somebody speaks into the telephone most of the time."""
        self.noise: Floats = np.zeros((slots, BANDS), np.float32)
        """Power of the noise by band."""
        self._smooth: Floats = np.zeros((slots, BANDS), np.float32)
        self._least: Floats = np.zeros((slots, PARTS, BANDS), np.float32)
        self._floor: Floats = np.zeros((slots, BANDS), np.float32)
        self._early: Floats = np.zeros((slots, self._learn, BANDS), np.float32)
        """Levels of the first frames, until the noise is known."""
        self._recent: Floats = np.zeros((slots, RECENT), np.float32)
        self._scores: Octets = np.zeros((slots, KEPT), np.uint8)
        self._base: Ints = np.zeros(slots, np.int32)
        """Frames that are forgotten."""
        self._seen: Floats = np.zeros((slots, STEPS), np.float32)
        """How many frames had which score."""
        self.reset(slice(None))

    def reset(self, slot: int | slice) -> None:
        self.taken[slot] = self.voiced[slot] = self._base[slot] = 0
        self.first[slot] = self.last[slot] = -1
        self.is_noisy[slot] = self.is_near[slot] = False
        self._smooth[slot] = 0
        self._scores[slot] = 0
        self._recent[slot] = 0
        self._seen[slot] = 0
        self._least[slot] = np.inf
        self._floor[slot] = self._parameters.floor_dbov
        self.noise[slot] = 10 ** (self._parameters.floor_dbov / 10)

    def take(self, at: Indexes, bands: Floats, is_audio: Flags, is_quiet: Flags) -> None:
        """A frame of each of `at`. What is neither audio nor quiet is lost, and counts as what was before."""
        smooth = self._smooth[at]
        weight = np.where(smooth[:, 0] == 0, np.float32(1), SMOOTH)[:, None]
        smooth = np.where(is_audio[:, None], smooth + weight * (bands - smooth), smooth)
        smooth[is_quiet] = 0
        self._smooth[at] = smooth
        levels = decibels(smooth)
        taken = self.taken[at]
        self._follow(at, levels, is_audio, taken)
        self.taken[at] = taken + 1
        is_early = taken < self._learn
        if is_early.any():
            early = at[is_early]
            self._early[early, taken[is_early]] = levels[is_early]
            for slot in at[taken == self._learn - 1]:
                self._look_back(int(slot))
        self._recent[at, taken % RECENT] = self._score(levels, self._floor[at])
        late = at[~is_early]
        if len(late):
            self._keep(late)

    def mark_tone(self, slot: int, frames: int) -> None:
        """The last so many frames are a tone, not speech."""
        taken = int(self.taken[slot])
        if taken <= self._learn:
            self._early[slot, max(0, taken - frames) : taken] = SILENT_DBOV
        for back in range(1, min(frames, RECENT) + 1):
            self._recent[slot, (taken - back) % RECENT] = 0
        end = taken - int(self._base[slot])
        self._scores[slot, max(0, end - frames - AROUND) : end] = 0

    def judge(self, at: Indexes) -> None:
        """What was speech, by all that is known now. Nothing is said while the noise is being learnt."""
        at = at[self.taken[at] >= self._learn]
        if not len(at):
            return
        parameters = self._parameters
        below = np.cumsum(self._seen[at], axis=1)
        least = np.clip(
            np.float32(parameters.background_factor) * _score_of(below, parameters.background_part),
            np.float32(parameters.speech_db),
            np.float32(parameters.speech_db_max),
        )
        loudest = _score_of(below, parameters.noisy_loudest_part)
        fluctuates = _score_of(below, parameters.noisy_part) >= parameters.noisy_db
        of_loudest = np.minimum(
            np.float32(parameters.noisy_factor) * loudest, np.float32(parameters.noisy_db_max)
        )
        least = np.where(fluctuates, np.maximum(least, of_loudest), least)
        self.is_noisy[at] = fluctuates & (loudest < parameters.noisy_loudest_db)
        step = (np.float32(parameters.near_factor) * loudest / STEP_DB).astype(np.intp)
        above = below[:, -1] - below[np.arange(len(at)), step]
        self.is_near[at] = (loudest >= parameters.near_db) & (above >= below[:, -1] * parameters.near_part)
        self._judge(at, least)

    # Inside

    def _follow(self, at: Indexes, levels: Floats, is_audio: Flags, taken: Ints) -> None:
        """The floor: the least of the last parts."""
        parameters = self._parameters
        part = taken // self._part % PARTS
        before = self._floor[at] - np.float32(parameters.floor_bias_db)
        # A tone, or what did not come, says nothing of the noise: it goes on.
        heard = np.where(is_audio[:, None], levels, before)
        begins = (taken % self._part == 0)[:, None]
        self._least[at, part] = np.where(begins, heard, np.minimum(self._least[at, part], heard))
        least = self._least[at].min(axis=1)
        floor = np.maximum(least + np.float32(parameters.floor_bias_db), np.float32(parameters.floor_dbov))
        self._floor[at] = floor
        self.noise[at] = np.power(np.float32(10), floor / np.float32(10))

    def _score(self, levels: Floats, floor: Floats) -> Floats:
        """Mean over the bands, but for the first one, which is for hum."""
        above = np.clip(levels - floor, 0, np.float32(self._parameters.snr_db_max))
        return above[..., 1:].mean(axis=-1)

    def _look_back(self, slot: int) -> None:
        """The noise is known now: the first frames get their scores."""
        scores = self._score(self._early[slot], self._floor[slot])
        for frame, score in enumerate(scores[-RECENT:], self._learn - len(scores[-RECENT:])):
            self._recent[slot, frame % RECENT] = score
        mean = np.convolve(scores, np.full(2 * AROUND + 1, 1 / (2 * AROUND + 1)), "same")[:-AROUND]
        steps = np.minimum(mean / STEP_DB, STEPS - 1).astype(np.uint8)
        self._scores[slot, : len(steps)] = steps
        self._seen[slot] = np.bincount(steps, minlength=STEPS)

    def _keep(self, at: Indexes) -> None:
        """The score of the frame in the middle of the last ones."""
        newest = self.taken[at] - 1
        around = (newest[:, None] - np.arange(2 * AROUND + 1)) % RECENT
        mean = self._recent[at[:, None], around].mean(axis=1)
        steps = np.minimum(mean / STEP_DB, STEPS - 1).astype(np.uint8)
        place = newest - AROUND - self._base[at]
        for slot in at[place >= KEPT - AROUND - 1]:
            half = KEPT // 2
            self._scores[slot, :half] = self._scores[slot, half:]
            self._scores[slot, half:] = 0
            self._base[slot] += half
        place = newest - AROUND - self._base[at]
        self._scores[at, place] = steps
        self._seen[at, steps] += 1

    def _judge(self, at: Indexes, least: Floats) -> None:
        base = self._base[at]
        length = int((self.taken[at] - base).max())
        is_active = self._scores[at, :length] > (least / STEP_DB)[:, None]
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


def _score_of(below: Floats, part: float) -> Floats:
    """The score that this part of the frames stays under. `below`: how many stay under each."""
    return (np.argmax(below >= np.float32(part) * below[:, -1:], axis=1) * STEP_DB).astype(np.float32)
