"""Sounds for the tests: tones, and files of every format."""

from __future__ import annotations

import io

import numpy as np
import soundfile
from numpy.typing import NDArray


def tone(hz: float, seconds: float, rate_hz: int = 8000, amplitude: float = 0.1) -> NDArray[np.float32]:
    """A sine."""
    times = np.arange(round(rate_hz * seconds)) / rate_hz
    return (amplitude * np.sin(2 * np.pi * hz * times)).astype(np.float32)


def file_of(wave: NDArray[np.float32], rate_hz: int, kind: str, subtype: str | None = None) -> bytes:
    """`wave` (frames, or frames by channels) as a file."""
    written = io.BytesIO()
    soundfile.write(written, wave, rate_hz, format=kind, subtype=subtype)
    return written.getvalue()


def loudest_hz(samples: NDArray[np.int16], rate_hz: int = 8000) -> float:
    """The frequency that stands out."""
    spectrum = np.abs(np.fft.rfft(samples.astype(np.float64) * np.hanning(len(samples))))
    return float(np.argmax(spectrum)) * rate_hz / len(samples)
