"""G.711 (ITU-T): A-law and mu-law at 8 kHz, and WAV files of linear samples. Arrays are int16, mono.

Encoders and decoders are tables made once from the recommendation's formulas: 128 KiB, and a lookup a sample.
"""

from __future__ import annotations

import struct
from functools import cache

import numpy as np
from numpy.typing import NDArray

from chappe.audio.sound import RATE_HZ, Law

FRAME_SAMPLES = 160
"""20 ms, the packet that every telephone network expects."""

Samples = NDArray[np.int16]
SILENCE: dict[Law, int] = {"alaw": 0xD5, "ulaw": 0xFF}

_BIAS = 132  # added before the logarithm, mu-law only
_CLIP = 32635


def _decoded_alaw() -> Samples:
    octets = np.arange(256, dtype=np.int32) ^ 0x55
    exponent, mantissa = (octets >> 4) & 7, octets & 15
    magnitude = np.where(
        exponent == 0, (mantissa << 4) + 8, ((mantissa << 4) + 264) << np.maximum(exponent - 1, 0)
    )
    return np.where(octets & 0x80, magnitude, -magnitude).astype(np.int16)


def _decoded_ulaw() -> Samples:
    octets = ~np.arange(256, dtype=np.int32) & 0xFF
    magnitude = ((((octets & 15) << 3) + _BIAS) << ((octets >> 4) & 7)) - _BIAS
    return np.where(octets & 0x80, -magnitude, magnitude).astype(np.int16)


def _exponent(values: NDArray[np.int32]) -> NDArray[np.int32]:
    """Of 0 to 32767: how many of the seven segments lie below."""
    return np.maximum(np.floor(np.log2(np.maximum(values, 1))).astype(np.int32) - 7, 0)


def _encoded_alaw() -> NDArray[np.uint8]:
    linear = np.arange(65536, dtype=np.int32).astype(np.uint16).view(np.int16).astype(np.int32)
    positive = linear >= 0
    # Negative values are taken by their complement: -1 is as far from zero as 0.
    magnitude = np.where(positive, linear, ~linear)
    exponent = _exponent(magnitude)
    mantissa = np.where(exponent == 0, magnitude >> 4, magnitude >> (exponent + 3)) & 15
    return ((np.where(positive, 0x80, 0) | (exponent << 4) | mantissa) ^ 0x55).astype(np.uint8)


def _encoded_ulaw() -> NDArray[np.uint8]:
    linear = np.arange(65536, dtype=np.int32).astype(np.uint16).view(np.int16).astype(np.int32)
    magnitude = np.minimum(np.abs(linear), _CLIP) + _BIAS
    exponent = _exponent(magnitude)
    mantissa = (magnitude >> (exponent + 3)) & 15
    return ~(np.where(linear < 0, 0x80, 0) | (exponent << 4) | mantissa).astype(np.uint8)


@cache
def _encoder(law: Law) -> NDArray[np.uint8]:
    return _encoded_alaw() if law == "alaw" else _encoded_ulaw()


@cache
def _decoder(law: Law) -> Samples:
    return _decoded_alaw() if law == "alaw" else _decoded_ulaw()


def encode(samples: Samples, law: Law) -> bytes:
    """One octet a sample."""
    return _encoder(law)[samples.view(np.uint16)].tobytes()


def decode(octets: bytes, law: Law) -> Samples:
    """One sample an octet."""
    return _decoder(law)[np.frombuffer(octets, dtype=np.uint8)]


def wav(samples: Samples, rate_hz: int = RATE_HZ) -> bytes:
    """A WAV file of 16-bit samples, which every browser and player takes."""
    data = samples.astype("<i2").tobytes()
    head = struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 1, 1, rate_hz, rate_hz * 2, 2, 16,
        b"data", len(data),
    )  # fmt: skip
    return head + data
