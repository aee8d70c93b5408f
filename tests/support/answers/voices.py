"""Voices of SVOX Pico and espeak-ng. Two are held out: nothing is tuned with them, and they are in nobody's babble."""

from __future__ import annotations

import io
import subprocess
from dataclasses import dataclass
from functools import cache

import numpy as np
import soundfile
from numpy.typing import NDArray

from chappe.audio.convert import resampled
from chappe.speech.joining import trimmed

Wave = NDArray[np.float32]


@dataclass(frozen=True)
class Voice:
    """`pitch` is espeak-ng's, 0 to 99."""

    engine: str
    name: str
    lang: str
    held_out: bool = False
    pitch: int = 50


VOICES = (
    Voice("pico", "en-GB", "en"),
    Voice("pico", "en-US", "en"),
    Voice("espeak", "fr", "fr"),
    Voice("espeak", "fr+f2", "fr", pitch=60),
    Voice("espeak", "fr-be+m3", "fr", pitch=40),
    Voice("espeak", "fr-ch+f4", "fr"),
    Voice("espeak", "en-us+m2", "en"),
    Voice("espeak", "en-gb-scotland+f2", "en", pitch=65),
    Voice("pico", "fr-FR", "fr", held_out=True),
    Voice("espeak", "en-gb-x-rp+f3", "en", held_out=True),
)


@cache
def said(voice: Voice, text: str, rate: int = 100) -> Wave:
    """8 kHz, full scale 1, without silence around it. `rate` in percent."""
    if voice.engine == "pico":
        from ttspico import TtsEngine

        engine = TtsEngine(voice.name)
        engine.rate = rate
        engine.pitch = 2 * voice.pitch
        wave = np.frombuffer(engine.speak(text), "<i2").astype(np.float32) / np.float32(32768)
        return trimmed(resampled(wave, 16_000))
    words = str(165 * rate // 100)
    done = subprocess.run(
        ["espeak-ng", "-v", voice.name, "-s", words, "-p", str(voice.pitch), "--stdin", "--stdout"],
        input=text.encode(),
        capture_output=True,
        check=True,
        timeout=30,
    )
    # The head of a WAV file on a pipe does not know its length.
    samples, rate_hz = soundfile.read(io.BytesIO(done.stdout), dtype="float32")
    return trimmed(resampled(np.asarray(samples, np.float32), rate_hz))
