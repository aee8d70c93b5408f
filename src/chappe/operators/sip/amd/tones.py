"""Tones: a frame that is mostly one frequency, and its neighbours like it. Arrays with one row a slot."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from chappe.operators.sip.amd.parameters import Parameters
from chappe.operators.sip.amd.spectrum import Floats, Indexes, Spectra, decibels
from chappe.operators.sip.amd.voice import Flags, Ints

BEFORE: Final = 3
"""A tone is compared with the frame so many before its first one: its neighbours may have some of it."""
EDGE_FRAMES: Final = 2
"""In the first frames of a tone its level still rises: the window holds what was before."""


class Tone(NamedTuple):
    """One that has ended. `frames` of 20 ms, `end`: the frame after its last one."""

    slot: int
    hz: float
    frames: int
    end: int


class Tones:
    """`take` tells the tones that have ended; `run` says for how many frames one has lasted in a slot."""

    def __init__(self, parameters: Parameters, slots: int) -> None:
        self._parameters = parameters
        self._above = np.float32(10 ** (parameters.tone_snr_db / 10))
        self._rise = np.float32(10 ** (parameters.vowel_rise_db / 10))
        self.run: Ints = np.zeros(slots, np.int32)
        self._purity: Floats = np.zeros(slots, np.float32)
        """Sum over the run."""
        self._hz: Floats = np.zeros(slots, np.float32)
        self._hz_sum: Floats = np.zeros(slots, np.float32)
        self._level: Floats = np.zeros(slots, np.float32)
        self._totals: Floats = np.zeros((slots, BEFORE), np.float32)
        """Power of the last frames."""
        self._before: Floats = np.zeros(slots, np.float32)
        """Power before the run began, over that of the noise or of the tone, whichever is more."""

    def reset(self, slot: int) -> None:
        self.run[slot] = 0
        self._totals[slot] = 0

    def take(
        self, at: Indexes, spectra: Spectra, noise: Floats, is_audio: Flags, is_lost: Flags, taken: Ints
    ) -> list[Tone]:
        """A frame of each of `at`; `noise` is the power of it there, `taken` the number of the frame."""
        parameters = self._parameters
        rest = np.maximum(spectra.total - noise.sum(axis=1), spectra.tone)
        purity = spectra.tone / np.maximum(rest, np.float32(1e-12))
        is_above = spectra.tone >= noise[np.arange(len(at)), spectra.tone_band] * self._above
        level = decibels(spectra.tone)
        hz = spectra.tone_hz
        run = self.run[at]
        is_tone = is_audio & is_above & (purity >= parameters.tone_purity) & (level >= parameters.tone_dbov)
        is_steady = (np.abs(level - self._level[at]) <= parameters.tone_step_db) | (
            (run < EDGE_FRAMES) & (level > self._level[at])
        )
        goes_on = is_tone & (run > 0) & is_steady & (np.abs(hz - self._hz[at]) <= parameters.tone_drift_hz)
        ended = (run >= parameters.beep_frames[0]) & ~goes_on & ~is_lost
        tones: list[Tone] = []
        for row in np.flatnonzero(ended):
            slot, frames = int(at[row]), int(run[row])
            if self._is_pure(slot):
                tones.append(Tone(slot, float(self._hz_sum[slot]) / frames, frames, int(taken[row])))
        begins = is_tone & ~goes_on
        beside = np.maximum(noise.sum(axis=1), spectra.tone)
        before = self._totals[at, taken % BEFORE] / np.maximum(beside, np.float32(1e-12))
        self._before[at] = np.where(begins, before, self._before[at])
        self._totals[at, taken % BEFORE] = np.where(is_audio, spectra.total, self._totals[at, taken % BEFORE])
        kept = is_lost & (run > 0)
        self.run[at] = np.where(kept, run, np.where(goes_on, run + 1, is_tone))
        self._purity[at] = np.where(kept, self._purity[at], purity + np.where(goes_on, self._purity[at], 0))
        self._hz_sum[at] = np.where(kept, self._hz_sum[at], hz + np.where(goes_on, self._hz_sum[at], 0))
        self._hz[at] = np.where(kept, self._hz[at], hz)
        self._level[at] = np.where(kept, self._level[at], level)
        return tones

    def sure(self, at: Indexes) -> Flags:
        """Whether a tone goes on there that is one by now."""
        is_sure = self.run[at] >= self._parameters.beep_frames[0]
        for row in np.flatnonzero(is_sure):
            is_sure[row] = self._is_pure(int(at[row]))
        return is_sure

    def _is_pure(self, slot: int) -> bool:
        parameters = self._parameters
        frames = int(self.run[slot])
        if self._hz_sum[slot] < frames * parameters.low_hz and frames < parameters.low_frames:
            return False
        if (
            self._hz_sum[slot] < frames * parameters.vowel_hz
            and frames < parameters.vowel_frames
            and self._before[slot] > self._rise
        ):
            return False
        least = np.interp(frames, parameters.beep_frames, parameters.beep_purities)
        return bool(self._purity[slot] >= frames * least)
