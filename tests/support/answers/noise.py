"""Noise at 8 kHz with a root mean square of 1: of the line, of the mains, of a street, of a room full of people."""

from __future__ import annotations

from functools import cache

import numpy as np

from chappe.audio.sound import RATE_HZ
from tests.support.answers.texts import MACHINES
from tests.support.answers.voices import VOICES, Wave, said

KINDS = ("white", "pink", "hum", "babble")
BABBLE_S = 40


def noise(kind: str, samples: int, random: np.random.Generator) -> Wave:
    """Never the same twice."""
    if kind == "white":
        wave = random.standard_normal(samples)
    elif kind == "pink":
        spectrum = np.fft.rfft(random.standard_normal(samples))
        wave = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 20)), samples)
    elif kind == "hum":
        time_s = np.arange(samples) / RATE_HZ
        mains_hz = random.choice([50.0, 60.0]) * random.uniform(0.998, 1.002)
        wave = 0.05 * random.standard_normal(samples)
        for harmonic in range(1, 12):
            strength = random.uniform(0.3, 1.0) / harmonic
            wave = wave + strength * np.sin(2 * np.pi * (mains_hz * harmonic * time_s + random.uniform()))
    else:
        babble = _babble()
        start = random.integers(len(babble))
        wave = np.resize(np.roll(babble, -start), samples).astype(np.float64)
    return (wave / np.sqrt(np.mean(wave * wave))).astype(np.float32)


@cache
def _babble() -> Wave:
    """Six voices at once, without an end."""
    random = np.random.default_rng(6)
    mixed = np.zeros(BABBLE_S * RATE_HZ, np.float32)
    for voice in [voice for voice in VOICES if not voice.held_out][:6]:
        parts: list[Wave] = []
        for text in MACHINES[voice.lang, False]:
            parts += [said(voice, piece) for piece in text]
        whole = np.concatenate(parts)
        whole = whole / np.sqrt(np.mean(whole * whole))
        mixed += np.resize(np.roll(whole, random.integers(len(whole))), len(mixed))
    return mixed
