"""The noise by band, where tones are looked for: the least of what was heard lately. Arrays with one row a slot."""

from __future__ import annotations

from typing import Final

import numpy as np

from chappe.operators.sip.amd.parameters import Parameters
from chappe.operators.sip.amd.spectrum import BANDS, Floats, Indexes, decibels
from chappe.operators.sip.amd.voice import FRAME_MS, SMOOTH, Flags, Ints

PARTS: Final = 8
"""The time is so many parts: the oldest is forgotten at once."""


class Noise:
    """`take` a frame of each slot; `power` is 1 for a sine of full scale, a row a slot, a column a band."""

    def __init__(self, parameters: Parameters, slots: int) -> None:
        self._parameters = parameters
        self._part = max(1, parameters.floor_ms // FRAME_MS // PARTS)
        self.power: Floats = np.zeros((slots, BANDS), np.float32)
        self._smooth: Floats = np.zeros((slots, BANDS), np.float32)
        self._least: Floats = np.zeros((slots, PARTS, BANDS), np.float32)
        self._floor: Floats = np.zeros((slots, BANDS), np.float32)

    def reset(self, slot: int) -> None:
        self._smooth[slot] = 0
        self._least[slot] = np.inf
        self._floor[slot] = self._parameters.floor_dbov
        self.power[slot] = 10 ** (self._parameters.floor_dbov / 10)

    def take(self, at: Indexes, bands: Floats, is_audio: Flags, is_quiet: Flags, taken: Ints) -> None:
        """A frame of each of `at`, the number of which is `taken`."""
        parameters = self._parameters
        smooth = self._smooth[at]
        weight = np.where(smooth[:, :1] == 0, np.float32(1), SMOOTH)
        smooth = np.where(is_audio[:, None], smooth + weight * (bands - smooth), smooth)
        smooth[is_quiet] = 0
        self._smooth[at] = smooth
        part = taken // self._part % PARTS
        before = self._floor[at] - np.float32(parameters.floor_bias_db)
        # A tone, or what did not come, says nothing of the noise: it goes on.
        heard = np.where(is_audio[:, None], decibels(smooth), before)
        begins = (taken % self._part == 0)[:, None]
        self._least[at, part] = np.where(begins, heard, np.minimum(self._least[at, part], heard))
        least = self._least[at].min(axis=1)
        floor = np.maximum(least + np.float32(parameters.floor_bias_db), np.float32(parameters.floor_dbov))
        self._floor[at] = floor
        self.power[at] = np.power(np.float32(10), floor / np.float32(10))
