"""Evens the loudness of speech, so that one campaign is not whispered and the next one shouted.

The level of the parts in which somebody speaks is brought to -20 dBov: 6 dB above the level that telephone speech is
tested at (ITU-T P.56, P.800: -26 dBov), because prompts are recorded closer than people talk. It is raised by at
most 20 dB, for what is recorded more quietly is mostly noise. Peaks are bent, not cut: one door that slams does
not keep a whole message quiet.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

TARGET_DBOV: Final = -20.0
GAIN_DB_MAX: Final = 20.0
FRAME: Final = 160
ACTIVE_BELOW_LOUDEST_DB: Final = 25.0
"""A frame counts as speech while it is not more than this below the loud ones: pauses must not pull the level down."""
SILENT_DBOV: Final = -60.0
KNEE: Final = 0.6
"""Full scale is 1. Below the knee nothing changes."""

Wave = NDArray[np.float32]


def active_level_dbov(wave: Wave) -> float:
    """The level of the active frames of 8 kHz mono `wave`; -inf where nobody speaks."""
    count = len(wave) // FRAME
    if count == 0:
        return float("-inf")
    frames = wave[: count * FRAME].astype(np.float64).reshape(count, FRAME)
    power: NDArray[np.float64] = np.mean(frames * frames, axis=1)
    loud = float(np.percentile(power, 95))
    if loud <= 10 ** (SILENT_DBOV / 10):
        return float("-inf")
    # The loudest frames count no more than the next ones: a bang is no speech.
    active = np.minimum(power[power >= loud * 10 ** (-ACTIVE_BELOW_LOUDEST_DB / 10)], loud)
    # A sine of full scale has 0 dBov here as in P.56: 3 dB above its mean square.
    return 10 * math.log10(float(active.mean())) + 3.01


def evened(wave: Wave) -> Wave:
    """`wave` without its direct current, at the target level, within -1 to 1."""
    if len(wave) == 0:
        return wave
    wave = wave - np.float32(np.mean(wave, dtype=np.float64))
    level = active_level_dbov(wave)
    if level == float("-inf"):
        return np.clip(wave, -1.0, 1.0)
    gain = np.float32(10 ** (min(TARGET_DBOV - level, GAIN_DB_MAX) / 20))
    wave = wave * gain
    over = np.abs(wave) > KNEE
    if np.any(over):
        room = np.float32(1.0 - KNEE)
        bent = KNEE + room * np.tanh((np.abs(wave[over]) - KNEE) / room)
        wave[over] = np.copysign(bent, wave[over])
    return wave


def as_samples(wave: Wave) -> NDArray[np.int16]:
    """Full scale 1 as 16-bit integers."""
    return np.clip(np.round(wave * 32767), -32768, 32767).astype(np.int16)
