"""Frames of many streams at once: from G.711 to the power in bands, how much like a voice they are, and the strongest
tone. No state but the overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chappe.audio import g711
from chappe.audio.sound import RATE_HZ

Floats = NDArray[np.float32]
Indexes = NDArray[np.intp]

FRAME: Final = 160
WINDOW: Final = 256
"""32 ms, of which 12 are of the frame before: a bin is 31.25 Hz wide."""
OVERLAP: Final = WINDOW - FRAME
BIN_HZ: Final = RATE_HZ / WINDOW
BANDS_HZ: Final = (80.0, 200.0, 500.0, 1000.0, 2000.0, 3500.0)
BANDS: Final = len(BANDS_HZ) - 1
SILENT_DBOV: Final = -80.0
VOICE_HZ: Final = (250.0, 3000.0)
"""Where harmonics are looked for: hum lies below."""
PITCH_SAMPLES: Final = (20, 115)
"""Periods of voices: 400 to 70 Hz."""
LOBE: Final = 2
"""A tone is in so many bins on either side of its own (Hann)."""

_DECODED: Final = g711.decode(bytes(range(256)), "alaw").astype(np.float32) / np.float32(32768)
_HANN: Final = np.hanning(WINDOW + 1)[:WINDOW].astype(np.float32)
_SCALE: Final = np.float32(4 / (1.5 * WINDOW * WINDOW / 4))
"""Makes the sum over the bins of a full-scale sine 1."""
_EDGES: Final = np.array(BANDS_HZ, np.float32)
_EPSILON: Final = np.float32(10 ** (SILENT_DBOV / 10))

FROM_ULAW: Final = g711.encode(g711.decode(bytes(range(256)), "ulaw"), "alaw")
"""For `bytes.translate`: one law is enough for the analysis (G.711, table 3)."""


def _bands() -> Floats:
    """Columns that sum bins to bands, and last one from the lowest band up."""
    hz = np.arange(WINDOW // 2 + 1) * BIN_HZ
    columns = [(hz >= low) & (hz < high) for low, high in pairwise(BANDS_HZ)]
    return np.stack([*columns, (hz >= BANDS_HZ[0])], axis=1).astype(np.float32) * _SCALE


def _periods(first: int, last: int) -> Floats:
    """A column a period: how much of the amplitude in bins `first` to `last` repeats after it.

    It is the autocorrelation of what has the amplitudes for powers: one strong harmonic must not count for all. What the
    window takes from long periods is given back.
    """
    lags = np.arange(*PITCH_SAMPLES)
    window = np.fft.irfft(np.abs(np.fft.rfft(_HANN)) ** 2)
    bins = np.arange(first, last)
    return (np.cos(2 * np.pi * np.outer(bins, lags) / WINDOW) * (window[0] / window[lags])).astype(np.float32)


class Spectra(NamedTuple):
    """A row a stream. Powers are 1 for a sine of full scale."""

    bands: Floats
    total: Floats
    """From the lowest band up."""
    harmony: Floats
    """How much repeats after the period that most does, 0 to 1: vowels have 0.4 and more, noise 0.2."""
    tone: Floats
    """Power of the strongest bin within the bounds, and of its neighbours."""
    tone_hz: Floats
    tone_band: Indexes
    """The band that the tone is in."""


class Spectrum:
    """`analyse` gives what there is in frames; the overlaps are one row a slot."""

    def __init__(self, tone_hz_min: float, tone_hz_max: float, slots: int) -> None:
        self._tails: Floats = np.zeros((slots, OVERLAP), np.float32)
        self._columns = _bands()
        self._first = int(np.ceil(tone_hz_min / BIN_HZ))
        self._last = int(tone_hz_max / BIN_HZ)
        self._lobe = np.arange(-LOBE, LOBE + 1)
        self._voice = slice(int(VOICE_HZ[0] / BIN_HZ), int(VOICE_HZ[1] / BIN_HZ))
        self._periods = _periods(self._voice.start, self._voice.stop)

    def reset(self, slot: int) -> None:
        self._tails[slot] = 0

    def analyse(self, at: Indexes, frames: Sequence[bytes]) -> Spectra:
        """A-law frames of different slots."""
        count = len(frames)
        octets = np.frombuffer(b"".join(frames), np.uint8).reshape(count, FRAME)
        window = np.empty((count, WINDOW), np.float32)
        window[:, :OVERLAP] = self._tails[at]
        window[:, OVERLAP:] = _DECODED[octets]
        self._tails[at] = window[:, FRAME:]
        window *= _HANN
        bins = np.fft.rfft(window, axis=1)
        power: Floats = np.asarray(bins.real**2 + bins.imag**2, np.float32)
        sums = power @ self._columns
        amplitude = np.sqrt(power[:, self._voice])
        harmony = (amplitude @ self._periods).max(axis=1) / np.maximum(amplitude.sum(axis=1), _EPSILON)
        rows = np.arange(count)
        peak = np.argmax(power[:, self._first : self._last + 1], axis=1) + self._first
        lobe = power[rows[:, None], peak[:, None] + self._lobe]
        tone = lobe.sum(axis=1)
        # The centre of what a Hann window makes of a tone lies where the tone does.
        centre = peak + (lobe @ self._lobe.astype(np.float32)) / np.maximum(tone, _EPSILON)
        hz: Floats = (centre * BIN_HZ).astype(np.float32)
        band = np.searchsorted(_EDGES, hz) - 1
        return Spectra(sums[:, :BANDS], sums[:, BANDS], harmony, tone * _SCALE, hz, band)


def decibels(power: Floats) -> Floats:
    return np.float32(10) * np.log10(power + _EPSILON)
